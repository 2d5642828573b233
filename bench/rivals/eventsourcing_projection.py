"""`eventsourcing` 9.5: its projection runner, which follows the recorder by LISTEN and NOTIFY, into a read table. No broker between.

A stricter comparison would put Kafka in between; the library leaves that to its users.
"""

import threading
import time
from typing import Any
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from psycopg_pool import ConnectionPool

from bench.asked import answering, reading
from bench.rivals.eventsourcing_append import recorder_of

STATE = b"x" * 300
WRITERS = 8
WAIT_SECONDS_MAX = 30.0
TABLES = """
CREATE TABLE IF NOT EXISTS es_seen (id uuid PRIMARY KEY, position bigint NOT NULL);
CREATE TABLE IF NOT EXISTS es_seen_tracking (application text NOT NULL, position bigint NOT NULL, PRIMARY KEY (application, position));
"""
DELAYS = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(seen.xmin) - pg_xact_commit_timestamp(sent.xmin))::float8
FROM es_projection sent JOIN es_seen seen ON seen.id = sent.originator_id WHERE sent.originator_id = ANY(%s)
"""


def begin(url: str, **_: Any) -> Any:
    """One follower for the whole life of the program: each event one transaction of row and tracking row."""
    recorder = recorder_of(url, table="es_projection")
    pool = ConnectionPool(url, min_size=1, max_size=2, open=True)
    with pool.connection() as connection:
        connection.execute(TABLES)
    seen: set[UUID] = set()

    def follow() -> None:
        connection = psycopg.connect(url)
        with recorder.subscribe(gt=recorder.max_notification_id()) as subscription:
            for one in subscription:
                with connection.transaction():
                    connection.execute("INSERT INTO es_seen VALUES (%s, %s)", (one.originator_id, one.id))
                    connection.execute("INSERT INTO es_seen_tracking VALUES ('screening', %s)", (one.id,))
                seen.add(UUID(str(one.originator_id)))

    threading.Thread(target=follow, daemon=True).start()

    def project(seconds: float, per_second: float) -> dict[str, Any]:
        """Writers share the rate evenly."""
        sent: list[UUID] = []
        begun, cpu_s = time.perf_counter(), time.process_time()

        def write(n: int) -> None:
            due = begun + n / per_second
            while due < begun + seconds:
                time.sleep(max(0.0, due - time.perf_counter()))
                id_ = uuid4()
                recorder.insert_events([StoredEvent(originator_id=id_, originator_version=1, topic="clinic:Registered", state=STATE)])
                sent.append(id_)
                due += WRITERS / per_second

        writers = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
        for one in writers:
            one.start()
        for one in writers:
            one.join()
        took = time.perf_counter() - begun
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not seen.issuperset(sent) and time.monotonic() < deadline:
            time.sleep(0.02)
        with pool.connection() as connection:
            delays_s = [row[0] for row in connection.execute(DELAYS, (sent,))]
        return reading(took, delays_s, time.process_time() - cpu_s)

    return project


if __name__ == "__main__":
    answering(begin)
