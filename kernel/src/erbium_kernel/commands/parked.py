"""`parked list | inspect | retry | skip`: keys that wait for an operator."""

import argparse
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from erbium_kernel.commands.saying import EXIT_CODES, add, open_store, say
from erbium_kernel.errors import NotFound
from erbium_kernel.log.skipping import NOTHING_PARKED
from erbium_kernel.log_records import ParkedKey, Row
from erbium_kernel.previewing import PREVIEW_ROWS_MAX, Foreseen, foresee
from erbium_kernel.running import running
from erbium_kernel.service import Service
from erbium_kernel.settings import Settings

KEYS_MAX = 1_000  # of one `retry --all`; what is left is told
SAID = {
    "effect": "would take effect",
    "nothing": "would be passed: nothing follows from it",
    "refused": "would be refused by a rule, which is an answer: the key goes on",
    "waits": "would wait for what has yet to arrive",
    "fails": "still fails",
}


def declare(commands: Any) -> None:
    """The four actions."""
    actions = commands.add_parser("parked", help="keys that wait for an operator", epilog=EXIT_CODES).add_subparsers(
        required=True, metavar="ACTION"
    )
    add(actions, "list", "which keys wait, since when and why", _list)
    _key(add(actions, "inspect", "the rows of one key, oldest first; personal values stay sealed", _inspect))
    retrying = add(actions, "retry", "the fault is mended: release the key with its first row", _retry)
    _key(retrying, optional=True)
    retrying.add_argument("--all", action="store_true", help=f"every key of the subscriber that waits, at most {KEYS_MAX} at once")
    retrying.add_argument(
        "--dry-run", action="store_true", help="release nothing: say row by row what this build would make of it; 1 if a row fails"
    )
    skipping = _key(add(actions, "skip", "skip the first row for ever, recorded, and release the rest", _skip))
    skipping.add_argument("--event", required=True, type=UUID, help="event_id of the first row, as `parked inspect` shows it")
    skipping.add_argument("--by", required=True, help="who decides this: an id, not a name")
    skipping.add_argument("--reason", required=True, help="why, for the record; no personal data")


def _key(parser: argparse.ArgumentParser, *, optional: bool = False) -> argparse.ArgumentParser:
    many = "?" if optional else None
    parser.add_argument("subscriber", metavar="SUBSCRIBER")
    parser.add_argument("chain", metavar="CHAIN", type=UUID, nargs=many, help="id of the chain")
    parser.add_argument("key", metavar="KEY", type=UUID, nargs=many, help="ordering id: the patient, else the device, else the stream")
    return parser


async def _list(service: Service, given: argparse.Namespace) -> int:
    async with await open_store(service) as store:
        keys = await store.parked()
    for key in keys:
        say(given, _line(key), **_shown(key))
    if not keys:
        say(given, f"Nothing is parked in {service.name}.")
    return 0


async def _inspect(service: Service, given: argparse.Namespace) -> int:
    async with await open_store(service) as store:
        rows = await store.parked_detail(given.subscriber, given.chain, given.key)
    if not rows:
        raise NotFound(NOTHING_PARKED)
    for row in rows:
        shown = _row(row)
        say(given, json.dumps(shown, indent=2), **shown)
    return 0


async def _retry(service: Service, given: argparse.Namespace) -> int:
    if given.all == (given.key is not None):
        given.usage("name the CHAIN and the KEY, or --all of the subscriber's")
    if given.dry_run:
        return await _foretell(service, given)
    async with await open_store(service) as store:
        wanted, left = _wanted(given, await store.parked() if given.all else ())
        for chain_id, key in wanted:
            try:
                await store.retry_parked(given.subscriber, chain_id, key)
            except NotFound:
                if not given.all:
                    raise
                continue  # somebody else was quicker
            say(given, f"{key} is released: its rows are tried again, oldest first.", released=key)
    _tell_left(given, left)
    return 0


def _wanted(given: argparse.Namespace, parked: Sequence[ParkedKey]) -> tuple[list[tuple[UUID, UUID]], int]:
    """The keys, and how many more there are."""
    if not given.all:
        return [(given.chain, given.key)], 0
    waiting = [(key.chain_id, key.ordering_id) for key in parked if key.subscriber == given.subscriber and not key.released]
    if not waiting:
        raise NotFound(f"Nothing waits in {given.subscriber}: `parked list` shows what is.")
    return waiting[:KEYS_MAX], max(0, len(waiting) - KEYS_MAX)


def _tell_left(given: argparse.Namespace, left: int) -> None:
    if left:
        say(given, f"{left} more keys wait: say it again.", left=left)


async def _foretell(service: Service, given: argparse.Namespace) -> int:
    failing = 0
    async with running(service, Settings().need("database_work_url", "secrets_dir"), api=False, work=True) as opened:
        store = opened.runtime.store
        wanted, left = _wanted(given, await store.parked() if given.all else ())
        for chain_id, key in wanted:
            foreseen = await foresee(service, opened.runtime, opened.work_engine, given.subscriber, chain_id, key)
            for row in foreseen:
                say(given, f"{key}  {_sentence(row)}", key=key, **_facts(row))
                failing += row.verdict == "fails"
            if len(foreseen) == PREVIEW_ROWS_MAX:
                say(given, f"{key}  Later rows were not looked at.", key=key, rows_max=PREVIEW_ROWS_MAX)
    _tell_left(given, left)
    say(given, "Nothing was changed." + (f" {failing} rows still fail." if failing else " No row fails."), failing=failing, dry_run=True)
    return 1 if failing else 0


def _sentence(row: Foreseen) -> str:
    behind = "behind a row that stays; skipped, it " if row.behind else ""
    return f"{row.event_id}  {row.type} version {row.schema_version}  {behind}{SAID[row.verdict]}{row.why and f' ({row.why})'}"


def _facts(row: Foreseen) -> dict[str, Any]:
    return {
        "event_id": row.event_id, "type": row.type, "schema_version": row.schema_version, "position": row.position,
        "verdict": row.verdict, "why": row.why, "behind": row.behind,
    }  # fmt: skip


async def _skip(service: Service, given: argparse.Namespace) -> int:
    async with await open_store(service) as store:
        await store.skip_parked(given.subscriber, given.chain, given.key, given.event, given.by, given.reason)
    say(given, f"Skipped {given.event}; what waited behind it is released.", skipped=given.event)
    return 0


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
