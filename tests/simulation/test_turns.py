"""The scheduler by itself: who may go on, who waits, who dies."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.simulation.clocks import SECOND, Time
from tests.simulation.turns import Broken, Turns, turn, wait


def turns(seed: int = 1) -> tuple[Turns, Time]:
    """A scheduler whose turns take a millisecond."""
    time = Time()
    return Turns(random.Random(seed), time, 1_000), time


def play(scheduler: Turns) -> None:
    """Until nobody has anything to do."""
    while scheduler.step():
        pass


def test_the_seed_decides_the_order() -> None:
    """Two tasks take their turns in an order that follows from the seed, and from nothing else."""

    def order(seed: int) -> list[str]:
        scheduler, _ = turns(seed)
        seen: list[str] = []

        async def counts(name: str) -> None:
            for _ in range(4):
                seen.append(name)
                await turn("counted")

        for name in "ab":
            scheduler.start(name, counts(name))
        play(scheduler)
        return seen

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) > 5


def test_who_is_killed_does_nothing_more() -> None:
    """A killed task ends where it stands: what it meant to do next never happens, what it holds is let go."""
    scheduler, _ = turns()
    seen: list[str] = []

    @contextmanager
    def held() -> Iterator[None]:
        try:
            yield
        finally:
            seen.append("let go")

    async def works() -> None:
        with held():
            seen.append("before")
            await turn("between")
            seen.append("after")

    task = scheduler.start("works", works())
    scheduler.step()
    scheduler.kill(task)
    play(scheduler)
    assert seen == ["before", "let go"]


def test_news_or_time_wakes_once() -> None:
    """Who waits for news or a time goes on at the first of both, once."""
    scheduler, time = turns()
    seen: list[int] = []

    async def waits() -> None:
        for _ in range(2):
            await wait("news", time.us + SECOND)
            seen.append(time.us)

    scheduler.start("waits", waits())
    play(scheduler)
    scheduler.signal("news")
    scheduler.signal("news")
    play(scheduler)
    assert len(seen) == 1
    scheduler.pass_time()
    play(scheduler)
    assert len(seen) == 2
    assert seen[1] - seen[0] >= SECOND


def test_waiting_for_ever_is_a_failure() -> None:
    """If nobody will ever go on by himself, that is said."""
    scheduler, _ = turns()
    scheduler.start("waits", wait("never", None))
    play(scheduler)
    with pytest.raises(Broken, match="for ever"):
        scheduler.pass_time()
