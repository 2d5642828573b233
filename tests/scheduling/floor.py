"""The whole service on a memory store: commands through execute, raced at every point where a database would let others in."""

from typing import Any
from uuid import UUID

from erbium_kernel.decider import Decider
from erbium_kernel.execute import execute
from erbium_kernel.folding import state_of
from erbium_kernel.log.memory import MemoryStore
from scheduling.deciders import ITINERARY
from scheduling.itinerary import commands as c
from scheduling.wiring import SERVICE
from tests.house import others_first, race, runtime_of
from tests.kernel.ward import WardClock, cause
from tests.scheduling.scenes import CHAIN


class Floor:
    """One service of one chain. `itinerary` may be a mutant."""

    def __init__(self, itinerary: Decider[Any, Any, Any] = ITINERARY) -> None:
        """Empty, with a clock that stands still."""
        self.clock = WardClock()
        self.store = MemoryStore(clock=self.clock, pause=others_first)
        self.itinerary = itinerary
        self.runtime = runtime_of(SERVICE, self.store, self.clock)

    async def at(self, decider: Decider[Any, Any, Any], stream_id: UUID, command: Any) -> Any:
        """One command. Raises: Rejected."""
        return await execute(self.runtime, CHAIN, decider, stream_id, command, cause=cause(self.runtime))

    async def do(self, patient: UUID, *commands: Any) -> None:
        """Commands to a patient's itinerary, one after the other. Raises: Rejected."""
        for command in commands:
            await self.at(self.itinerary, patient, command)

    async def opened(self, *patients: UUID) -> None:
        """Screening has registered these patients."""
        for patient in patients:
            await self.do(patient, c.OpenItinerary(patient_id=patient))

    async def state(self, patient: UUID) -> Any:
        """The folded itinerary."""
        return (await state_of(self.runtime, CHAIN, self.itinerary, patient))[0]

    async def events(self, decider: Decider[Any, Any, Any], stream_id: UUID) -> list[Any]:
        """Everything in a stream, decoded."""
        loaded = await self.store.load(CHAIN, decider.stream(stream_id))
        return [self.runtime.codec.decode(row) for row in loaded.rows]

    async def race(self, *runners: tuple[UUID, Any]) -> list[str]:
        """All at once; per runner `done` or the refusal's slug, in the order given."""
        return await race([self.do(patient, command) for patient, command in runners])
