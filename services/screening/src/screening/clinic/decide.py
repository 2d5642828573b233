"""The clinic aggregate: remembers the zone, once per change."""

from collections.abc import Sequence

from erbium_kernel.decider import Decider
from screening.clinic.commands import NoteClinic
from screening.clinic.events import EVENTS, ClinicNoted
from screening.clinic.state import State, evolve


def decide(command: NoteClinic, state: State) -> Sequence[ClinicNoted]:
    """A zone that is known already is no news."""
    noted = ClinicNoted(clinic_id=command.clinic_id, time_zone=command.time_zone)
    return [] if state == noted else [noted]


CLINIC: Decider[NoteClinic, State, ClinicNoted] = Decider(category="clinic", events=EVENTS, initial=None, decide=decide, evolve=evolve)
