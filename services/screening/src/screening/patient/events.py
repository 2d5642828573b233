"""Everything that can be true of a patient's record. The stored names are in the log for ever, and so never change."""

from typing import Any

from erbium_kernel.event import EventTable, Stored
from screening.patient.decision_events import (
    ClearanceDeferred,
    ClearanceExpired,
    ClearanceGranted,
    ClearanceRefused,
    ClearanceReinstated,
    ClearanceRevoked,
    ClearanceSuspended,
    OverrideGranted,
    PatientErased,
    RetentionLockLifted,
)
from screening.patient.fact_events import (
    AdverseEventNoted,
    AdverseEventSettled,
    AdvisoryAcknowledged,
    ChangesAttested,
    ConsultationHeld,
    ExaminationRecorded,
    PatientRegistered,
    PreconditionRecorded,
    ProcedureCorrected,
    ProcedureReported,
    QuestionnaireAnswered,
    TestSpotPlaced,
    TestSpotRead,
    TreatmentNoted,
)


def _corrects_nothing(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 corrected no earlier record."""
    return {**data, "corrects": None}


EVENTS = EventTable(
    {
        "patient-registered": Stored(record=PatientRegistered),
        "procedure-reported": Stored(record=ProcedureReported),
        "procedure-corrected": Stored(record=ProcedureCorrected),
        "questionnaire-answered": Stored(record=QuestionnaireAnswered),
        "consultation-held": Stored(record=ConsultationHeld, version=2, upcasts={1: _corrects_nothing}),
        "examination-recorded": Stored(record=ExaminationRecorded),
        "test-spot-placed": Stored(record=TestSpotPlaced),
        "test-spot-read": Stored(record=TestSpotRead),
        "precondition-recorded": Stored(record=PreconditionRecorded, version=2, upcasts={1: _corrects_nothing}),
        "advisory-acknowledged": Stored(record=AdvisoryAcknowledged),
        "override-granted": Stored(record=OverrideGranted),
        "clearance-granted": Stored(record=ClearanceGranted),
        "clearance-deferred": Stored(record=ClearanceDeferred),
        "clearance-refused": Stored(record=ClearanceRefused),
        "clearance-suspended": Stored(record=ClearanceSuspended),
        "clearance-reinstated": Stored(record=ClearanceReinstated),
        "clearance-revoked": Stored(record=ClearanceRevoked),
        "clearance-expired": Stored(record=ClearanceExpired),
        "adverse-event-noted": Stored(record=AdverseEventNoted),
        "adverse-event-settled": Stored(record=AdverseEventSettled),
        "changes-attested": Stored(record=ChangesAttested),
        "treatment-noted": Stored(record=TreatmentNoted),
        "retention-lock-lifted": Stored(record=RetentionLockLifted),
        "patient-erased": Stored(record=PatientErased),
    }
)

Decision = ClearanceGranted | ClearanceDeferred | ClearanceRefused
Ending = ClearanceRevoked | ClearanceExpired
Event = (
    PatientRegistered | ProcedureReported | ProcedureCorrected | QuestionnaireAnswered | ConsultationHeld | ExaminationRecorded
    | TestSpotPlaced | TestSpotRead | PreconditionRecorded | AdvisoryAcknowledged | OverrideGranted | Decision | ClearanceSuspended
    | ClearanceReinstated | Ending | AdverseEventNoted | AdverseEventSettled | ChangesAttested | TreatmentNoted | RetentionLockLifted
    | PatientErased
)  # fmt: skip
