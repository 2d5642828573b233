"""Reading a stream: its events opened and folded, all of them or those since its state was carried forward; and how long it may get."""

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from erbium_kernel.codec import opened
from erbium_kernel.decider import Decider
from erbium_kernel.errors import StreamFull
from erbium_kernel.log_records import Loaded, Row
from erbium_kernel.runtime import Runtime

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")

STREAM_EVENTS_MAX = 1_000  # beyond it nothing is appended: every command folds the whole stream (docs/decisions/0031)
STREAM_EVENTS_LONG = 800  # operations hears of a stream once, while there is time to plan what follows it
STREAM_EVENTS_CARRIED = 500  # the append that would make a command fold more than these carries the state forward, if it can


class Folded(NamedTuple, Generic[S]):
    """A stream's state, its version, and of how many events it was folded."""

    state: S
    version: int
    events: int


async def folded(runtime: Runtime, chain_id: UUID, decider: Decider[C, S, E], stream_id: UUID, upto: int | None = None) -> Folded[S]:
    """One stream (the initial state and 0 if there is none). Raises: Unavailable, Undecodable."""
    loaded = await runtime.store.load(chain_id, decider.stream(stream_id), None, upto, decider.carried_as)
    return Folded(await state_after(runtime, decider, loaded), loaded.version, len(loaded.rows))


async def state_of(runtime: Runtime, chain_id: UUID, decider: Decider[C, S, E], stream_id: UUID, upto: int | None = None) -> tuple[S, int]:
    """The folded state of one stream and its version. Raises: as `folded`."""
    state, version, _ = await folded(runtime, chain_id, decider, stream_id, upto)
    return state, version


def decided(decider: Decider[C, S, E], command: C, state: S, events: int) -> Sequence[E]:
    """What follows from the command on a state folded of so many `events`; the state first, where it is time to carry it forward.

    Raises: Rejected, StreamFull.
    """
    new = decider.decide(command, state)
    if new and decider.carry and events + len(new) > STREAM_EVENTS_CARRIED:
        return [decider.carry.of(state), *new]
    if events + len(new) > STREAM_EVENTS_MAX:
        raise StreamFull
    return new


async def state_after(runtime: Runtime, decider: Decider[C, S, E], loaded: Loaded) -> S:
    """What the loaded rows of one stream come to. Raises: Unavailable, Undecodable."""
    if not loaded.rows:
        return decider.initial
    evolve, chain_id = decider.evolve, loaded.rows[0].envelope.chain_id
    before, rows = runtime.folded_before.of(loaded.rows, evolve, runtime.vault.at_hand)
    state: S = decider.initial if before is None else before.state
    if before is not None and not rows:
        return state
    at_first = {person: runtime.vault.at_hand(chain_id, person) for row in rows if (person := row.envelope.subject_id)}
    for event in await events_of(runtime, chain_id, rows):
        state = evolve(state, event)
    opened_with = {person: runtime.vault.at_hand(chain_id, person) for person in at_first}
    # Not kept: what is sealed because its key has yet to arrive, and what was opened with a key that has been forgotten meanwhile.
    if all(key is not None and (at_first[person] is None or at_first[person] is key) for person, key in opened_with.items()):
        earlier = {} if before is None else before.opened
        runtime.folded_before.keep(rows[-1], evolve, state, {**earlier, **opened_with})
    return state


async def events_of(runtime: Runtime, chain_id: UUID, rows: Sequence[Row]) -> list[Any]:
    """The events of a stream's rows, personal values opened as far as the keys allow."""
    records = [runtime.codec.decode(row) for row in rows]
    subjects = [row.envelope.subject_id for row in rows if row.envelope.subject_id]
    if not subjects:
        return records
    open_ = await runtime.vault.opener(chain_id, subjects)
    return [opened(record, open_) if row.envelope.subject_id else record for row, record in zip(rows, records, strict=True)]
