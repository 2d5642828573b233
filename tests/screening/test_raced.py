"""Commands raced with what forbids them: nothing forbidden stands; and a decision that reads a table is caught.

Every command raced with itself: test_four_claims.py.
"""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from erbium_kernel.decider import Decider
from erbium_kernel.execute import AnswerRequest, execute
from erbium_kernel.log_records import AnswerKey
from screening.facts import Plan, When
from screening.patient import commands as c
from screening.patient.refusals import SeedWindow
from screening.patient.state import Registered
from screening.rules import evaluate
from tests.kernel.ward import cause
from tests.screening.desk import CHAIN, Desk
from tests.screening.story import CLINIC, PATIENT_ID, Story, act, at, exactly, id_of, personal, rulebook
from tests.screening.test_recording import ANSWER

DAY = "2026-03-20"
ORDERS = (False, True)
FILLER = c.ReportProcedure(
    act=act(DAY, "11:00"), procedure_id=id_of("late filler"), kind="filler_ha", zones=("face",),
    when=When(on=date(2026, 3, 12)), performed_time_zone=None,
)  # fmt: skip
ERASE = c.ErasePatient(act=act(DAY, "11:00"))
NOTED = c.NoteAdverseEvent(
    clinic_id=CLINIC, adverse_event_id=id_of("ae"), treatment_id=id_of("t"), level="AMBER", opened_on=date(2026, 3, 20)
)
CHANGES = c.NoteChanges(
    clinic_id=CLINIC, attestation_id=id_of("at"), visit_id=id_of("v"), attested_on=date(2026, 3, 20), attested_at=at(DAY, "10:59")
)


REQUEST = Story().request(DAY, clearance_id=id_of("clearance"))
REINSTATE = c.ReinstateClearance(act=act(DAY, "12:00"), clearance_id=REQUEST.clearance_id)
REVOKE = c.RevokeClearance(act=act(DAY, "12:00"), clearance_id=REQUEST.clearance_id, note=None)
EXPIRE = c.ExpireClearance(clearance_id=REQUEST.clearance_id, at=at("2026-04-20", "00:00"))
LIFT = c.LiftRetentionLock(act=act(DAY, "12:00"), rationale=personal("Registered by mistake, nothing was done."))


class Spoken(Story):
    """A story that keeps its commands, so that a desk can hear them again."""

    def __init__(self, **more: Any) -> None:
        """From the registration on."""
        self.commands: list[Any] = []
        super().__init__(**more)

    def do(self, command: Any) -> list[Any]:
        """Keeps it."""
        self.commands.append(command)
        return super().do(command)


def spoken(**answers: Any) -> list[Any]:
    """The commands up to an examined and asked patient."""
    story = Spoken()
    story.examined(DAY).answered(DAY, **answers)
    return story.commands


async def desk(*commands: Any, patient: Decider[Any, Any, Any] | None = None) -> Desk:
    """A desk at which these commands were done."""
    made = Desk(patient) if patient else Desk()
    await made.do(*commands)
    return made


TAKING = {"isotretinoin": "taking"}
OVERRIDE = Story().examined(DAY).answered(DAY, isotretinoin="taking").override(DAY, "ISOTRETINOIN", expires="2026-04-01")


def contradicted(state: Any) -> bool:
    """The checker: a clearance stands valid although the facts in the record do not allow it."""
    assert isinstance(state, Registered)
    for clearance in state.clearances.values():
        if clearance.standing == "valid":
            plan = Plan(modality="nafl_1550", zones=clearance.granted.zones, on=clearance.granted.valid_from)
            if evaluate(rulebook(), state.facts, plan, plan.on).outcome != "CLEARED":
                return True
    return False


@pytest.mark.parametrize("swapped", ORDERS)
@pytest.mark.parametrize("fact", [FILLER, NOTED, CHANGES, replace(ANSWER, replies=(c.Reply(question="cold_sore_now", value="yes"),))])
async def test_a_fact_races_the_clearance(fact: Any, swapped: bool) -> None:
    """A fact that contradicts and the clearance it forbids, at once: deferred, refused or suspended, never valid."""
    one = await desk(*spoken())
    commands = (fact, REQUEST)
    await one.race(*(reversed(commands) if swapped else commands))
    assert not contradicted(await one.state())


@pytest.mark.parametrize("swapped", ORDERS)
async def test_a_fact_races_the_reinstatement(swapped: bool) -> None:
    """A doctor reinstates while a new fact arrives: never valid against the facts."""
    settled = c.SettleAdverseEvent(adverse_event_id=id_of("ae"), closed_on=date(2026, 3, 20))
    one = await desk(*spoken(), REQUEST, NOTED, settled)
    commands = (FILLER, REINSTATE)
    await one.race(*(reversed(commands) if swapped else commands))
    assert not contradicted(await one.state())


@pytest.mark.parametrize("swapped", ORDERS)
async def test_erasure_races_the_clearance(swapped: bool) -> None:
    """Exactly one wins: an erasure cannot overtake a clearance."""
    one = await desk(*spoken())
    commands = (ERASE, REQUEST)
    outcomes = await one.race(*(reversed(commands) if swapped else commands))
    assert sorted(outcomes) in (["done", "person-erased"], ["done", "screening.retention-locked"])


async def test_two_doctors_clear_at_once() -> None:
    """Two requests for the same plan under two ids: one is granted, the other is told of it."""
    one = await desk(*spoken())
    outcomes = await one.race(REQUEST, replace(REQUEST, clearance_id=id_of("other")))
    assert sorted(outcomes) == ["done", "screening.already-cleared"]


async def test_revoked_while_reinstated() -> None:
    """Whichever comes first, it ends revoked."""
    settled = c.SettleAdverseEvent(adverse_event_id=id_of("ae"), closed_on=date(2026, 3, 20))
    one = await desk(*spoken(), REQUEST, NOTED, settled)
    outcomes = await one.race(REINSTATE, REVOKE)
    assert set(outcomes) <= {"done", "screening.clearance-ended"}
    assert [clearance.standing for clearance in (await one.state()).clearances.values()] == ["revoked"]


async def test_the_register_keeps_a_refused_override() -> None:
    """Worked case 16: a physician's attempt on a seed window is refused, and the refusal stands in the register under its key."""
    one = await desk(*spoken(), FILLER)
    key = AnswerKey(CHAIN, "tests", "POST /v1/patients/{patient_id}/overrides", "key-1")
    answer = AnswerRequest(key=key, fingerprint=b"f", status=201)
    command = Story().override(DAY, "FILLER", expires="2026-04-01")
    for attempt in range(2):
        with pytest.raises(SeedWindow) as refused:
            await execute(one.runtime, CHAIN, one.patient, PATIENT_ID, command, cause=cause(one.runtime), answer=answer)
        assert refused.value.replayed is (attempt == 1)
    kept = one.store.tables.answers[key]
    assert (kept.status, kept.slug, kept.facts["rule_id"]) == (409, "screening.seed-window-not-overridable", "FILLER")


# --- the mutant


class ReadTable:
    """What a projection shows: the record as it was when the projection last ran."""

    state: Any = None


def mutant(table: ReadTable) -> Decider[Any, Any, Any]:
    """A decider whose clearances are decided on the read table instead of the patient's own stream."""
    true = Desk().patient

    def decide(command: Any, state: Any) -> Any:
        looked_up = table.state if isinstance(command, c.RequestClearance) and table.state is not None else state
        return true.decide(command, looked_up)

    return replace(true, decide=decide)


async def clearance_after_an_unprojected_fact(patient: Decider[Any, Any, Any], table: ReadTable) -> bool:
    """The projection runs, a filler is reported, a clearance is asked for before the projection runs again. Was it granted wrongly?"""
    one = await desk(*spoken(), patient=patient)
    table.state = await one.state()
    await one.do(FILLER, REQUEST)
    return contradicted(await one.state())


async def test_mutant_that_decides_on_a_read_table_is_caught() -> None:
    """The same script convicts the mutant and clears the real decider."""
    table = ReadTable()
    assert await clearance_after_an_unprojected_fact(mutant(table), table)
    assert not await clearance_after_an_unprojected_fact(Desk().patient, ReadTable())
    assert exactly("2026-03-12") == FILLER.when
