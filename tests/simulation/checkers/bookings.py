"""R3 and the clinic's own rules about bookings: nothing is promised twice, no forbidden pair of visits of one patient."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from scheduling.deciders import RULES
from scheduling.itinerary import events as e
from scheduling.itinerary.intervals import Act
from scheduling.itinerary.slot import Slot
from tests.simulation.turns import Broken
from tests.simulation.watch import Happened

Taken = dict[tuple[UUID, UUID], dict[UUID, tuple[datetime, datetime]]]  # (chain, resource) -> holder -> from, until
BOOKINGS: Final = (e.SlotHeld, e.HoldEnded, e.VisitMoved, e.VisitCancelled)


class Claims:
    """Who holds what, by the events alone: the guard tables are what is being checked."""

    def __init__(self) -> None:
        """Everything is free."""
        self.taken: Taken = {}

    def on_event(self, happened: Happened) -> None:
        """Raises: Broken if two hold one resource at one time."""
        record, chain_id = happened.record, happened.told.row.envelope.chain_id
        match record:
            case e.SlotHeld():
                self._take(chain_id, record.slot, record.hold_id)
            case e.HoldEnded():
                self._give_back(chain_id, record.slot, record.hold_id)
            case e.VisitMoved():
                self._give_back(chain_id, record.was, record.visit_id)
                self._take(chain_id, record.slot, record.visit_id)
            case e.VisitCancelled():
                self._give_back(chain_id, record.slot, record.visit_id)
            case _:
                raise AssertionError(f"{type(record).__name__} claims nothing")

    def _take(self, chain_id: UUID, slot: Slot, holder: UUID) -> None:
        for taken in slot.occupied:
            held = self.taken.setdefault((chain_id, taken.resource_id), {})
            for other, (since, until) in held.items():
                if other != holder and taken.starts_at < until and since < taken.ends_at:
                    raise Broken(f"R3: {taken.kind} {taken.resource_id} is promised to {other} and to {holder} at {taken.starts_at}")
            held[holder] = taken.starts_at, taken.ends_at

    def _give_back(self, chain_id: UUID, slot: Slot, holder: UUID) -> None:
        for taken in slot.occupied:
            self.taken.get((chain_id, taken.resource_id), {}).pop(holder, None)


def check_pairs(happened: Happened) -> None:
    """A visit just booked or moved keeps its distance from everything known of the patient. Raises: Broken."""
    record, state = happened.record, happened.after
    visit = state.visits[record.visit_id]
    act = visit.wanted.act
    if act is None:
        return
    mine = Act(ref=visit.visit_id, kind=act, zones=visit.wanted.zones, on=visit.slot.on)
    for other in _others(state, visit.visit_id):
        if (rule := forbidden(mine, other)) is not None:
            raise Broken(f"pair: {mine.kind} on {mine.on} and {other.kind} on {other.on} are closer than {rule}")


def _others(state: Any, visit_id: UUID) -> list[Act]:
    visits = [
        Act(ref=other.visit_id, kind=other.wanted.act, zones=other.wanted.zones, on=other.slot.on)
        for other in state.visits.values()
        if other.visit_id != visit_id and other.wanted.act is not None
    ]
    return [*visits, *state.treatments.values(), *state.procedures.values()]


def forbidden(one: Act, other: Act) -> str | None:
    """The rule that this pair breaks, tried in both orders where they are on one day."""
    if not RULES.in_field(one.zones, other.zones):
        return None
    for earlier, later in ((one, other), (other, one)):
        gap_days = (later.on - earlier.on).days
        rule = RULES.interval(earlier.kind, later.kind)
        if rule is not None and 0 <= gap_days < rule.gap_days_min:
            return f"{rule.id}: {gap_days} of {rule.gap_days_min} days"
    return None
