"""What other streams say about the place of a slot, and when and with whom it is asked for."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from erbium_kernel.errors import ReferenceNotFound
from erbium_kernel.http import Body, Call
from scheduling.clinic.decide import CLINIC
from scheduling.clinic.state import Registered
from scheduling.http.times import LocalText, local_time
from scheduling.itinerary import commands as c
from scheduling.itinerary.slot import Slot
from scheduling.laser.decide import LASER
from scheduling.laser.state import Installed
from scheduling.practitioner.decide import PRACTITIONER


class SlotBody(Body):
    """Where, when and with whom. Either `starts_at`, or `starts_local` (and `fold` where the clock shows that time twice)."""

    clinic_id: Annotated[UUID, Field(description="Where.")]
    practitioner_id: Annotated[UUID, Field(description="With whom.")]
    room_id: Annotated[UUID, Field(description="A room of that clinic.")]
    device_id: Annotated[UUID | None, Field(description="The laser; laser visits only.")] = None
    starts_at: Annotated[AwareDatetime | None, Field(description="An instant with its offset.")] = None
    starts_local: Annotated[LocalText | None, Field(description="What the clinic's wall clock shows, like `2026-05-04T09:30`.")] = None
    fold: Annotated[Literal[0, 1] | None, Field(description="0: the first time the clock shows it, 1: the second.")] = None

    @model_validator(mode="after")
    def _one_start(self) -> "SlotBody":
        if (self.starts_at is None) == (self.starts_local is None):
            raise ValueError("needs either starts_at or starts_local")
        if self.starts_local is None and self.fold is not None:
            raise ValueError("fold belongs to starts_local")
        return self

    def asked(self) -> c.Asked:
        """As the domain has it."""
        local = None if self.starts_local is None else local_time(self.starts_local, self.fold)
        starts = local if local is not None else self.starts_at
        assert starts is not None, "the validator asks for one of them"
        return c.Asked(starts=starts, practitioner_id=self.practitioner_id, room_id=self.room_id, device_id=self.device_id)


async def place_of(call: Call, asked: SlotBody | Slot) -> c.Place:
    """The clinic and its resources, folded from their own streams.

    Raises: ReferenceNotFound; Faulty if the token does not cover the clinic.
    """
    clinic = await the_clinic(call, asked.clinic_id, pointer="/clinic_id")
    call.at_clinic(asked.clinic_id)
    practitioner, known = await call.state_of(PRACTITIONER, asked.practitioner_id)
    if not known:
        raise ReferenceNotFound("There is no such practitioner in this chain.", pointer="/practitioner_id")
    licence = practitioner.licences.get(asked.clinic_id)
    room = clinic.rooms.get(asked.room_id)
    if room is None:
        raise ReferenceNotFound("This clinic has no such room.", pointer="/room_id")
    return c.Place(
        clinic_id=asked.clinic_id,
        time_zone=clinic.time_zone,
        hours=clinic.hours,
        room=c.Room(laser_ready=room.laser_ready),
        licence=None
        if licence is None
        else c.Licence(
            visit_kinds=licence.visit_kinds, modalities=licence.modalities, licensed_until=licence.licensed_until, hours=licence.hours
        ),
        laser=await _laser(call, asked),
    )


async def the_clinic(call: Call, clinic_id: UUID, **where: str) -> Registered:
    """A clinic of the chain. `where`: the `pointer` or `parameter` that names it. Raises: ReferenceNotFound."""
    clinic, _ = await call.state_of(CLINIC, clinic_id)
    if not isinstance(clinic, Registered):
        raise ReferenceNotFound("There is no such clinic in this chain.", **where)
    return clinic


async def _laser(call: Call, asked: SlotBody | Slot) -> c.Laser | None:
    if asked.device_id is None:
        return None
    laser, _ = await call.state_of(LASER, asked.device_id)
    if not isinstance(laser, Installed):
        raise ReferenceNotFound("There is no such laser in this chain.", pointer="/device_id")
    if laser.clinic_id != asked.clinic_id:
        return None
    return c.Laser(modalities=laser.modalities)
