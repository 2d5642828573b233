"""R5: a read table made again from the log is the one that stood, row for row."""

from typing import TYPE_CHECKING

from erbium_kernel.follow import Follower
from tests.simulation.recording import Recording
from tests.simulation.sites import Site
from tests.simulation.turns import Broken

if TYPE_CHECKING:
    from tests.simulation.world import World

STEPS_MAX = 200


def check_rebuilt(world: "World") -> None:
    """The processes end here: nobody else follows meanwhile. Raises: Broken."""
    for site in world.sites.values():
        for process in list(site.processes):
            process.crash()
        for name in site.projections:
            live = {place: rows for place, rows in site.read_tables.items() if place[0] == name}
            for place in live:
                del site.read_tables[place]
            site.at_once(site.store.reset_checkpoint(name))
            world.checkers.following[site.name].forget(name)
            site.at_once(_follow(site, name))
            if {place: rows for place, rows in site.read_tables.items() if place[0] == name} != live:
                raise Broken(f"R5: {site.name}: {name} made again from the log is not what stood")


async def _follow(site: Site, name: str) -> None:
    async with site.store.lease(name) as lease:
        assert lease is not None, "every process has ended"
        follower, rests = Follower(Recording(site, name, site.projections[name]), lease, site.clock), 0
        for _ in range(STEPS_MAX):
            rests += (await follower.step()).kind == "idle"
            if rests == 2:  # rows of no interest are passed at the second rest
                return
    raise Broken(f"R5: {site.name}: {name} does not come to the end of the log")
