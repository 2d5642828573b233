"""`erbium keys …`: the masters of the four services of this machine, made, used and destroyed together."""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erbium import provision
from erbium import stack as local_stack
from erbium.operating import AsJson, as_package, name_of, running_stack, service_of
from erbium.servers import LocalServerError, process
from erbium.stack_files import secrets_of

if TYPE_CHECKING:
    import asyncpg

    from erbium_kernel.rotating import Standing, Wrapped

ALL = "all"
CONNECT_SECONDS_MAX = 5.0
ANSWER_SECONDS_MAX = 30.0
ORDER = tuple(reversed(provision.SERVICES))  # screening last: it wraps keys for the others, who must have the master by then
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing: say what would be done.")]

keys = typer.Typer(help="The masters that wrap the persons' keys: list, rotate, destroy.", no_args_is_help=True)


@keys.command(name="list")
def list_masters(*, as_json: AsJson = False) -> None:
    """Which masters exist, since when, and how many living keys each wraps in each service. Exit code 1 if one that is needed is gone."""
    from erbium_kernel.masters import read_masters

    running = running_stack()
    masters = read_masters(_folders(running)[-1])
    stands = process.run(_stands(running, provision.SERVICES))
    for master in masters:
        wraps = {name_of(package): _of(stands[package], master.id) for package in stands}
        facts = {"master": master.id, "made_at": master.made_at.isoformat(), "youngest": master is masters[-1], "wraps": wraps}
        told = ", ".join(f"{count} in {name}" for name, count in wraps.items() if count) or "none"
        mark = "  (wraps new ones)" if master is masters[-1] else ""
        _say(f"{master.id}  made {master.made_at:%Y-%m-%d %H:%M:%S}Z  living keys: {told}{mark}", facts, as_json=as_json)
    gone = {each.master for found in stands.values() for each in found} - {master.id for master in masters}
    for id_ in sorted(gone):
        _say(f"{id_}  is not here, and living keys need it: find it", {"master": id_, "made_at": None}, as_json=as_json)
    if gone:
        raise typer.Exit(1)


@keys.command(name="rotate-master")
def rotate_master(
    service: Annotated[str, typer.Argument(help=f"One service, or {ALL}.")], *, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Make a new master, unless a rotation is under way, and wrap the living keys by it. Cut off, it goes on where it was."""
    from erbium_kernel.masters import make_master, read_masters, spread_masters

    running = running_stack()
    packages = provision.SERVICES if service == ALL else (as_package(service),)
    folders = _folders(running)
    if not dry_run:
        spread_masters(folders)
    youngest = read_masters(folders[-1])[-1].id
    stands = process.run(_stands(running, provision.SERVICES))
    make = not any(each.own for found in stands.values() for each in found if each.master != youngest)
    if dry_run:
        for package in packages:
            left = sum(each.own for each in stands[package] if make or each.master != youngest)
            facts = {"service": name_of(package), "would_make": make, "would_wrap": left, "dry_run": True}
            by = "a new master" if make else f"the master {youngest}"
            _say(f"{name_of(package)}: {left} keys would be wrapped by {by}. Nothing was changed.", facts, as_json=as_json)
        return
    if make:
        youngest = make_master(folders, datetime.now(UTC))
        _say(f"The new master is {youngest}.", {"made": youngest}, as_json=as_json)
    lost = 0
    for package in packages:
        done = process.run(_rotated(running, package, youngest, as_json=as_json))
        lost += done.lost
        said = f" {done.lost} cannot be: their master is gone." if done.lost else ""
        facts = {"service": name_of(package), "master": youngest, "wrapped": done.done, "lost": done.lost, "complete": not done.lost}
        _say(f"{name_of(package)}: {done.done} keys wrapped anew by {youngest}.{said}", facts, as_json=as_json)
    if lost:
        raise typer.Exit(1)


@keys.command(name="destroy-master")
def destroy_master(
    master: Annotated[str, typer.Argument(help="Its 8 hexadecimal digits, as `keys list` shows them.")],
    *,
    backups_expired: Annotated[bool, typer.Option("--backups-expired", help="No backup made under it is left.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Overwrite and delete a master that wraps nobody's key any more, in all four services. It is for good."""
    from erbium_kernel import destroying, masters
    from erbium_kernel.errors import Rejected, Unavailable

    running = running_stack()
    folders = _folders(running)
    try:
        destroying.check_age(master, folders, datetime.now(UTC), backups_expired=backups_expired)
        for package, stands in process.run(_stands(running, provision.SERVICES)).items():
            destroying.check_unused(master, name_of(package), stands)
        process.run(destroying.check_topic(master, running.servers.kafka))
    except (Rejected, Unavailable) as refused:
        raise LocalServerError(str(refused)) from None
    if dry_run:
        _say(f"{master} could be destroyed. Nothing was changed.", {"master": master, "dry_run": True}, as_json=as_json)
        return
    masters.destroy_master(folders, master)
    _say(destroying.what_dies(master), {"destroyed": master}, as_json=as_json)


def _folders(running: local_stack.Stack) -> list[Path]:
    return [secrets_of(running.state, package) for package in ORDER]


def _of(stands: "Sequence[Standing]", master: str) -> int:
    return sum(each.keys for each in stands if each.master == master)


async def _stands(running: local_stack.Stack, packages: Sequence[str]) -> "dict[str, Sequence[Standing]]":
    from erbium_kernel.rotating import standing

    found = {}
    for package in packages:
        async with _as_work(running, package) as connection:
            found[package] = await standing(connection, owns_keys=service_of(package).owns_keys)
    return found


async def _rotated(running: local_stack.Stack, package: str, youngest: str, *, as_json: bool) -> "Wrapped":
    from erbium_kernel.masters import read_masters
    from erbium_kernel.rotating import Wrapped, rotate

    masters = {master.id: master.key for master in read_masters(secrets_of(running.state, package))}
    sofar = Wrapped(0, 0)
    async with _as_work(running, package) as connection:
        async for sofar in rotate(connection, masters, youngest, owns_keys=service_of(package).owns_keys):
            facts = {"service": name_of(package), "progress": sofar.done}
            _say(f"  {name_of(package)}: {sofar.done} keys so far", facts, as_json=as_json)
    return sofar


@asynccontextmanager
async def _as_work(running: local_stack.Stack, package: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    import asyncpg

    url = running.databases[package].work
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX, command_timeout=ANSWER_SECONDS_MAX)
    try:
        yield connection
    finally:
        await connection.close(timeout=CONNECT_SECONDS_MAX)


def _say(sentence: str, facts: dict[str, Any], *, as_json: bool) -> None:
    sys.stdout.write((json.dumps(facts) if as_json else sentence) + "\n")
    sys.stdout.flush()
