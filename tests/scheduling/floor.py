"""The whole service on a memory store: commands through execute, raced at every point where a database would let others in."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from erbium_kernel.codec import Codec
from erbium_kernel.decider import Decider
from erbium_kernel.errors import Rejected
from erbium_kernel.execute import execute, state_of
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.runtime import Runtime
from erbium_kernel.vault import Vault
from scheduling import published
from scheduling.deciders import ITINERARY
from scheduling.itinerary import commands as c
from scheduling.wiring import SERVICE
from tests.kernel.ward import SECRETS, WardClock, WardIds, cause
from tests.scheduling.scenes import CHAIN


async def others_first(_: str) -> None:
    """The memory store's pause: at every point everybody else runs first."""
    await asyncio.sleep(0)


class Floor:
    """One service of one chain. `itinerary` may be a mutant."""

    def __init__(self, itinerary: Decider[Any, Any, Any] = ITINERARY) -> None:
        """Empty, with a clock that stands still."""
        self.clock = WardClock()
        self.store = MemoryStore(clock=self.clock, pause=others_first)
        self.itinerary = itinerary
        ids = WardIds(self.clock)
        self.runtime = Runtime(
            service="scheduling",
            store=self.store,
            clock=self.clock,
            ids=ids,
            codec=Codec([decider.events for decider in SERVICE.deciders], SERVICE.heard),
            vault=Vault(self.store, SECRETS, clock=self.clock, ids=ids, owns_keys=False),
            publishes=published.messages,
        )

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


async def race(runners: Sequence[Any]) -> list[str]:
    """All at once; any exception but a refusal is an error of ours."""
    outcomes = await asyncio.gather(*runners, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Rejected):
            raise outcome
    return [outcome.slug if isinstance(outcome, Rejected) else "done" for outcome in outcomes]
