"""What had been received of a treatment by an instant: its stored frames, added up again by the code that adds them up when they come."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from device_telemetry.binding import Binding
from device_telemetry.frames import ranges, totals
from device_telemetry.frames.absorbing import Gain
from device_telemetry.frames.codec import FRAMES_MAX as PAGE_FRAMES_MAX
from device_telemetry.frames.codec import Frame
from device_telemetry.frames.columns import columns_of
from device_telemetry.frames.consequences import Kept, Recording
from device_telemetry.projections.frame_tables import frames
from device_telemetry.projections.stored_frames import recordings_of, zones_of
from device_telemetry.treatment.refusals import TooManyFramesThen

FRAMES_THEN_MAX: Final = 60_000  # of one treatment: ten a second for 100 minutes; adding them up took 0.4 s


async def kept_then(conn: AsyncConnection, binding: Binding, at: datetime) -> Kept:
    """As `stored_frames.kept` would have answered then, had every frame been stored when it was received.

    What no frame tells is as it is known today: where the laser began, when its first microbeam fell, how many frames came once more.
    Units: `at` domain time, as `received_at` is. Raises: TooManyFramesThen.
    """
    treatment_id = binding.ids.treatment_id
    count = sum(one.frames for one in (await zones_of(conn, treatment_id)).values())
    if count > FRAMES_THEN_MAX:
        raise TooManyFramesThen(frames=count, frames_max=FRAMES_THEN_MAX)
    gain = await _gain(conn, binding, at)
    return Kept(recordings=await _recordings(conn, treatment_id, at), zones=gain.zones, fullest_cells=totals.fullest(gain.cells))


async def _gain(conn: AsyncConnection, binding: Binding, at: datetime) -> Gain:
    """Why page by page, each no larger than a laser's batch: in between, lasers are answered."""
    mine = (frames.c.treatment_id == binding.ids.treatment_id, frames.c.received_at <= at)
    query = select(*(frames.c[name] for name in Frame.__struct_fields__)).where(*mine)
    gain = Gain()
    async with conn.stream(query, execution_options={"yield_per": PAGE_FRAMES_MAX}) as rows:
        async for page in rows.partitions():
            gain.add(totals.summed(columns_of([Frame(*row) for row in page]), binding.lesions))
    return gain


async def _recordings(conn: AsyncConnection, treatment_id: UUID, at: datetime) -> list[Recording]:
    by_then = frames.c.received_at <= at
    query = select(
        frames.c.boot_id,
        func.max(frames.c.seq).filter(by_then).label("highest_seq"),
        func.max(frames.c.received_at).filter(by_then).label("last_received_at"),
        func.array_agg(frames.c.seq).filter(frames.c.received_at > at).label("later"),
    )
    mine = query.where(frames.c.treatment_id == treatment_id).group_by(frames.c.boot_id)
    boots = {row.boot_id: row for row in await conn.execute(mine)}
    found = [_recording(one, boots.get(one.boot_id), at) for one in await recordings_of(conn, treatment_id)]
    return [one for one in found if one is not None]


def _recording(now: Recording, frames_then: Any, at: datetime) -> Recording | None:
    """None: nothing had been heard of it. One of which no frame ever counted has no time, and had always been heard of.

    An end of which it was not noted when it was said counts from the last frame on.
    """
    said_at = now.last_seq_at or now.last_received_at or at
    last_seq = now.last_seq if said_at <= at else None
    came = frames_then is not None and frames_then.highest_seq is not None
    if not came and last_seq is None and now.last_received_at is not None:
        return None
    later = ranges.of(frames_then.later or ()) if frames_then is not None else ()
    return Recording(
        boot_id=now.boot_id,
        first_seq=now.first_seq,
        last_seq=last_seq,
        last_seq_at=now.last_seq_at if last_seq is not None else None,
        highest_seq=frames_then.highest_seq if came else now.first_seq - 1,
        last_received_at=frames_then.last_received_at if came else None,
        first_delivered_at=now.first_delivered_at,
        duplicates=now.duplicates,
        received=ranges.added(later, now.received),
    )
