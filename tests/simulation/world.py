"""Everything there is in one run: four services, a broker, clients, the checkers, and the seed that moves them."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from device_telemetry.frames.consumer import FRAMES_TOPIC
from device_telemetry.frames.memory_store import MemoryFrameStore
from device_telemetry.frames.settling import LookingAgain
from erbium_kernel.errors import Unavailable
from erbium_kernel.follow import Effect
from erbium_kernel.log_records import Row
from erbium_kernel.message import KEYS_TOPIC, topic_of
from erbium_kernel.topic.memory import MemoryBroker
from tests.simulation.checking import Checkers
from tests.simulation.clients import Ask, client
from tests.simulation.clocks import SECOND, Time
from tests.simulation.desks import telemetry_desk
from tests.simulation.faults.people import parked_may_be_skipped
from tests.simulation.frames_roles import LOOKING_AGAIN, had_effect, looking_again
from tests.simulation.lasers import Laser
from tests.simulation.opening import known_patients, open_clinics
from tests.simulation.people import CHAIN, CLINICS
from tests.simulation.planted import Planted
from tests.simulation.roles import start_roles
from tests.simulation.sites import RUN_ON, SERVICES, Process, Site
from tests.simulation.turns import Broken, Task, Turns, turn, wait

TURNS_MAX: Final = 60_000  # of one run; more means that something goes round in circles
PARTITIONS: Final = 2
CROWDED: Final = 0.3  # how often everybody wants the same day at the same clinic
LOOKS: Final = frozenset({"before-poll", "polled", "metadata"})


class World:
    """One run. Nothing in it comes from anywhere but the seed."""

    def __init__(self, chance: random.Random, planted: Planted) -> None:
        """Four services, each with its processes; nothing has happened yet."""
        self.chance, self.planted, self.chain = chance, planted, CHAIN
        self.time = Time()
        self.turns = Turns(random.Random(chance.getrandbits(64)), self.time, chance.choice((50, 200, 1_000)))
        self.calm = False
        self.crowded = chance.random() < CROWDED
        self.looked_us: dict[Task | None, int] = {}  # attempt to open -> when it asked how old the copy of screening is
        self._dying: list[Process] = []
        self.held_back: set[tuple[str, str]] = set()
        self.broker = MemoryBroker(
            {**{topic_of(service.name): PARTITIONS for service in SERVICES}, KEYS_TOPIC: PARTITIONS, FRAMES_TOPIC: PARTITIONS}
        )
        self.broker.hook = self._broker_lets_others_in
        self.sites = {service.name: Site(self, service, random.Random(chance.getrandbits(64))) for service in SERVICES}
        self.checkers = Checkers(self)
        self.watch, self.topics = self.checkers.watch, self.checkers.topics
        self.frame_store = MemoryFrameStore(self.sites[telemetry_desk.SITE].pause)
        self.lasers: dict[UUID, Laser] = {}
        self._processes_made = 0
        self.clients = 0
        self.clients_open = 0
        self.busy: Counter[int] = Counter()  # patient -> requests under way

    # --- what the services run on

    async def _broker_lets_others_in(self, place: str, topic: str) -> None:
        task = self.turns.current
        site: Site | None = task.home.site if task is not None and isinstance(task.home, Process) else None
        if place == "written":
            self.topics.written(topic)
            self.tell_readers(topic)
        if place not in LOOKS or self.chance.random() > RUN_ON:
            await turn(place)
        if site is not None and site.broker_fails and site.chance.random() < site.broker_fails:
            raise Unavailable("the broker is away")

    def tell_readers(self, topic: str) -> None:
        """Something new is in the topic."""
        for site in self.sites.values():
            if topic == FRAMES_TOPIC:
                self.turns.signal(f"{site.name}/frames")
            elif topic == KEYS_TOPIC or any(topic_of(name) == topic for name in site.service.listens_to):
                self.turns.signal(f"{site.name}/intake")

    def start_process(self, site: Site) -> Process:
        """One more process of this service, with everything that it runs."""
        self._processes_made += 1
        process = Process(site, self._processes_made)
        site.processes.append(process)
        start_roles(process)
        return process

    def dies_now(self, site: Site) -> None:
        """The process whose turn it is has just committed something: it dies when the turn ends."""
        task = self.turns.current
        if task is not None and isinstance(task.home, Process) and task.home in site.processes:
            site.dies_at_commit = False
            self._dying.append(task.home)

    def _die(self) -> None:
        for process in self._dying:
            if process.alive:
                process.crash()
                self.turns.note(f"{process.name} dies at its commit")
                self.later(0.1, lambda site=process.site: self.come_back(site))  # type: ignore[misc]
        self._dying.clear()

    def come_back(self, site: Site) -> None:
        """After a crash; if somebody was faster, that is enough."""
        if not site.processes:
            self.start_process(site)
            self.turns.note(f"{site.name} is back")

    def operate(self, release_all: bool) -> None:
        """Somebody looks at what is parked."""
        for site in self.sites.values():
            if parked_may_be_skipped(self, site, release_all):
                site.everybody()

    def some_process(self, name: str) -> Process | None:
        """One that serves requests, if any is there."""
        processes = self.sites[name].processes
        return processes[int(self.chance.random() * len(processes))] if processes else None

    def extra_effects(self, process: Process) -> list[Effect]:
        """Subscribers that a service brings along besides its reactions and projections."""
        return [looking_again(process)] if process.site.name == telemetry_desk.SITE else []

    def extra_hears(self, name: str) -> dict[str, frozenset[str]]:
        """What those hear."""
        return {LOOKING_AGAIN: LookingAgain.hears} if name == telemetry_desk.SITE else {}

    def extra_effect_is_there(self, name: str, subscriber: str, row: Row) -> bool:
        """Has it done what this row asks for?"""
        return subscriber == LOOKING_AGAIN and had_effect(self.watch.seen[name], row)

    # --- who asks

    def ask(self, ask: Ask, who: int) -> None:
        """A client sets out, for this patient."""
        self.clients += 1
        self.clients_open += 1
        self.busy[who] += 1

        def ends(_: Any) -> None:
            self.clients_open -= 1
            self.busy[who] -= 1

        self.turns.note(f"{ask.site}: {ask.name}#{self.clients} is asked")
        self.turns.start(f"client#{self.clients}", client(self, self.clients, ask), None, ends)

    def client_ends(self, _: Any) -> None:
        """One has what it wanted."""
        self.clients_open -= 1

    def answered(self, ask: Ask, answer: tuple[Any, ...]) -> None:
        """A client has its answer. Raises: Broken if it speaks of an event that is not there."""
        self.checkers.answered(ask.site, answer)

    async def pause(self, seconds: float) -> None:
        """What stands for `asyncio.sleep`."""
        await wait(None, self.time.us + int(seconds * SECOND))

    # --- turns

    def run(self, turns: int) -> None:
        """So many turns; where nobody has anything to do, time passes."""
        for _ in range(turns):
            self._one_turn()

    def run_while(self, true: Callable[[], bool], turns_max: int) -> None:
        """At most so many turns."""
        for _ in range(turns_max):
            if not true():
                return
            self._one_turn()

    def run_until(self, what: str, true: Callable[[], bool], turns_max: int) -> None:
        """Raises: Broken if it is not true after so many turns."""
        for _ in range(turns_max):
            if true():
                return
            self._one_turn()
        raise Broken(f"at rest: {what}: not after {turns_max} turns")

    def _one_turn(self) -> None:
        turns = self.turns
        if not turns.step():
            turns.pass_time()
        elif self._dying:
            self._die()
        elif turns.number > TURNS_MAX:
            raise Broken(f"no rest after {TURNS_MAX} turns")

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Something happens by itself after so much machine time."""

        async def passes() -> None:
            await wait(None, self.time.us + int(seconds * SECOND))
            what()

        self.turns.start("meanwhile", passes())

    def end(self) -> None:
        """Nobody goes on."""
        self.turns.end()

    # --- the beginning

    def open(self, patients: int) -> None:
        """Clinics, rooms, staff and lasers are known; then the processes start, and the services hear of each other's."""
        open_clinics(self)
        for site in self.sites.values():
            self.start_process(site)
        self.run_until("the clinics are known", self._clinics_known, 5_000)
        known_patients(self, self.chance, patients)

    def _clinics_known(self) -> bool:
        seen = self.watch.seen
        return all(seen["screening"].version("clinic", one.id) and seen["scheduling"].version("laser", one.laser) for one in CLINICS)

    # --- time

    def let_pass(self, seconds: int) -> None:
        """Machine time, for everybody, at once."""
        self.time.us += seconds * SECOND
        self.turns.note(f"{seconds} s have passed")

    def move_domain_time(self, by: timedelta) -> None:
        """Development moves the clock of all four services, one after the other."""
        for n, site in enumerate(self.chance.sample(list(self.sites.values()), len(self.sites))):
            self.later(0.002 * n, lambda site=site: self._move(site, by))  # type: ignore[misc]

    def _move(self, site: Site, by: timedelta) -> None:
        site.clock.offset += by
        self.turns.note(f"{site.name}: domain time is {site.clock.now():%Y-%m-%d %H:%M}")
        self.turns.signal(f"{site.name}/timers")

    def move_domain_time_to(self, at: datetime) -> None:
        """Forward, never back."""
        by = at - self.sites["scheduling"].clock.now()
        if by > timedelta():
            self.move_domain_time(by)
