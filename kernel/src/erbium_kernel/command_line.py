"""`python -m <package> …`: one program a service, for those who deploy and operate it."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import create_async_engine

from erbium_kernel.clock import SystemClock
from erbium_kernel.errors import Rejected, Unavailable
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.log_records import ParkedKey, Row
from erbium_kernel.migrating import head, migrate, sqlalchemy_url
from erbium_kernel.observing.serving import PortTaken
from erbium_kernel.rebuild import RebuildStuck, Rebuilt, TableInUse, rebuild, rebuild_live
from erbium_kernel.running import codec_of
from erbium_kernel.service import Service
from erbium_kernel.settings import Settings, SettingsUnfit
from erbium_kernel.subscribing import Projection
from erbium_kernel.topic.declared import TopicsDiffer, TopicsRefused
from erbium_kernel.vault import SecretsMissing
from erbium_kernel.verifying import Unfit

EXIT_CODES = "exit codes: 0 done, 1 refused or failed (standard error says why), 2 wrong usage"
SENTENCES = (
    SettingsUnfit, SecretsMissing, Unfit, TopicsDiffer, TopicsRefused, PortTaken, TableInUse, RebuildStuck, Unavailable, Rejected,
)  # fmt: skip
Command = Callable[[Service, argparse.Namespace], Coroutine[Any, Any, int]]


def run(service: Service, arguments: list[str] | None = None) -> None:
    """Parses, runs, exits with a documented code."""
    sys.exit(_on_a_fast_loop(obeyed(service, parser(service).parse_args(arguments))))


async def obeyed(service: Service, given: argparse.Namespace) -> int:
    """Runs the command and returns the exit code; an expected trouble is one sentence on standard error."""
    command: Command = given.command
    try:
        return await command(service, given)
    except SENTENCES as trouble:
        sentence = str(trouble) or " ".join((type(trouble).__doc__ or "").split())
        print(f"{service.name}: {sentence}", file=sys.stderr)
        return 1


def _on_a_fast_loop(work: Coroutine[Any, Any, int]) -> int:
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(work)
    return uvloop.run(work)


def parser(service: Service) -> argparse.ArgumentParser:
    """The command line of one service."""
    top = argparse.ArgumentParser(
        prog=f"python -m {service.package}", description=f"Erbium {service.name}. Settings: ERBIUM_* in the environment.", epilog=EXIT_CODES
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for kind, help_ in (("api", "serve HTTP"), ("work", "relay, intake, subscribers, timers"), ("all", "both in one process")):
        _add(commands, kind, help_, _serve).set_defaults(kind=kind)
    _add(commands, "migrate", "bring the database to this code's schema (as its owner)", _migrate)
    rebuilding = _add(commands, "rebuild", "empty a read table and follow the log again", _rebuild)
    rebuilding.add_argument("name", metavar="NAME", help=f"a projection or one of its tables: {_names(service)}")
    rebuilding.add_argument("--live", action="store_true", help="while workers run: they do the work, readers see it grow")
    parked = commands.add_parser("parked", help="keys that wait for an operator", epilog=EXIT_CODES).add_subparsers(
        required=True, metavar="ACTION"
    )
    _add(parked, "list", "which keys wait, since when and why", _parked_list)
    _key(_add(parked, "inspect", "the rows of one key, oldest first; personal values stay sealed", _parked_inspect))
    _key(_add(parked, "retry", "the fault is mended: release the key with its first row", _parked_retry))
    skipping = _key(_add(parked, "skip", "skip the first row for ever, recorded, and release the rest", _parked_skip))
    skipping.add_argument("--event", required=True, type=UUID, help="event_id of the first row, as `parked inspect` shows it")
    skipping.add_argument("--by", required=True, help="who decides this: an id, not a name")
    skipping.add_argument("--reason", required=True, help="why, for the record; no personal data")
    return top


def _add(commands: Any, name: str, help_: str, command: Command) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.", epilog=EXIT_CODES
    )
    parser.add_argument("--json", action="store_true", help="answer in JSON, one object a line")
    parser.set_defaults(command=command)
    return parser


def _key(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("subscriber", metavar="SUBSCRIBER")
    parser.add_argument("chain", metavar="CHAIN", type=UUID, help="id of the chain")
    parser.add_argument("key", metavar="KEY", type=UUID, help="ordering id: the patient, else the device, else the stream")
    return parser


def _names(service: Service) -> str:
    return ", ".join(projection.name for projection in service.projections) or "(this service has none)"


async def _serve(service: Service, given: argparse.Namespace) -> int:
    from erbium_kernel.process import serve  # the rest needs no HTTP and no Kafka

    return await serve(service, Settings(), given.kind)


async def _migrate(service: Service, given: argparse.Namespace) -> int:
    await migrate(Settings().need("database_owner_url").database_owner_url, service.name)
    _say(given, f"{service.name} is at revision {head(service.name)}", service=service.name, revision=head(service.name))
    return 0


async def _rebuild(service: Service, given: argparse.Namespace) -> int:
    projection = _projection(service, given.name)
    work_url = Settings().need("database_work_url").database_work_url
    engine = create_async_engine(sqlalchemy_url(work_url), hide_parameters=True)
    said = _Told(given, projection.name)
    try:
        async with await PostgresStore.open(service=service.package, api_url=None, work_url=work_url, clock=SystemClock()) as store:
            if given.live:
                await rebuild_live(store, projection, engine, said)
            else:
                await rebuild(store, codec_of(service), SystemClock(), projection, engine, said)
    finally:
        await engine.dispose()
    said.last()
    return 0


def _projection(service: Service, name: str) -> Projection:
    for projection in service.projections:
        if name in (projection.name, projection.name.removeprefix(f"{service.name}."), *(table.name for table in projection.tables)):
            return projection
    if any(name == reaction.name for reaction in service.reactions):
        raise Rejected(f"{name} is a reaction: it acts, and acts only once; nothing of it can be rebuilt.")
    raise Rejected(f"{service.name} has no read table {name}. There are: {_names(service)}.")


class _Told:
    """Progress of a rebuild: a line whenever another tenth is done."""

    def __init__(self, given: argparse.Namespace, name: str) -> None:
        self._given, self._name, self._tenth, self._stands = given, name, -1, Rebuilt(0, 0, 0)

    def __call__(self, stands: Rebuilt) -> None:
        self._stands = stands
        tenth = min(10, 10 * stands.position // stands.end) if stands.end else 10
        if tenth > self._tenth:
            self._tenth = tenth
            self._say(f"{self._name}: {tenth * 10} %")

    def last(self) -> None:
        self._say(f"{self._name} is rebuilt, {self._stands.parked} keys parked")

    def _say(self, sentence: str) -> None:
        stands = self._stands
        _say(self._given, sentence, projection=self._name, position=stands.position, end=stands.end, parked=stands.parked)


async def _parked_list(service: Service, given: argparse.Namespace) -> int:
    async with await _store(service) as store:
        keys = await store.parked()
    for key in keys:
        _say(given, _line(key), **_shown(key))
    if not keys:
        _say(given, f"Nothing is parked in {service.name}.")
    return 0


async def _parked_inspect(service: Service, given: argparse.Namespace) -> int:
    async with await _store(service) as store:
        rows = await store.parked_detail(given.subscriber, given.chain, given.key)
    if not rows:
        raise Rejected("Nothing is parked under this key: `parked list` shows what is.")
    for row in rows:
        shown = _row(row)
        _say(given, json.dumps(shown, indent=2), **shown)
    return 0


async def _parked_retry(service: Service, given: argparse.Namespace) -> int:
    async with await _store(service) as store:
        await store.retry_parked(given.subscriber, given.chain, given.key)
    _say(given, f"{given.key} is released: its rows are tried again, oldest first.", released=str(given.key))
    return 0


async def _parked_skip(service: Service, given: argparse.Namespace) -> int:
    async with await _store(service) as store:
        await store.skip_parked(given.subscriber, given.chain, given.key, given.event, given.by, given.reason)
    _say(given, f"Skipped {given.event}; what waited behind it is released.", skipped=str(given.event))
    return 0


async def _store(service: Service) -> PostgresStore:
    url = Settings().need("database_work_url").database_work_url
    return await PostgresStore.open(service=service.package, api_url=None, work_url=url, clock=SystemClock())


def _line(key: ParkedKey) -> str:
    since = f"{key.parked_at:%Y-%m-%d %H:%M:%S}Z"
    how = "released, being worked off" if key.released else f"{key.attempts} attempts"
    return f"{key.subscriber}  {key.chain_id}  {key.ordering_id}  {key.rows} rows since {since}  {how}  {key.reason}"


def _shown(key: ParkedKey) -> dict[str, Any]:
    return {
        "subscriber": key.subscriber, "chain": str(key.chain_id), "key": str(key.ordering_id), "rows": key.rows, "reason": key.reason,
        "attempts": key.attempts, "parked_at": key.parked_at.isoformat(), "released": key.released,
    }  # fmt: skip


def _row(row: Row) -> dict[str, Any]:
    envelope = row.envelope
    payload = (row.data if row.raw is None else row.raw) or b""
    return {
        "event_id": str(envelope.event_id), "type": envelope.type, "schema_version": envelope.schema_version, "origin": envelope.origin,
        "stream": envelope.stream, "version": envelope.version, "recorded_at": envelope.recorded_at.isoformat(),
        "epoch": row.cursor.epoch, "tx": row.cursor.tx, "position": row.cursor.position, "data": payload.decode(errors="replace"),
    }  # fmt: skip


def _say(given: argparse.Namespace, sentence: str, **facts: Any) -> None:
    if given.json:
        if facts:
            print(json.dumps(facts), flush=True)
    else:
        print(sentence, flush=True)
