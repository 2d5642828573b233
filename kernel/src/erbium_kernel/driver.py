"""Runs the steps of all background roles of a process: one task each, woken by news, backing off from trouble, never silent."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import structlog

from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.observing import metrics
from erbium_kernel.ports import Clock
from erbium_kernel.progress import Progress
from erbium_kernel.whereabouts import reason_of, trail_of

NET_SECONDS = 0.5  # an idle role looks by itself this often, should every wake-up have been missed
STANDBY_SECONDS = 1.0  # how often a role asks for a lease that another worker has
BACK_OFF_SECONDS_MIN = 0.05
BACK_OFF_SECONDS_MAX = 1.0  # what comes back is noticed well within the 5 s that are promised
STEP_SECONDS_MAX = 60.0  # a step that takes longer is cut and begun again; all it wrote is rolled back
SHUTDOWN_SECONDS_MAX = 10.0  # for the steps in flight
CANCEL_SECONDS_MAX = 2.0
BLOCKED_SECONDS_MAX = 30.0  # trouble that lasts longer makes a role not ready

log = structlog.get_logger(__name__)
Step = Callable[[], Awaitable[Progress]]


class Bell:
    """What one role waits by; news that comes while the role is busy is not missed."""

    def __init__(self, hears: frozenset[str] | None) -> None:
        """`hears`: the news it rings for; None: any. It has not rung yet."""
        self._hears = hears
        self._rung = asyncio.Event()

    def tell(self, news: Collection[str] | None) -> None:
        """Rings if one of these is heard here; None: something is new, nobody knows what."""
        if self._hears is None or (self._hears if news is None else not self._hears.isdisjoint(news)):
            self.ring()

    def ring(self) -> None:
        """Whatever is heard here."""
        self._rung.set()

    def listen(self) -> None:
        """What rang so far is about to be looked at; from here on it counts anew."""
        self._rung.clear()

    async def wait(self, seconds: float) -> None:
        """Until it has rung since `listen`, at most `seconds`. Others get their turn in any case."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.sleep(0)
                await self._rung.wait()
        except TimeoutError:
            return


class Wake:
    """News by name (a stored type, a heard fact, a word of the process's own), for the roles that hear it and for nobody else."""

    def __init__(self) -> None:
        """Nobody waits yet."""
        self._bells: list[Bell] = []

    def bell(self, hears: frozenset[str] | None) -> Bell:
        """One more who waits, for as long as the process lives."""
        self._bells.append(Bell(hears))
        return self._bells[-1]

    def signal(self, news: Collection[str] | None = None) -> None:
        """Wakes those who hear one of these; None: everybody who hears anything."""
        for bell in self._bells:
            bell.tell(news)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """`opened()` yields the step under all it needs (a lease, a consumer), or None while another worker has the lease.

    `poll_seconds`: the longest an idle role waits. `hears`: the news that ends its wait before; None: any. `woken` False: none at all.
    `trouble`: for readiness, what is in the way besides the steps' own trouble; None if all is well.
    """

    name: str
    opened: Callable[[], AbstractAsyncContextManager[Step | None]]
    poll_seconds: float = NET_SECONDS
    woken: bool = True
    hears: frozenset[str] | None = None
    trouble: Callable[[], str | None] | None = None


@dataclass(slots=True)
class RoleState:
    """What is known about a role: for readiness, metrics and the log. Times are the machine's."""

    name: str
    since: datetime
    kind: Literal["starting", "worked", "idle", "standby", "blocked", "crashed", "stopped"] = "starting"
    reason: str = ""
    operator: bool = False
    progress_at: datetime | None = None  # the last step that came to an end without trouble
    step_began_at: datetime | None = None  # a step is under way
    steps_total: int = 0
    worked_total: int = 0
    crashes_total: int = 0
    troubles_in_a_row: int = 0

    def trouble(self, now: datetime) -> str:
        """Why the role is not ready; empty while it is, short trouble included."""
        if self.step_began_at and (now - self.step_began_at).total_seconds() > BLOCKED_SECONDS_MAX:
            return f"a step has taken {(now - self.step_began_at).total_seconds():.0f} s"
        lasting = (now - self.since).total_seconds() > BLOCKED_SECONDS_MAX
        return self.reason if self.kind in ("blocked", "crashed") and (lasting or self.operator) else ""


class RoleEnded(RuntimeError):
    """A role's task ended by itself although nothing told it to: what it did is done by nobody now."""


class Driver:
    """All roles of one process. `run` ends after `stop` is set, when every step in flight has ended or its bound has passed."""

    def __init__(self, roles: Sequence[Role], wake: Wake, clock: Clock, fatal: tuple[type[Exception], ...] = ()) -> None:
        """`fatal`: errors that only a new process can cure; `run` then ends by itself and `failed` holds the error."""
        assert len({role.name for role in roles}) == len(roles), "two roles under one name"
        self._roles, self._clock, self._fatal = roles, clock, fatal
        self._stop = asyncio.Event()
        self._bells = {role.name: wake.bell(role.hears if role.woken else frozenset()) for role in roles}
        self.failed: Exception | None = None
        self.states = {role.name: RoleState(role.name, clock.machine()) for role in roles}

    async def run(self, stop: asyncio.Event) -> None:
        """Drives all roles until `stop` is set (or an error is fatal, which sets it); no other error of one role ends the others."""
        tasks = [asyncio.create_task(self._keep(role, stop), name=role.name) for role in self._roles]
        told_to_stop = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({told_to_stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            self._ended(done)
            stop.set()
        self._stop.set()
        for bell in self._bells.values():
            bell.ring()
        if not tasks:
            return
        _, unfinished = await asyncio.wait(tasks, timeout=SHUTDOWN_SECONDS_MAX)
        for task in unfinished:
            log.warning("role cut off", name=task.get_name(), after_seconds=SHUTDOWN_SECONDS_MAX)
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=CANCEL_SECONDS_MAX)

    def _ended(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Why fatal: what ends a task is no `Exception` (a cancellation nobody asked for, say), and only a new process has all roles."""
        for task in tasks:
            error = None if task.cancelled() else task.exception()
            self.failed = RoleEnded(f"the role {task.get_name()} ended by itself")
            reason = reason_of(error) if error else "cancelled"
            log.error("role ended by itself", name=task.get_name(), reason=reason)

    async def _keep(self, role: Role, stop: asyncio.Event) -> None:
        state = self.states[role.name]
        while not self._stop.is_set():
            try:
                await self._hold(role, state)
            except (Unavailable, LostLease, TimeoutError) as error:
                self._note(state, "blocked", reason_of(error))
            except self._fatal as error:
                self.failed = error
                log.error("role failed for good", name=role.name, reason=reason_of(error))  # noqa: TRY400  # its text may hold data
                stop.set()
                break
            except Exception as error:  # noqa: BLE001  # our own bug: counted, told, tried again
                state.crashes_total += 1
                metrics.role_crashed(role.name)
                self._note(state, "crashed", reason_of(error))
                log.error("role crashed", name=role.name, reason=reason_of(error), where=trail_of(error))  # noqa: TRY400  # its text may hold data
            await self._back_off(state)
        self._note(state, "stopped")

    async def _hold(self, role: Role, state: RoleState) -> None:
        """Steps under one lease until something is in the way that a new lease may cure."""
        bell = self._bells[role.name]
        async with role.opened() as step:
            if step is None:
                self._note(state, "standby", "another worker has the lease")
            while step is not None and not self._stop.is_set():
                bell.listen()
                progress = await self._step(step, state)
                self._note(state, progress.kind, progress.reason, operator=progress.operator)
                if progress.kind == "blocked":
                    await self._back_off(state)
                elif progress.kind == "worked" and progress.more:
                    await asyncio.sleep(0)
                else:
                    await bell.wait(role.poll_seconds)
        if state.kind == "standby":
            await self._pause(STANDBY_SECONDS)

    async def _step(self, step: Step, state: RoleState) -> Progress:
        state.step_began_at = self._clock.machine()
        state.steps_total += 1
        try:
            async with asyncio.timeout(STEP_SECONDS_MAX):
                return await step()
        finally:
            state.step_began_at = None

    def _note(
        self,
        state: RoleState,
        kind: Literal["worked", "idle", "standby", "blocked", "crashed", "stopped"],
        reason: str = "",
        *,
        operator: bool = False,
    ) -> None:
        now = self._clock.machine()
        well = kind not in ("blocked", "crashed")
        was_well = state.kind not in ("blocked", "crashed")
        if well != was_well:
            state.since = now
        if not well and (was_well or reason != state.reason):
            log.warning("role blocked", name=state.name, reason=reason)
        state.kind, state.reason, state.operator = kind, reason, operator
        state.worked_total += kind == "worked"
        if well:
            state.progress_at = now
            metrics.consumer_progress(state.name, now)
        state.troubles_in_a_row = 0 if well else state.troubles_in_a_row + 1

    async def _back_off(self, state: RoleState) -> None:
        """Longer with every trouble in a row, jittered, so that replicas do not come back in step."""
        if state.troubles_in_a_row == 0:
            return
        longest = min(BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS_MIN * 2 ** min(state.troubles_in_a_row - 1, 16))
        await self._pause(longest * random.uniform(0.5, 1.0))  # noqa: S311  # jitter is no secret

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
