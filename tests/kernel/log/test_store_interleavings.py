"""The one suite, last part: random interleavings of appends, open transactions and a reader, against a model."""

import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erbium_kernel.errors import VersionConflict
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Row
from tests.kernel.log.grounds import Ground, Held
from tests.kernel.log.making import START, a_command, a_message, a_slice, a_stream
from tests.kernel.log.reading import eventually

STREAMS = 3
EXAMPLES = 40
STEPS_MAX = 25
OPEN_MAX = 3

append = st.tuples(st.just("append"), st.integers(0, STREAMS - 1), st.integers(1, 3))
stale = st.tuples(st.just("stale"), st.integers(0, STREAMS - 1), st.integers(1, 3))
heard = st.tuples(st.just("heard"), st.integers(1, 3), st.just(0))
hold = st.tuples(st.just("hold"), st.just(0), st.just(0))
end_held = st.tuples(st.sampled_from(["commit", "roll back"]), st.integers(0, OPEN_MAX - 1), st.just(0))
read = st.tuples(st.just("read"), st.integers(1, 5), st.just(0))
restore = st.tuples(st.just("restore"), st.just(0), st.just(0))
steps = st.lists(st.one_of(append, append, stale, heard, hold, end_held, read, read, restore), max_size=STEPS_MAX)


@dataclass
class Play:
    """One interleaving: what the log must hold, and what a reader that never looks back has seen."""

    ground: Ground
    chain_id: UUID = field(default_factory=uuid4)
    topic: str = field(default_factory=lambda: f"erbium.t{uuid4().hex}.v1")
    subscriber: str = field(default_factory=lambda: f"suite.{uuid4()}")
    after: Cursor = START
    streams: list[str] = field(default_factory=lambda: [a_stream() for _ in range(STREAMS)])
    heads: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    committed: list[UUID] = field(default_factory=list)
    seen: list[Row] = field(default_factory=list)
    held: list[tuple[Held, contextlib.AsyncExitStack]] = field(default_factory=list)
    offset: int = 0

    async def step(self, what: str, first: int, second: int) -> None:
        """One step of the interleaving."""
        match what:
            case "append":
                await self.append(self.streams[first], second)
            case "stale":
                await self.stale(self.streams[first], second)
            case "heard":
                await self.hear(first)
            case "hold" if len(self.held) < OPEN_MAX:
                await self.hold()
            case "commit" | "roll back" if self.held:
                await self.end_held(first % len(self.held), commit=what == "commit")
            case "read":
                await self.read(first)
            case "restore" if not self.held:
                await self.restore()

    async def begin(self) -> None:
        """The reader starts at the end of what other tests have left."""
        marker = a_command(uuid4(), a_stream())
        await self.ground.store.append(marker)
        self.after = await self.place_of(marker.chain_id, marker.events[0].event_id)

    async def place_of(self, chain_id: UUID, event_id: UUID) -> Cursor:
        """Where an event stands now."""
        found = await self.ground.store.place_of(chain_id, event_id)
        assert found is not None
        return found[0]

    async def append(self, stream: str, events: int) -> None:
        """A command decided on the head."""
        work = a_command(self.chain_id, stream, self.heads[stream], events)
        self.heads[stream] = await self.ground.store.append(work)
        self.committed += [event.event_id for event in work.events]

    async def stale(self, stream: str, events: int) -> None:
        """A command decided on another version."""
        with contextlib.suppress(VersionConflict):
            await self.ground.other.append(a_command(self.chain_id, stream, self.heads[stream] + 1, events))
            raise AssertionError("a stale command was accepted")

    async def hear(self, messages: int) -> None:
        """A slice of messages, the first of them twice."""
        heard = tuple(a_message(self.chain_id) for _ in range(messages))
        part = a_slice(self.topic, (*heard, heard[0]), start=self.offset)
        await self.ground.store.take_in(part)
        self.offset = part.next
        self.committed += [message.event_id for message in heard]

    async def hold(self) -> None:
        """Somebody else's transaction writes and stays open."""
        stack = contextlib.AsyncExitStack()
        self.held.append((await stack.enter_async_context(self.ground.hold(self.chain_id)), stack))

    async def end_held(self, n: int, *, commit: bool) -> None:
        """It ends, one way or the other."""
        held, stack = self.held.pop(n)
        if commit:
            await held.commit()
            self.committed.append(held.event_id)
        await stack.aclose()

    async def read(self, limit: int) -> None:
        """The reader, whoever has the lease now, goes on from where it was."""
        async with self.ground.store.lease(self.subscriber) as lease:
            if lease is None:
                return  # the one before is not quite gone
            rows = await lease.read(self.after, limit)
        if rows:
            self.after = rows[-1].cursor
            self.seen += [row for row in rows if row.envelope.chain_id == self.chain_id]

    async def restore(self) -> None:
        """The cluster is new; the reader's checkpoint came from the same backup as the log."""
        await self.drain()
        await self.ground.new_epoch()
        if self.seen:
            self.after = await self.place_of(self.chain_id, self.seen[-1].envelope.event_id)

    async def drain(self) -> None:
        """Reads on until everything committed has been seen."""

        async def ask() -> int:
            await self.read(STEPS_MAX)
            return len(self.seen)

        await eventually(ask, lambda seen: seen >= len(self.committed), self.ground.patience_seconds)

    def check(self) -> None:
        """Every committed event exactly once, every stream in the order of its versions, messages in the order of their partition."""
        ids = [row.envelope.event_id for row in self.seen]
        assert len(ids) == len(set(ids)), "an event was seen twice"
        assert set(ids) == set(self.committed), "an event was lost, or one was seen that never was"
        for stream in self.streams:
            versions = [row.envelope.version for row in self.seen if row.envelope.stream == stream]
            assert versions == list(range(1, self.heads[stream] + 1)), f"{stream} was read out of order"
        heard = [row.envelope.event_id for row in self.seen if row.envelope.origin]
        assert heard == [event_id for event_id in self.committed if event_id in set(heard)], "a partition was read out of order"


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=steps)
async def test_a_reader_sees_every_committed_event_exactly_once_in_stream_order(ground: Ground, steps: list[tuple[str, int, int]]) -> None:
    """Whatever is appended, heard, held open, rolled back and restored between its reads."""
    play = Play(ground)
    await play.begin()
    for step in steps:
        await play.step(*step)
    while play.held:
        await play.end_held(0, commit=True)
    await play.drain()
    await play.read(STEPS_MAX)
    play.check()
