"""The end of the faults: everything is mended, operators let parked keys go, and time passes until nobody has anything to do."""

from typing import TYPE_CHECKING, Final

from device_telemetry.frames.consumer import FRAMES_TOPIC
from erbium_kernel.event import Cursor
from erbium_kernel.message import KEYS_TOPIC, topic_of
from tests.simulation.clocks import SECOND
from tests.simulation.lasers import send_all
from tests.simulation.sites import Site
from tests.simulation.turns import Broken

if TYPE_CHECKING:
    from tests.simulation.world import World

IDLE_TURNS_MAX: Final = 20_000  # until everybody waits
LOOKS_MAX: Final = 300
LOOKS_BEFORE_A_LEAP: Final = 3
LEAPS_S: Final = (0, 1, 3, 11, 21)  # back-offs, keys tried again, tombstones written again


def come_to_rest(world: "World") -> None:
    """Raises: Broken if it never does."""
    world.calm = True
    world.held_back.clear()
    for site in world.sites.values():
        site.mend()
        if not site.processes:
            world.start_process(site)
        for process in site.processes:
            for task in process.tasks:
                task.pace = 1.0
    send_all(world)
    waits_for = None
    for look in range(LOOKS_MAX):
        world.operate(release_all=True)
        world.run_until("somebody always has something to do", lambda: not world.turns.ready, IDLE_TURNS_MAX)
        if (waits_for := what_waits(world)) is None:
            return
        if look % LOOKS_BEFORE_A_LEAP:
            world.turns.pass_time()
        else:
            world.time.us += LEAPS_S[look // LOOKS_BEFORE_A_LEAP % len(LEAPS_S)] * SECOND
    raise Broken(f"at rest: {waits_for}, after {LOOKS_MAX} looks")


def what_waits(world: "World") -> str | None:
    """What is not done yet; None if everything rests."""
    if world.clients_open:
        return "somebody has no answer yet"
    for site in world.sites.values():
        if site.store.tables.parked:
            return f"{site.name}: something is parked"
        if any(timer.due_at <= site.clock.now() for timer in site.store.tables.timers.values()):
            return f"{site.name}: timers are due"
        if waits := _behind(world, site):
            return waits
    return _frames_wait(world)


def _frames_wait(world: "World") -> str | None:
    """Why asked by the port: what the store keeps is its own."""
    store, site = world.frame_store, world.sites["device-telemetry"]
    for n, part in enumerate(world.broker.partitions(FRAMES_TOPIC)):
        if site.at_once(store.position(FRAMES_TOPIC, n)) < part.end:
            return "frames are not stored yet"
    return "treatments are not told yet" if site.at_once(store.unsettled(None, 1)) else None


def _behind(world: "World", site: Site) -> str | None:
    tables, seen = site.store.tables, world.watch.seen[site.name]
    if name := world.checkers.following[site.name].behind():
        return f"{site.name}: {name} is behind"
    topics = [topic_of(name) for name in site.service.listens_to] + ([] if site.service.owns_keys else [KEYS_TOPIC])
    for topic in topics:
        for n, part in enumerate(world.broker.partitions(topic)):
            if tables.positions.get((topic, n), 0) < part.end:
                return f"{site.name}: {topic} is not read to its end"
    newest = max((row.key.cursor for row in tables.keys.values() if row.key.shared), default=Cursor())
    if site.service.owns_keys and min(tables.checkpoints.get(f"relay.{name}", Cursor()) for name in ("keys", "keys-again")) < newest:
        return f"{seen.site.name}: keys are not told yet"
    return None
