"""What patients and doctors tell aftercare."""

import random
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from aftercare.care.commands import AnswerCheckIn, CloseAdverseEvent
from aftercare.care.state import UnderCare
from aftercare.deciders import CARE
from aftercare.triage import Answers
from erbium_kernel.http.call import Call
from erbium_kernel.personal import Personal
from tests.simulation.clients import Ask
from tests.simulation.people import DOCTOR, PATIENTS

if TYPE_CHECKING:
    from tests.simulation.world import World

SITE: Final = "aftercare"
SIGNS: Final[tuple[dict[str, Any], ...]] = (
    {}, {}, {"oozing": True}, {"blisters": True}, {"fever_celsius": 38.4}, {"seizure": True}, {"breathing_trouble": True},
)  # fmt: skip


def _nothing(*_: Any) -> None:
    return None


def cares_of(world: "World", who: int) -> list[tuple[UUID, UnderCare]]:
    """The patient's treatments that are looked after."""
    found = world.watch.seen[SITE].of("care")
    return [(id_, care) for id_, care in found if isinstance(care, UnderCare) and care.treatment.patient_id == PATIENTS[who]]


def answer(world: "World", chance: random.Random, who: int) -> Ask | None:
    """How it is going, asked or not."""
    if not (cares := cares_of(world, who)):
        return None
    treatment_id, patient_id = chance.choice(cares)[0], PATIENTS[who]
    answers = Answers(**chance.choice(SIGNS))
    words = Personal(patient_id, "it burns a little") if chance.random() < 0.5 else None

    async def handle(call: Call) -> None:
        command = AnswerCheckIn(at=call.now(), answers=answers, words=words, adverse_event_id=call.new_id())
        await call.execute(CARE, treatment_id, command, render=_nothing)

    return Ask(site=SITE, name="answer-check-in", handle=handle)


def close_event(world: "World", chance: random.Random, who: int) -> Ask | None:
    """A doctor has seen to it."""
    waiting = [(id_, event.adverse_event_id) for id_, care in cares_of(world, who) for event in care.open_adverse_events]
    if not waiting:
        return None
    treatment_id, event_id = chance.choice(waiting)

    async def handle(call: Call) -> None:
        command = CloseAdverseEvent(at=call.now(), adverse_event_id=event_id, closed_by=str(DOCTOR))
        await call.execute(CARE, treatment_id, command, render=_nothing)

    return Ask(site=SITE, name="close-event", handle=handle)
