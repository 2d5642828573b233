"""From stored frames to what a treatment's stream is told: read what is kept, decide what follows, execute it, tick it off."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid5

import structlog

from device_telemetry.frames.consequences import commands
from device_telemetry.frames.consumer import FRAMES_TOPIC
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.store import FrameStore, Unsettled
from device_telemetry.rules import Rules
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.state import Running, Unopened
from erbium_kernel.errors import NotHereYet, Rejected, Stale, Unavailable, VersionConflict
from erbium_kernel.event import Actor, Cursor
from erbium_kernel.execute import Cause, execute
from erbium_kernel.folding import state_of
from erbium_kernel.log_records import MoveCheckpoint, ParkedRowDone, Row
from erbium_kernel.ports import Lease
from erbium_kernel.progress import IDLE, WORKED, Progress, blocked
from erbium_kernel.runtime import Runtime
from erbium_kernel.whereabouts import reason_of

SETTLING: Final = "device-telemetry.settling"
LOOKING_AGAIN: Final = "device-telemetry.look-again"
TREATMENTS_PER_STEP_MAX: Final = 50
ATTEMPTS_MAX: Final = 3  # when somebody else has written to the treatment's stream meanwhile
NOTHING_WAITS_SECONDS_MAX: Final = 30.0  # machine time since which all that was on the topic is stored
PATIENCE_SECONDS: Final = 2.0  # then the treatment waits aside, and others go on


log = structlog.get_logger(__name__)


class FramesWait(NotHereYet):
    """Frames are still waiting on the topic, so nothing can be concluded from silence."""


class Settling:
    """Tells treatments what their frames have come to. Repeating it changes nothing."""

    def __init__(self, runtime: Runtime, store: FrameStore, rules: Rules, *, topic: str = FRAMES_TOPIC) -> None:
        """Nothing is remembered between steps but whose turn is next."""
        self._runtime, self._store, self._topic = runtime, store, topic
        self._areas_cm2 = rules.zones.areas_cm2
        self._after: tuple[UUID, UUID] | None = None

    async def step(self) -> Progress:
        """Treatments whose stored frames have changed. Raises: Unavailable."""
        waiting = await self._next()
        failed = [one for one in waiting if not await self._settle(one)]
        if failed:
            return blocked(f"{len(failed)} treatments cannot be told what their frames have come to")
        return WORKED if waiting else IDLE

    async def _next(self) -> Sequence[Unsettled]:
        """Round and round: a treatment that cannot be told keeps nobody else waiting."""
        found = await self._store.unsettled(self._after, TREATMENTS_PER_STEP_MAX)
        self._after = (found[-1].chain_id, found[-1].treatment_id) if len(found) == TREATMENTS_PER_STEP_MAX else None
        return found

    async def _settle(self, one: Unsettled) -> bool:
        try:
            await self.tell(one.chain_id, one.treatment_id, one.findings, correlation_id=one.treatment_id)
        except FramesWait:
            pass  # whether it is silent is not what its new frames ask
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, this treatment waits and everybody else goes on
            log.error("treatment not told", stream=TREATMENT.stream(one.treatment_id), reason=reason_of(error))  # noqa: TRY400
            return False
        await self._store.settled(one)
        return True

    async def tell(self, chain_id: UUID, treatment_id: UUID, findings: Sequence[Finding], *, correlation_id: UUID) -> None:
        """Everything that follows for one treatment from what is stored of it now. Raises: Unavailable, FramesWait, VersionConflict."""
        for _ in range(ATTEMPTS_MAX):
            try:
                return await self._tell(chain_id, treatment_id, findings, correlation_id)
            except Stale:
                continue
        raise VersionConflict

    async def _tell(self, chain_id: UUID, treatment_id: UUID, findings: Sequence[Finding], correlation_id: UUID) -> None:
        """Why on the version that was read before the frames: two tell one treatment, here and from `LookingAgain`, and what was read of
        the frames first must not be told last: it would replace newer totals by older ones. Raises: as `tell`, and Stale."""
        state, version = await state_of(self._runtime, chain_id, TREATMENT, treatment_id)
        if isinstance(state, Unopened):
            return
        nothing_waits = await self._nothing_waits()
        stored = await self._store.kept(chain_id, treatment_id, findings)
        now = self._runtime.clock.now()
        for turn, command in enumerate(commands(state, stored, now, self._areas_cm2, nothing_waits=nothing_waits)):
            command_id = uuid5(treatment_id, f"{SETTLING} {version} {turn}")
            cause = Cause(actor=Actor(kind="reaction", id=SETTLING), command_id=command_id, correlation_id=correlation_id)
            try:
                told = await execute(self._runtime, chain_id, TREATMENT, treatment_id, command, cause=cause, if_match=version)
            except Rejected:
                continue  # the rule that refuses is the answer
            version = told.version
        if isinstance(state, Running) and state.silence_check and not nothing_waits:
            raise FramesWait

    async def _nothing_waits(self) -> bool:
        """A time in the future is not believed either: our clock has been set back."""
        since = await self._store.caught_up_since(self._topic)
        return since is not None and abs(self._runtime.clock.machine() - since) < timedelta(seconds=NOTHING_WAITS_SECONDS_MAX)


class LookingAgain:
    """An effect for the kernel's follower: when time or the operator says so, a treatment's stored frames are looked at again."""

    name = LOOKING_AGAIN
    hears = frozenset({"treatment-silence-check-due", "treatment-ended", "treatment-backfill-expired"})
    rows_max = 1
    turns_max = TREATMENTS_PER_STEP_MAX
    aside_after_seconds: float | None = PATIENCE_SECONDS

    def __init__(self, settling: Settling) -> None:
        """`settling` does the work."""
        self._settling = settling

    async def work(self, _: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """Tells first and lets the caller move: telling it again changes nothing. Raises: Unavailable, VersionConflict."""
        await self._tell(rows[0])
        return move.expected

    async def work_parked(self, lease: Lease, row: Row, done: ParkedRowDone) -> None:
        """Raises: as `work`."""
        await self._tell(row)
        await lease.parked_row_done(done)

    async def _tell(self, row: Row) -> None:
        envelope = row.envelope
        await self._settling.tell(envelope.chain_id, envelope.stream_id, (), correlation_id=envelope.correlation_id)
