"""`keys list | rotate-master | destroy-master | read-erasures`: the masters that wrap the persons' keys, as one service has them."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from erbium_kernel.clock import SystemClock
from erbium_kernel.commands.saying import EXIT_CODES, add, open_tables, say
from erbium_kernel.destroying import check_age, check_topic, check_unused, what_dies
from erbium_kernel.erasures import declare_behind
from erbium_kernel.log.doors import WORK_DEADLINE_SECONDS, told
from erbium_kernel.masters import destroy_master, make_master, read_masters, spread_masters
from erbium_kernel.rotating import Wrapped, rotate, standing
from erbium_kernel.service import Service
from erbium_kernel.settings import NEEDS, Settings

CONNECT_SECONDS_MAX = 5.0


def declare(commands: Any) -> None:
    """The four actions."""
    actions = commands.add_parser("keys", help="the masters that wrap the persons' keys", epilog=EXIT_CODES).add_subparsers(
        required=True, metavar="ACTION"
    )
    add(actions, "list", "which masters exist here, since when, and how many living keys each wraps", _list)
    rotating = add(actions, "rotate-master", "wrap this service's living keys by the youngest master; begun again, it goes on", _rotate)
    rotating.add_argument("--no-new", action="store_true", help="make no master: use the youngest there is, which another service has made")
    rotating.add_argument(
        "--also", action="append", type=Path, default=[], metavar="DIR",
        help="secrets folder of another service, which gets a new master first; keys travel wrapped, so all services have the same masters",
    )  # fmt: skip
    rotating.add_argument("--dry-run", action="store_true", help="change nothing: say what would be made and wrapped anew")
    destroying = add(actions, "destroy-master", "overwrite and delete a master that wraps nobody's key any more; for good", _destroy)
    destroying.add_argument("master", metavar="ID", help="8 hexadecimal digits, as `keys list` shows them")
    destroying.add_argument(
        "--backups-expired",
        action="store_true",
        help="no backup made under it is left, although 30 days have not passed",
    )
    add(
        actions,
        "read-erasures",
        "the database was put back from a copy of its files: be told who was erased first",
        _behind,
    )
    destroying.add_argument("--dry-run", action="store_true", help="destroy nothing: say whether it could be; 1 if not")


async def _list(service: Service, given: argparse.Namespace) -> int:
    async with _opened() as (folder, connection):
        stands = {each.master: each for each in await standing(connection, owns_keys=service.owns_keys)}
    masters = read_masters(folder)
    for master in masters:
        own, received = (stands[master.id].own, stands[master.id].received) if master.id in stands else (0, 0)
        youngest = master is masters[-1]
        say(
            given, f"{master.id}  made {master.made_at:%Y-%m-%d %H:%M:%S}Z  {own} own living keys, {received} received"
            + ("  wraps new ones" if youngest else ""),
            master=master.id, made_at=master.made_at.isoformat(), own=own, received=received, youngest=youngest,
        )  # fmt: skip
    gone = sorted(stands.keys() - {master.id for master in masters})
    for id_ in gone:
        say(given, f"{id_}  is not here, and wraps {stands[id_].keys} living keys: find it", master=id_, made_at=None,
            own=stands[id_].own, received=stands[id_].received, youngest=False)  # fmt: skip
    return 1 if gone else 0


async def _rotate(service: Service, given: argparse.Namespace) -> int:
    async with _opened() as (folder, connection):
        folders = [*given.also, folder]  # ours last: we may wrap for the others
        if not given.dry_run:
            spread_masters(folders)
        stands = await standing(connection, owns_keys=service.owns_keys)
        current = read_masters(folder)[-1].id
        left = sum(each.own for each in stands if each.master != current)
        make = not left and not given.no_new
        if given.dry_run:
            return _foretold(service, given, current, make=make, left=sum(each.own for each in stands) if make else left)
        if make:
            current = make_master(folders, SystemClock().machine())
            say(given, f"The new master is {current}.", made=current)
        masters = {master.id: master.key for master in read_masters(folder)}
        sofar = Wrapped(0, 0)
        async for sofar in rotate(connection, masters, current, owns_keys=service.owns_keys):
            say(given, f"{service.name}: {sofar.done} keys wrapped anew", service=service.name, master=current, wrapped=sofar.done)
    return _rotated(service, given, current, sofar)


def _foretold(service: Service, given: argparse.Namespace, current: str, *, make: bool, left: int) -> int:
    by = "a new master" if make else f"the master {current}"
    say(given, f"{service.name}: {left} keys would be wrapped by {by}. Nothing was changed.", service=service.name,
        master=None if make else current, would_make=make, would_wrap=left, dry_run=True)  # fmt: skip
    return 0


def _rotated(service: Service, given: argparse.Namespace, current: str, done: Wrapped) -> int:
    lost = f" {done.lost} cannot be: the master that wraps them is not here." if done.lost else ""
    say(given, f"{service.name}: all living keys that can be are wrapped by {current}; {done.done} were wrapped anew.{lost}",
        service=service.name, master=current, wrapped=done.done, lost=done.lost, complete=not done.lost)  # fmt: skip
    return 1 if done.lost else 0


async def _destroy(service: Service, given: argparse.Namespace) -> int:
    settings = Settings()
    async with _opened() as (folder, connection):
        check_age(given.master, [folder], SystemClock().machine(), backups_expired=given.backups_expired)
        check_unused(given.master, service.name, await standing(connection, owns_keys=service.owns_keys))
    if settings.kafka:
        await check_topic(given.master, settings.kafka, settings.kafka_security)
    looked = "" if settings.kafka else " The key topic was not looked at (ERBIUM_KAFKA is not set)."
    others = f"Each service has a copy: this was {service.name}'s."
    if given.dry_run:
        say(given, f"{given.master} could be destroyed. Nothing was changed.{looked}", master=given.master, dry_run=True)
        return 0
    destroy_master([folder], given.master)
    say(given, f"{what_dies(given.master)} {others}{looked}", destroyed=given.master, service=service.name, topic_seen=bool(settings.kafka))
    return 0


async def _behind(service: Service, given: argparse.Namespace) -> int:
    async with open_tables() as engine:
        await declare_behind(engine)
    say(given, f"{service.name}: processes that start from now on read who was erased before they answer.", behind=service.name)
    return 0


@asynccontextmanager
async def _opened() -> "AsyncIterator[tuple[Path, asyncpg.Connection[Any]]]":
    """The secrets folder, and the database as the role `work`. Raises: SettingsUnfit, Unavailable."""
    settings = Settings().need(*NEEDS["keys"])
    assert settings.secrets_dir is not None
    async with told():
        connection = await asyncpg.connect(
            settings.database_work_url, timeout=CONNECT_SECONDS_MAX, command_timeout=WORK_DEADLINE_SECONDS * 3
        )
    try:
        yield settings.secrets_dir, connection
    finally:
        await connection.close(timeout=CONNECT_SECONDS_MAX)
