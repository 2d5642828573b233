"""A treated patient and their answers, with defaults; a test names what it is about."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from aftercare.care.commands import AnswerCheckIn, PlanCare
from aftercare.care.events import Delivered, Treatment
from aftercare.deciders import CARE as CARE
from aftercare.deciders import RULES as RULES
from aftercare.triage import Answers

TREATED = Treatment(
    treatment_id=UUID("01990000-0000-7000-8000-0000000000f1"),
    patient_id=UUID("01990000-0000-7000-8000-0000000000a1"),
    clinic_id=UUID("01990000-0000-7000-8000-0000000000c1"),
    time_zone="Europe/Madrid",
    modality="nafl_1550",
    treated_on=date(2026, 4, 15),
    basis="ended",
    delivered=(Delivered(zone="face", mtz_count=136_000, energy_j=5440.0, coverage_percent=22.9),),
)
COMPLETED = replace(TREATED, basis="completed", delivered=(replace(TREATED.delivered[0], mtz_count=136_800, energy_j=5472.0),))
EVENT_ID = UUID("01990000-0000-7000-8000-0000000000e1")
NEXT_MORNING = datetime(2026, 4, 16, 7, 30, tzinfo=UTC)  # 09:30 in Madrid


def answer(at: datetime = NEXT_MORNING, adverse_event_id: UUID = EVENT_ID, **shown: Any) -> AnswerCheckIn:
    """An answer with these signs."""
    return AnswerCheckIn(at=at, answers=Answers(**shown), words=None, adverse_event_id=adverse_event_id)


def after(*commands: Any) -> tuple[Any, list[Any]]:
    """State and events after these commands, one after the other."""
    events: list[Any] = []
    for command in commands:
        events += CARE.decide(command, CARE.fold(events))
    return CARE.fold(events), events


PLAN = PlanCare(treatment=TREATED)
