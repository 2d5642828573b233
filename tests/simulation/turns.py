"""Whose turn it is: coroutines that stop wherever a machine would let others in, and go on in a seeded order.

Why no asyncio: a turn costs a microsecond, and nothing but the seed decides which of those who may go on goes on.
"""

import heapq
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Final, NamedTuple
from zlib import crc32

from tests.simulation.clocks import Time

TURNS_KEPT: Final = 50  # shown with a failure
NEVER_US: Final = 1 << 62
PICKS_MAX: Final = 4  # so often a slow one is passed over in one pick


class Broken(BaseException):
    """A promise does not hold. Why no Exception: the code under test handles those."""


class Wait(NamedTuple):
    """Until there is news on the channel, or the time has come (microseconds of machine time); None = never by itself."""

    channel: str | None
    until_us: int | None


Taken = tuple[int, int, str, str]  # number of the turn, microseconds, whose it was, where he stopped


@coroutine
def turn(where: str) -> Generator[str, None, None]:
    """Everybody else may go first."""
    yield where


@coroutine
def wait(channel: str | None, until_us: int | None) -> Generator[Wait, None, None]:
    """Nothing to do until then."""
    yield Wait(channel, until_us)


class Task:
    """One coroutine on its way. `home`: what it dies with; `pace`: how often it takes a turn it is offered."""

    __slots__ = ("alive", "coro", "done", "home", "name", "pace", "token", "where")

    def __init__(self, name: str, coro: Coroutine[Any, Any, Any], home: Any, done: Callable[[Any], None] | None) -> None:
        """`done` is told what it returned."""
        self.name, self.coro, self.home, self.done = name, coro, home, done
        self.alive, self.pace, self.token, self.where = True, 1.0, 0, "begins"


class Turns:
    """The scheduler. A turn takes `turn_us` of machine time."""

    def __init__(self, chance: random.Random, time: Time, turn_us: int) -> None:
        """Nobody is there yet."""
        self._chance, self._time, self.turn_us = chance.random, time, turn_us
        self.ready: list[Task] = []
        self._waiting: dict[str, list[tuple[Task, int]]] = defaultdict(list)
        self.news: Counter[str] = Counter()
        self._alarms: list[tuple[int, int, Task, int]] = []
        self._alarms_set, self._ring_us = 0, NEVER_US
        self.current: Task | None = None
        self.number = 0
        self.trace = 0
        self.last: deque[Taken] = deque(maxlen=TURNS_KEPT)

    def start(self, name: str, coro: Coroutine[Any, Any, Any], home: Any = None, done: Callable[[Any], None] | None = None) -> Task:
        """One task more, whose turn may come from now on."""
        task = Task(name, coro, home, done)
        self.ready.append(task)
        return task

    def kill(self, task: Task) -> None:
        """It ends where it stands; nothing it meant to do afterwards happens."""
        task.alive = False
        task.coro.close()

    def signal(self, channel: str) -> None:
        """News: whoever waits on this channel may go on, and whoever is busy can tell that there was some."""
        self.news[channel] += 1
        if channel in self._waiting:
            for task, token in self._waiting.pop(channel):
                self._wake(task, token)

    def end(self) -> None:
        """Everybody ends where he stands."""
        everybody = [
            *self.ready,
            *(task for waiting in self._waiting.values() for task, _ in waiting),
            *(alarm[2] for alarm in self._alarms),
        ]
        for task in everybody:
            if task.alive:
                self.kill(task)

    def note(self, what: str) -> None:
        """Something that happened besides the turns: it is part of the trace."""
        self.trace = crc32(what.encode(), self.trace)
        self.last.append((self.number, self._time.us, "", what))

    def step(self) -> bool:
        """One turn; False if nobody has anything to do now."""
        time = self._time
        if time.us >= self._ring_us:
            self._ring()
        place = self._pick()
        if place is None:
            return False
        task = self.ready[place]
        self.number += 1
        time.us += self.turn_us
        self.current = task
        try:
            stopped = task.coro.send(None)
        except StopIteration as end:
            task.alive, stopped = False, "ends"
            self._leave(place)
            if task.done is not None:
                task.done(end.value)
        else:
            if stopped.__class__ is Wait:
                self._leave(place)
                self._to_wait(task, stopped)
                stopped = "waits"
        task.where = stopped
        self.trace = crc32(f"{task.name} {stopped}".encode(), self.trace)
        self.last.append((self.number, time.us, task.name, stopped))
        return True

    def pass_time(self) -> None:
        """Nobody has anything to do: until the next one goes on by himself. Raises: Broken if nobody ever does."""
        self._ring()
        while not self.ready:
            if not self._alarms:
                raise Broken("everybody waits for ever")
            self._time.us = max(self._time.us, self._ring_us)
            self._ring()

    def _ring(self) -> None:
        """Whose time has come may go on."""
        alarms, now_us = self._alarms, self._time.us
        while alarms and alarms[0][0] <= now_us:
            self._wake(*heapq.heappop(alarms)[2:])
        self._ring_us = alarms[0][0] if alarms else NEVER_US

    def _pick(self) -> int | None:
        ready, chance, picks = self.ready, self._chance, PICKS_MAX
        while ready:
            place = int(chance() * len(ready))
            task = ready[place]
            if not task.alive:
                self._leave(place)
            elif task.pace < 1.0 and picks and chance() > task.pace:
                picks -= 1
            else:
                return place
        return None

    def _leave(self, place: int) -> None:
        """The order of the others does not matter, only that it is always the same."""
        last = self.ready.pop()
        if place < len(self.ready):
            self.ready[place] = last

    def _to_wait(self, task: Task, what: Wait) -> None:
        task.token += 1
        if what.channel is not None:
            self._waiting[what.channel].append((task, task.token))
        if what.until_us is not None:
            self._alarms_set += 1
            heapq.heappush(self._alarms, (what.until_us, self._alarms_set, task, task.token))
            self._ring_us = min(self._ring_us, what.until_us)

    def _wake(self, task: Task, token: int) -> None:
        if task.alive and task.token == token:  # else somebody woke it before
            task.token += 1
            self.ready.append(task)


def run_through(coro: Coroutine[Any, Any, Any]) -> Any:
    """The whole coroutine at once, nobody else in between."""
    try:
        while True:
            coro.send(None)
    except StopIteration as end:
        return end.value
