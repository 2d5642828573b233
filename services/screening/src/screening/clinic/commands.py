"""What can be asked of a clinic's record."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteClinic:
    """Scheduling has registered this clinic, or changed its zone."""

    clinic_id: UUID
    time_zone: str
