"""One example of every stored event."""

from dataclasses import replace
from typing import Any

from device_telemetry.clearance.commands import CloseTreatment, HearChange, HearSameDayApproval, NoteDelivery
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.device.decide import DEVICE
from device_telemetry.device.state import carried
from device_telemetry.treatment.commands import (
    AbortTreatment,
    CheckSilence,
    ExpireBackfill,
    FinishTreatment,
    NoteFramesComing,
)
from device_telemetry.treatment.decide import TREATMENT
from tests.device_telemetry.making import (
    ATTESTED,
    CHECK_IN,
    CLEARANCE_ID,
    CLINIC,
    GRANT,
    NOTHING,
    NOW,
    OPEN,
    PATIENT,
    TAKE_UP,
    TODAY,
    TREATMENT_ID,
    VISIT,
    after,
)
from tests.device_telemetry.test_device import CLAIM, LOCKOUT, REGISTER, RELEASE, WARNING
from tests.device_telemetry.test_treatment import CLOSE, DOCTOR, END, GAPPY, LATER, LIFT, PAUSE, RUNNING, STOP, WHOLE


def _change(what: Any) -> HearChange:
    return HearChange(clearance_id=CLEARANCE_ID, patient_id=PATIENT, change=what)


_APPROVED = HearSameDayApproval(clearance_id=CLEARANCE_ID, patient_id=PATIENT, visit_id=VISIT, clinic_id=CLINIC, on=TODAY)
_CLOSED = CloseTreatment(treatment_id=TREATMENT_ID, delivered=True)
_GIVEN_UP = AbortTreatment(cause="patient_wish", delivered=NOTHING, finals=(), at=LATER)
_HISTORIES: list[tuple[Any, tuple[Any, ...]]] = [
    (DEVICE, (REGISTER, CLAIM, WARNING)),
    (DEVICE, (REGISTER, CLAIM, LOCKOUT, RELEASE)),
    (
        CLEARANCE,
        (
            GRANT, CHECK_IN, ATTESTED, _APPROVED, OPEN, _change("suspended"), _change("reinstated"), _CLOSED, _change("expired"),
            _change("revoked"),
        ),
    ),
    (CLEARANCE, (GRANT, CHECK_IN, ATTESTED, OPEN, replace(_CLOSED, delivered=False), NoteDelivery(treatment_id=TREATMENT_ID))),
    (TREATMENT, (*RUNNING, STOP, DOCTOR, PAUSE, LIFT, CheckSilence(at=LATER), NoteFramesComing(last_frame_at=NOW))),
    (TREATMENT, (*RUNNING, CLOSE, END, FinishTreatment(delivered=WHOLE, at=LATER))),
    (TREATMENT, (*RUNNING, END, ExpireBackfill(at=LATER), FinishTreatment(delivered=GAPPY, at=LATER))),
    (TREATMENT, (TAKE_UP, _GIVEN_UP)),
]  # fmt: skip

STORED: dict[str, Any] = {}
for _decider, _commands in _HISTORIES:
    for _event in after(_decider, *_commands)[1]:
        STORED.setdefault(_decider.events.name_of(_event), _event)
_CARRIED = carried(after(DEVICE, REGISTER, CLAIM, LOCKOUT)[0])
STORED[DEVICE.events.name_of(_CARRIED)] = _CARRIED
