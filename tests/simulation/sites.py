"""The four services as they run: each on its own store and clocks, in processes that can die at every turn."""

import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aftercare.wiring import SERVICE as AFTERCARE
from device_telemetry.frames.sending import FramesTopic
from device_telemetry.frames.taking import Taking
from device_telemetry.wiring import SERVICE as TELEMETRY
from erbium_kernel.codec import Codec
from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Cursor, Envelope, Message
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import Append, MoveCheckpoint, Row
from erbium_kernel.runtime import Runtime
from erbium_kernel.service import Service
from erbium_kernel.subscribing import Reaction, To
from erbium_kernel.vault import Secrets, Vault
from scheduling.wiring import SERVICE as SCHEDULING
from screening.wiring import SERVICE as SCREENING
from tests.simulation.clocks import SECOND, SiteClock, SiteIds
from tests.simulation.turns import Task, run_through, turn

if TYPE_CHECKING:
    from tests.simulation.world import World

SERVICES: Final[tuple[Service, ...]] = (SCREENING, SCHEDULING, TELEMETRY, AFTERCARE)
SECRETS: Final = Secrets(masters={"00000001": b"m" * 32}, current="00000001", fingerprint=b"f" * 32)
SKEW_US_MAX: Final = 2 * SECOND
SHOWN: Final = 0.4  # of the projections are there in a run: they all work alike, and cost what they cost
RUN_ON: Final = 0.7  # how often a mere look at the database lets nobody else go first
KEYS_CHANGED: Final = frozenset({"ensure key: committed", "erase key: committed"})
LOOKED_AT: Final = (
    "checkpoint", "read", "hides", "parked keys", "skips", "parked rows", "lease", "place of", "checkpoints", "end", "due timers", "move",
    "positions", "cluster id", "heartbeats", "keys", "changed keys", "parked in", "parked", "parked detail", "take in",
)  # fmt: skip
APPENDED: Final = frozenset({"append: committed", "append together: committed"})
READS: Final = frozenset(f"{what}: begin" for what in LOOKED_AT)


class InjectedBug(RuntimeError):
    """A bug of ours that the seed has put in; it is mended when the faults stop."""


class RememberingCodec(Codec):
    """Decodes each row once: rows never change, and neither do their records."""

    def __init__(self, service: Service) -> None:
        """All stored types of the service."""
        super().__init__([decider.events for decider in service.deciders], service.heard)
        self.known: dict[Any, Any] = {}

    def decode(self, row: Row) -> Any:
        """See `Codec.decode`."""
        event_id = row.envelope.event_id
        record = self.known.get(event_id)
        if record is None:
            record = self.known[event_id] = super().decode(row)
        return record


@cache
def codec_for(name: str) -> RememberingCodec:
    """One per service and process: making its decoders takes longer than a seed may."""
    return RememberingCodec(next(service for service in SERVICES if service.name == name))


class WatchedStore(MemoryStore):
    """Tells its site what is about to be appended, so that a commit can be judged with its command."""

    def __init__(self, site: "Site") -> None:
        """Empty."""
        super().__init__(clock=site.clock, pause=site.pause)
        self._site = site
        self.appended: Callable[[Append], object] | None = None

    async def append(self, work: Append) -> int:
        """See `ports.Store.append`."""
        if self.appended is not None:
            self.appended(work)
        self._site.appending[self._site.world.turns.current] = (work,)
        return await super().append(work)

    async def append_together(self, group: Sequence[Append], move: MoveCheckpoint) -> None:
        """See `ports.Store.append_together`."""
        self._site.appending[self._site.world.turns.current] = group
        await super().append_together(group, move)


class Site:
    """One service: what outlives its processes, and what is wrong with it at the moment."""

    def __init__(self, world: "World", service: Service, chance: random.Random) -> None:
        """No process runs yet."""
        self.world, self.service, self.name = world, service, service.name
        self.clock = SiteClock(world.time, int(chance.uniform(-SKEW_US_MAX, SKEW_US_MAX)))
        self.ids = SiteIds(self.clock, random.Random(chance.getrandbits(64)))
        self.chance = random.Random(chance.getrandbits(64))
        self.codec = codec_for(service.name)
        self.codec.known.clear()
        self.appending: dict[Task | None, Sequence[Append]] = {}
        self.store = WatchedStore(self)
        self.read_tables: dict[tuple[str, Any, Any], tuple[Any, ...]] = {}
        self.processes: list[Process] = []
        self._told, self._hidden = Cursor(), False  # how far news has been told; is there a row behind that nobody may read yet?
        shown = [one for one in service.projections if chance.random() < SHOWN]
        self.projections = {one.name: one.hears for one in shown}
        self._ears = self._who_hears()
        self.dies_at_commit = False
        self.database_fails = 0.0  # probability that a call of the store fails
        self.broker_fails = 0.0
        self.burning: dict[str, set[Any]] = {}  # subscriber -> events that meet a bug of ours
        self.burn_next: set[str] = set()  # subscribers whose next event will be the first of those

    async def pause(self, where: str) -> None:
        """Where a database lets others in."""
        if where.endswith("committed"):
            works = self.appending.pop(self.world.turns.current, ()) if where in APPENDED else ()
            self._wake(where, works, self.world.watch.committed(self, works))
            if self.dies_at_commit:
                self.world.dies_now(self)
        elif where in READS and self.chance.random() < RUN_ON:
            return
        await turn(where)
        if self.database_fails and self.chance.random() < self.database_fails:
            raise Unavailable("the database is away")

    def _wake(self, where: str, works: Sequence[Append], fresh: Sequence[Row]) -> None:
        """Whoever hears of what has become readable. Why not everybody: who has nothing to do looks by himself now and then."""
        signal, ears, readable = self.world.turns.signal, self._ears, self.store.transactions.readable
        if fresh or self._hidden:
            self._hidden = False
            for row in self.store.tables.log.after(self._told):
                if not readable(row.cursor):
                    self._hidden = True
                    break
                self._told = row.cursor
                for name in ears.get(row.envelope.type, ()):
                    signal(f"{self.name}/{name}")
                if row.envelope.origin is None:
                    signal(f"{self.name}/relay")
        if where in KEYS_CHANGED:
            signal(f"{self.name}/relay")
        if any(work.timers for work in works):
            signal(f"{self.name}/timers")

    def everybody(self) -> None:
        """Whoever waits looks again."""
        for task in (task for process in self.processes for task in process.tasks):
            self.world.turns.signal(f"{self.name}/{task.name.rpartition('/')[2]}")

    def at_once(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """By somebody from outside: the whole of it, undisturbed."""
        fails, self.database_fails = self.database_fails, 0.0
        try:
            return run_through(coro)
        finally:
            self.database_fails = fails

    def fresh_vault(self) -> Vault:
        """One that remembers nothing."""
        return Vault(self.store, SECRETS, clock=self.clock, ids=self.ids, owns_keys=self.service.owns_keys)

    def _who_hears(self) -> dict[str, list[str]]:
        """Type of row -> who hears it."""
        service = self.service
        hears = {one.name: one.hears for one in service.reactions} | self.projections | self.world.extra_hears(self.name)
        hears[service.erasure] = frozenset(service.erased_by)
        ears: dict[str, list[str]] = {}
        for name, types in hears.items():
            for type_ in sorted(types):
                ears.setdefault(type_, []).append(name)
        return ears

    def burns(self, subscriber: str, event_id: Any) -> None:
        """Raises: InjectedBug if this event meets one in this subscriber."""
        if subscriber in self.burn_next:
            self.burn_next.discard(subscriber)
            self.burning.setdefault(subscriber, set()).add(event_id)
        if event_id in self.burning.get(subscriber, ()):
            raise InjectedBug

    def mend(self) -> None:
        """Nothing is wrong any more."""
        self.database_fails = self.broker_fails = 0.0
        self.dies_at_commit = False
        self.burning.clear()
        self.burn_next.clear()

    def reactions(self) -> Iterator[Reaction]:
        """Those of the wiring; each may meet a bug of ours."""
        for reaction in self.service.reactions:
            yield replace(reaction, react=self._burning_react(reaction))

    def _burning_react(self, reaction: Reaction) -> Any:
        def react(envelope: Envelope, record: Any) -> To | None:
            self.burns(reaction.name, envelope.event_id)
            return reaction.react(envelope, record)

        return react

    def publishes_burning(self, envelope: Envelope, event: Any) -> Sequence[Message]:
        """What the relay publishes; it may meet a bug of ours."""
        self.burns("relay", envelope.event_id)
        return self.service.publishes(envelope, event)


class Process:
    """One process of a service. What it remembers dies with it; what it has committed does not."""

    def __init__(self, site: Site, number: int) -> None:
        """Nothing runs in it yet."""
        self.site, self.name = site, f"{site.name}.{number}"
        self.tasks: list[Task] = []
        self.alive = True
        self.left_over: set[str] = set()  # roles that know that there is more to come
        self.taking = Taking(FramesTopic(site.world.broker.outlet()))
        self.runtime = Runtime(
            service=site.name, store=site.store, clock=site.clock, ids=site.ids, codec=site.codec, vault=site.fresh_vault(),
            publishes=site.service.publishes,
        )  # fmt: skip

    def run(self, name: str, coro: Any, done: Any = None) -> Task:
        """A task that dies with the process."""
        task = self.site.world.turns.start(f"{self.name}/{name}", coro, self, done)
        self.tasks.append(task)
        return task

    def crash(self) -> None:
        """SIGKILL: everything in it ends where it stands, whatever was open is rolled back."""
        self.alive = False
        turns = self.site.world.turns
        for task in self.tasks:
            if task.alive:
                turns.kill(task)
        self.site.processes.remove(self)
