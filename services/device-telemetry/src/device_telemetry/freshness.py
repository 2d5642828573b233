"""How old this service's copy of screening is: a sign of life counts only once everything that came before it has had its effect.

Source: architecture, section 8 (heartbeat).
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Heartbeat
from erbium_kernel.runtime import Runtime

SCREENING_TOPIC: Final = "erbium.screening.v1"
GUARDING: Final = "device-telemetry.hear-clearance"  # the reaction that appends suspensions to the clearance's stream
ATTENDING: Final = "device-telemetry.hear-visit"  # the one that appends what the patient said on the day
WAIT_SECONDS_MAX: Final = 0.8  # for the newest heartbeat to count: the reaction is milliseconds behind
POLL_SECONDS: Final = 0.02


def age_seconds(beats: Iterable[Heartbeat], read: Iterable[int], passed: Cursor | None, now: datetime) -> float | None:
    """The age of the oldest partition's newest counting heartbeat; None if a partition that has been read has none.

    `read`: partitions of the topic that anything has been read from; `passed`: how far the guarding reaction is.
    """
    counting = {beat.partition: beat.sent_at for beat in beats if passed is not None and beat.cursor <= passed}
    partitions = frozenset(read)
    if not partitions or not partitions <= counting.keys():
        return None
    return max(0.0, max((now - counting[n]).total_seconds() for n in partitions))


async def screening_age_seconds(runtime: Runtime, chain_id: UUID, patient_id: UUID) -> float | None:
    """Machine time since screening was last heard for certain; None = not at all, or something of this patient is parked.

    Raises: Unavailable.
    """
    store = runtime.store
    end = asyncio.get_running_loop().time() + WAIT_SECONDS_MAX
    while True:
        checkpoints: Mapping[str, Cursor] = await store.checkpoints()
        beats, read = await store.heartbeats(SCREENING_TOPIC), await store.positions(SCREENING_TOPIC)
        age = age_seconds(beats, read, checkpoints.get(GUARDING), runtime.clock.machine())
        if age is not None or asyncio.get_running_loop().time() > end:
            # Asked last: what was parked while we waited has moved the checkpoint too.
            return None if {GUARDING, ATTENDING} & await store.parked_in(chain_id, patient_id) else age
        await asyncio.sleep(POLL_SECONDS)
