"""Whatever is asked and heard, in whatever order: three things hold after every step."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from erbium_kernel.codec import never_seal
from erbium_kernel.decider import CancelTimer, Claim, Release, SetTimer
from erbium_kernel.errors import Rejected
from erbium_kernel.subscribing import Due
from scheduling.deciders import ITINERARY, RULES
from scheduling.itinerary import commands as c
from scheduling.itinerary.intervals import Act, conflicts
from scheduling.itinerary.standing import valid_on
from scheduling.itinerary.state import INITIAL, Firm, Frozen, Itinerary, Provisional
from scheduling.wiring import SERVICE
from tests import stored_events
from tests.scheduling.scenes import (
    BIOREVITALISATION,
    CHAIN,
    CONSULTATION,
    FACE_LASER,
    PATIENT,
    Desk,
    asked,
    book,
    changed,
    clearance,
    hold,
    local,
    place,
    procedure,
    treatment,
    verdict,
)

CODEC = stored_events.codec_of(SERVICE)
START = local("2026-03-02T09:00")
NAMES = ("first", "second")
HOURS = st.integers(1, 24 * 70)
NTH = st.integers(0, 5)
WANTED = st.sampled_from([FACE_LASER, BIOREVITALISATION, CONSULTATION])
STEP = st.one_of(
    *[st.tuples(st.just("visit"), HOURS, wanted) for wanted in (st.just(FACE_LASER), st.just(FACE_LASER), WANTED)],
    st.tuples(st.just("hold"), HOURS, WANTED),
    st.tuples(st.just("book"), NTH),
    st.tuples(st.just("move"), NTH, HOURS),
    st.tuples(st.sampled_from(["cancel", "check in", "approve", "fire", "give back"]), NTH),
    st.tuples(st.just("attest"), NTH, st.booleans()),
    st.tuples(st.just("granted"), st.sampled_from(NAMES), st.integers(0, 40)),
    st.tuples(st.sampled_from(["suspended", "reinstated", "revoked", "expired"]), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(["DEFERRED", "INELIGIBLE", "CONDITIONAL", "INCOMPLETE"]), st.integers(0, 60)),
    st.tuples(st.just("procedure"), st.sampled_from(["filler_ha", "peel_superficial"]), st.integers(-20, 70)),
    st.tuples(st.just("treatment"), NTH),
    st.tuples(st.just("wait"), st.integers(1, 24 * 6)),
)
STEPS = st.lists(STEP, min_size=8, max_size=30)


def commands(step: Any, state: Itinerary, now: Any, n: int) -> Sequence[Any]:
    """The commands that a step stands for; none where there is nothing it could be about."""
    if step[0] == "visit":
        wish = command(("hold", *step[1:]), state, now, n)
        return [wish, book(wish, now)]
    found = command(step, state, now, n)
    return [] if found is None else [found]


def command(step: Any, state: Itinerary, now: Any, n: int) -> Any:
    """The command that a step stands for, or None."""
    today = now.date()
    visits, holds = list(state.visits), list(state.holds)
    match step:
        case ("hold", hours, wanted):
            return hold(now + timedelta(hours=hours), wanted, at=now, name=f"hold {n}")
        case ("book", nth) if holds:
            return c.BookVisit(hold_id=holds[nth % len(holds)], place=place(), at=now)
        case ("give back", nth) if holds:
            return c.GiveBackHold(hold_id=holds[nth % len(holds)], at=now)
        case ("granted", name, days):
            return clearance((today + timedelta(days=days)).isoformat(), name=name, at=now, heard=f"granted {n}")
        case (("suspended" | "reinstated" | "revoked" | "expired") as what, name):
            return changed(what, at=now, name=name, heard=f"{what} {n}")
        case (("DEFERRED" | "INELIGIBLE" | "CONDITIONAL" | "INCOMPLETE") as outcome, days):
            return verdict(outcome, at=now, until=(today + timedelta(days=days)).isoformat() if outcome == "DEFERRED" and days else None)
        case ("procedure", kind, days):
            return procedure(kind, (today + timedelta(days=days)).isoformat(), at=now)
        case (what, nth, *rest) if visits and what in ("move", "cancel", "check in", "approve", "attest", "treatment"):
            return about_a_visit(what, state, visits[nth % len(visits)], rest, now)
        case _:
            return None


def about_a_visit(what: str, state: Itinerary, visit_id: UUID, rest: Sequence[Any], now: Any) -> Any:
    """A command about one of the visits; door commands come on its day, where they can succeed."""
    visit = state.visits[visit_id]
    at = max(now, visit.slot.starts_at)
    match what:
        case "move":
            return c.MoveVisit(visit_id=visit_id, asked=asked(now + timedelta(hours=rest[0]), visit.wanted), place=place(), at=now)
        case "cancel":
            return c.CancelVisit(visit_id=visit_id, cause="patient", at=now)
        case "check in":
            return c.CheckIn(visit_id=visit_id, at=at)
        case "approve":
            return c.ApproveSameDay(visit_id=visit_id, approved_by="doctor-1", at=at)
        case "attest":
            return c.AttestDay(visit_id=visit_id, changes=rest[0], attested_by="nurse-1", at=at)
        case _:
            return treatment(visit.slot.on.isoformat(), at=at, visit=visit_id) if visit.wanted.kind == "laser" else None


class World:
    """A desk, what its guards and timers add up to, and time that only goes on."""

    def __init__(self) -> None:
        """A patient, cleared today."""
        self.desk, self.now = Desk(), START
        self.claims: dict[tuple[UUID, UUID], Claim] = {}
        self.timers: dict[str, SetTimer] = {}
        self.do(clearance("2026-03-02", name="first", at=START))

    def do(self, wanted: Any) -> None:
        """Decides; refusals are answers too. Time is at least that of the command."""
        try:
            events = self.desk.do(wanted)
        except Rejected:
            return
        self.now = max(self.now, getattr(wanted, "at", self.now))
        for event in events:
            for guard in ITINERARY.guards(event):
                match guard:
                    case Claim():
                        assert (guard.resource, guard.holder) not in self.claims, "claimed twice by one holder"
                        self.claims[guard.resource, guard.holder] = guard
                    case Release():
                        self.claims.pop((guard.resource, guard.holder), None)
                    case _:
                        raise AssertionError(guard)
            for change in ITINERARY.timers(event):
                match change:
                    case SetTimer():
                        self.timers[change.key] = change
                    case CancelTimer():
                        self.timers.pop(change.key, None)

    def wait(self, hours: int) -> None:
        """Time goes on, and every timer fires when it is due."""
        until = self.now + timedelta(hours=hours)
        while due := sorted((timer.due_at, key) for key, timer in self.timers.items() if timer.due_at <= until):
            timer = self.timers.pop(due[0][1])
            self.now = max(self.now, timer.due_at)
            to = SERVICE.timers[timer.type](Due(CHAIN, timer.key, timer.type, timer.due_at, timer.ref, PATIENT, CHAIN), self.now)
            self.do(to.command)
        self.now = until


@given(STEPS)
@settings(max_examples=60)
def test_what_holds_after_every_step(steps: Sequence[Any]) -> None:
    """Claims are exactly those of holds and visits; no visit to come that may take place breaks a rule; every waiting visit has a clock."""
    world = World()
    for n, step in enumerate(steps):
        if step[0] == "wait":
            world.wait(step[1])
        for wanted in commands(step, world.desk.state, world.now, n):
            world.do(wanted)
        check(world)


def told_whole(state: Itinerary) -> Itinerary:
    """The state after it was carried forward, stored and read again."""
    assert ITINERARY.carry is not None
    name, version, data, _ = CODEC.encode(ITINERARY.carry.of(state), never_seal)
    return ITINERARY.evolve(INITIAL, CODEC.decode_data(name, version, data))


def check(world: World) -> None:
    """The three things; and the state can be carried forward: nothing of it is lost, and nothing comes in another order."""
    state = world.desk.state
    again = told_whole(state)
    assert again == state
    assert [list(one) for one in (again.visits, again.holds, again.over)] == [list(one) for one in (state.visits, state.holds, state.over)]
    slots = {**{hold_id: hold.slot for hold_id, hold in state.holds.items()}, **{one: visit.slot for one, visit in state.visits.items()}}
    kept = {(claim.resource, claim.holder) for claim in world.claims.values() if claim.holder in slots}
    assert kept == {(taken.resource_id, holder) for holder, slot in slots.items() for taken in slot.occupied}
    assert {claim.holder for claim in world.claims.values()} - set(slots) <= {
        one for one, over in state.over.items() if over.cause == "treated"
    }
    for visit in state.visits.values():
        if isinstance(visit.standing, Frozen | Provisional):
            prefix = "freeze" if isinstance(visit.standing, Frozen) else "firm"
            assert f"{prefix}-{visit.visit_id}" in world.timers
        if visit.slot.ends_at <= world.now or isinstance(visit.standing, Frozen):
            continue
        if visit.wanted.kind == "laser" and isinstance(visit.standing, Firm):
            assert visit.standing.clearance_id is not None
            assert valid_on(RULES, state.clearances[visit.standing.clearance_id], visit.slot.on)
        if visit.wanted.act is not None:
            act = Act(ref=PATIENT, kind=visit.wanted.act, zones=visit.wanted.zones, on=visit.slot.on)
            assert not conflicts(RULES, act, state.acts(without=visit.visit_id))
