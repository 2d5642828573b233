"""A clearance as it was heard: its parts arrive in any order, since they come from two services."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, assert_never
from uuid import UUID

from device_telemetry.clearance.events import (
    AttestationHeard,
    CheckInHeard,
    ClearanceEvent,
    ExpiryHeard,
    GrantHeard,
    LateDeliveryHeard,
    ReinstatementHeard,
    RevocationHeard,
    SameDayApprovalHeard,
    SuspensionHeard,
    TreatmentBound,
    TreatmentOver,
)

Ended = Literal["revoked", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What was heard about one visit under this clearance."""

    check_in: CheckInHeard | None = None
    attestations: tuple[AttestationHeard, ...] = ()
    same_day: SameDayApprovalHeard | None = None
    treated: bool = False

    def attested_on(self, day: date) -> Literal["unchanged", "changed", "not"]:
        """What the question of that day brought; one answer of a change outweighs all others of the day."""
        answers = {one.changes for one in self.attestations if one.on == day}
        if True in answers:
            return "changed"
        return "unchanged" if answers else "not"

    def looked_at(self) -> "Visit":
        """A doctor has reinstated the clearance after the changes reported so far: they no longer stand in the way."""
        return replace(self, attestations=tuple(one for one in self.attestations if not one.changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """All that is known here. `open_treatment` is the one that runs under it now; `bound` all that ever did.

    `suspended` ends by reinstatement, `ended` never.
    """

    grant: GrantHeard | None = None
    suspended: bool = False
    ended: Ended | None = None
    visits: Mapping[UUID, Visit] = field(default_factory=dict)
    bound: Mapping[UUID, TreatmentBound] = field(default_factory=dict)
    open_treatment: UUID | None = None

    def visit(self, visit_id: UUID) -> Visit:
        """The visit, empty if nothing was heard of it."""
        return self.visits.get(visit_id, Visit())


def evolve(state: Clearance, event: ClearanceEvent) -> Clearance:
    """The clearance after one more event."""
    match event:
        case GrantHeard():
            return replace(state, grant=event)
        case SuspensionHeard():
            return replace(state, suspended=True)
        case ReinstatementHeard():
            return replace(state, suspended=False, visits={visit_id: visit.looked_at() for visit_id, visit in state.visits.items()})
        case RevocationHeard():
            return replace(state, ended="revoked")
        case ExpiryHeard():
            return replace(state, ended=state.ended or "expired")
        case CheckInHeard():
            return _visit(state, event.visit_id, replace(state.visit(event.visit_id), check_in=event))
        case AttestationHeard():
            visit = state.visit(event.visit_id)
            return _visit(state, event.visit_id, replace(visit, attestations=(*visit.attestations, event)))
        case SameDayApprovalHeard():
            return _visit(state, event.visit_id, replace(state.visit(event.visit_id), same_day=event))
        case TreatmentBound():
            treatment_id = event.binding.ids.treatment_id
            return replace(state, bound={**state.bound, treatment_id: event}, open_treatment=treatment_id)
        case TreatmentOver():
            return _over(state, event)
        case LateDeliveryHeard():
            return _visit(state, event.visit_id, replace(state.visit(event.visit_id), treated=True))
    assert_never(event)


def _visit(state: Clearance, visit_id: UUID, visit: Visit) -> Clearance:
    return replace(state, visits={**state.visits, visit_id: visit})


def _over(state: Clearance, event: TreatmentOver) -> Clearance:
    still_open = None if state.open_treatment == event.treatment_id else state.open_treatment
    visit = state.visit(event.visit_id)
    changed = _visit(state, event.visit_id, replace(visit, treated=visit.treated or event.delivered))
    return replace(changed, open_treatment=still_open)
