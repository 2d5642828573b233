"""Screening through its door, on a real database: the patient's way, who may what, and what is left after an erasure."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from erbium_kernel.fire import Timers
from screening.http import examples
from tests.screening.reception import Reception
from tests.screening.story import CLEAR_ANSWERS

CLINIC = examples.CLINIC_ID
SECRET = "Zoltana Secretova"


async def register(at: Reception, name: str = SECRET, born: str = "1986-05-05") -> str:
    """A new patient's id."""
    answer = await at.post("/patients", {"clinic_id": CLINIC, "name": name, "birth_date": born, "contact": "+34 612 345 678"})
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["patient_id"]
    return found


async def prepare(at: Reception, patient: str, skin_type: str = "II", **answers: str) -> None:
    """Asked everything and examined now."""
    said = [{"question": question, "value": value} for question, value in (CLEAR_ANSWERS | answers).items()]
    assert (await at.post(f"/patients/{patient}/answers", {"clinic_id": CLINIC, "answers": said})).status_code == 201
    consultation = {"clinic_id": CLINIC, "skin_type": skin_type, "note": f"Seen today: {SECRET}"}
    assert (await at.post(f"/patients/{patient}/consultations", consultation)).status_code == 201


async def ask(at: Reception, patient: str, **more: Any) -> Any:
    """The answer to a request for clearance."""
    answer = await at.post(f"/patients/{patient}/clearances", {"clinic_id": CLINIC, "modality": "nafl_1550", "zones": ["face"], **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_deferred_with_the_date(reception: Reception) -> None:
    """Botox reported five days ago: deferred until day 14, and the trace says which rule looked at what."""
    patient = await register(reception)
    report = {"clinic_id": CLINIC, "kind": "botulinum_toxin", "zones": ["forehead"], "on": "2026-02-26"}
    assert (await reception.post(f"/patients/{patient}/procedures", report)).status_code == 201
    await prepare(reception, patient)
    found = await ask(reception, patient)
    assert (found["outcome"], found["standing"], found["earliest"]) == ("DEFERRED", "deferred", "2026-03-12")
    (line,) = [line for line in found["trace"] if line["rule_id"] == "BOTOX"]
    assert (line["verdict"], line["looked_at"][0]["value"]) == ("DEFER", "2026-02-26")
    await reception.follow()
    kept = (await reception.get(f"/patients/{patient}/clearances/{found['clearance_id']}")).json()
    assert {**kept, "version": found["version"]} == found


async def test_cleared_suspended_reinstated(reception: Reception) -> None:
    """A late filler suspends; when its washout is over a doctor reinstates; lists follow."""
    patient = await register(reception)
    await prepare(reception, patient)
    cleared = await ask(reception, patient)
    assert (cleared["standing"], cleared["valid_until"]) == ("valid", "2026-04-02")
    report = {"clinic_id": CLINIC, "kind": "filler_ha", "zones": ["cheeks"], "on": "2026-02-25"}
    answer = await reception.post(f"/patients/{patient}/procedures", report)
    assert answer.json()["suspended_clearance_ids"] == [cleared["clearance_id"]]
    await reception.follow()
    (listed,) = (await reception.get(f"/patients/{patient}/clearances")).json()["items"]
    assert (listed["standing"], listed["outcome"], listed["earliest"]) == ("suspended", "DEFERRED", "2026-03-11")
    path = f"/patients/{patient}/clearances/{cleared['clearance_id']}/reinstatement"
    refused = await reception.post(path, {"clinic_id": CLINIC})
    assert (refused.status_code, refused.json()["code"]) == (409, "screening.still-contradicted")
    reception.clock.at = datetime(2026, 3, 11, 9, tzinfo=UTC)
    assert (await reception.post(path, {"clinic_id": CLINIC})).json()["standing"] == "valid"


async def test_an_examination_recorded_wrongly_is_taken_back(reception: Reception) -> None:
    """A finding ticked by a slip is corrected, and counts no more; a correction of what is not there names its place in the body."""
    patient = await register(reception)
    await prepare(reception, patient)
    path, seen = f"/patients/{patient}/consultations", {"clinic_id": CLINIC, "skin_type": "II"}
    slip = (await reception.post(path, {**seen, "findings": ["keloid_scar"]})).json()["id"]
    question = {"modality": "nafl_1550", "zones": "face"}
    assert (await reception.get(f"/patients/{patient}/assessment", **question)).json()["outcome"] == "NEEDS_PHYSICIAN"
    nothing = await reception.post(path, {**seen, "corrects": str(uuid4())})
    assert (nothing.status_code, nothing.json()["errors"][0]["pointer"]) == (422, "/corrects")
    assert (await reception.post(path, {**seen, "corrects": slip})).status_code == 201
    assert (await reception.get(f"/patients/{patient}/assessment", **question)).json()["outcome"] == "CLEARED"


async def test_expires_by_its_timer(reception: Reception) -> None:
    """When its last day, the 2nd of April, is over everywhere, the timer ends it: at noon in Greenwich."""
    patient = await register(reception)
    await prepare(reception, patient)
    cleared = await ask(reception, patient)
    reception.clock.at = datetime(2026, 4, 3, 11, 59, tzinfo=UTC)
    await reception.fire()
    await reception.follow()
    assert (await reception.get(f"/patients/{patient}/clearances/{cleared['clearance_id']}")).json()["standing"] == "valid"
    reception.clock.at += timedelta(minutes=1)
    await reception.fire()
    await reception.follow()
    assert (await reception.get(f"/patients/{patient}/clearances/{cleared['clearance_id']}")).json()["standing"] == "expired"
    assert not Timers(reception.runtime, {}).failing


async def test_assessment_reads_the_record_not_the_list(reception: Reception) -> None:
    """What was recorded a moment ago counts, although no projection has run; for a far day facts are stale unless it is provisional."""
    patient = await register(reception)
    await prepare(reception, patient, cold_sore_now="yes")
    path, plan = f"/patients/{patient}/assessment", {"modality": "nafl_1550", "zones": ["face"]}
    found = (await reception.get(path, **plan)).json()
    assert (found["outcome"], found["until"], found["reasons"][0]["rule_id"]) == ("DEFERRED", None, "HSV_ACTIVE")
    assert (await reception.get(path, **plan, on="2026-05-10")).json()["outcome"] == "INCOMPLETE"
    assert (await reception.get(path, **plan, on="2026-05-10", standing="provisional")).json()["outcome"] == "DEFERRED"
    assert (await reception.get(f"/patients/{uuid4()}/assessment", **plan)).status_code == 404


async def test_who_may_what(reception: Reception) -> None:
    """A nurse records and decides nothing; nobody but the privacy officer erases; who does not look at skin reads no test spot."""
    patient = await register(reception)
    await prepare(reception, patient)
    request = {"clinic_id": CLINIC, "modality": "nafl_1550", "zones": ["face"]}
    for role in ("nurse", "front_desk", "integrator"):
        assert (await reception.post(f"/patients/{patient}/clearances", request, roles=[role])).status_code == 403
    assert (await reception.post(f"/patients/{patient}/consultations", {"clinic_id": CLINIC}, roles=["nurse"])).status_code == 403
    for role in ("nurse", "integrator", "medical_director"):
        assert (await reception.post(f"/patients/{patient}/erasure", {"clinic_id": CLINIC}, roles=[role])).status_code == 403
    spot = {"clinic_id": CLINIC, "modality": "nafl_1550", "zone": "cheeks"}
    for role, status in (("front_desk", 403), ("integrator", 403), ("nurse", 201)):
        assert (await reception.post(f"/patients/{patient}/test-spots", spot, roles=[role])).status_code == status, role
    elsewhere = await reception.post(f"/patients/{patient}/clearances", request, clinics=[str(uuid4())])
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "clinic-not-yours")
    assert (await reception.post(f"/patients/{patient}/clearances", request, roles=["doctor"])).status_code == 201


async def test_findings_without_an_examination(reception: Reception) -> None:
    """Findings need a skin type: the body contradicts itself, 422."""
    patient = await register(reception)
    answer = await reception.post(f"/patients/{patient}/consultations", {"clinic_id": CLINIC, "findings": ["tanned"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


async def test_unknown_clinic(reception: Reception) -> None:
    """A clinic that scheduling has not told of has no local date yet: 422 with its place in the body; an unknown patient comes first."""
    body = {"clinic_id": str(uuid4()), "name": "A", "birth_date": "1986-05-05"}
    answer = await reception.post("/patients", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "reference-not-found")
    assert "has not heard of this clinic" in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"] == "/clinic_id"
    elsewhere = await reception.post(f"/patients/{uuid4()}/consultations", {"clinic_id": str(uuid4())})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "not-found")


async def test_correcting_answers_that_are_not_there(reception: Reception) -> None:
    """Answers that correct a set which this patient never gave are refused with the place of its id in the body."""
    patient = await register(reception)
    body = {"clinic_id": CLINIC, "corrects": str(uuid4()), "answers": [{"question": "pregnancy", "value": "no"}]}
    answer = await reception.post(f"/patients/{patient}/answers", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "reference-not-found")
    assert answer.json()["errors"][0]["pointer"] == "/corrects"


async def test_erased_patient_leaves_no_name(reception: Reception) -> None:
    """After the erasure no interface and no table yields the name, the contact or the note; the id is refused for good."""
    patient = await register(reception)
    await prepare(reception, patient)
    await reception.follow()
    shown = await reception.get(f"/patients/{patient}")
    assert shown.json()["name"] == SECRET
    assert SECRET not in await reception.everything_stored()
    answer = await reception.post(f"/patients/{patient}/erasure", {"clinic_id": CLINIC}, roles=["privacy_officer"])
    assert answer.status_code == 200
    await reception.follow()
    assert (await reception.get(f"/patients/{patient}")).status_code == 404
    assert (await reception.get("/patients")).json()["items"] == []
    stored = await reception.everything_stored()
    assert patient in stored, "the dump sees the log"
    for text in (SECRET, "1986-05-05", "612 345 678"):
        assert text not in stored
    request = {"clinic_id": CLINIC, "modality": "nafl_1550", "zones": ["face"]}
    late = await reception.post(f"/patients/{patient}/clearances", request)
    assert (late.status_code, late.json()["code"]) == (409, "person-erased")
    key = (await reception.store.keys(reception.chain, [UUID(patient)]))[UUID(patient)]
    assert (key.erased, key.wrapped) == (True, None)


async def test_repeated_registration_after_the_erasure_shows_no_name(reception: Reception) -> None:
    """The registration's key, sent again after the erasure, is answered again, without the name."""
    body = {"clinic_id": CLINIC, "name": SECRET, "birth_date": "1986-05-05"}
    first = await reception.post("/patients", body, key="the-same")
    patient = first.json()["patient_id"]
    await reception.post(f"/patients/{patient}/erasure", {"clinic_id": CLINIC})
    await reception.follow()
    again = await reception.post("/patients", body, key="the-same")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert (again.json()["patient_id"], again.json()["name"], again.json()["birth_date"]) == (patient, None, None)


async def test_treated_patient_is_locked(reception: Reception) -> None:
    """A treatment heard of vetoes the erasure, with the reason and the day."""
    patient = await register(reception)
    await prepare(reception, patient)
    cleared = await ask(reception, patient)
    treatment = {
        "treatment_id": str(uuid4()), "patient_id": patient, "clearance_id": cleared["clearance_id"], "clinic_id": CLINIC,
        "modality": "nafl_1550", "zones": ["face"], "on": "2026-03-03",
    }  # fmt: skip
    await reception.hear("erbium.device-telemetry.treatment-started", **treatment)
    await reception.hear("erbium.device-telemetry.treatment-ended", **treatment)
    await reception.follow()
    reception.etags[patient] = (await reception.get(f"/patients/{patient}")).headers["etag"]
    refused = await reception.post(f"/patients/{patient}/erasure", {"clinic_id": CLINIC})
    assert (refused.status_code, refused.json()["code"]) == (409, "screening.retention-locked")
    assert "treatment record is kept 10 years" in refused.json()["detail"]
    lock = (await reception.get(f"/patients/{patient}/retention-lock")).json()
    assert (lock["locked"], lock["ends_on"]) == (True, "2036-03-03")


async def test_stale_and_missing_version(reception: Reception) -> None:
    """A change needs the version last seen: 428 without, 412 when somebody else was faster."""
    patient = await register(reception)
    old = reception.etags.pop(patient)
    report = {"clinic_id": CLINIC, "kind": "waxing", "zones": ["face"], "on": "2026-02-25"}
    assert (await reception.post(f"/patients/{patient}/procedures", report)).status_code == 428
    reception.etags[patient] = old
    assert (await reception.post(f"/patients/{patient}/procedures", report)).status_code == 201
    reception.etags[patient] = old
    assert (await reception.post(f"/patients/{patient}/procedures", report)).status_code == 412
