"""How old this service's copy of screening is: a sign of life counts only once everything that came before it has had its effect.

Source: architecture, section 8 (heartbeat).
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from device_telemetry.waiting import Pause, soon
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Heartbeat
from erbium_kernel.runtime import Runtime

SCREENING_TOPIC: Final = "erbium.screening.v1"
GUARDING: Final = "device-telemetry.hear-clearance"  # the reaction that appends suspensions to the clearance's stream
ATTENDING: Final = "device-telemetry.hear-visit"  # the one that appends what the patient said on the day
WAIT_SECONDS_MAX: Final = 0.8  # for the newest heartbeat to count: the reaction is milliseconds behind
CLOCKS_APART_SECONDS_MAX: Final = 5.0  # screening's ahead of ours; as for a laser's (fault F703)


def age_seconds(beats: Iterable[Heartbeat], read: Iterable[int], passed: Cursor | None, now: datetime) -> float | None:
    """The age of the oldest partition's newest counting heartbeat; None if a partition that has been read has none.

    `read`: partitions of the topic that anything has been read from; `passed`: how far the guarding reaction is.
    None too if a heartbeat comes from the future: it would make an old copy look fresh by as much as the clocks are apart.
    """
    newest: dict[int, datetime] = {}
    for beat in beats:
        if passed is not None and beat.cursor <= passed:
            newest[beat.partition] = max(beat.sent_at, newest.get(beat.partition, beat.sent_at))
    partitions = frozenset(read)
    if not partitions or not partitions <= newest.keys():
        return None
    ages = [(now - newest[n]).total_seconds() for n in partitions]
    return max(0.0, *ages) if min(ages) >= -CLOCKS_APART_SECONDS_MAX else None


async def screening_age_seconds(runtime: Runtime, chain_id: UUID, patient_id: UUID, *, pause: Pause = asyncio.sleep) -> float | None:
    """Machine time since screening was last heard for certain; None = not at all, or something of this patient is parked.

    Raises: Unavailable.
    """
    age = await soon(lambda: _age_seconds(runtime), _is_known, runtime.clock, seconds_max=WAIT_SECONDS_MAX, pause=pause)
    # Asked last: what was parked while we waited has moved the checkpoint too.
    return None if {GUARDING, ATTENDING} & await runtime.store.parked_in(chain_id, patient_id) else age


def _is_known(age: float | None) -> bool:
    return age is not None


async def _age_seconds(runtime: Runtime) -> float | None:
    store = runtime.store
    checkpoints: Mapping[str, Cursor] = await store.checkpoints()
    beats, read = await store.heartbeats(SCREENING_TOPIC), await store.positions(SCREENING_TOPIC)
    return age_seconds(beats, read, checkpoints.get(GUARDING), runtime.clock.machine())
