"""Clinics, rooms, practitioners, lasers: done, refused, repeated. (Raced: test_raced.py.)"""

from datetime import date
from typing import Any

import pytest

from erbium_kernel.errors import NotFound
from scheduling.clinic.decide import ClinicExists, RoomExists
from scheduling.clinic.state import Registered
from scheduling.deciders import CLINIC, LASER, PRACTITIONER
from scheduling.laser.state import Installed
from scheduling.practitioner.decide import LaserLicenceNeedsModality
from tests.scheduling.scenes import BERLIN, NEW_YORK
from tests.scheduling.setting_up import add_room, install, license_doctor, register


def done(decider: Any, *commands: Any) -> list[Any]:
    """All events that these commands lead to."""
    events: list[Any] = []
    for command in commands:
        events.extend(decider.decide(command, decider.fold(events)))
    return events


def test_a_clinic_is_registered_with_its_rooms() -> None:
    """Done: zone, hours and rooms are there."""
    state = CLINIC.fold(done(CLINIC, register(), add_room("one")))
    assert isinstance(state, Registered)
    assert (state.time_zone, [room.label for room in state.rooms.values()]) == ("Europe/Berlin", ["one"])


def test_setting_up_twice_changes_nothing() -> None:
    """Repeated: the same clinic, room, licence and laser again yield no event."""
    assert len(done(CLINIC, register(), register(), add_room("one"), add_room("one"))) == 2
    assert len(done(PRACTITIONER, license_doctor(), license_doctor())) == 1
    assert len(done(LASER, install(), install())) == 1


def test_another_clinic_or_room_under_the_same_id_is_refused() -> None:
    """Refused: an id stands for one clinic and one room; a room needs a clinic."""
    with pytest.raises(ClinicExists):
        done(CLINIC, register(), register(time_zone="Europe/Paris"))
    with pytest.raises(RoomExists):
        done(CLINIC, register(), add_room("one"), add_room("one", laser_ready=False))
    with pytest.raises(NotFound):
        done(CLINIC, add_room("one"))


def test_a_licence_is_replaced_at_its_clinic_only() -> None:
    """Done: the newest licence at a clinic stands, one at another clinic beside it."""
    ends = license_doctor(licensed_until=date(2026, 12, 31))
    state = PRACTITIONER.fold(done(PRACTITIONER, license_doctor(), ends, license_doctor(clinic_id=NEW_YORK)))
    assert state.licences[BERLIN].licensed_until == date(2026, 12, 31)
    assert state.licences[NEW_YORK].licensed_until is None


@pytest.mark.parametrize("changes", [{"modalities": ()}, {"visit_kinds": ("consultation",)}])
def test_a_laser_licence_names_its_modalities(changes: Any) -> None:
    """Refused: a licence for laser visits without a modality, or a modality without laser visits."""
    with pytest.raises(LaserLicenceNeedsModality):
        done(PRACTITIONER, license_doctor(**changes))


def test_a_laser_stands_where_it_was_claimed_last() -> None:
    """Done: claimed by another clinic it is bookable there."""
    state = LASER.fold(done(LASER, install(), install(clinic_id=NEW_YORK)))
    assert state == Installed(clinic_id=NEW_YORK, model="Erfrac 1550", modalities=("nafl_1550",))
