"""`rebuild`: a read table made again from the log, in place or beside the one in use."""

import argparse
from typing import Any

from erbium_kernel.beside import Beside, Places, abandon, rebuild_beside
from erbium_kernel.clock import SystemClock
from erbium_kernel.commands.saying import add, open_store, open_tables, say
from erbium_kernel.errors import Rejected
from erbium_kernel.parity import LISTED_MAX, TableParity, shown
from erbium_kernel.rebuild import Rebuilt, rebuild, rebuild_live
from erbium_kernel.running import codec_of
from erbium_kernel.service import Service
from erbium_kernel.settings import NEEDS, Settings
from erbium_kernel.subscribing import Projection


def declare(commands: Any, service: Service) -> None:
    """The command with its ways."""
    parser = add(commands, "rebuild", "follow the log again into a read table", _rebuild)
    parser.add_argument("name", metavar="NAME", help=f"a projection or one of its tables: {_names(service)}")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--live", action="store_true", help="empty it while workers run: they do the work, readers see it grow")
    ways.add_argument(
        "--beside", action="store_true",
        help="beside the one in use, while workers and readers go on; compare, then exchange the two in one transaction. "
        "Needs the owner's address too (ERBIUM_DATABASE_OWNER_URL): only the owner may make and exchange tables",
    )  # fmt: skip
    ways.add_argument("--abandon", action="store_true", help="drop what an earlier --beside has made and not exchanged")
    parser.add_argument("--dry-run", action="store_true", help="with --beside: build and compare, do not exchange; 1 if rows differ")
    parser.add_argument("--accept-differences", action="store_true", help="with --beside: exchange although rows differ")
    parser.add_argument("--list", type=int, default=20, metavar="N", help=f"differing rows told of each table, at most {LISTED_MAX}")


async def _rebuild(service: Service, given: argparse.Namespace) -> int:
    if (given.dry_run or given.accept_differences) and not given.beside:
        given.usage("--dry-run and --accept-differences belong to --beside")
    if not 0 <= given.list <= LISTED_MAX:
        given.usage(f"--list takes 0 to {LISTED_MAX}")
    projection = projection_of(service, given.name)
    if given.abandon:
        return await _abandon(service, given, projection)
    if given.beside:
        return await _beside(service, given, projection)
    return await _in_place(service, given, projection)


async def _in_place(service: Service, given: argparse.Namespace, projection: Projection) -> int:
    said = _Told(given, projection.name)
    async with await open_store(service) as store, open_tables() as engine:
        if given.live:
            await rebuild_live(store, projection, engine, said)
        else:
            await rebuild(store, codec_of(service), SystemClock(), projection, engine, said)
    said.last()
    return 0


async def _beside(service: Service, given: argparse.Namespace, projection: Projection) -> int:
    places, said = _places(given), _Told(given, projection.name)
    async with await open_store(service) as store:
        done = await rebuild_beside(
            store, codec_of(service), SystemClock(), projection, places, said,
            exchange=not given.dry_run, accept=given.accept_differences,
        )  # fmt: skip
    for table in done.parity:
        say(given, _sentence(table), **shown(table))
    say(given, f"{projection.name}: {_outcome(done, given)}", projection=projection.name, parity=done.holds, exchanged=done.exchanged,
        parked=done.parked, compared_at=done.compared_at.position)  # fmt: skip
    return 0 if done.exchanged or (given.dry_run and done.holds) else 1


async def _abandon(service: Service, given: argparse.Namespace, projection: Projection) -> int:
    places = _places(given)
    async with await open_store(service) as store:
        there = await abandon(store, projection, places)
    said = "what was made beside it is dropped" if there else "nothing was made beside it"
    say(given, f"{projection.name}: {said}; the table in use is as it was.", projection=projection.name, abandoned=there)
    return 0


def _places(given: argparse.Namespace) -> Places:
    settings = Settings().need(*NEEDS["rebuild"])
    return Places(owner_url=settings.database_owner_url, work_url=settings.database_work_url, listed_max=given.list)


def _sentence(table: TableParity) -> str:
    head = f"{table.table}: {table.live} rows in use, {table.new} new"
    if table.holds:
        return f"{head}; every row is the same"
    lines = [f"{head}; {table.missing} missing in the new one, {table.extra} extra, {table.differing} differ"]
    for each in table.listed:
        columns = f" in {', '.join(each.columns)}" if each.columns else ""
        lines.append(f"  {each.kind}{columns}: {', '.join(f'{name}={value}' for name, value in each.key.items())}")
    return "\n".join(lines)


def _outcome(done: Beside, given: argparse.Namespace) -> str:
    parked = f", {done.parked} keys parked on the way" if done.parked else ""
    if done.exchanged:
        return f"exchanged; what was in use is gone{parked}."
    if given.dry_run:
        return f"not exchanged, as wanted; the new one is kept, and the next --beside goes on with it{parked}."
    return f"not exchanged, since rows differ: look at them, then --beside --accept-differences, or --abandon{parked}."


def projection_of(service: Service, name: str) -> Projection:
    """By its own name, without the service's, or by one of its tables. Raises: Rejected."""
    for projection in service.projections:
        if name in (projection.name, projection.name.removeprefix(f"{service.name}."), *(table.name for table in projection.tables)):
            return projection
    if any(name == reaction.name for reaction in service.reactions):
        raise Rejected(f"{name} is a reaction: it acts, and acts only once; nothing of it can be rebuilt.")
    raise Rejected(f"{service.name} has no read table {name}. There are: {_names(service)}.")


def _names(service: Service) -> str:
    return ", ".join(projection.name for projection in service.projections) or "(this service has none)"


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
        say(self._given, sentence, projection=self._name, position=stands.position, end=stands.end, parked=stands.parked)
