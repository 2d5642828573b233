"""What can be asked of a practitioner's record."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from scheduling.hours import Hours
from scheduling.rules import Modality, VisitKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LicensePractitioner:
    """Record what the practitioner may do at one clinic, and when he or she works there."""

    practitioner_id: UUID
    clinic_id: UUID
    visit_kinds: tuple[VisitKind, ...]
    modalities: tuple[Modality, ...]
    licensed_until: date | None
    hours: tuple[Hours, ...]
    at: datetime


PractitionerCommand = LicensePractitioner
