"""Parked keys: one ordering id waits for an operator, everybody else goes on."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from erbium_kernel.errors import NotFound
from erbium_kernel.log.memory_tables import Change, ParkedPlace, ParkedState, Skip, Tables
from erbium_kernel.log.skipping import NOTHING_PARKED, check_skip
from erbium_kernel.log_records import Park, ParkedKey, ParkedRowDone, Row

WAITS_ASIDE = "waits aside"


def park_rows(change: Change, tables: Tables, subscriber: str, parks: Sequence[Park], at: datetime) -> None:
    """Rows put aside, each once. Without a reason and without a parked key to stand behind, a row waits in a released key."""
    for park in parks:
        envelope = park.row.envelope
        place = ParkedPlace(subscriber, envelope.chain_id, envelope.ordering_id)
        if place not in tables.parked:
            state = ParkedState(park.reason or WAITS_ASIDE, park.attempts, at, park.reason is None)
            change.put(tables.parked, place, state)
        waiting = tables.parked_rows.get(place, ())
        if park.row not in waiting:
            change.put(tables.parked_rows, place, tuple(sorted((*waiting, park.row), key=_oldest_first)))


def _oldest_first(row: Row) -> tuple[int, int, int]:
    return row.cursor


def row_done(change: Change, tables: Tables, done: ParkedRowDone) -> bool:
    """The row leaves its parked key, and the key is free with its last row; was it there?"""
    place = ParkedPlace(done.subscriber, done.chain_id, done.ordering_id)
    waiting = tables.parked_rows.get(place, ())
    rest = tuple(row for row in waiting if row.envelope.event_id != done.event_id)
    if len(rest) == len(waiting):
        return False
    _keep(change, tables, place, rest)
    return True


def _keep(change: Change, tables: Tables, place: ParkedPlace, rest: tuple[Row, ...]) -> None:
    if rest:
        change.put(tables.parked_rows, place, rest)
    else:
        change.drop(tables.parked_rows, place)
        change.drop(tables.parked, place)


def park_again(change: Change, tables: Tables, place: ParkedPlace, reason: str) -> None:
    """The key waits for the operator as before, one attempt more."""
    state = tables.parked.get(place)
    if state is not None:
        change.put(tables.parked, place, state._replace(released=False, reason=reason, attempts=state.attempts + 1))


def skip_first(change: Change, tables: Tables, place: ParkedPlace, event_id: UUID, skip: Skip) -> None:
    """The first row, this event, is passed over for ever, the rest is released. Raises: NotFound, Rejected."""
    state, rows = tables.parked.get(place), tables.parked_rows.get(place, ())
    check_skip(event_id, rows[0].envelope.event_id if rows else None, released=state is not None and state.released)
    release(change, tables, place)
    change.put(tables.skips, (place.subscriber, place.chain_id, event_id), skip)
    _keep(change, tables, place, rows[1:])


def release(change: Change, tables: Tables, place: ParkedPlace) -> None:
    """The key may go on with its first row. Raises: NotFound."""
    state = tables.parked.get(place)
    if state is None:
        raise NotFound(NOTHING_PARKED)
    change.put(tables.parked, place, state._replace(released=True))


def forget(change: Change, tables: Tables, subscriber: str) -> None:
    """All parked keys of a subscriber that starts again; its skips stay."""
    for place in [place for place in tables.parked if place.subscriber == subscriber]:
        _keep(change, tables, place, ())


def parked_keys(tables: Tables) -> tuple[ParkedKey, ...]:
    """What operators see, the longest waiting first."""
    listed = sorted(tables.parked.items(), key=lambda item: (item[1].parked_at, item[0]))
    return tuple(
        ParkedKey(
            subscriber=place.subscriber,
            chain_id=place.chain_id,
            ordering_id=place.ordering_id,
            reason=state.reason,
            attempts=state.attempts,
            parked_at=state.parked_at,
            rows=len(tables.parked_rows[place]),
            released=state.released,
        )
        for place, state in listed
    )
