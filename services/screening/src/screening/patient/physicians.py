"""Who may decide as a physician. Never a scheduler or an operator. Source: domain.md, Overrides."""

from screening.patient.commands import Act
from screening.patient.refusals import DoctorOnly

PHYSICIANS = frozenset({"doctor", "medical_director"})


def doctor_only(act: Act) -> None:
    """Raises: DoctorOnly."""
    if not act.roles & PHYSICIANS:
        raise DoctorOnly
