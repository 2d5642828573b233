"""What is asked of screening."""

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from erbium_kernel.http.call import Call
from erbium_kernel.personal import Personal
from screening.deciders import PATIENT, RULEBOOK
from screening.facts import When
from screening.http.acting import act_at
from screening.patient import commands as c
from screening.patient.retention import lock_of
from screening.patient.state import Registered
from tests.simulation.clients import Ask
from tests.simulation.people import BORN, CLINICS, NAMES, PATIENTS

if TYPE_CHECKING:
    from tests.simulation.world import World

CLEAR_ANSWERS: Final = {
    "pregnancy": "no", "cold_sore_now": "no", "cold_sore_history": "no", "isotretinoin": "never", "sun_exposure": "none",
    "keloid_tendency": "no", "peeling": "no", "botulinum_toxin": "no", "filler": "no", "biorevitalisation": "no", "waxing": "no",
}  # fmt: skip
PROCEDURES: Final = ("botulinum_toxin", "filler_ha", "biorevitalisation", "peel_superficial", "waxing")
REVOKED: Final = 0.6  # of the doubts
IF_MATCH: Final = 0.3  # how often a client says which version it has seen
SITE: Final = "screening"


def _ask(world: "World", chance: random.Random, who: int, name: str, make: Any) -> Ask:
    """`make(act, call)` is the command; the act is at one of the clinics, the one the patient is known at most often."""
    patient_id, clinic = PATIENTS[who], CLINICS[who % 2 if chance.random() < 0.7 else (who + 1) % 2]

    async def handle(call: Call) -> None:
        act = await act_at(call, clinic.id)
        await call.execute(PATIENT, patient_id, make(act, call), render=_nothing)

    version = world.watch.seen[SITE].version("patient", patient_id)
    if_match = version if version and chance.random() < IF_MATCH else None
    return Ask(site=SITE, name=name, handle=handle, if_match=if_match)


def _nothing(*_: Any) -> None:
    return None


def register(world: "World", chance: random.Random, who: int) -> Ask:
    """A new patient."""
    patient_id = PATIENTS[who]

    def make(act: c.Act, _: Call) -> c.RegisterPatient:
        return c.RegisterPatient(
            act=act, patient_id=patient_id, name=Personal(patient_id, NAMES[who]), birth_date=Personal(patient_id, BORN), contact=None
        )

    return _ask(world, chance, who, "register", make)


def examine(world: "World", chance: random.Random, who: int) -> Ask:
    """A consultation with examination."""
    skin_type: Any = chance.choice(("II", "II", "II", "III"))
    note = Personal(PATIENTS[who], "fair skin, no lesion") if chance.random() < 0.3 else None
    return _ask(
        world, chance, who, "examine",
        lambda act, call: c.HoldConsultation(act=act, consultation_id=call.new_id(), skin_type=skin_type, note=note),
    )  # fmt: skip


def answer(world: "World", chance: random.Random, who: int) -> Ask:
    """The questionnaire, most often without anything."""
    told = dict(CLEAR_ANSWERS)
    if chance.random() < 0.15:
        told["cold_sore_now"] = "yes"
    replies = tuple(c.Reply(question=question, value=value) for question, value in told.items())
    return _ask(world, chance, who, "answer", lambda act, call: c.AnswerQuestionnaire(act=act, answers_id=call.new_id(), replies=replies))


def report_procedure(world: "World", chance: random.Random, who: int) -> Ask:
    """Something was done elsewhere, some days ago."""
    kind, days, zones = chance.choice(PROCEDURES), chance.randrange(0, 25), chance.choice((("face",), ("face",), ("hands",), ()))

    def make(act: c.Act, call: Call) -> c.ReportProcedure:
        when = When(on=act.today - timedelta(days=days))
        return c.ReportProcedure(act=act, procedure_id=call.new_id(), kind=kind, zones=zones, when=when, performed_time_zone=None)

    return _ask(world, chance, who, "report-procedure", make)


def correct_procedure(world: "World", chance: random.Random, who: int) -> Ask | None:
    """It was another day."""
    state = world.watch.seen[SITE].state("patient", PATIENTS[who])
    if not isinstance(state, Registered) or not state.procedures:
        return None
    known, days = chance.choice(list(state.procedures.values())), chance.randrange(10, 120)

    def make(act: c.Act, _: Call) -> c.CorrectProcedure:
        when = When(on=act.today - timedelta(days=days))
        return c.CorrectProcedure(
            act=act, procedure_id=known.procedure_id, kind=known.kind, zones=known.zones, when=when, performed_time_zone=None
        )

    return _ask(world, chance, who, "correct-procedure", make)


def request_clearance(world: "World", chance: random.Random, who: int) -> Ask:
    """A doctor asks the rules."""
    zones: Any = chance.choice((("face",), ("face",), ("forehead", "cheeks"), ("neck",)))
    days = chance.choice((0, 0, 0, 3, 10))

    def make(act: c.Act, call: Call) -> c.RequestClearance:
        on = act.today + timedelta(days=days) if days else None
        return c.RequestClearance(act=act, clearance_id=call.new_id(), modality="nafl_1550", zones=zones, on=on)

    return _ask(world, chance, who, "request-clearance", make)


def _open_clearances(world: "World", who: int) -> list[UUID]:
    state = world.watch.seen[SITE].state("patient", PATIENTS[who])
    return [c.granted.clearance_id for c in state.open_clearances] if isinstance(state, Registered) else []


def reinstate(world: "World", chance: random.Random, who: int) -> Ask | None:
    """A doctor looks again."""
    if not (known := _open_clearances(world, who)):
        return None
    clearance_id = chance.choice(known)
    return _ask(world, chance, who, "reinstate", lambda act, _: c.ReinstateClearance(act=act, clearance_id=clearance_id))


def revoke(world: "World", chance: random.Random, who: int) -> Ask | None:
    """A doctor ends it."""
    if not (known := _open_clearances(world, who)):
        return None
    return revoke_this(world, chance, who, chance.choice(known))


def revoke_this(world: "World", chance: random.Random, who: int, clearance_id: UUID) -> Ask:
    """A doctor ends this one."""
    note = Personal(PATIENTS[who], "changed her mind") if chance.random() < 0.3 else None
    return _ask(world, chance, who, "revoke", lambda act, _: c.RevokeClearance(act=act, clearance_id=clearance_id, note=note))


def doubt(world: "World", chance: random.Random, who: int, clearance_id: UUID) -> Ask:
    """Something against a clearance comes to light: a doctor ends it, or the patient tells of a procedure."""
    if chance.random() < REVOKED:
        return revoke_this(world, chance, who, clearance_id)
    return report_procedure(world, chance, who)


def lift_lock(world: "World", chance: random.Random, who: int) -> Ask:
    """A doctor decides that the record need not be kept."""
    rationale = Personal(PATIENTS[who], "The patient insists, and nothing was done.")
    return _ask(world, chance, who, "lift-lock", lambda act, _: c.LiftRetentionLock(act=act, rationale=rationale))


def goodbye(world: "World", chance: random.Random, who: int) -> Ask:
    """The patient wants to be forgotten; what stands in the way is lifted first."""
    state, today = world.watch.seen[SITE].state("patient", PATIENTS[who]), world.watch.seen[SITE].site.clock.now().date()
    locked = isinstance(state, Registered) and lock_of(RULEBOOK.settings, state, today) is not None
    return (lift_lock if locked else erase)(world, chance, who)


def erase(world: "World", chance: random.Random, who: int) -> Ask:
    """For good, if nothing forbids it."""
    return _ask(world, chance, who, "erase", lambda act, _: c.ErasePatient(act=act))
