"""Sees every commit of every service the moment it stands, folds it, and asks the checkers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zlib import crc32

from erbium_kernel.decider import Decider
from erbium_kernel.event import Cursor, message_id
from erbium_kernel.log.memory_tables import CommittedLog
from erbium_kernel.log_records import Append, Row

if TYPE_CHECKING:
    from tests.simulation.sites import Site
    from tests.simulation.world import World

UUID_CHARACTERS = 36


class FreshLog(CommittedLog):
    """A log that remembers which rows nobody has looked at yet."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__()
        self.fresh: list[Row] = []

    def add(self, row: Row) -> None:
        """See `CommittedLog.add`."""
        super().add(row)
        self.fresh.append(row)


@dataclass(slots=True)
class Told:
    """An own event: its row, its record, when it was committed (microseconds of machine time) and the ids of its messages."""

    row: Row
    record: Any
    us: int
    messages: tuple[UUID, ...]


@dataclass(slots=True)
class Seen:
    """What has been seen of one service. `states`: stream -> folded state, personal values sealed as they stand."""

    site: "Site"
    log: FreshLog
    deciders: dict[str, Decider[Any, Any, Any]]
    states: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    own: list[Told] = field(default_factory=list)
    by_id: dict[UUID, Told] = field(default_factory=dict)
    heard: list[Row] = field(default_factory=list)
    checkpoints: dict[str, Cursor] = field(default_factory=dict)

    def state(self, category: str, stream_id: UUID) -> Any:
        """The folded state of one stream; the initial one if there is none."""
        return self.states.get(f"{category}-{stream_id}", self.deciders[category].initial)

    def version(self, category: str, stream_id: UUID) -> int:
        """How many events the stream has."""
        return self.versions.get(f"{category}-{stream_id}", 0)

    def of(self, category: str) -> Iterator[tuple[UUID, Any]]:
        """All streams of this aggregate."""
        for stream, state in self.states.items():
            if stream[: -UUID_CHARACTERS - 1] == category:
                yield UUID(stream[-UUID_CHARACTERS:]), state


@dataclass(slots=True, kw_only=True)
class Happened:
    """One own event and its stream before and after it."""

    world: "World"
    seen: Seen
    told: Told
    before: Any
    after: Any

    @property
    def record(self) -> Any:
        """The event."""
        return self.told.record


OnEvent = Callable[[Happened], None]
OnCommit = Callable[["World", Seen, Sequence[Append], list[Row]], None]


class Watch:
    """`on_event`: checkers by type of event; `on_commit`: checkers of every commit, asked after those."""

    def __init__(self, world: "World", on_event: dict[type, list[OnEvent]], on_commit: list[OnCommit]) -> None:
        """Nothing seen yet."""
        self._world, self._on_event, self._on_commit = world, on_event, on_commit
        self.seen: dict[str, Seen] = {}

    def over(self, site: "Site") -> None:
        """Watches this service from now on."""
        log = FreshLog()
        site.store.tables.log = log
        self.seen[site.name] = Seen(site, log, {decider.category: decider for decider in site.service.deciders})

    def committed(self, site: "Site", works: Sequence[Append]) -> list[Row]:
        """Something of this service stands now; `works` if it was an append. Returns the new rows. Raises: Broken."""
        seen = self.seen[site.name]
        fresh, seen.log.fresh = seen.log.fresh, []
        for row in fresh:
            self._world.turns.trace = crc32(row.envelope.event_id.bytes, self._world.turns.trace)
            if row.envelope.origin is None:
                self._own(seen, row)
            else:
                seen.heard.append(row)
        for check in self._on_commit:
            check(self._world, seen, works, fresh)
        return fresh

    def _own(self, seen: Seen, row: Row) -> None:
        site, envelope = seen.site, row.envelope
        record = site.codec.decode(row)
        facts = [message.fact for message in site.service.publishes(envelope, record)]
        told = Told(row, record, self._world.time.us, tuple(message_id(envelope.event_id, fact) for fact in facts))
        seen.own.append(told)
        seen.by_id[envelope.event_id] = told
        stream = envelope.stream
        assert stream is not None
        seen.versions[stream] = seen.versions.get(stream, 0) + 1
        decider = seen.deciders[stream[: -UUID_CHARACTERS - 1]]
        before = seen.states.get(stream, decider.initial)
        after = seen.states[stream] = decider.evolve(before, record)
        checks = self._on_event.get(type(record))
        if checks:
            happened = Happened(world=self._world, seen=seen, told=told, before=before, after=after)
            for check in checks:
                check(happened)
