"""What a network does to topics: partitions come unevenly, some not at all for a while."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from erbium_kernel.topic_port import Received
from tests.simulation.sites import Process

CUT_SHORT: Final = 0.3  # how often a partition hands over only a part of what was asked for


class UnevenInlet:
    """An inlet that hands over a prefix of each partition, and takes the rest back; which, the seed says.

    Why: partitions are fetched one by one; what is reordered across keys in the real thing must be here too.
    """

    def __init__(self, process: Process, role: str, inlet: Any) -> None:
        """`inlet` does all the work, for this role of the process."""
        self._process, self._role, self._site, self._inlet = process, role, process.site, inlet
        self.cluster_id, self.assigned, self.seek, self.end_offsets = inlet.cluster_id, inlet.assigned, inlet.seek, inlet.end_offsets
        self.hint, self.close = inlet.hint, inlet.close

    async def poll(self, limit: int, wait_seconds: float) -> Sequence[Received]:
        """See `Inlet.poll`."""
        found: list[Received] = []
        self._process.left_over.discard(self._role)
        chance, world = self._site.chance.random, self._site.world
        for (topic, partition), group in groupby(await self._inlet.poll(limit, wait_seconds), lambda one: (one.topic, one.partition)):
            records = list(group)
            kept = len(records)
            if (self._site.name, topic) in world.held_back:
                kept = 0
            elif not world.calm and chance() < CUT_SHORT:
                kept = int(chance() * (kept + 1))
            found.extend(records[:kept])
            if kept < len(records):
                self._process.left_over.add(self._role)
                await self._inlet.seek(topic, partition, records[kept].offset)
        return found
