"""`eventsourcing` 9.5: its notification log read from the beginning, each event one transaction of read table row and tracking row."""

import json
import time
from typing import Any
from uuid import uuid4

import psycopg
from eventsourcing.persistence import StoredEvent

from bench.asked import answering, now
from bench.rivals.eventsourcing_append import recorder_of

EVENTS = 20_000
EVENTS_OF_A_PATIENT = 10
PAGE = 500
TABLES = """
DROP TABLE IF EXISTS es_patients, es_tracking;
CREATE TABLE es_patients (id uuid PRIMARY KEY, version integer NOT NULL, data jsonb NOT NULL);
CREATE TABLE es_tracking (application text NOT NULL, position bigint NOT NULL, PRIMARY KEY (application, position));
"""
PUT = "INSERT INTO es_patients VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE SET version = excluded.version, data = excluded.data"
TRACK = "INSERT INTO es_tracking VALUES ('screening', %s)"


def begin(url: str, **_: Any) -> Any:
    """Fills the recorder before the clock starts."""
    recorder = recorder_of(url, table="es_rebuild")
    state = json.dumps({"kind": "botulinum_toxin", "note": "x" * 240}).encode()
    for _n in range(EVENTS // EVENTS_OF_A_PATIENT):
        id_ = uuid4()
        recorder.insert_events(
            [
                StoredEvent(originator_id=id_, originator_version=v, topic="clinic:Fact", state=state)
                for v in range(1, EVENTS_OF_A_PATIENT + 1)
            ]
        )

    def rebuild(seconds: float) -> dict[str, Any]:
        count, at = 0, 0
        with psycopg.connect(url) as connection:
            connection.execute(TABLES)
            connection.commit()
            (begun, cpu_s), end = now(), time.perf_counter() + seconds
            while time.perf_counter() < end:
                notifications = recorder.select_notifications(start=at + 1, limit=PAGE)
                for one in notifications:
                    data = json.loads(one.state)
                    with connection.transaction():
                        connection.execute(PUT, (one.originator_id, one.originator_version, json.dumps(data)))
                        connection.execute(TRACK, (one.id,))
                    at, count = one.id, count + 1
                if len(notifications) < PAGE:
                    break
            done, used_s = now()
        return {"per_second": count / (done - begun), "cpu_us": 1e6 * (used_s - cpu_s) / count}

    return rebuild


if __name__ == "__main__":
    answering(begin)
