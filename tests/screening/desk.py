"""Screening on a memory store: commands through execute, raced at every point where a database would let others in."""

from typing import Any
from uuid import UUID

from erbium_kernel.decider import Decider
from erbium_kernel.execute import execute
from erbium_kernel.folding import state_of
from erbium_kernel.log.memory import MemoryStore
from screening.deciders import PATIENT
from screening.wiring import SERVICE
from tests.house import others_first, race, runtime_of
from tests.kernel.ward import WardClock, cause
from tests.screening.story import PATIENT_ID

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")


class Desk:
    """One chain's screening. `patient` may be a mutant."""

    def __init__(self, patient: Decider[Any, Any, Any] = PATIENT) -> None:
        """Empty, with a clock that stands still."""
        self.clock = WardClock()
        self.store = MemoryStore(clock=self.clock, pause=others_first)
        self.patient = patient
        self.runtime = runtime_of(SERVICE, self.store, self.clock)

    async def do(self, *commands: Any) -> None:
        """Commands to the patient's record, one after the other. Raises: Rejected."""
        for command in commands:
            await execute(self.runtime, CHAIN, self.patient, PATIENT_ID, command, cause=cause(self.runtime))

    async def state(self) -> Any:
        """The folded record."""
        return (await state_of(self.runtime, CHAIN, self.patient, PATIENT_ID))[0]

    async def names(self) -> list[str]:
        """What has happened, as stored."""
        loaded = await self.store.load(CHAIN, self.patient.stream(PATIENT_ID))
        return [row.envelope.type for row in loaded.rows]

    async def race(self, *commands: Any) -> list[str]:
        """All at once; per command `done` or the refusal's slug, in the order given."""
        return await race([self.do(command) for command in commands])
