"""What a retry of a parked key would come to: this build works off each waiting row, and nothing of it is kept."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from erbium_kernel.codec import Codec, personal_values
from erbium_kernel.decider import Decider
from erbium_kernel.errors import KeyNotHere, NotFound, NotHereYet, PersonErased, Rejected, Unavailable
from erbium_kernel.folding import Folded, decided, folded
from erbium_kernel.log.skipping import NOTHING_PARKED
from erbium_kernel.log_records import Row
from erbium_kernel.message import outgoing
from erbium_kernel.personal import Personal, Sealed
from erbium_kernel.projecting import apply
from erbium_kernel.relay import SUBSCRIBER as RELAY
from erbium_kernel.runtime import Runtime
from erbium_kernel.service import Service
from erbium_kernel.subscribing import Projection, Reaction
from erbium_kernel.whereabouts import reason_of

PREVIEW_ROWS_MAX = 200  # of one key: a projection's are held in one open transaction, which holds readers of the log back

Verdict = Literal["effect", "nothing", "refused", "waits", "fails"]
Trial = Callable[[Row], Awaitable[tuple[Verdict, str]]]
"""The effect of one row as far as it can be had without keeping it. Raises: what the effect itself would raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What one waiting row would come to.

    `effect`, `nothing` (no effect wanted), `refused` (by a rule: handled, the key goes on), `waits` (for what has yet to arrive), `fails`.
    `why` holds names and places in the code, never data. `behind`: an earlier row of the key fails or waits; this one is judged as if that
    one were skipped.
    """

    event_id: UUID
    type: str
    schema_version: int
    position: int
    verdict: Verdict
    why: str
    behind: bool


async def foresee(
    service: Service, runtime: Runtime, engine: AsyncEngine | None, subscriber: str, chain_id: UUID, ordering_id: UUID
) -> Sequence[Foreseen]:
    """The key's waiting rows, oldest first, at most `PREVIEW_ROWS_MAX`. `engine` connects as `work`; a reaction needs none.

    Raises: NotFound (nothing waits there), Rejected (no such subscriber), Unavailable.
    """
    rows = await runtime.store.parked_detail(subscriber, chain_id, ordering_id)
    if not rows:
        raise NotFound(NOTHING_PARKED)
    found: list[Foreseen] = []
    async with _trial(service, runtime, engine, subscriber) as trial:
        for row in rows[:PREVIEW_ROWS_MAX]:
            verdict, why = await _tried(trial, row)
            behind = any(before.verdict in ("fails", "waits") for before in found)
            found.append(
                Foreseen(
                    event_id=row.envelope.event_id, type=row.envelope.type, schema_version=row.envelope.schema_version,
                    position=row.cursor.position, verdict=verdict, why=why, behind=behind,
                )
            )  # fmt: skip
    return found


async def _tried(trial: Trial, row: Row) -> tuple[Verdict, str]:
    try:
        return await trial(row)
    except NotHereYet as missing:
        return "waits", type(missing).__name__
    except Unavailable:
        raise
    except Rejected as refusal:
        return "refused", refusal.slug
    except Exception as error:  # noqa: BLE001  # this is what is asked for: would our own code fail again?
        return "fails", reason_of(error)


@asynccontextmanager
async def _trial(service: Service, runtime: Runtime, engine: AsyncEngine | None, subscriber: str) -> AsyncIterator[Trial]:
    projections = {projection.name: projection for projection in service.projections}
    reactions = {reaction.name: reaction for reaction in service.reactions}
    if subscriber in projections:
        assert engine is not None, "a projection is tried in a transaction of its own"
        async with _projected(engine, runtime.codec, projections[subscriber]) as trial:
            yield trial
    elif subscriber in reactions:
        yield Deciding(runtime, reactions[subscriber], owns_keys=service.owns_keys).trial
    elif subscriber == RELAY:
        yield _published(runtime)
    elif subscriber == service.erasure:
        yield _erased
    else:
        raise Rejected(f"{service.name} has no subscriber {subscriber}: `parked list` names those where something waits.")


@asynccontextmanager
async def _projected(engine: AsyncEngine, codec: Codec, projection: Projection) -> AsyncIterator[Trial]:
    """Each row sees what the rows before it have written; a row that fails has written nothing, and in the end nobody has."""
    async with engine.connect() as connection:
        await connection.begin()

        async def trial(row: Row) -> tuple[Verdict, str]:
            record = codec.decode(row)
            async with connection.begin_nested():
                await apply(connection, projection, row.envelope, record)
            return "effect", ", ".join(table.name for table in projection.tables)

        try:
            yield trial
        finally:
            await connection.rollback()


class Deciding:
    """Commands of a reaction decided one after the other on streams as they would then stand; nothing is appended."""

    def __init__(self, runtime: Runtime, reaction: Reaction, *, owns_keys: bool) -> None:
        """`owns_keys`: this service makes the keys of patients, so none has to arrive first."""
        self._runtime, self._reaction, self._owns_keys = runtime, reaction, owns_keys
        self._stands: dict[str, Folded[Any]] = {}

    async def trial(self, row: Row) -> tuple[Verdict, str]:
        """See `Trial`. Guards are asked only by an append, so what they would say stays open."""
        chain_id = row.envelope.chain_id
        to = self._reaction.react(row.envelope, self._runtime.codec.decode(row))
        if to is None:
            return "nothing", "no command follows from it"
        decider, stream = to.decider, to.decider.stream(to.stream_id)
        state, version, held = self._stands.get(stream) or await folded(self._runtime, chain_id, decider, to.stream_id)
        events = decided(decider, to.command, state, held)
        names = [await self._writable(chain_id, decider, event) for event in events]
        for event in events:
            state = decider.evolve(state, event)
        carried = len(events) if decider.carry and isinstance(events[0] if events else None, decider.carry.record) else held + len(events)
        self._stands[stream] = Folded(state, version + len(events), carried)
        guarded = any(decider.guards(event) for event in events)
        why = f"{stream}: {', '.join(names)}" + (", if what it claims is free" if guarded else "")
        return ("effect", why) if events else ("nothing", f"{stream}: has it already")

    async def _writable(self, chain_id: UUID, decider: Decider[Any, Any, Any], event: Any) -> str:
        """The stored name. Raises: PersonErased, KeyNotHere, and what the codec raises."""
        for subject_id in {value.subject_id for value in personal_values(event) if isinstance(value, Personal)}:
            key = (await self._runtime.store.keys(chain_id, [subject_id])).get(subject_id)
            if key is not None and key.erased:
                raise PersonErased
            if key is None and not (decider.staff or self._owns_keys):
                raise KeyNotHere
        return self._runtime.codec.encode(event, lambda value: Sealed(1, value.subject_id, "", ""))[0]


def _published(runtime: Runtime) -> Trial:
    async def trial(row: Row) -> tuple[Verdict, str]:
        messages = runtime.publishes(row.envelope, runtime.codec.decode(row))
        for message in messages:
            outgoing(runtime.service, row.envelope, message, runtime.codec.to_json(message.data))
        facts = ", ".join(message.fact for message in messages)
        return ("effect", facts) if messages else ("nothing", "nobody else hears of it")

    return trial


async def _erased(_: Row) -> tuple[Verdict, str]:
    return "effect", "the person's key is destroyed"
