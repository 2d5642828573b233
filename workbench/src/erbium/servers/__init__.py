"""The local servers: a real PostgreSQL and a real Kafka as child processes, or the ones that the environment names.

Nothing of the machine's own Java, Maven or PostgreSQL is looked at.
"""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

from erbium.servers import folder, kafka, postgres, process
from erbium.servers.errors import LocalServerError

__all__ = ["LocalServerError", "Servers", "attach", "start", "start_kafka", "start_postgres", "stop"]

_KAFKA_ENV = "ERBIUM_KAFKA"
_POSTGRES_ENV = "ERBIUM_POSTGRES_URL"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where the two servers are.

    `postgres_url` is the superuser's, `postgresql://...@127.0.0.1:<port>/postgres`; `kafka` is `host:port`; `stop` ends what
    `start` started (and not what the environment named).
    """

    postgres_url: str
    kafka: str
    stop: Callable[[], None]


def start(state: Path, *, die_with_parent: bool, progress: Callable[[str], None]) -> Servers:
    """Start both servers on the data of `state`, made at the first start. Blocks until both answer.

    `die_with_parent`: they end with this process, even by kill -9; call it from the main thread then.
    Raises: LocalServerError with one sentence for the reader. What it had started is stopped again.
    """
    state = folder.ready_to_write(state.absolute())
    address = start_kafka(state, die_with_parent=die_with_parent, progress=progress)  # first, since its jars may have to be fetched
    try:
        postgres_url = start_postgres(state, die_with_parent=die_with_parent, progress=progress)
    except BaseException:
        with process.undisturbed():
            kafka.stop(state)
        raise
    _remember(state, postgres_url, address)
    return Servers(postgres_url=postgres_url, kafka=address, stop=lambda: stop(state))


def start_postgres(state: Path, *, die_with_parent: bool, progress: Callable[[str], None]) -> str:
    """PostgreSQL alone; returns the superuser's URL. ERBIUM_POSTGRES_URL names one that runs already."""
    if url := os.environ.get(_POSTGRES_ENV):
        if not postgres.answers(url):
            raise LocalServerError(f"No PostgreSQL lets us in at the address in {_POSTGRES_ENV}: correct it, or unset it.")
        return url
    return postgres.start(state.absolute(), die_with_parent=die_with_parent, progress=progress)


def start_kafka(state: Path, *, die_with_parent: bool, progress: Callable[[str], None]) -> str:
    """Kafka alone; returns `host:port`. ERBIUM_KAFKA names one that runs already."""
    if address := os.environ.get(_KAFKA_ENV):
        if not any(kafka.answers(one.strip()) for one in address.split(",")):
            raise LocalServerError(f"No Kafka answers at {address}, the address in {_KAFKA_ENV}: correct it, or unset it.")
        return address
    return kafka.start(state.absolute(), die_with_parent=die_with_parent, progress=progress)


def attach(state: Path) -> Servers | None:
    """The servers that already run from `state`, None when either does not."""
    state = state.absolute()
    try:
        book = json.loads(_address_book(state).read_text())
    except (FileNotFoundError, ValueError):
        return None
    if (book["own_postgres"] and not process.is_running(postgres.Files(state=state).pid)) or (
        book["own_kafka"] and not process.is_running(kafka.Files(state=state).pid)
    ):
        return None
    return Servers(postgres_url=book["postgres_url"], kafka=book["kafka"], stop=lambda: stop(state))


def stop(state: Path) -> None:
    """Stop what runs from `state`: Kafka, then PostgreSQL. Doing it again changes nothing."""
    state = state.absolute()
    kafka.stop(state)
    postgres.stop(state)
    _address_book(state).unlink(missing_ok=True)


def _address_book(state: Path) -> Path:
    return state / "run" / "servers.json"


def _remember(state: Path, postgres_url: str, address: str) -> None:
    book = _address_book(state)
    folder.ensure(book.parent)
    fresh = book.with_suffix(".new")
    fresh.touch(mode=0o600)  # it holds the superuser's password
    fresh.write_text(
        json.dumps(
            {
                "postgres_url": postgres_url,
                "kafka": address,
                "own_postgres": _POSTGRES_ENV not in os.environ,
                "own_kafka": _KAFKA_ENV not in os.environ,
            }
        )
    )
    fresh.replace(book)
