"""A practitioner's licences, one per clinic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from scheduling.hours import Hours
from scheduling.practitioner.events import PractitionerEvent
from scheduling.rules import Modality, VisitKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What may be done at one clinic. Units: `licensed_until` inclusive."""

    visit_kinds: tuple[VisitKind, ...]
    modalities: tuple[Modality, ...]
    licensed_until: date | None
    hours: tuple[Hours, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Practitioner:
    """Licences by clinic; none = not known here."""

    licences: Mapping[UUID, Licence] = field(default_factory=dict)


INITIAL = Practitioner()


def evolve(state: Practitioner, event: PractitionerEvent) -> Practitioner:
    """The practitioner after this event."""
    licence = Licence(visit_kinds=event.visit_kinds, modalities=event.modalities, licensed_until=event.licensed_until, hours=event.hours)
    return Practitioner(licences={**state.licences, event.clinic_id: licence})
