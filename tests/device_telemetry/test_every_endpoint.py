"""The list of bad input, over every operation of telemetry, on a real database."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from device_telemetry.http import treatment_examples as examples
from device_telemetry.treatment.commands import TakeUpBinding
from device_telemetry.treatment.decide import TREATMENT
from erbium_kernel.http.app import create_app
from tests.device_telemetry.making import BINDING, frame
from tests.device_telemetry.room import Room
from tests.device_telemetry.test_treatment import STOP
from tests.kernel.http.every_endpoint import every_endpoint
from tests.kernel.identity.bearers import Bearers

VALUES = {"device_id": examples.DEVICE_ID, "treatment_id": examples.TREATMENT_ID}
ABORTED = UUID("01976d2c-7a31-7cc0-8f2e-5b0f5f1e9f02")
RESUMED = UUID("01976d2c-7a31-7cc0-8f2e-5b0f5f1e9f03")


class OneLaser(Bearers):
    """Every token is the laser's own: it alone hands over its frames."""

    def token(self, chain_id: UUID, **claims: Any) -> str:
        """As usual, with this subject."""
        return super().token(chain_id, **({"subject": examples.DEVICE_ID} | claims))


async def test_every_endpoint(room: Room) -> None:
    """Each documented example is answered as documented, and each wrong request by a problem that says what, where and what to do.

    One treatment is opened by its example and ended; one that runs is aborted, and one that is stopped is resumed.
    """
    room.laser, room.boot, room.treatment = UUID(examples.DEVICE_ID), UUID(examples.BOOT_ID), UUID(examples.TREATMENT_ID)
    room.clinic, room.patient = UUID(examples.CLINIC_ID), UUID(examples.PATIENT_ID)
    room.clearance, room.visit = UUID(examples.CLEARANCE_ID), UUID(examples.VISIT_ID)

    async def running(first_seq: int) -> None:
        """The last frame's number is beyond those that the examples wait for."""
        sent = await room.send([frame(first_seq), frame(first_seq + 7_999)], first_seq=first_seq)
        assert sent.status_code == 202, sent.text
        await room.consume()
        assert (await room.treatment_now())["phase"] == "running"

    async def another(treatment_id: UUID, first_seq: int) -> Mapping[str, Any]:
        room.treatment = treatment_id
        ids = replace(BINDING.ids, treatment_id=treatment_id, device_id=room.laser, clinic_id=room.clinic, patient_id=room.patient)
        await room.do(TREATMENT, treatment_id, TakeUpBinding(binding=replace(BINDING, ids=ids)))
        await running(first_seq)
        return {"treatment_id": treatment_id}

    async def may_open() -> None:
        await room.cleared()
        await room.arrived()
        await room.follow()
        await room.beat()
        await room.follow()

    async def is_stopped() -> Mapping[str, Any]:
        found = await another(RESUMED, 20_000)
        await room.do(TREATMENT, RESUMED, STOP)
        return found

    async def has_ended() -> Mapping[str, Any]:
        return {"treatment_id": examples.TREATMENT_ID}

    bearers = OneLaser(room.clock)
    app = create_app(room.service, room.runtime, room.engines["api"], bearers.verifier)
    await every_endpoint(
        app,
        bearers,
        chain=room.chain,
        values=VALUES,
        before={
            "listDevices": room.follow,
            "openTreatment": may_open,
            "listTreatments": room.follow,
            "endTreatment": lambda: running(0),
            "abortTreatment": lambda: another(ABORTED, 10_000),
            "resumeTreatment": is_stopped,
            "getTreatment": has_ended,
        },
    )
    for treatment_id, phase, holds in ((UUID(examples.TREATMENT_ID), "ended", []), (ABORTED, "ended", []), (RESUMED, "running", [])):
        room.treatment = treatment_id
        now = await room.treatment_now()
        assert (now["phase"], now["holds"]) == (phase, holds)


async def test_screening_stale_is_refused_unless_a_doctor_attests(room: Room) -> None:
    """Five minutes after screening was last heard a nurse opens nothing; a doctor who attests does, and stands in the record."""
    await room.ready()
    room.later(minutes=5, seconds=1)
    for asked, token in (({}, {"roles": ["nurse"]}), ({"attest": True}, {"roles": ["nurse"]}), ({}, {"roles": ["doctor"]})):
        refused = await room.open(**asked, **token)
        assert (refused.status_code, refused.json()["code"]) == (409, "telemetry.screening-stale")
    opened = await room.open(attest=True, roles=["doctor"], subject="dr-1")
    assert opened.status_code == 201, opened.text
    assert opened.json()["screening_attested_by"] is not None
    assert opened.json()["screening_age_seconds"] == 301


async def test_a_heartbeat_that_was_not_passed_does_not_count(room: Room) -> None:
    """A sign of life counts only once all that was heard before it has been appended: until then the copy is as old as the one before."""
    await room.equipped()
    await room.cleared()
    await room.arrived()
    await room.follow()
    await room.beat()
    await room.follow()
    await room.hear("erbium.screening.clearance-suspended", clearance_id=room.clearance, patient_id=room.patient)
    room.later(seconds=301)
    await room.beat()
    stale = (await room.open()).json()
    assert (stale["code"], stale["facts"]["age_seconds"]) == ("telemetry.screening-stale", 301)
    await room.follow()
    assert (await room.open()).json()["code"] == "telemetry.clearance-suspended"


async def test_an_opening_repeated_under_its_key(room: Room) -> None:
    """The same request under the same key is answered again, not opened again; without a treatment id it names the same one."""
    await room.ready()
    first = await room.open()
    asked = {
        "clearance_id": str(room.clearance), "visit_id": str(room.visit), "device_id": str(room.laser),
        "zones": [{"zone": "face", "area_cm2": 300.0, "planned_mtz": 136_800, "energy_mj_per_mtz": 40.0}],
    }  # fmt: skip
    key = "again"
    refused = [await room.post("/treatments", asked, key=key) for _ in range(2)]
    assert first.status_code == 201
    assert [answer.json()["code"] for answer in refused] == ["telemetry.treatment-already-open"] * 2
    assert refused[1].headers["idempotent-replayed"] == "true"
