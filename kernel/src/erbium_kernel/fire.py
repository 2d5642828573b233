"""Timers whose time has come: each fires as an ordinary command, and only that one goes; a failing one stops nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import structlog

from erbium_kernel.errors import LostLease, Rejected, Unavailable, VersionConflict
from erbium_kernel.event import Actor
from erbium_kernel.execute import Cause, execute
from erbium_kernel.log_records import TimerFired
from erbium_kernel.observing import metrics
from erbium_kernel.progress import IDLE, WORKED, Progress
from erbium_kernel.runtime import Runtime
from erbium_kernel.subscribing import Due, TimerTable
from erbium_kernel.whereabouts import reason_of

LEASE = "timers"
FIRED_PER_STEP_MAX = 100
BACK_OFF_SECONDS_MIN = 1.0
BACK_OFF_SECONDS_MAX = 300.0
FAILING_MAX = 10_000  # timers remembered as failing; each makes the step look one timer further

log = structlog.get_logger(__name__)
TimerId = tuple[UUID, str, UUID]  # (chain, key, setting event)


@dataclass(frozen=True, slots=True)
class Failing:
    """A timer that has failed `attempts` times and is left alone until then (machine time)."""

    attempts: int
    until: datetime
    reason: str


class Timers:
    """Fires under the lease `timers`. A timer is never dropped for failing: it may protect somebody; it is tried ever more rarely."""

    def __init__(self, runtime: Runtime, timers: TimerTable) -> None:
        """`timers`: timer type -> the command it fires."""
        self._runtime, self._timers = runtime, timers
        self.failing: dict[TimerId, Failing] = {}
        self.failed_total = 0

    async def step(self) -> Progress:
        """Fires what is due by domain time. Raises: Unavailable if the timers cannot be read."""
        due = await self._runtime.store.due_timers(self._runtime.clock.now(), FIRED_PER_STEP_MAX + len(self.failing))
        self._forget_gone(due)
        ready = [timer for timer in due if self._is_ready(timer)][:FIRED_PER_STEP_MAX]
        fired = [await self._try(timer) for timer in ready]
        metrics.timers_failing(len(self.failing))  # told as a number: the role is well, and the other timers fire in time
        return WORKED if any(fired) else IDLE

    def _forget_gone(self, due: Sequence[Due]) -> None:
        """A failing timer that is no longer due was cancelled or set anew."""
        if self.failing:
            there = {_id(timer) for timer in due}
            self.failing = {timer: failing for timer, failing in self.failing.items() if timer in there}

    def _is_ready(self, timer: Due) -> bool:
        failing = self.failing.get(_id(timer))
        return failing is None or failing.until <= self._runtime.clock.machine()

    async def _try(self, timer: Due) -> bool:
        try:
            await self._fire(timer)
        except LostLease:
            return True  # cancelled, set anew or fired by somebody else a moment ago
        except Exception as error:  # noqa: BLE001  # whatever it is, the other timers go on
            self._failed(timer, error)
            return False
        self.failing.pop(_id(timer), None)
        return True

    async def _fire(self, timer: Due) -> None:
        fired = TimerFired(timer.chain_id, timer.key, timer.set_by)
        to = self._timers[timer.type](timer, self._runtime.clock.now())
        try:
            await execute(self._runtime, timer.chain_id, to.decider, to.stream_id, to.command, cause=_cause(timer), after=(fired,))
        except Rejected as refusal:  # handled: the rule that refuses is the answer, and the timer has gone with it
            metrics.refused_in_background(LEASE, refusal.slug)
            log.info("refused", subscriber=LEASE, type=timer.type, reason=refusal.slug)

    def _failed(self, timer: Due, error: Exception) -> None:
        before = self.failing.get(_id(timer))
        attempts = before.attempts + 1 if before else 1
        pause = min(BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS_MIN * 2 ** min(attempts - 1, 16))
        if isinstance(error, VersionConflict | Unavailable):
            pause = BACK_OFF_SECONDS_MIN
        self.failed_total += 1
        if before or len(self.failing) < FAILING_MAX:
            self.failing[_id(timer)] = Failing(attempts, self._runtime.clock.machine() + timedelta(seconds=pause), reason_of(error))
        log.error("timer failed", type=timer.type, set_by=str(timer.set_by), attempts=attempts, reason=reason_of(error))


def _id(timer: Due) -> TimerId:
    return timer.chain_id, timer.key, timer.set_by


def _cause(timer: Due) -> Cause:
    """The same timer is always the same command. Why the key: one event may set several timers."""
    return Cause(
        actor=Actor(kind="timer", id=timer.type),
        command_id=uuid5(timer.set_by, f"fired {timer.key}"),
        correlation_id=timer.set_by,
        causation_id=timer.set_by,
    )
