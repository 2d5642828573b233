"""The record on both clocks: as it was recorded at an instant, and what was valid on a day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from erbium_kernel.clinical_dates import Certainty
from screening.dated import valid_on
from screening.facts import Answer, Examination, Facts, Procedure, Spot, When
from tests.screening.reception import MORNING, Reception
from tests.screening.test_over_http import CLINIC, SECRET, ask, prepare, register

DAY = timedelta(days=1)


def instant(at: datetime) -> str:
    """As in an address."""
    return at.isoformat().replace("+00:00", "Z")


async def says(at: Reception, patient: str, **asked: Any) -> list[tuple[str, str]]:
    """(kind, what it says) of the facts that hold."""
    answer = await at.get(f"/patients/{patient}/facts", **asked)
    assert answer.status_code == 200, answer.text
    return [(fact["kind"], fact["says"]) for fact in answer.json()["facts"] if fact["kind"] != "answer"]


async def test_why_was_she_cleared_on_that_day(reception: Reception) -> None:
    """A clearance that a later report suspends is read as it stood before, in the same shape, with the trace of then."""
    patient = await register(reception)
    await prepare(reception, patient)
    cleared = await ask(reception, patient)
    path = f"/patients/{patient}/clearances/{cleared['clearance_id']}"
    reception.clock.at = MORNING + 2 * DAY
    report = {"clinic_id": CLINIC, "kind": "filler_ha", "zones": ["cheeks"], "on": "2026-02-25"}
    assert (await reception.post(f"/patients/{patient}/procedures", report)).status_code == 201
    await reception.follow()
    today = await reception.get(path)
    then = await reception.get(path, as_recorded=instant(MORNING + DAY))
    assert (today.json()["standing"], then.json()["standing"]) == ("suspended", "valid")
    assert {**then.json(), "version": cleared["version"]} == cleared
    assert ("etag" in then.headers, then.headers["erbium-as-recorded"]) == (False, "2026-03-04T09:00:00Z")
    assert (await reception.get(path, as_recorded=instant(MORNING - DAY))).status_code == 404
    listed = await reception.get(f"/patients/{patient}/clearances", as_recorded=instant(MORNING + DAY))
    assert [each["standing"] for each in listed.json()["items"]] == ["valid"]
    whole, was = await reception.get(f"/patients/{patient}"), await reception.get(f"/patients/{patient}", as_recorded=instant(MORNING))
    assert (whole.json()["version"], was.json()["version"]) == (7, 5)
    assert {**was.json(), "version": 0} == {**whole.json(), "version": 0}
    question = {"modality": "nafl_1550", "zones": "face", "on": "2026-03-06"}
    asked = [await reception.get(f"/patients/{patient}/assessment", **question, **at) for at in ({}, {"as_recorded": instant(MORNING)})]
    assert [each.json()["outcome"] for each in asked] == ["DEFERRED", "CLEARED"]


async def test_both_clocks(reception: Reception) -> None:
    """A procedure of January that is reported in March: valid since January, known since March; corrected, it moves on both."""
    patient = await register(reception)
    report = {"clinic_id": CLINIC, "kind": "botulinum_toxin", "zones": ["forehead"], "on": "2026-01-15"}
    reported = await reception.post(f"/patients/{patient}/procedures", report)
    botox = [("procedure", "botulinum_toxin")]
    assert await says(reception, patient) == botox
    assert await says(reception, patient, as_valid="2026-01-15") == botox
    assert await says(reception, patient, as_valid="2026-01-14") == []
    assert await says(reception, patient, as_valid="2026-01-20", as_recorded=instant(MORNING)) == botox
    assert (await reception.get(f"/patients/{patient}/facts", as_recorded=instant(MORNING - DAY))).status_code == 404
    reception.clock.at = MORNING + DAY
    correction = {"clinic_id": CLINIC, "kind": "botulinum_toxin", "zones": ["forehead"], "on": "2026-01-25"}
    path = f"/patients/{patient}/procedures/{reported.json()['procedure_id']}/correction"
    assert (await reception.post(path, correction)).status_code == 200
    assert await says(reception, patient, as_valid="2026-01-20") == []
    assert await says(reception, patient, as_valid="2026-01-20", as_recorded=instant(MORNING)) == botox
    assert (await reception.get(f"/patients/{patient}/facts", as_valid="2026-02-30")).status_code == 422


async def test_erased_on_both_clocks(reception: Reception) -> None:
    """After the erasure no instant shows the patient, the clearances or the facts."""
    patient = await register(reception)
    await prepare(reception, patient)
    await reception.follow()
    assert (await reception.post(f"/patients/{patient}/erasure", {"clinic_id": CLINIC}, roles=["privacy_officer"])).status_code == 200
    await reception.follow()
    for path in ("", "/facts", "/clearances", "/retention-lock"):
        answer = await reception.get(f"/patients/{patient}{path}", as_recorded=instant(MORNING))
        assert (answer.status_code, SECRET in answer.text) == (404, False), path


def test_the_days_of_a_fact() -> None:
    """Each kind of fact holds on its own days; a day that nobody knows excludes none; an examination holds until the next one."""
    at = datetime(2026, 3, 3, 9, tzinfo=UTC)

    def answer(value: str, asked: datetime, when: When | None = None) -> Answer:
        return Answer(question="pregnant", value=value, when=when, zones=(), asked_on=asked.date(), asked_at=asked)

    def procedure(on: date | None, certainty: Certainty) -> Procedure:
        when = When(on=on, certainty=certainty)
        return Procedure(procedure_id=UUID(CLINIC), kind=f"peel-{certainty}", zones=("face",), when=when, reported_on=at.date())

    def seen(skin: Any, when: datetime) -> Examination:
        return Examination(examined_on=when.date(), examined_at=when, examined_by="d", skin_type=skin, findings=())

    facts = Facts(
        answers=(answer("no", at), answer("yes", at + 3 * DAY), answer("was", at, When(on=date(2026, 1, 1)))),
        procedures=(procedure(None, "unknown"), procedure(date(2026, 2, 1), "exact")),
        examinations=(seen("II", at), seen("III", at + 2 * DAY)),
        test_spots=(Spot(modality="nafl_1550", zone="neck", placed_on=date(2026, 3, 4)),),
    )
    on = {day: [fact.says for fact in valid_on(facts, day)] for day in (date(2025, 12, 1), date(2026, 3, 3), date(2026, 3, 6))}
    assert on[date(2025, 12, 1)] == ["peel-unknown"]
    assert on[date(2026, 3, 3)] == ["peel-unknown", "pregnant: was", "peel-exact", "pregnant: no", "skin type II"]
    assert on[date(2026, 3, 6)] == ["peel-unknown", "pregnant: was", "peel-exact", "nafl_1550: not read", "skin type III", "pregnant: yes"]
