"""Writes frames and their sums, as the role `frames`: COPY into the day's partition, upserts for the rest, in the caller's transaction."""

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import and_, case, cast, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import JSONPATH, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from device_telemetry.frames.absorbing import Absorbed, Boot, BootSoFar, Fresh, Gain, Part
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.store import FINDINGS_MAX, Unsettled
from device_telemetry.frames.totals import Sum
from device_telemetry.projections.copying import COLUMNS, copied
from device_telemetry.projections.frame_tables import (
    DEFAULT_PARTITION,
    frame_positions,
    frame_ranges,
    frames_unsettled,
    recordings,
)
from device_telemetry.projections.stored_frames import findings_of, so_far_of
from erbium_kernel.projecting import driver_of
from erbium_kernel.topic_port import Received

_SET_ASIDE = text(
    'INSERT INTO unreadable (topic, partition, "offset", reason, key, raw, headers) '
    "VALUES (:topic, :partition, :offset, :reason, :key, :raw, '[]'::jsonb) ON CONFLICT DO NOTHING"
)
_SUMS = ("frames", "mtz_count", "energy_uj", "lesion_um2", "outside_table")


def _adding(table: str, key: Mapping[str, str]) -> str:
    """Adds to sums: $1 the chain, then an array for each column of the key and each sum. Why arrays: one statement for a whole map."""
    types = {**key, **dict.fromkeys(_SUMS, "bigint")}
    arrays = ", ".join(f"${n}::{type_}[]" for n, type_ in enumerate(types.values(), start=2))
    grown = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in _SUMS)
    return (
        f"INSERT INTO {table} (chain_id, {', '.join(types)}) SELECT $1, * FROM unnest({arrays}) "  # noqa: S608  # names of our own
        f"ON CONFLICT (chain_id, {', '.join(key)}) DO UPDATE SET {grown}"
    )


_ADD_ZONES: Final = _adding("zone_sums", {"treatment_id": "uuid", "zone": "text"})
_ADD_CELLS: Final = _adding("cell_sums", {"treatment_id": "uuid", "zone": "text", "grid_row": "smallint", "grid_col": "smallint"})


# --- places on the topic


async def position(conn: AsyncConnection, topic: str, partition: int) -> int:
    """The next offset to store, locked until the transaction ends. A partition never seen starts at 0."""
    row = insert(frame_positions).values(topic=topic, partition=partition, next_offset=0)
    same = row.on_conflict_do_update(constraint="frame_positions_pkey", set_={"next_offset": frame_positions.c.next_offset})
    return int(await conn.scalar(same.returning(frame_positions.c.next_offset)) or 0)


async def move_position(conn: AsyncConnection, topic: str, partition: int, next_offset: int) -> None:
    """The caller holds the lock that `position` took."""
    here = and_(frame_positions.c.topic == topic, frame_positions.c.partition == partition)
    await conn.execute(update(frame_positions).where(here).values(next_offset=next_offset))


async def caught_up(conn: AsyncConnection, topic: str, partitions: Sequence[int], at: datetime) -> None:
    """All that these partitions held then is stored. Units: `at` machine time."""
    mine = and_(frame_positions.c.topic == topic, frame_positions.c.partition.in_(partitions))
    await conn.execute(update(frame_positions).where(mine).values(caught_up_at=at))


async def caught_up_since(conn: AsyncConnection, topic: str) -> datetime | None:
    """The machine time up to which all partitions are stored; None while one never was."""
    query = select(func.min(frame_positions.c.caught_up_at), func.count() - func.count(frame_positions.c.caught_up_at))
    oldest, never = (await conn.execute(query.where(frame_positions.c.topic == topic))).one()
    return None if never else oldest


async def set_aside(conn: AsyncConnection, record: Received, reason: str) -> None:
    """Kept as it came, in the kernel's table of what cannot be read."""
    values = {
        "topic": record.topic, "partition": record.partition, "offset": record.offset, "reason": reason, "key": record.key,
        "raw": record.value,
    }  # fmt: skip
    await conn.execute(_SET_ASIDE, values)


# --- frames


async def load_boots(conn: AsyncConnection, chain_id: UUID, boots: Sequence[Boot]) -> dict[Boot, BootSoFar]:
    """What has been received of each boot, locked until the transaction ends. `boots` are sorted, so that nobody waits crosswise.

    Why locked, although a laser's batches share a partition: not if the topic has been given more partitions meanwhile.
    """
    if not boots:
        return {}
    rows = [{"chain_id": chain_id, "device_id": boot.device_id, "boot_id": boot.boot_id, "received": []} for boot in boots]
    await conn.execute(insert(frame_ranges).on_conflict_do_nothing(), rows)
    key = (frame_ranges.c.device_id, frame_ranges.c.boot_id)
    found = await conn.execute(select(frame_ranges).where(tuple_(*key).in_(boots)).order_by(*key).with_for_update())
    return {Boot(row["device_id"], row["boot_id"]): so_far_of(row) for row in found.mappings()}


async def write(conn: AsyncConnection, chain_id: UUID, found: Absorbed) -> None:
    """All of it, for the chain that is set."""
    await _copy(conn, chain_id, found.fresh)
    await _put_boots(conn, chain_id, found.boots)
    await _put_parts(conn, chain_id, found.parts)
    await _add_zones(conn, chain_id, found.gains)
    await _add_cells(conn, chain_id, found.gains)
    await _unsettle(conn, chain_id, {t: gain.findings for t, gain in found.gains.items()})


async def _copy(conn: AsyncConnection, chain_id: UUID, fresh: Sequence[Fresh]) -> None:
    by_day: defaultdict[date, list[Fresh]] = defaultdict(list)
    for one in fresh:
        by_day[one.arrival.receipt.stored_at.astimezone(UTC).date()].append(one)
    driver = await driver_of(conn)
    for day, those in by_day.items():
        rows = io.BytesIO(copied(chain_id, those))
        await driver.copy_to_table(await _partition(conn, day), source=rows, columns=COLUMNS, format="binary")


async def ensure_partitions(conn: AsyncConnection) -> int:
    """Partitions for the next 30 days, where they are missing; returns how many were made."""
    return int(await conn.scalar(text("SELECT ensure_frame_partitions()")) or 0)


async def _partition(conn: AsyncConnection, day: date) -> str:
    """The day's partition; the default one if nobody has made it yet: nothing is lost for want of a partition."""
    name = f"frames_p{day:%Y%m%d}"
    there = await conn.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name})
    return name if there else DEFAULT_PARTITION


async def _put_boots(conn: AsyncConnection, chain_id: UUID, boots: Mapping[Boot, BootSoFar]) -> None:
    rows = [
        {
            "chain_id": chain_id, "device_id": boot.device_id, "boot_id": boot.boot_id, "received": so_far.received,
            "newest_ms": so_far.newest_ms,
        }
        for boot, so_far in boots.items()
    ]  # fmt: skip
    if rows:
        row = insert(frame_ranges)
        changed = {"received": row.excluded.received, "newest_ms": row.excluded.newest_ms}
        await conn.execute(row.on_conflict_do_update(constraint="frame_ranges_pkey", set_=changed), rows)


async def _put_parts(conn: AsyncConnection, chain_id: UUID, parts: Mapping[tuple[UUID, UUID], Part]) -> None:
    rows = [
        {
            "chain_id": chain_id, "treatment_id": treatment_id, "boot_id": boot_id, "device_id": part.device_id,
            "first_seq": part.first_seq, "last_seq": part.last_seq, "highest_seq": part.highest_seq,
            "last_received_at": part.last_received_at, "first_delivered_at": part.first_delivered_at, "duplicates": part.duplicates,
            "last_seq_at": part.last_seq_at,
        }
        for (treatment_id, boot_id), part in parts.items()
    ]  # fmt: skip
    if not rows:
        return
    row, old = insert(recordings), recordings.c
    new = row.excluded
    last_seq_at = case(
        (new.last_seq > func.coalesce(old.last_seq, -1), new.last_seq_at),
        (new.last_seq == old.last_seq, func.least(old.last_seq_at, new.last_seq_at)),
        else_=old.last_seq_at,
    )
    changed = {  # greatest and least pass over null
        "first_seq": func.least(old.first_seq, new.first_seq),
        "last_seq": func.greatest(old.last_seq, new.last_seq),
        "highest_seq": func.greatest(old.highest_seq, new.highest_seq),
        "last_received_at": func.greatest(old.last_received_at, new.last_received_at),
        "first_delivered_at": func.least(old.first_delivered_at, new.first_delivered_at),
        "duplicates": old.duplicates + new.duplicates,
        "last_seq_at": last_seq_at,
    }
    await conn.execute(row.on_conflict_do_update(constraint="recordings_pkey", set_=changed), rows)


async def _add_zones(conn: AsyncConnection, chain_id: UUID, gains: Mapping[UUID, Gain]) -> None:
    rows = [(treatment_id, zone, *_values(one)) for treatment_id, gain in gains.items() for zone, one in gain.zones.items()]
    await _add(conn, _ADD_ZONES, chain_id, rows)


async def _add_cells(conn: AsyncConnection, chain_id: UUID, gains: Mapping[UUID, Gain]) -> None:
    rows = [(treatment_id, *cell, *_values(one)) for treatment_id, gain in gains.items() for cell, one in gain.cells.items()]
    await _add(conn, _ADD_CELLS, chain_id, rows)


def _values(one: Sum) -> tuple[int, ...]:
    """In the order of `_SUMS`."""
    return (one.frames, one.mtz_count, one.energy_uj, one.lesion_um2, one.outside_table)


async def _add(conn: AsyncConnection, statement: str, chain_id: UUID, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows in one order everywhere, so that nobody waits crosswise."""
    if rows:
        await (await driver_of(conn)).execute(statement, chain_id, *map(list, zip(*sorted(rows, key=lambda row: row[:4]), strict=True)))


# --- what remains to be told


async def _unsettle(conn: AsyncConnection, chain_id: UUID, findings: Mapping[UUID, Sequence[Finding]]) -> None:
    rows = [
        {"chain_id": chain_id, "treatment_id": treatment_id, "touched": 1, "findings": msgspec.to_builtins(list(found))}
        for treatment_id, found in findings.items()
    ]
    if not rows:
        return
    row, old = insert(frames_unsettled), frames_unsettled.c
    room = func.jsonb_array_length(old.findings) < FINDINGS_MAX
    changed = {"touched": old.touched + 1, "findings": case((room, old.findings.op("||")(row.excluded.findings)), else_=old.findings)}
    await conn.execute(row.on_conflict_do_update(constraint="frames_unsettled_pkey", set_=changed), rows)


async def unsettled(conn: AsyncConnection, after: tuple[UUID, UUID] | None, limit: int) -> list[Unsettled]:
    """Treatments of all chains that have not been told yet, in the order of (chain, treatment), those after `after`."""
    key = (frames_unsettled.c.chain_id, frames_unsettled.c.treatment_id)
    query = select(frames_unsettled).order_by(*key).limit(limit)
    rows = await conn.execute(query if after is None else query.where(tuple_(*key) > tuple_(*after)))
    return [Unsettled(row["chain_id"], row["treatment_id"], row["touched"], findings_of(row["findings"])) for row in rows.mappings()]


async def settled(conn: AsyncConnection, done: Unsettled) -> None:
    """Told, unless more has come meanwhile: then its totals are told again, which changes nothing, and only its new findings.

    Why those apart: somebody may have resumed over the old ones by then.
    """
    here = and_(frames_unsettled.c.chain_id == done.chain_id, frames_unsettled.c.treatment_id == done.treatment_id)
    gone = await conn.execute(delete(frames_unsettled).where(here, frames_unsettled.c.touched == done.touched))
    if done.findings and not gone.rowcount:
        rest = func.jsonb_path_query_array(frames_unsettled.c.findings, cast(f"$[{len(done.findings)} to last]", JSONPATH))
        await conn.execute(update(frames_unsettled).where(here).values(findings=rest))
