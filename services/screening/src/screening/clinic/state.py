"""What a clinic's record comes to: its newest time zone, or nothing."""

from screening.clinic.events import ClinicNoted

State = ClinicNoted | None


def evolve(_: State, event: ClinicNoted) -> State:
    """The newest word counts."""
    return event
