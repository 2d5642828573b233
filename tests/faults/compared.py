"""What was acknowledged held against what the logs and tables say afterwards."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, Final

import asyncpg

from erbium import provision
from erbium.servers import folder
from erbium_kernel.reconciling import Side, Window, reconcile
from erbium_kernel.service import Service
from tests.faults.load import Written
from tests.faults.site import Site

ARRIVED_SECONDS_MAX: Final = 60.0  # a promise of R4 is that all arrives; how soon is measured elsewhere
LOOK_SECONDS: Final = 0.2
REBUILD_SECONDS_MAX: Final = 120.0
FOR_EVER: Final = timedelta(days=365)
MADE_BY_CLIENTS: Final = {"screening": "patient-registered", "scheduling": "clinic-registered", "device_telemetry": "device-registered"}
HEARERS: Final = {
    "screening": ("scheduling", "device_telemetry", "aftercare"), "scheduling": ("screening",), "device_telemetry": ("scheduling",),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Numbers of commands, messages and frames. All but the first and the last are 0 where every promise was kept."""

    acknowledged: int
    lost: int
    doubled: int
    not_arrived: int
    frames_lost: int
    frames_doubled: int
    frames: int

    def is_clean(self) -> bool:
        """Nothing lost, nothing twice."""
        return not any((self.lost, self.doubled, self.not_arrived, self.frames_lost, self.frames_doubled))


def compared(site: Site, written: Written, *, seconds_max: float = ARRIVED_SECONDS_MAX) -> Compared:
    """What is still under way has so long to arrive.

    Raises: AssertionError unless each acknowledged command stands once in its log, nothing else of these clients does (R1, R2), its
    message stands in the log of each service that hears it (R4), nothing is parked, and each acknowledged frame is stored once (R6).
    """
    found = asyncio.run(_compared(site, written, seconds_max))
    assert found.is_clean(), found
    return found


async def _compared(site: Site, written: Written, seconds_max: float) -> Compared:
    lost = doubled = 0
    for service in MADE_BY_CLIENTS:
        one = await _commands(site, service, written)
        lost, doubled = lost + one[0], doubled + one[1]
    missing: list[uuid.UUID] = []

    async def arrived() -> bool:
        missing[:] = await _not_arrived(site, written)
        return not missing

    await _until(arrived, seconds_max)
    frames = await _frames(site, written, seconds_max)
    for service in provision.SERVICES:
        async with connected(site, service) as connection:
            parked = await connection.fetch("SELECT subscriber, reason FROM parked_keys WHERE chain_id = $1", site.chain)
            assert not parked, f"{service} has parked {parked}"
    return Compared(
        acknowledged=len(written.acknowledged), lost=lost, doubled=doubled, not_arrived=len(missing),
        frames_lost=frames[0], frames_doubled=frames[1], frames=sum(written.frames.values()),
    )  # fmt: skip


async def _commands(site: Site, service: str, written: Written) -> tuple[int, int]:
    """(lost, doubled): of what the clients did here. Why all can be counted: each outcome is known, each entity a client's own."""
    ours = [each for each in written.acknowledged if each.service == service]
    async with connected(site, service) as connection:
        rows = await connection.fetch(
            "SELECT event_id, command_id, (SELECT count(*) FROM log other WHERE other.chain_id = log.chain_id AND "
            "other.command_id = log.command_id AND other.origin IS NULL) AS of_command, stream FROM log "
            "WHERE chain_id = $1 AND origin IS NULL AND right(stream, 36) = ANY($2)",
            site.chain, sorted({str(each.entity) for each in ours}),
        )  # fmt: skip
    there = Counter(row["event_id"] for row in rows if row["stream"].split("-", 1)[0] in ("patient", "clinic", "device"))
    acknowledged = Counter(each.event_id for each in ours)
    lost = sum((acknowledged - there).values())
    doubled = sum((there - acknowledged).values()) + sum(row["of_command"] > 1 for row in rows)
    return lost, doubled


async def _not_arrived(site: Site, written: Written) -> list[uuid.UUID]:
    found: list[uuid.UUID] = []
    for sender, hearers in HEARERS.items():
        sent = [each.message_id for each in written.acknowledged if each.service == sender and each.message_id is not None]
        for hearer in hearers:
            async with connected(site, hearer) as connection:
                heard = await connection.fetch("SELECT event_id FROM log WHERE chain_id = $1 AND event_id = ANY($2)", site.chain, sent)
            found += set(sent) - {row["event_id"] for row in heard}
    return found


async def _frames(site: Site, written: Written, seconds_max: float) -> tuple[int, int]:
    """(lost, doubled), once all that was acknowledged had time to be stored."""
    if not written.frames:
        return 0, 0
    wanted = dict(written.frames)
    lost = doubled = 0

    async def stored() -> bool:
        nonlocal lost, doubled
        async with connected(site, "device_telemetry") as connection:
            rows = await connection.fetch(
                "SELECT device_id, count(*) AS n, count(DISTINCT (boot_id, seq)) AS different FROM frames "
                "WHERE chain_id = $1 AND device_id = ANY($2) GROUP BY device_id", site.chain, list(wanted),
            )  # fmt: skip
        different = {row["device_id"]: row["different"] for row in rows}
        lost = sum(max(0, count - different.get(device, 0)) for device, count in wanted.items())
        doubled = sum(row["n"] - row["different"] for row in rows) + sum(
            max(0, different.get(device, 0) - count) for device, count in wanted.items()
        )
        return lost == 0

    await _until(stored, seconds_max)
    return lost, doubled


async def _until(so: Callable[[], Awaitable[bool]], seconds_max: float) -> None:
    """Or until the deadline: what is missing then is told by the comparison."""
    deadline = time.monotonic() + seconds_max
    while not await so() and time.monotonic() < deadline:  # noqa: ASYNC110  # another process
        await asyncio.sleep(LOOK_SECONDS)


# --- every event of every service, and every read table


def reconciled(site: Site) -> dict[str, int]:
    """How many messages each pair of services has exchanged, `sender->hearer`. Raises: AssertionError if one has not arrived (R4)."""
    return asyncio.run(_reconciled(site))


async def _reconciled(site: Site) -> dict[str, int]:
    found: dict[str, int] = {}
    window = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC) + FOR_EVER, -FOR_EVER)  # nothing is young enough to be under way
    for sender in provision.SERVICES:
        for hearer in provision.SERVICES:
            one, other = service_of(sender), service_of(hearer)
            if one.name not in other.listens_to:
                continue
            async with working(site, sender) as sends, working(site, hearer) as hears:
                deadline = time.monotonic() + ARRIVED_SECONDS_MAX
                pair = await reconcile(Side(one, sends), Side(other, hears), window)
                while pair.missing_total and time.monotonic() < deadline:
                    await asyncio.sleep(LOOK_SECONDS)
                    pair = await reconcile(Side(one, sends), Side(other, hears), window)
            places = sum(pair.facts.values(), Counter[Any]())
            assert pair.whole
            assert places.keys() <= {"heard"}, f"{one.name} -> {other.name}: {dict(places)}, {pair.missing[:3]}"
            found[f"{one.name}->{other.name}"] = places["heard"]
    return found


def rebuilt(site: Site, tables: Collection[str] = ()) -> dict[str, int]:
    """Each read table (only these projections, if named) made again beside the one in use, and compared: how many rows.

    Raises: AssertionError where one differs (R5).
    """
    found: dict[str, int] = {}
    for service in provision.SERVICES:
        for projection in service_of(service).projections:
            if tables and projection.name not in tables:
                continue
            lines = _command(site, service, "rebuild", projection.name, "--beside", "--dry-run", "--json")
            assert lines[-1]["parity"] is True, lines
            found |= {f"{service}.{line['table']}": line["live"] for line in lines if "table" in line}
            _command(site, service, "rebuild", projection.name, "--abandon", "--json")
    return found


def _command(site: Site, service: str, *arguments: str) -> list[dict[str, Any]]:
    """The service's own command, as an operator calls it."""
    environment = site.environment(service, port=0, metrics_port=0)
    environment["ERBIUM_DATABASE_OWNER_URL"] = site.stack.databases[service].owner
    done = subprocess.run(
        [sys.executable, "-m", service, *arguments], env=environment, cwd=folder.checkout(), capture_output=True, text=True,
        check=False, timeout=REBUILD_SECONDS_MAX,
    )  # fmt: skip
    assert done.returncode == 0, f"{service} {arguments}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def service_of(package: str) -> Service:
    """Its declaration."""
    found: Service = import_module(f"{package}.wiring").SERVICE
    return found


@contextlib.asynccontextmanager
async def connected(site: Site, service: str) -> AsyncIterator[Any]:
    """As the superuser: no row is hidden."""
    connection = await asyncpg.connect(site.superuser(service), timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


@contextlib.asynccontextmanager
async def working(site: Site, service: str) -> AsyncIterator[Any]:
    """As the service's own role `work`."""
    connection = await asyncpg.connect(site.stack.databases[service].work, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def rows_of(site: Site, service: str, question: str, *values: Any) -> Sequence[Any]:
    """What the superuser finds."""

    async def ask() -> Sequence[Any]:
        async with connected(site, service) as connection:
            found: Sequence[Any] = await connection.fetch(question, *values)
            return found

    return asyncio.run(ask())
