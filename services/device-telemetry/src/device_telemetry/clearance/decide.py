"""What is recorded of what was heard, and whether a treatment may open. Every heard fact and every opening meet on one stream."""

from collections.abc import Sequence
from typing import Any, assert_never
from uuid import UUID

from device_telemetry.binding import IN_TREATMENT
from device_telemetry.clearance import refusals
from device_telemetry.clearance.commands import (
    ClearanceCommand,
    CloseTreatment,
    HearAttestation,
    HearChange,
    HearCheckIn,
    HearGrant,
    HearSameDayApproval,
    NoteDelivery,
    OpenTreatment,
)
from device_telemetry.clearance.events import (
    EVENTS,
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
from device_telemetry.clearance.opening import opened
from device_telemetry.clearance.state import Clearance, evolve
from erbium_kernel.decider import Decider, Guard, TakeName


def decide(command: ClearanceCommand, state: Clearance) -> Sequence[ClearanceEvent]:
    """The events that follow. Raises: Rejected, for an opening only: what was heard is never refused."""
    match command:
        case HearGrant():
            return [] if state.grant else [GrantHeard(**_fields(command))]
        case HearChange():
            return _changed(command, state)
        case HearCheckIn():
            check_in = CheckInHeard(**_fields(command))
            return [] if state.visit(command.visit_id).check_in == check_in else [check_in]
        case HearAttestation():
            attestation = AttestationHeard(**_fields(command))
            return [] if attestation in state.visit(command.visit_id).attestations else [attestation]
        case HearSameDayApproval():
            return [] if state.visit(command.visit_id).same_day else [SameDayApprovalHeard(**_fields(command))]
        case OpenTreatment():
            return _open(command, state)
        case CloseTreatment():
            return _close(command, state)
        case NoteDelivery():
            return _note_delivery(command, state)
    assert_never(command)


def _fields(command: Any) -> dict[str, Any]:
    """A heard fact is recorded as it was heard, field by field."""
    return {name: getattr(command, name) for name in command.__slots__}


def _changed(command: HearChange, state: Clearance) -> Sequence[ClearanceEvent]:
    who = {"clearance_id": command.clearance_id, "patient_id": command.patient_id}
    match command.change:
        case "suspended":
            return [] if state.suspended else [SuspensionHeard(**who, treatment_id=state.open_treatment)]
        case "reinstated":
            return [ReinstatementHeard(**who, treatment_id=state.open_treatment)] if state.suspended else []
        case "revoked":
            return [] if state.ended == "revoked" else [RevocationHeard(**who, treatment_id=state.open_treatment)]
        case "expired":
            return [] if state.ended else [ExpiryHeard(**who)]
    assert_never(command.change)


def _open(command: OpenTreatment, state: Clearance) -> Sequence[ClearanceEvent]:
    if earlier := state.bound.get(command.treatment_id):
        ids = earlier.binding.ids
        if (ids.visit_id, ids.device_id, earlier.binding.plan) == (command.visit_id, command.device.device_id, command.plan):
            return []
        raise refusals.TreatmentIdTaken
    return [TreatmentBound(binding=opened(command, state))]


def _close(command: CloseTreatment, state: Clearance) -> Sequence[ClearanceEvent]:
    bound = state.bound.get(command.treatment_id)
    if bound is None:
        return []
    ids = bound.binding.ids
    known = state.open_treatment != command.treatment_id and (state.visit(ids.visit_id).treated or not command.delivered)
    if known:
        return []
    over = TreatmentOver(
        clearance_id=ids.clearance_id, patient_id=ids.patient_id, treatment_id=ids.treatment_id,
        visit_id=ids.visit_id, clinic_id=ids.clinic_id, delivered=command.delivered,
    )  # fmt: skip
    return [over]


def _note_delivery(command: NoteDelivery, state: Clearance) -> Sequence[ClearanceEvent]:
    """Why: the usual way a visit counts as treated once its treatment is over; one that was given up is over already."""
    bound = state.bound.get(command.treatment_id)
    if bound is None or state.open_treatment == command.treatment_id or state.visit(bound.binding.ids.visit_id).treated:
        return []
    ids = bound.binding.ids
    late = LateDeliveryHeard(
        clearance_id=ids.clearance_id, patient_id=ids.patient_id, treatment_id=state.open_treatment,
        delivered_by=ids.treatment_id, visit_id=ids.visit_id, clinic_id=ids.clinic_id,
    )  # fmt: skip
    return [late]


def guards(event: ClearanceEvent) -> Sequence[Guard]:
    """One open treatment per laser; the treatment's own stream lets go of it."""
    return [TakeName(name=IN_TREATMENT, value=str(event.binding.ids.device_id))] if isinstance(event, TreatmentBound) else []


def guard_refusal(_: str) -> Exception:
    """The only guard is the laser."""
    return refusals.DeviceInTreatment()


def ordering(event: ClearanceEvent, _: UUID) -> UUID:
    """Everything about one patient stays in order."""
    return event.binding.ids.patient_id if isinstance(event, TreatmentBound) else event.patient_id


CLEARANCE: Decider[ClearanceCommand, Clearance, ClearanceEvent] = Decider(
    category="clearance",
    events=EVENTS,
    initial=Clearance(),
    decide=decide,
    evolve=evolve,
    guards=guards,
    ordering=ordering,
    guard_refusal=guard_refusal,
)
