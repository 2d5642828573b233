"""What the other services hear of aftercare: the language is in `contracts/aftercare`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from aftercare.care.events import AdverseEventClosed, AdverseEventOpened
from erbium_kernel.event import Envelope, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEventOpenedFact:
    """A doctor must see this patient; `signs` are words of `rules/triage.toml`."""

    adverse_event_id: UUID
    patient_id: UUID
    treatment_id: UUID
    clinic_id: UUID
    level: str
    signs: tuple[str, ...]
    opened_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEventClosedFact:
    """A doctor has closed it."""

    adverse_event_id: UUID
    patient_id: UUID
    treatment_id: UUID
    clinic_id: UUID
    on: date


def messages(_: Envelope, event: Any) -> Sequence[Message]:
    """Own event -> contract messages."""
    match event:
        case AdverseEventOpened():
            fact = AdverseEventOpenedFact(
                adverse_event_id=event.adverse_event_id,
                patient_id=event.patient_id,
                treatment_id=event.treatment_id,
                clinic_id=event.clinic_id,
                level=event.level,
                signs=event.signs,
                opened_on=event.opened_on,
            )
            return [Message("adverse-event-opened", 1, fact)]
        case AdverseEventClosed():
            closed = AdverseEventClosedFact(
                adverse_event_id=event.adverse_event_id,
                patient_id=event.patient_id,
                treatment_id=event.treatment_id,
                clinic_id=event.clinic_id,
                on=event.closed_on,
            )
            return [Message("adverse-event-closed", 1, closed)]
        case _:
            return ()
