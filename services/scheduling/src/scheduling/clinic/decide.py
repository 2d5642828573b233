"""May this be done to a clinic?"""

from collections.abc import Sequence
from typing import assert_never

from erbium_kernel.decider import Decider
from erbium_kernel.errors import NotFound, Rejected
from scheduling.clinic.commands import AddRoom, ClinicCommand, RegisterClinic
from scheduling.clinic.events import EVENTS, ClinicEvent, ClinicRegistered, RoomAdded
from scheduling.clinic.state import INITIAL, Clinic, Registered, Room, Unregistered, evolve


class ClinicExists(Rejected):
    """Another clinic has been registered under this id."""

    slug = "scheduling.clinic-exists"
    do = "Leave the id out and let the service choose one."


class RoomExists(Rejected):
    """Another room of this clinic has been added under this id."""

    slug = "scheduling.room-exists"
    do = "Leave the id out and let the service choose one."


def decide(command: ClinicCommand, state: Clinic) -> Sequence[ClinicEvent]:
    """Raises: ClinicExists, RoomExists, NotFound."""
    match command:
        case RegisterClinic():
            return _register(command, state)
        case AddRoom():
            return _add_room(command, state)
        case _:
            assert_never(command)


def _register(command: RegisterClinic, state: Clinic) -> Sequence[ClinicEvent]:
    match state:
        case Unregistered():
            return [ClinicRegistered(clinic_id=command.clinic_id, name=command.name, time_zone=command.time_zone, hours=command.hours)]
        case Registered():
            if (state.name, state.time_zone, state.hours) != (command.name, command.time_zone, command.hours):
                raise ClinicExists
            return []
        case _:
            assert_never(state)


def _add_room(command: AddRoom, state: Clinic) -> Sequence[ClinicEvent]:
    if not isinstance(state, Registered):
        raise NotFound("There is no such clinic in this chain.")
    wanted = Room(room_id=command.room_id, label=command.label, laser_ready=command.laser_ready)
    match state.rooms.get(command.room_id):
        case None:
            return [RoomAdded(clinic_id=command.clinic_id, room_id=wanted.room_id, label=wanted.label, laser_ready=wanted.laser_ready)]
        case room if room == wanted:
            return []
        case _:
            raise RoomExists


CLINIC: Decider[ClinicCommand, Clinic, ClinicEvent] = Decider(
    category="clinic", events=EVENTS, initial=INITIAL, decide=decide, evolve=evolve
)
