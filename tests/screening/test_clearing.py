"""Clearances: granted, deferred, refused, reinstated, revoked, expired; each done, refused, repeated."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from screening.patient import commands as c
from screening.patient import refusals as r
from screening.patient.decide import timers
from tests.screening.story import CLINIC, NURSE, Story, act, at, id_of, personal

DAY = "2026-03-20"
NURSES_ACT = act(DAY, by=NURSE, roles=["nurse", "front_desk"])


def ready(**answers: Any) -> Story:
    """Examined and asked today."""
    return Story().examined(DAY).answered(DAY, **answers)


def names(events: list[Any]) -> list[str]:
    """What happened."""
    return [type(event).__name__ for event in events]


def test_granted_with_limits_and_trace() -> None:
    """A grant carries its limits, its days, and a trace in which every row that applies has spoken."""
    story = ready()
    (granted,) = story.cleared(DAY)
    assert (granted.valid_from, granted.valid_until) == (date(2026, 3, 20), date(2026, 4, 19))
    assert granted.limits.coverage_percent_max == 40
    assert {line.rule_id for line in granted.trace} >= {"PEEL", "BOTOX", "FILLER", "BIOREV", "PREGNANCY", "HSV_ACTIVE", "AGE_MINOR"}
    assert all(line.verdict == "CLEAR" and line.rule_version == story.book.rules[line.rule_id].version for line in granted.trace)
    looked = {look.fact for line in granted.trace for look in line.looked_at}
    assert {"answer:pregnancy", "skin_type", "age on the treatment date"} <= looked


def test_trace_holds_no_personal_data() -> None:
    """Name and birth date are in no trace: ages are bands."""
    story = Story(born="2009-05-05").examined(DAY).answered(DAY)
    (refused,) = story.cleared(DAY)
    assert refused.outcome == "INELIGIBLE"
    assert "2009" not in repr(refused.trace) + repr(refused.reasons)
    assert "Ada" not in repr(refused)


@pytest.mark.parametrize(
    ("answers", "kind", "outcome"),
    [
        ({"cold_sore_now": "yes"}, "ClearanceDeferred", "DEFERRED"),
        ({"pregnancy": "possibly"}, "ClearanceRefused", "INELIGIBLE"),
        ({"isotretinoin": "taking"}, "ClearanceRefused", "NEEDS_PHYSICIAN"),
        ({"cold_sore_history": "yes"}, "ClearanceRefused", "CONDITIONAL"),
        ({"filler": "yes"}, "ClearanceRefused", "INCOMPLETE"),
    ],
)
def test_every_outcome_is_recorded_with_its_trace(answers: dict[str, str], kind: str, outcome: str) -> None:
    """Deferred and refused are events with reasons and trace; asked again under the same id they are not decided again."""
    story = ready(**answers)
    request = story.request(DAY)
    (event,) = story.do(request)
    assert type(event).__name__ == kind
    assert getattr(event, "outcome", "DEFERRED") == outcome
    assert event.trace
    assert event.reasons or event.missing
    assert story.do(request) == []


def test_incomplete_lists_what_to_ask_and_known_deferrals() -> None:
    """INCOMPLETE names what is missing and, beside it, the deferrals already known."""
    story = Story().examined(DAY).reported("botulinum_toxin", "2026-03-15", "face")
    (refused,) = story.cleared(DAY)
    assert refused.outcome == "INCOMPLETE"
    assert {asked.fact for asked in refused.missing} >= {"answer:pregnancy", "answer:cold_sore_now", "answer:botulinum_toxin"}
    assert ("BOTOX", date(2026, 3, 29)) in {(reason.rule_id, reason.earliest) for reason in refused.reasons}


def test_without_examination_nothing_is_cleared() -> None:
    """Answers alone are not enough."""
    (refused,) = Story().answered(DAY).cleared(DAY)
    assert refused.outcome == "INCOMPLETE"
    assert "examination" in {asked.fact for asked in refused.missing}


def test_request_refused() -> None:
    """A nurse, a laser without limits, no zone, an unknown zone, yesterday: each by its name."""
    story = ready()
    for more, refusal in (
        ({"act": NURSES_ACT}, r.DoctorOnly),
        ({"modality": "afl_10600"}, r.NotOffered),
        ({"modality": "co2_full_field"}, r.NotOffered),
    ):
        with pytest.raises(refusal):
            story.cleared(DAY, **more)
    with pytest.raises(r.WordUnknown):
        story.cleared(DAY, "elbow")
    with pytest.raises(r.WordUnknown):
        story.do(replace(story.request(DAY), zones=()))
    with pytest.raises(r.DateImpossible):
        story.cleared(DAY, on="2026-03-19")


def test_second_request_while_one_is_valid() -> None:
    """One that reaches no further is refused and names the valid one; a later one that reaches further stands beside it."""
    story = ready()
    request = story.request(DAY)
    story.do(request)
    assert story.do(request) == []
    with pytest.raises(r.IdTaken):
        story.do(replace(request, zones=("nose",)))
    with pytest.raises(r.AlreadyCleared) as refused:
        story.cleared(DAY)
    assert refused.value.facts["clearance_id"] == str(request.clearance_id)
    story.examined("2026-04-01").answered("2026-04-01")
    assert names(story.cleared("2026-04-01")) == ["ClearanceGranted"]
    assert len(story.state.open_clearances) == 2


def test_second_request_while_one_is_suspended() -> None:
    """A suspended clearance waits for its doctor; a new one does not slip past it."""
    story = ready()
    story.cleared(DAY)
    story.do(changes("one"))
    story.answered("2026-03-25", "12:00")
    with pytest.raises(r.SuspendedClearanceWaits):
        story.cleared("2026-03-25")


def test_validity_ends_with_the_oldest_fact() -> None:
    """The clearance reaches no further than the facts stay fresh: answers of day -10 end it on day 20."""
    story = Story().answered("2026-03-10").examined(DAY)
    (granted,) = story.cleared(DAY)
    assert granted.valid_until == date(2026, 4, 9)


def test_validity_ends_with_the_override() -> None:
    """An override that ends on day 5 ends the clearance that rests on it."""
    story = ready(isotretinoin="taking")
    story.overridden(DAY, "ISOTRETINOIN", expires="2026-03-25")
    (granted,) = story.cleared(DAY)
    assert granted.valid_until == date(2026, 3, 25)


def test_advisory_is_acknowledged_then_cleared() -> None:
    """Type IV is advisory: refused until the patient was told, then granted with the type's cap."""
    story = Story().examined(DAY, "IV").answered(DAY)
    with pytest.raises(r.AdvisoryNotAcknowledged) as refused:
        story.cleared(DAY)
    assert refused.value.facts["rules"] == ["FITZ_IV"]
    acknowledged, granted = story.cleared(DAY, acknowledges=("FITZ_IV",))
    assert acknowledged.rule_id == "FITZ_IV"
    assert granted.limits.coverage_percent_max == 23


def changes(name: str, day: str = "2026-03-25", clock: str = "09:00") -> c.NoteChanges:
    """The patient attests changes on the day of treatment."""
    return c.NoteChanges(
        clinic_id=CLINIC,
        attestation_id=id_of(name),
        visit_id=id_of("visit"),
        attested_on=date.fromisoformat(day),
        attested_at=at(day, clock),
    )


def test_changes_attested_suspend_and_only_a_doctor_reinstates() -> None:
    """Attested changes suspend; reinstating needs new answers that contradict nothing, and a doctor; repeated, each is nothing."""
    story = ready()
    story.cleared(DAY)
    assert names(story.do(changes("one"))) == ["ChangesAttested", "ClearanceSuspended"]
    assert story.do(changes("one")) == []
    reinstate = c.ReinstateClearance(act=act("2026-03-25", "12:30"), clearance_id=story.clearance.granted.clearance_id)
    with pytest.raises(r.StillContradicted) as refused:
        story.do(reinstate)
    assert refused.value.facts["rules"] == ["CHANGES_ATTESTED"]
    story.answered("2026-03-25", "12:00")
    with pytest.raises(r.DoctorOnly):
        story.do(replace(reinstate, act=replace(NURSES_ACT, at=at("2026-03-25", "12:30"))))
    assert names(story.do(reinstate)) == ["ClearanceReinstated"]
    assert story.stands_on("2026-03-25")
    assert story.do(reinstate) == []


def test_changes_suspend_even_after_new_answers() -> None:
    """Answers recorded before the attestation is heard do not swallow it: the clearance still waits for a doctor."""
    story = ready()
    story.cleared(DAY)
    story.answered("2026-03-25", "09:10")
    assert names(story.do(changes("one"))) == ["ChangesAttested", "ClearanceSuspended"]


def test_adverse_event_suspends_until_it_is_closed_and_a_doctor_reinstates() -> None:
    """AMBER suspends and blocks a new clearance; closing it suspends nothing and reinstates nothing by itself."""
    story = ready()
    story.cleared(DAY)
    noted = c.NoteAdverseEvent(
        clinic_id=CLINIC, adverse_event_id=id_of("ae"), treatment_id=id_of("t"), level="AMBER", opened_on=date(2026, 3, 25)
    )
    closed = c.SettleAdverseEvent(adverse_event_id=id_of("ae"), closed_on=date(2026, 3, 30))
    assert names(story.do(noted)) == ["AdverseEventNoted", "ClearanceSuspended"]
    assert story.do(noted) == []
    reinstate = c.ReinstateClearance(act=act("2026-03-31"), clearance_id=story.clearance.granted.clearance_id)
    with pytest.raises(r.StillContradicted):
        story.do(reinstate)
    assert story.asks("2026-03-26").outcome == "DEFERRED"
    assert names(story.do(closed)) == ["AdverseEventSettled"]
    assert story.do(closed) == []
    assert story.clearance.standing == "suspended"
    assert names(story.do(reinstate)) == ["ClearanceReinstated"]


def test_adverse_event_closed_before_it_is_heard_of() -> None:
    """In the other order nothing stays blocked."""
    story = ready()
    story.cleared(DAY)
    story.do(c.SettleAdverseEvent(adverse_event_id=id_of("ae"), closed_on=date(2026, 3, 30)))
    noted = c.NoteAdverseEvent(
        clinic_id=CLINIC, adverse_event_id=id_of("ae"), treatment_id=id_of("t"), level="AMBER", opened_on=date(2026, 3, 25)
    )
    assert names(story.do(noted)) == ["AdverseEventNoted"]
    assert story.clearance.standing == "valid"


def test_revoked_for_good() -> None:
    """A doctor revokes once; a revoked clearance is neither reinstated nor suspended; a nurse may not; a stranger's id is unknown."""
    story = ready()
    story.cleared(DAY)
    revoke = c.RevokeClearance(act=act("2026-03-21"), clearance_id=story.clearance.granted.clearance_id, note=personal("Changed her mind."))
    with pytest.raises(r.DoctorOnly):
        story.do(replace(revoke, act=NURSES_ACT))
    with pytest.raises(r.ClearanceUnknown):
        story.do(replace(revoke, clearance_id=id_of("none")))
    assert names(story.do(revoke)) == ["ClearanceRevoked"]
    assert story.do(revoke) == []
    with pytest.raises(r.ClearanceEnded):
        story.do(c.ReinstateClearance(act=act("2026-03-21"), clearance_id=revoke.clearance_id))
    story.reported("filler_ha", "2026-03-21", "face")
    assert story.clearance.standing == "revoked"


def test_expires_by_its_timer() -> None:
    """The timer is due when the last day is over everywhere; early or late or twice changes nothing more; an ended one stays ended."""
    story = ready()
    (granted,) = story.cleared(DAY)
    timer: Any = timers(granted)[0]
    assert timer.due_at.isoformat() == "2026-04-20T12:00:00+00:00"
    expire = c.ExpireClearance(clearance_id=granted.clearance_id, at=timer.due_at)
    assert story.do(replace(expire, at=at("2026-04-19", "23:59"))) == []
    assert names(story.do(expire)) == ["ClearanceExpired"]
    assert story.do(expire) == []
    with pytest.raises(r.ClearanceEnded):
        story.do(c.RevokeClearance(act=act("2026-04-21"), clearance_id=granted.clearance_id, note=None))


def test_the_last_day_may_not_be_over_elsewhere() -> None:
    """Changes attested on the day after the last day suspend as long as the timer has not fired; harmless facts of that day do not."""
    story = ready()
    story.cleared(DAY)
    story.answered("2026-04-20")
    assert story.clearance.standing == "valid"
    assert names(story.do(changes("late", "2026-04-20"))) == ["ChangesAttested", "ClearanceSuspended"]


def test_suspended_clearance_expires_too() -> None:
    """A suspension does not outlive the last day; afterwards nobody reinstates it, even before the timer has fired."""
    story = ready()
    story.cleared(DAY)
    story.do(changes("one"))
    with pytest.raises(r.ClearanceEnded):
        story.do(c.ReinstateClearance(act=act("2026-04-20"), clearance_id=story.clearance.granted.clearance_id))
    expired = story.do(c.ExpireClearance(clearance_id=story.clearance.granted.clearance_id, at=at("2026-04-20", "00:01")))
    assert names(expired) == ["ClearanceExpired"]
