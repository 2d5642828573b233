"""The driver keeps every role going: backing off from trouble, one role's bug is its own, and it ends when told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from erbium_kernel import driver as driving
from erbium_kernel.clock import SystemClock
from erbium_kernel.driver import Driver, Role, RoleEnded, RoleState, Step, Wake
from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.progress import IDLE, WORKED, Progress, blocked
from tests.kernel.follow.driving import SECONDS_MAX, Counting, a_role, driven, until


async def test_works_on_while_there_is_work() -> None:
    """A step that worked is followed by the next one at once; an idle role rests."""
    step = Counting(WORKED, WORKED, WORKED, IDLE)
    async with driven(a_role("busy", step)) as driver:
        await until(lambda: step.calls == 4)
        await asyncio.sleep(0.05)
        assert step.calls == 4
        assert driver.states["busy"].worked_total == 3


async def test_a_bug_is_one_role_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that crashes is counted, told and tried again; the others do not notice."""
    monkeypatch.setattr(driving, "BACK_OFF_SECONDS_MIN", 0.001)
    bug, well = Counting(ValueError("a secret name"), KeyError("x"), IDLE), Counting(IDLE)
    async with driven(a_role("bug", bug), a_role("well", well, poll_seconds=0.01)) as driver:
        await until(lambda: driver.states["bug"].kind == "idle")
        assert driver.states["bug"].crashes_total == 2
        assert driver.states["well"].crashes_total == 0
        assert well.calls >= 1


async def test_the_reason_holds_no_data() -> None:
    """What is told of a crash is its class and place."""
    async with driven(a_role("bug", Counting(ValueError("a secret name")))) as driver:
        await until(lambda: driver.states["bug"].crashes_total > 0)
        assert driver.states["bug"].reason.startswith("ValueError at kernel/follow/driving.py:")


@pytest.mark.parametrize("error", [Unavailable("away"), LostLease("gone"), TimeoutError()])
async def test_a_new_lease_after_trouble(error: Exception) -> None:
    """What the lease's own connection breaks on is no crash; the role takes a new lease."""
    opened = 0
    step = Counting(error, IDLE)

    @asynccontextmanager
    async def anew() -> AsyncIterator[Step | None]:
        nonlocal opened
        opened += 1
        yield step

    async with driven(Role(name="one", opened=anew)) as driver:
        await until(lambda: step.calls == 2)
        assert opened == 2
        assert driver.states["one"].crashes_total == 0


async def test_backs_off() -> None:
    """The longer the trouble the longer the pause, up to the bound."""
    step = Counting(blocked("Kafka is away"))
    async with driven(a_role("one", step)) as driver:
        await asyncio.sleep(0.4)
        assert 2 <= step.calls <= 8
        assert driver.states["one"].reason == "Kafka is away"


async def test_standby(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that another worker has waits without being in trouble, and asks again."""
    monkeypatch.setattr(driving, "STANDBY_SECONDS", 0.01)
    asked = 0

    @asynccontextmanager
    async def taken() -> AsyncIterator[Step | None]:
        nonlocal asked
        asked += 1
        yield None

    async with driven(Role(name="one", opened=taken)) as driver:
        await until(lambda: asked >= 3)
        assert driver.states["one"].kind == "standby"
        assert driver.states["one"].trouble(datetime.now(UTC) + timedelta(hours=1)) == ""


async def test_a_step_that_hangs_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step is waited for for ever."""
    monkeypatch.setattr(driving, "STEP_SECONDS_MAX", 0.05)
    calls = 0

    async def hang() -> Progress:
        nonlocal calls
        calls += 1
        await asyncio.sleep(3600)
        raise AssertionError

    async with driven(a_role("one", hang)) as driver:
        await until(lambda: calls >= 2)
        assert driver.states["one"].kind == "blocked"


async def test_ends_with_the_step_in_flight() -> None:
    """Told to stop, the driver lets the step under way finish and begins no other."""
    began, finished = asyncio.Event(), False

    async def step() -> Progress:
        nonlocal finished
        began.set()
        await asyncio.sleep(0.1)
        finished = True
        return WORKED

    calls = Counting(IDLE)
    async with driven(a_role("slow", step), a_role("idle", calls)):
        await began.wait()
    assert finished
    assert calls.calls == 1


async def test_ends_within_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that does not end is cut off at the bound."""
    monkeypatch.setattr(driving, "SHUTDOWN_SECONDS_MAX", 0.1)
    began = asyncio.Event()

    async def hang() -> Progress:
        began.set()
        await asyncio.sleep(3600)
        raise AssertionError

    async with driven(a_role("one", hang)):
        await began.wait()


async def test_a_fatal_error_ends_the_process() -> None:
    """What only a new process can cure ends all roles and is remembered."""

    class Stuck(Exception):
        """No way on."""

    stop = asyncio.Event()
    driver = Driver([a_role("one", Counting(Stuck())), a_role("two", Counting(IDLE))], Wake(), SystemClock(), (Stuck,))
    await asyncio.wait_for(driver.run(stop), SECONDS_MAX)
    assert stop.is_set()
    assert isinstance(driver.failed, Stuck)


class Gone(BaseException):
    """No error that a role is made for."""


@pytest.mark.parametrize("error", [asyncio.CancelledError(), Gone()])
async def test_a_role_that_ends_by_itself_ends_the_process(error: BaseException) -> None:
    """A role that is no longer there although nobody told it to end is not missed in silence: all roles end, and it is remembered."""
    stop, well = asyncio.Event(), Counting(IDLE)
    driver = Driver([a_role("gone", Counting(IDLE, error), poll_seconds=0.01), a_role("well", well)], Wake(), SystemClock())
    await asyncio.wait_for(driver.run(stop), SECONDS_MAX)
    assert stop.is_set()
    assert isinstance(driver.failed, RoleEnded)
    assert "gone" in str(driver.failed)
    assert driver.states["well"].kind == "stopped"


async def test_no_role_at_all() -> None:
    """A process without background roles waits to be told to stop, and that is no failure."""
    async with driven() as driver:
        await asyncio.sleep(0.01)
    assert driver.failed is None


def test_short_trouble_is_still_ready() -> None:
    """A role is not ready only after lasting trouble, an operator's matter at once, or a step that takes too long."""
    now = datetime(2026, 3, 3, tzinfo=UTC)
    later = now + timedelta(seconds=driving.BLOCKED_SECONDS_MAX + 1)
    state = RoleState("one", now, kind="blocked", reason="Kafka is away")
    assert state.trouble(now + timedelta(seconds=1)) == ""
    assert state.trouble(later) == "Kafka is away"
    assert RoleState("one", now, kind="blocked", reason="other cluster", operator=True).trouble(now) == "other cluster"
    assert "a step has taken" in RoleState("one", now, kind="worked", step_began_at=now).trouble(later)
    assert RoleState("one", now, kind="idle").trouble(later) == ""
