"""Bugs put in on purpose: each must be found, or the simulator looks at nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final
from uuid import uuid5

from msgspec.structs import replace as changed

import erbium_kernel.intake
import erbium_kernel.log.memory
import erbium_kernel.log.memory_intake
import erbium_kernel.message
from aftercare.deciders import CARE
from device_telemetry import freshness
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.frames.memory_store import MemoryFrameStore
from device_telemetry.treatment import decide as treatment
from erbium_kernel.errors import Rejected, Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.execute import execute
from erbium_kernel.fire import Timers
from erbium_kernel.follow import Follower
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log.memory_transactions import Transactions
from erbium_kernel.log_records import Append, MoveCheckpoint, Row
from erbium_kernel.ports import Lease
from erbium_kernel.reacting import Reacting, cause_of
from erbium_kernel.relay import Relay
from scheduling.deciders import ITINERARY
from scheduling.itinerary import standing
from screening.patient import clear, heard_facts
from screening.patient import decide as screening_decide
from tests.simulation.recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """`reacting`: what works off reactions instead of the kernel's own; `places`: what stands where meanwhile."""

    name: str = "nothing"
    reacting: Any = None
    places: tuple[tuple[Any, str, Any], ...] = ()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While the block runs."""
        before = [(owner, name, getattr(owner, name)) for owner, name, _ in self.places]
        try:
            for owner, name, planted in self.places:
                _put(owner, name, planted)
            yield
        finally:
            for owner, name, value in before:
                _put(owner, name, value)


def _put(owner: Any, name: str, value: Any) -> None:
    """Deciders are frozen; a planted bug does not care."""
    if isinstance(owner, type) or not hasattr(owner, "__dataclass_fields__"):
        setattr(owner, name, value)
    else:
        object.__setattr__(owner, name, value)


NOTHING: Final = Planted()


# --- those that the issue names


class MovesFirst(Reacting):
    """The checkpoint moves before the effect: what dies in between never happens."""

    rows_max = 1

    async def work(self, lease: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """See `Effect.work`."""
        (row,) = rows
        await lease.move(move.expected, move.to)
        to = self._reaction.react(row.envelope, self._runtime.codec.decode(row))
        if to is not None:
            with suppress(Rejected):
                await execute(self._runtime, row.envelope.chain_id, to.decider, to.stream_id, to.command, cause=cause_of(row, self.name))
        return move.to


_heard: Callable[[Any], Any] = erbium_kernel.message.heard


def _heard_by_offset(received: Any) -> Any:
    """A message is known by where it stood, not by its id."""
    found = _heard(received)
    if not hasattr(found, "event_id"):
        return found
    return replace(found, event_id=uuid5(found.event_id, f"{received.partition} {received.offset}"))


async def _publish_and_hope(self: Any, topic: str, records: Sequence[Any]) -> None:
    """What the broker did not acknowledge is passed over."""
    for start in range(0, len(records), 100):
        with suppress(Unavailable):
            await self._outlet.publish(topic, records[start : start + 100])


def _next_batch_of_anybody(self: Any) -> list[Row]:
    """A parked key does not hold up its later rows."""
    return list(islice(self._rows, 1 if self._singly else self._effect.rows_max))


_write_key: Callable[..., None] = erbium_kernel.log.memory_intake.write_key


def _write_key_anyway(change: Any, tables: Any, key: Any, place: Cursor, at: Any) -> None:
    """An erased key is like none."""
    standing_key = tables.keys.get((key.chain_id, key.subject_id))
    if standing_key is not None and standing_key.key.erased and not key.erased:
        change.drop(tables.keys, (key.chain_id, key.subject_id))
    _write_key(change, tables, key, place, at)


NAMED: Final = (
    Planted(name="checkpoint before effect", reacting=MovesFirst),
    Planted(name="duplicate not ignored", places=((erbium_kernel.intake, "heard", _heard_by_offset),)),
    Planted(name="hold not enforced", places=((ITINERARY, "guards", lambda _: ()),)),
    Planted(name="reader that trusts positions", places=((Transactions, "readable", lambda *_: True),)),
    Planted(name="relay that skips after an error", places=((Relay, "_publish", _publish_and_hope),)),
    Planted(name="parked key that lets a later message pass", places=((Follower, "_next_batch", _next_batch_of_anybody),)),
    Planted(name="key arriving after erasure accepted", places=((erbium_kernel.log.memory, "write_key", _write_key_anyway),)),
)


# --- and one for every other checker


_append = MemoryStore.append


async def _append_without_answer(self: Any, work: Append) -> int:
    """No answer is remembered: a repeated request is decided again."""
    return await _append(self, changed(work, answer=None))


async def _fire_and_forget(self: Any, timer: Any) -> None:
    """The timer goes before its command."""
    self._runtime.store.tables.timers.pop((timer.chain_id, timer.key), None)
    to = self._timers[timer.type](timer, self._runtime.clock.now())
    with suppress(Rejected):
        await execute(self._runtime, timer.chain_id, to.decider, to.stream_id, to.command, cause=_cause_of_timer(timer))


def _cause_of_timer(timer: Any) -> Any:
    from erbium_kernel import fire

    return fire._cause(timer)


def _lowering(state: Any, event: Any) -> Any:
    after = _care_evolve(state, event)
    return replace(after, level=event.level) if type(event).__name__ == "CheckInAnswered" else after


_care_evolve: Callable[[Any, Any], Any] = CARE.evolve
_clearance_evolve: Callable[[Any, Any], Any] = CLEARANCE.evolve


def _deaf(state: Any, event: Any) -> Any:
    """Suspensions are recorded, and nobody looks at them."""
    return state if type(event).__name__ == "SuspensionHeard" else _clearance_evolve(state, event)


def _a_day_early(*arguments: Any) -> Any:
    deferred = _deferred(*arguments)
    return replace(deferred, until=deferred.until and deferred.until.replace(day=1))


def _note_no_adverse_event(command: Any, state: Any) -> Any:
    return [] if type(command).__name__ == "NoteAdverseEvent" else _note(command, state)


def _put_first(self: Any, change: Any, rows: Any) -> None:
    """A read table that depends on how its rows came: in batches, or one by one."""
    _put_rows(self, change, list(reversed(rows)))


_note: Callable[[Any, Any], Any] = heard_facts.note
_put_rows = Recording._put
_deferred = clear._deferred
_keep = MemoryFrameStore.keep


async def _keep_twice(self: Any, piece: Any) -> Any:
    """The place on the topic is forgotten now and then, and sums are kept all the same."""
    found = await _keep(self, piece)
    for absorbed in found:
        for treatment_id, gain in absorbed.gains.items():
            for zone, one in gain.zones.items():
                self._of(piece.arrivals[0].receipt.chain_id, treatment_id).zones[zone].add(one)
    return found


MORE: Final = (
    Planted(name="answers are not remembered", places=((MemoryStore, "append", _append_without_answer),)),
    Planted(name="timer gone before its command", places=((Timers, "_fire", _fire_and_forget),)),
    Planted(name="level lowered", places=((CARE, "evolve", _lowering),)),
    Planted(name="suspension not looked at", places=((CLEARANCE, "evolve", _deaf),)),
    Planted(name="intervals not looked at", places=((standing, "conflicts", lambda *_: ()),)),
    Planted(name="deferral on another day", places=((clear, "_deferred", _a_day_early),)),
    Planted(name="earliest day that is none", places=((standing, "earliest_legal", lambda _, act, *__: act.on),)),
    Planted(name="old copy of screening believed", places=((freshness, "age_seconds", lambda *_: 0.0),)),
    Planted(name="suspension that holds nobody", places=((treatment, "_hold", lambda *_: []),)),
    Planted(name="adverse event not noted", places=((screening_decide, "note", _note_no_adverse_event),)),
    Planted(name="read table in the order of arrival", places=((Recording, "_put", _put_first),)),
    Planted(name="frames counted twice", places=((MemoryFrameStore, "keep", _keep_twice),)),
)
