"""What a report asks of the stored frames themselves: passes, and which frames came late. Read through the parent, the chain set."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from device_telemetry.projections.stored_frames import cells
from device_telemetry.report.contents import BackFilled, FramesTold, PassTotals

PASSES_MAX: Final = 1_000  # ten zones, a hundred passes
BACK_FILLED_MAX: Final = 500

_PASSES = text("""
SELECT zone, pass_no, count(*) FILTER (WHERE mtz_count > 0) AS shots, sum(mtz_count) AS mtz_count,
       sum(mtz_count * round(energy_mj * 1000)::bigint) AS energy_uj,
       min(energy_set_mj) FILTER (WHERE mtz_count > 0) AS set_mj_min, max(energy_set_mj) FILTER (WHERE mtz_count > 0) AS set_mj_max,
       min(energy_mj) FILTER (WHERE mtz_count > 0) AS measured_mj_min, max(energy_mj) FILTER (WHERE mtz_count > 0) AS measured_mj_max,
       max(temp_tip_c) AS tip_c_max
FROM frames WHERE treatment_id = :treatment_id GROUP BY zone, pass_no HAVING sum(mtz_count) > 0 ORDER BY zone, pass_no LIMIT :most
""")

# Why the numbers are gone through backwards: a window that begins at its start grows, any other one is summed anew for every frame.
# A frame is late if a later number came before it, or if it came after the end; neighbours that are late are one gap that was closed.
_BACK_FILLED = text("""
WITH came AS (
    SELECT boot_id, seq, received_at,
           max(seq) OVER (PARTITION BY boot_id ORDER BY received_at, seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest,
           min(received_at) OVER (PARTITION BY boot_id ORDER BY seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS later_came_at
    FROM frames WHERE treatment_id = :treatment_id
), late AS (
    SELECT boot_id, seq, received_at, least(later_came_at, CAST(:ended_at AS timestamptz)) AS noticed_at,
           seq - row_number() OVER (PARTITION BY boot_id ORDER BY seq) AS gap
    FROM came WHERE seq < highest OR received_at > CAST(:ended_at AS timestamptz)
)
SELECT boot_id, min(seq) AS first_seq, max(seq) AS last_seq, min(noticed_at) AS noticed_at, max(received_at) AS closed_at
FROM late GROUP BY boot_id, gap ORDER BY min(noticed_at), boot_id, min(seq) LIMIT :most
""")

_NOTICED = text("""
SELECT boot_id, seq, noticed_at FROM (
    SELECT boot_id, seq, lag(seq) OVER by_number AS before,
           min(received_at) OVER (PARTITION BY boot_id ORDER BY seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS noticed_at
    FROM frames WHERE treatment_id = :treatment_id WINDOW by_number AS (PARTITION BY boot_id ORDER BY seq)
) numbered WHERE before IS DISTINCT FROM seq - 1
""")


async def frames_told(conn: AsyncConnection, treatment_id: UUID, ended_at: datetime | None) -> FramesTold:
    """Of one treatment. `ended_at`: what comes later has been missing since then."""
    this: dict[str, Any] = {"treatment_id": treatment_id}
    passes = [PassTotals(**row) for row in (await conn.execute(_PASSES, this | {"most": PASSES_MAX})).mappings()]
    since = {"ended_at": ended_at, "most": BACK_FILLED_MAX}
    late = [BackFilled(**row) for row in (await conn.execute(_BACK_FILLED, this | since)).mappings()]
    noticed = {(row.boot_id, row.seq): row.noticed_at for row in await conn.execute(_NOTICED, this)}
    return FramesTold(passes, await cells(conn, treatment_id), late, noticed)
