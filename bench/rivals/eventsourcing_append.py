"""`eventsourcing` 9.5: its PostgreSQL recorder, with database functions on, which is its faster way. One event per append."""

import threading
import time
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from bench.asked import answering, now, reading

DATA = b"x" * 300
CONNECTIONS = 8  # as many as ours


def recorder_of(url: str, *, table: str) -> PostgresApplicationRecorder:
    """With its table made."""
    parts = urlsplit(url)
    datastore = PostgresDatastore(
        dbname=parts.path.lstrip("/"), host=parts.hostname or "", port=parts.port or 0, user=unquote(parts.username or ""),
        password=unquote(parts.password or ""), pool_size=CONNECTIONS, max_overflow=0, enable_db_functions=True,
    )  # fmt: skip
    recorder = PostgresApplicationRecorder(datastore, events_table_name=table)
    recorder.create_table()
    return recorder


def begin(url: str, **_: Any) -> Any:
    """The recorder is thread-safe; callers are threads, as its users' are."""
    recorder = recorder_of(url, table="es_append")

    def append(seconds: float, in_flight: int) -> dict[str, Any]:
        latencies: list[float] = []
        (begun, cpu_s), end = now(), time.perf_counter() + seconds

        def caller() -> None:
            while (started := time.perf_counter()) < end:
                event = StoredEvent(originator_id=uuid4(), originator_version=1, topic="clinic:ProcedureReported", state=DATA)
                recorder.insert_events([event])
                latencies.append(time.perf_counter() - started)

        callers = [threading.Thread(target=caller) for _ in range(in_flight)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        done, used_s = now()
        return reading(done - begun, latencies, used_s - cpu_s)

    return append


if __name__ == "__main__":
    answering(begin)
