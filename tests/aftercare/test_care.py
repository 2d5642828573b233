"""The care of one treatment: each command done, refused, repeated, raced."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftercare.care.commands import CloseAdverseEvent, OpenCheckIn, PlanCare
from aftercare.care.decide import AdverseEventNotKnown, BeforeTreatment, TreatmentNotKnown
from aftercare.care.events import AdverseEventClosed, AdverseEventOpened, CarePlanCorrected, CarePlanIssued, CheckInAnswered, CheckInOpened
from aftercare.care.state import NotPlanned, UnderCare
from aftercare.rules import LEVELS
from aftercare.wiring import SERVICE
from erbium_kernel.decider import SetTimer
from erbium_kernel.execute import execute
from erbium_kernel.folding import state_of
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.runtime import Runtime
from tests.aftercare.making import CARE, COMPLETED, EVENT_ID, NEXT_MORNING, PLAN, TREATED, after, answer
from tests.house import others_first, race, runtime_of
from tests.kernel.ward import WardClock, cause

DAY_1_DUE = datetime(2026, 4, 16, 7, tzinfo=UTC)  # 09:00 in Madrid, summer time
CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")
BLISTERS = answer(blisters=True)
SEEN = CloseAdverseEvent(at=NEXT_MORNING, adverse_event_id=EVENT_ID, closed_by="d")
ONCE: list[tuple[str, tuple[Any, ...], Any, list[type]]] = [
    ("plan", (), PLAN, [CarePlanIssued]),
    ("correct the plan", (PLAN,), PlanCare(treatment=COMPLETED), [CarePlanCorrected]),
    ("open a check-in", (PLAN,), OpenCheckIn(at=DAY_1_DUE), [CheckInOpened]),
    ("answer", (PLAN,), BLISTERS, [CheckInAnswered, AdverseEventOpened]),
    ("close an adverse event", (PLAN, BLISTERS), SEEN, [AdverseEventClosed]),
]


def test_plan_done() -> None:
    """A treatment that ended gives a plan with dated instructions and the first check-in's timer."""
    _, [issued] = after(PLAN)
    assert isinstance(issued, CarePlanIssued)
    dates = {row.id: (row.starts_on, row.ends_on) for row in issued.instructions}
    assert dates["UV_AVOID"] == (date(2026, 4, 15), date(2026, 5, 13))
    assert dates["HEAT"] == (date(2026, 4, 15), date(2026, 4, 22))
    assert dates["WATER"] == (date(2026, 4, 15), date(2026, 4, 22))
    assert dates["BIOREV_INVITE"] == (date(2026, 4, 29), date(2026, 5, 13))
    [timer] = CARE.timers(issued)
    assert isinstance(timer, SetTimer)
    assert timer.due_at == DAY_1_DUE


def test_plan_corrected_once() -> None:
    """Final totals correct the plan; hearing them again, or a late `ended`, changes nothing."""
    _, events = after(PLAN, PlanCare(treatment=COMPLETED), PlanCare(treatment=COMPLETED), PLAN)
    assert [type(event) for event in events] == [CarePlanIssued, CarePlanCorrected]
    assert CARE.fold(events).treatment == COMPLETED  # type: ignore[union-attr]


def test_plan_in_any_order() -> None:
    """`completed` heard first gives the final plan at once."""
    _, events = after(PlanCare(treatment=COMPLETED), PLAN)
    assert [type(event) for event in events] == [CarePlanIssued]
    assert events[0].treatment.basis == "completed"


def test_check_in_opens_when_due() -> None:
    """A check-in opens at the clinic's local morning, not before, and sets the next one."""
    early, _ = after(PLAN)
    assert CARE.decide(OpenCheckIn(at=DAY_1_DUE - timedelta(seconds=1)), early) == []
    [opened] = CARE.decide(OpenCheckIn(at=DAY_1_DUE), early)
    assert isinstance(opened, CheckInOpened)
    assert (opened.day, opened.opened_on) == (1, date(2026, 4, 16))
    [timer] = CARE.timers(opened)
    assert isinstance(timer, SetTimer)
    assert timer.due_at == datetime(2026, 4, 18, 7, tzinfo=UTC)


def test_check_in_repeated() -> None:
    """A timer that fires twice opens one check-in."""
    _, events = after(PLAN, OpenCheckIn(at=DAY_1_DUE), OpenCheckIn(at=DAY_1_DUE))
    assert sum(isinstance(event, CheckInOpened) for event in events) == 1


def test_check_in_across_the_clock_change() -> None:
    """Day 1 after the night of the change is still 09:00 on the clinic's wall."""
    _, [issued] = after(PlanCare(treatment=replace(TREATED, treated_on=date(2026, 10, 24))))
    assert issued.check_ins_due_at[0] == datetime(2026, 10, 25, 8, tzinfo=UTC)


def test_blisters_on_day_1_are_amber() -> None:
    """Blisters open an adverse event at once and answer the open check-in."""
    state, events = after(PLAN, OpenCheckIn(at=DAY_1_DUE), answer(blisters=True, redness=True))
    answered, opened = events[-2:]
    assert isinstance(answered, CheckInAnswered)
    assert (answered.level, answered.day, answered.closes_days) == ("AMBER", 1, (1,))
    assert opened == AdverseEventOpened(
        clinic_id=TREATED.clinic_id,
        adverse_event_id=EVENT_ID,
        patient_id=TREATED.patient_id,
        treatment_id=TREATED.treatment_id,
        level="AMBER",
        signs=("NEW_BLISTER",),
        opened_on=date(2026, 4, 16),
    )
    assert isinstance(state, UnderCare)
    assert state.open_days == ()


def test_expected_course_is_green() -> None:
    """Redness and swelling on day 1 are the expected course: advice, no adverse event."""
    _, events = after(PLAN, answer(redness=True, swelling=True, pain_0_to_10=3))
    assert [type(event) for event in events[1:]] == [CheckInAnswered]
    assert events[-1].level == "GREEN"


def test_answer_repeated() -> None:
    """The same answer on the same day is one answer and one adverse event."""
    _, events = after(PLAN, answer(blisters=True), answer(blisters=True, adverse_event_id=uuid4()))
    assert len(events) == 3


def test_level_is_never_lowered() -> None:
    """A better answer later leaves the worst level and the open adverse event as they are."""
    state, _ = after(PLAN, answer(blisters=True), answer(at=NEXT_MORNING + timedelta(days=1)))
    assert isinstance(state, UnderCare)
    assert state.level == "AMBER"
    assert len(state.open_adverse_events) == 1


def test_red_after_amber_opens_another() -> None:
    """An emergency while an AMBER event is open is told as a RED one."""
    state, _ = after(PLAN, answer(blisters=True), answer(adverse_event_id=uuid4(), blisters=True, breathing_trouble=True))
    assert isinstance(state, UnderCare)
    assert [event.level for event in state.open_adverse_events] == ["AMBER", "RED"]


def test_answer_refused() -> None:
    """No treatment known here, or a day before it: refused, with the dates."""
    with pytest.raises(TreatmentNotKnown):
        CARE.decide(answer(), NotPlanned())
    with pytest.raises(BeforeTreatment) as refusal:
        after(PLAN, answer(at=datetime(2026, 4, 14, 21, 59, tzinfo=UTC)))
    assert refusal.value.facts == {"treated_on": "2026-04-15", "answered_on": "2026-04-14"}


def test_close() -> None:
    """A doctor closes an adverse event once; an unknown one is refused."""
    state, events = after(PLAN, answer(blisters=True), *[CloseAdverseEvent(at=NEXT_MORNING, adverse_event_id=EVENT_ID, closed_by="d")] * 2)
    assert isinstance(state, UnderCare)
    assert not state.open_adverse_events
    assert len(events) == 4
    with pytest.raises(AdverseEventNotKnown):
        CARE.decide(CloseAdverseEvent(at=NEXT_MORNING, adverse_event_id=uuid4(), closed_by="d"), state)


@given(st.lists(st.sampled_from(["plan", "completed", "open", "blisters", "green", "red", "close"]), max_size=12))
def test_repeated_commands_yield_no_events(names: list[str]) -> None:
    """Whatever came before, the same command again yields nothing; the level only rises; an escalation is never lost."""
    commands = {
        "plan": PLAN,
        "completed": PlanCare(treatment=COMPLETED),
        "open": OpenCheckIn(at=DAY_1_DUE),
        "blisters": answer(blisters=True),
        "green": answer(),
        "red": answer(adverse_event_id=UUID(int=7), seizure=True),
        "close": CloseAdverseEvent(at=NEXT_MORNING, adverse_event_id=EVENT_ID, closed_by="d"),
    }
    events: list[object] = []
    level = "GREEN"
    for name in names:
        try:
            events += CARE.decide(commands[name], CARE.fold(events))
            state = CARE.fold(events)
            assert CARE.decide(commands[name], state) == []
        except (TreatmentNotKnown, AdverseEventNotKnown):
            continue
        if isinstance(state, UnderCare):
            assert LEVELS.index(state.level) >= LEVELS.index(level)
            level = state.level
            assert name != "red" or state.open_adverse_events


@pytest.fixture
def runtime() -> Runtime:
    """Aftercare on an empty memory store that lets others in."""
    clock = WardClock()
    return runtime_of(SERVICE, MemoryStore(clock=clock, pause=others_first), clock)


async def do(runtime: Runtime, *commands: Any) -> None:
    """Commands about the treatment's care, one after the other. Raises: Rejected."""
    for command in commands:
        await execute(runtime, CHAIN, CARE, TREATED.treatment_id, command, cause=cause(runtime))


async def stored(runtime: Runtime) -> list[type]:
    """What kinds of events the care's stream holds."""
    loaded = await runtime.store.load(CHAIN, CARE.stream(TREATED.treatment_id))
    return [type(runtime.codec.decode(row)) for row in loaded.rows]


@pytest.mark.parametrize(("before", "command", "effect"), [row[1:] for row in ONCE], ids=[row[0] for row in ONCE])
async def test_raced_with_itself(runtime: Runtime, before: tuple[Any, ...], command: Any, effect: list[type]) -> None:
    """The same command twice at once, a timer's too, has its effect once."""
    await do(runtime, *before)
    earlier = await stored(runtime)
    assert await race([do(runtime, command) for _ in range(2)]) == ["done", "done"]
    assert await stored(runtime) == [*earlier, *effect]


async def test_raced(runtime: Runtime) -> None:
    """Two answers with blisters race: one adverse event is open, no answer is lost."""
    await do(runtime, PLAN)
    both = [answer(blisters=True), answer(adverse_event_id=uuid4(), blisters=True, pain_0_to_10=5)]
    assert await race([do(runtime, command) for command in both]) == ["done", "done"]
    state, _ = await state_of(runtime, CHAIN, CARE, TREATED.treatment_id)
    assert isinstance(state, UnderCare)
    assert len(state.answered) == 2
    assert len(state.open_adverse_events) == 1
