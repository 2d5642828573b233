"""News wakes the roles that hear it, at once, and nobody else; whoever misses it looks by himself."""

import asyncio
import time

from erbium_kernel.driver import Wake
from erbium_kernel.progress import IDLE, WORKED, WORKED_OFF, Progress
from tests.kernel.follow.driving import Counting, a_role, driven, until


async def test_woken_by_news() -> None:
    """A signal wakes every idle role at once, long before its own poll."""
    wake, one, two = Wake(), Counting(IDLE), Counting(IDLE)
    async with driven(a_role("one", one), a_role("two", two), wake=wake):
        await until(lambda: one.calls == two.calls == 1)
        began = time.monotonic()
        wake.signal()
        await until(lambda: one.calls == two.calls == 2)
        assert time.monotonic() - began < 1


async def test_woken_by_what_it_hears() -> None:
    """News wakes the roles that hear one of its names, and nobody else; what nobody knows by name wakes all who hear anything."""
    wake, beds, meals, nothing, all_ = Wake(), Counting(IDLE), Counting(IDLE), Counting(IDLE), Counting(IDLE)
    roles = (
        a_role("beds", beds, hears=frozenset({"bed-taken", "bed-left"})),
        a_role("meals", meals, hears=frozenset({"meal-ordered"})),
        a_role("nothing", nothing, woken=False),
        a_role("all", all_),
    )
    calls: list[tuple[int, int, int, int]] = []
    async with driven(*roles, wake=wake):
        for news in (None, {"bed-left", "night-fell"}, {"meal-ordered"}, {"night-fell"}):
            await until(lambda: all_.calls == len(calls) + 1)
            calls.append((beds.calls, meals.calls, nothing.calls, all_.calls))
            wake.signal(news)
        await until(lambda: all_.calls == 5)
    assert calls == [(1, 1, 1, 1), (2, 2, 1, 2), (3, 2, 1, 3), (3, 3, 1, 4)]
    assert (beds.calls, meals.calls, nothing.calls) == (3, 3, 1)


async def test_worked_off_waits_for_news() -> None:
    """A step that has come to the end of what there is is followed by none before there is news."""
    wake, step = Wake(), Counting(WORKED, WORKED_OFF, IDLE)
    async with driven(a_role("one", step), wake=wake) as driver:
        await until(lambda: step.calls == 2)
        await asyncio.sleep(0.05)
        assert (step.calls, driver.states["one"].worked_total) == (2, 2)
        wake.signal()
        await until(lambda: step.calls == 3)


async def test_news_during_a_step_is_not_missed() -> None:
    """What happens while a step is under way wakes the role as soon as it would wait."""
    wake, calls = Wake(), 0

    async def step() -> Progress:
        nonlocal calls
        calls += 1
        if calls == 1:
            wake.signal()
            await asyncio.sleep(0.01)
        return IDLE

    async with driven(a_role("one", step), wake=wake):
        await until(lambda: calls == 2)


async def test_polls_by_itself() -> None:
    """Without any news a role still looks."""
    step = Counting(IDLE)
    async with driven(a_role("one", step, poll_seconds=0.01)):
        await until(lambda: step.calls >= 5)
