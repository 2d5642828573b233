"""What has happened to a practitioner's licences."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from erbium_kernel.event import EventTable, Stored
from scheduling.hours import Hours
from scheduling.rules import Modality, VisitKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PractitionerLicensed:
    """At this clinic the practitioner may do these visits, laser visits with these modalities; replaces what was there.

    Units: `licensed_until` local date, inclusive; None = until further notice.
    """

    practitioner_id: UUID
    clinic_id: UUID
    visit_kinds: tuple[VisitKind, ...]
    modalities: tuple[Modality, ...]
    licensed_until: date | None
    hours: tuple[Hours, ...]


PractitionerEvent = PractitionerLicensed

EVENTS = EventTable({"practitioner-licensed": Stored(record=PractitionerLicensed)})
