"""The list of bad input, over every operation of scheduling, on a real database."""

from scheduling.http import examples
from tests.house import House
from tests.kernel.http.every_endpoint import every_endpoint

VALUES = {
    "clinic_id": examples.CLINIC_ID,
    "practitioner_id": examples.PRACTITIONER_ID,
    "device_id": examples.DEVICE_ID,
    "patient_id": examples.PATIENT_ID,
    "visit_id": examples.HOLD_ID,
    "hold_id": examples.SPARE_HOLD_ID,
    "kind": "consultation",
    "from": "2026-03-04",
    "to": "2026-03-05",
    "on": "2026-03-04",
}
CLEARANCE = {
    "clearance_id": examples.CLEARANCE_ID,
    "patient_id": examples.PATIENT_ID,
    "modality": "nafl_1550",
    "zones": ["face"],
    "examined_on": "2026-03-04",
    "granted_on": "2026-03-04",
    "valid_from": "2026-03-04",
    "valid_until": "2026-04-03",
}


async def test_every_endpoint(house: House) -> None:
    """Each documented example is answered as documented, and each wrong request by a problem that says what, where and what to do."""

    async def others_speak() -> None:
        await house.hear("erbium.device-telemetry.device-claimed", **examples.LASER)
        sealed = {"v": 1, "subject_id": examples.PATIENT_ID, "nonce": "AAAA", "ciphertext": "AAAA"}
        await house.hear("erbium.screening.patient-registered", patient_id=examples.PATIENT_ID, name=sealed)
        await house.hear("erbium.screening.clearance-granted", **CLEARANCE)
        await house.follow()

    await every_endpoint(
        house.app,
        house.bearers,
        chain=house.chain,
        values=VALUES,
        before={"listLasers": others_speak, "listVisits": house.follow, "findVisit": house.follow},
    )
