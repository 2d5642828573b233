"""Reads what is stored of a treatment's frames. The chain is set on the connection; every query names it again through its rows."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import RowMapping, and_, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from device_telemetry.frames.absorbing import BootSoFar
from device_telemetry.frames.consequences import BOOTS_MAX, Kept, Recording
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.ranges import Range, Ranges
from device_telemetry.frames.totals import CellKey, Sum
from device_telemetry.projections.frame_tables import cell_sums, frame_ranges, recordings, zone_sums

CELLS_MAX = 50_000  # of one treatment's map


async def kept(conn: AsyncConnection, treatment_id: UUID, findings: Sequence[Finding] = ()) -> Kept:
    """Everything stored of this treatment, with the fullest cell of each zone."""
    return Kept(
        recordings=await recordings_of(conn, treatment_id),
        zones=await zones_of(conn, treatment_id),
        fullest_cells=await _fullest_cells(conn, treatment_id),
        findings=findings,
    )


async def open_gaps(conn: AsyncConnection) -> int:
    """How many gaps no back-fill has closed, in all chains (as `work`): the holes between the ranges received of each boot."""
    holes = func.greatest(func.jsonb_array_length(frame_ranges.c.received) - 1, 0)
    return int(await conn.scalar(select(func.coalesce(func.sum(holes), 0))) or 0)


async def recordings_of(conn: AsyncConnection, treatment_id: UUID) -> list[Recording]:
    """One for each boot of the laser in this treatment, in the order of the boots' ids."""
    same_boot = and_(
        frame_ranges.c.chain_id == recordings.c.chain_id,
        frame_ranges.c.device_id == recordings.c.device_id,
        frame_ranges.c.boot_id == recordings.c.boot_id,
    )
    query = (
        select(recordings, frame_ranges.c.received)
        .select_from(recordings.join(frame_ranges, same_boot))
        .where(recordings.c.treatment_id == treatment_id)
        .order_by(recordings.c.boot_id)
        .limit(BOOTS_MAX)
    )
    return [_recording(row) for row in (await conn.execute(query)).mappings()]


def _recording(row: Any) -> Recording:
    return Recording(
        boot_id=row["boot_id"],
        first_seq=row["first_seq"],
        last_seq=row["last_seq"],
        highest_seq=row["highest_seq"],
        last_received_at=row["last_received_at"],
        first_delivered_at=row["first_delivered_at"],
        duplicates=row["duplicates"],
        last_seq_at=row["last_seq_at"],
        received=ranges_of(row["received"]),
    )


def so_far_of(row: RowMapping) -> BootSoFar:
    """A row that has `received` and `newest_ms` of a boot."""
    return BootSoFar(ranges_of(row["received"]), row["newest_ms"])


def ranges_of(stored: Sequence[Sequence[int]]) -> Ranges:
    """Ranges from their JSON form."""
    return tuple(Range(first, last) for first, last in stored)


def findings_of(stored: Sequence[Any]) -> list[Finding]:
    """Findings from their JSON form."""
    return [msgspec.convert(item, Finding) for item in stored]


async def zones_of(conn: AsyncConnection, treatment_id: UUID) -> dict[str, Sum]:
    """What each zone has received."""
    rows = await conn.execute(select(zone_sums).where(zone_sums.c.treatment_id == treatment_id))
    return {row["zone"]: _sum(row) for row in rows.mappings()}


async def _fullest_cells(conn: AsyncConnection, treatment_id: UUID) -> dict[CellKey, Sum]:
    query = (
        select(cell_sums)
        .ext(distinct_on(cell_sums.c.zone))
        .where(cell_sums.c.treatment_id == treatment_id)
        .order_by(cell_sums.c.zone, cell_sums.c.mtz_count.desc(), cell_sums.c.grid_row, cell_sums.c.grid_col)
    )
    return {_cell(row): _sum(row) for row in (await conn.execute(query)).mappings()}


async def cells(conn: AsyncConnection, treatment_id: UUID) -> dict[CellKey, Sum]:
    """Every cell of the grid that received something, by zone, row, column."""
    query = (
        select(cell_sums)
        .where(cell_sums.c.treatment_id == treatment_id)
        .order_by(cell_sums.c.zone, cell_sums.c.grid_row, cell_sums.c.grid_col)
        .limit(CELLS_MAX)
    )
    return {_cell(row): _sum(row) for row in (await conn.execute(query)).mappings()}


def _cell(row: Any) -> CellKey:
    return row["zone"], row["grid_row"], row["grid_col"]


def _sum(row: Any) -> Sum:
    return Sum(row["frames"], row["mtz_count"], row["energy_uj"], row["lesion_um2"], row["outside_table"])
