"""Aftercare over HTTP on a real database, with what other services say coming in between."""

from typing import Any
from uuid import UUID

from aftercare.heard import COMPLETED, ENDED, ERASED, REGISTERED
from aftercare.http import examples
from erbium_kernel.vault import Vault
from tests.aftercare.making import CARE, NEXT_MORNING, answer
from tests.house import House
from tests.kernel.http.every_endpoint import every_endpoint
from tests.kernel.ward import SECRETS
from tests.stored_events import check_migrations_add_up, check_rebuilt_is_the_same

PATIENT, TREATMENT = examples.PATIENT_ID, examples.TREATMENT_ID
ZONE = {"zone": "face", "mtz_count": 136_000, "energy_j": 5440.0, "coverage_percent": 22.9, "area_cm2": 300.0}
FACT: dict[str, Any] = {
    "treatment_id": TREATMENT, "patient_id": PATIENT, "clinic_id": examples.CLINIC_ID, "modality": "nafl_1550", "on": "2026-04-15",
    "time_zone": "Europe/Madrid", "totals": [ZONE], "provisional": True,
}  # fmt: skip
SEALED = {"v": 1, "subject_id": PATIENT, "nonce": "AAAA", "ciphertext": "AAAA"}


async def treated(house: House) -> None:
    """Others have told of a patient and a treatment; the first check-in is due."""
    await house.hear(REGISTERED, patient_id=PATIENT, name=SEALED, contact=None)
    await house.hear(ENDED, **FACT)
    await house.follow()
    await house.fire()
    await house.follow()


async def test_from_the_treatment_to_the_doctor(house: House) -> None:
    """A plan appears, is corrected, asks on day 1; blisters open an adverse event that the doctor closes; names go with the erasure."""
    await treated(house)
    plan = (await house.get(f"/treatments/{TREATMENT}/care-plan")).json()
    assert (plan["basis"], plan["level"], plan["patient_name"]) == ("ended", "GREEN", None)
    await house.hear(COMPLETED, **{**FACT, "totals": [{**ZONE, "mtz_count": 136_800}], "provisional": False})
    await house.follow()
    assert (await house.get(f"/treatments/{TREATMENT}/care-plan")).json()["basis"] == "completed"

    [asked] = (await house.get(f"/treatments/{TREATMENT}/check-ins")).json()["items"]
    assert (asked["day"], asked["opened_on"], asked["answered_on"]) == (1, "2026-04-16", None)
    answered = await house.post(f"/treatments/{TREATMENT}/check-in-answers", {**examples.ANSWERS, "words": None})
    assert answered.status_code == 201, answer_text(answered)
    assert (answered.json()["level"], answered.json()["signs"]) == ("AMBER", ["NEW_BLISTER"])
    await house.follow()
    [event] = (await house.get("/adverse-events")).json()["items"]
    assert event["adverse_event_id"] == answered.json()["open_adverse_event_ids"][0]

    closure = f"/treatments/{TREATMENT}/adverse-events/{event['adverse_event_id']}/closure"
    closed = await house.post(closure, if_match=answered.headers["etag"])
    assert (closed.status_code, closed.json()["open_adverse_event_ids"]) == (200, [])
    await house.follow()
    assert (await house.get("/adverse-events")).json()["items"] == []
    assert (await house.get(f"/treatments/{TREATMENT}/care-plan")).json()["level"] == "AMBER"

    await house.hear(ERASED, patient_id=PATIENT)
    await house.follow()
    assert (await house.get(f"/treatments/{TREATMENT}/care-plan")).json()["patient_name"] is None


async def test_words_need_the_key(house: House) -> None:
    """Free text about a patient whose key has not arrived is refused for the moment, and nothing of it is kept."""
    await treated(house)
    refused = await house.post(f"/treatments/{TREATMENT}/check-in-answers", examples.ANSWERS)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    await house.follow()
    [asked] = (await house.get(f"/treatments/{TREATMENT}/check-ins")).json()["items"]
    assert asked["answered_on"] is None


async def test_rebuilt_tables_are_the_same(house: House) -> None:
    """Read tables emptied and followed again from the log's beginning hold the same rows."""
    await treated(house)
    await house.post(f"/treatments/{TREATMENT}/check-in-answers", {**examples.ANSWERS, "words": None})
    await house.follow()
    await check_rebuilt_is_the_same(house)


async def test_schema_is_the_sum_of_the_migrations(house: House) -> None:
    """What the migrations have made is what the projections declare."""
    await check_migrations_add_up(house)


async def test_every_endpoint(house: House) -> None:
    """Each documented example is answered as documented, and each wrong request by a problem that says what, where and what to do."""
    await treated(house)
    made = Vault(house.store, SECRETS, clock=house.clock, ids=house.runtime.ids, owns_keys=True)  # screening's key has arrived
    await made.sealer(house.chain, UUID(PATIENT), patient=True)
    await house.do(CARE, UUID(TREATMENT), answer(blisters=True, pain_0_to_10=5, adverse_event_id=UUID(examples.ADVERSE_EVENT_ID)))
    values: dict[str, Any] = {"treatment_id": TREATMENT, "patient_id": PATIENT, "adverse_event_id": examples.ADVERSE_EVENT_ID}
    await every_endpoint(house.app, house.bearers, chain=house.chain, values=values)


def answer_text(answer: Any) -> str:
    """What went wrong, for the reader of a failure."""
    return f"{answer.status_code} {answer.text} at {NEXT_MORNING}"
