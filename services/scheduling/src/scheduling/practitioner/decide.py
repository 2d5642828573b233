"""May this licence be recorded?"""

from collections.abc import Sequence

from erbium_kernel.decider import Decider
from erbium_kernel.errors import Rejected
from scheduling.practitioner.commands import PractitionerCommand
from scheduling.practitioner.events import EVENTS, PractitionerEvent, PractitionerLicensed
from scheduling.practitioner.state import INITIAL, Licence, Practitioner, evolve


class LaserLicenceNeedsModality(Rejected):
    """A licence for laser visits names the modalities it is for, and only such a licence does."""

    slug = "scheduling.laser-licence-needs-modality"
    do = "List at least one modality together with the visit kind `laser`, or neither."


def decide(command: PractitionerCommand, state: Practitioner) -> Sequence[PractitionerEvent]:
    """Raises: LaserLicenceNeedsModality."""
    if ("laser" in command.visit_kinds) != bool(command.modalities):
        raise LaserLicenceNeedsModality
    wanted = Licence(
        visit_kinds=command.visit_kinds, modalities=command.modalities, licensed_until=command.licensed_until, hours=command.hours
    )
    if state.licences.get(command.clinic_id) == wanted:
        return []
    return [
        PractitionerLicensed(
            practitioner_id=command.practitioner_id,
            clinic_id=command.clinic_id,
            visit_kinds=wanted.visit_kinds,
            modalities=wanted.modalities,
            licensed_until=wanted.licensed_until,
            hours=wanted.hours,
        )
    ]


PRACTITIONER: Decider[PractitionerCommand, Practitioner, PractitionerEvent] = Decider(
    category="practitioner", events=EVENTS, initial=INITIAL, decide=decide, evolve=evolve
)
