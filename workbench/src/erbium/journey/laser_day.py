"""The treatment: bound, begun, paused by a doubt that another clinic raises, gone on with, ended, completed."""

import time
from collections.abc import Mapping
from typing import Any

from erbium import fleet
from erbium.journey.cited import as_told, row, source
from erbium.journey.clinic import JourneyFailed
from erbium.journey.scene import LAS_PALMAS, Scene, acted, expect
from erbium.journey.setting import MODALITY
from erbium.journey.story import Fact

FRAMES = 8_000
DOUBT_AT_LINE = 2  # of the laser's progress: in the midst of it
YEARS_MISTAKEN = 1


def treats(scene: Scene) -> None:
    """The laser works, and obeys."""
    say, device_id = scene.story.say, scene.setting.madrid.device_id
    body = {
        "clearance_id": scene.clearance["clearance_id"], "visit_id": scene.visit_id, "device_id": str(device_id),
        "zones": fleet.PLAN, "attest_stale_screening": False,
    }  # fmt: skip
    scene.clinic.get("device_telemetry", "/v1/devices", role="nurse", after=scene.attested)
    opened = scene.desk.open_treatment(body)
    scene.treatment_id = opened.body["treatment_id"]
    limits, limit = opened.body["limits"], row("screening", "limits.toml", "limit", modality=MODALITY)
    say(
        "nurse",
        f"opens the treatment: laser, clearance, visit and plan are checked together. The laser gets her limits: "
        f"{limits['energy_mj_per_mtz_max']:g} mJ an MTZ and {limits['coverage_percent_max']:g} % coverage at most",
        rules=[
            f"{limit['id']} v{limit['version']}: the limits that came with her clearance, for her skin type "
            f"{source(limit['provenance'], 'screening', 'limits.toml')}"
        ],
        facts=[Fact("treatment-opened")],
    )
    scene.clinic.get("device_telemetry", scene.treatment, role="nurse", after=opened.event)
    scene.clinic.acts_as("device", device_id)
    scene.laser = fleet.Laser(
        url=scene.clinic.urls["device_telemetry"], token=scene.clinic.token("device"), device_id=device_id,
        treatment_id=scene.treatment_id, seed=1550, frames=FRAMES,
    )  # fmt: skip
    doubt = Doubt(scene)
    sent = scene.laser.treat(progress=doubt.look_in, may_go_on=doubt.settled)
    expect(sent.stopped_by, None, "what ended the laser's work early")
    expect(doubt.pauses, 1, "the pauses of the laser")
    say(
        "laser",
        f"goes on and is done: {sent.frames:,} frames in {sent.batches} batches, {sent.repeated:,} frames twice and some out of order, "
        f"as networks do; {sent.withheld:,} got lost on the way and are still in its memory",
    )


class Doubt:
    """In the midst of the treatment the other clinic reports Botox of five days ago; it was a year and five days."""

    def __init__(self, scene: Scene) -> None:
        """Of this treatment."""
        self.scene = scene
        self.lines = self.pauses = 0
        self.procedure_id = ""
        self.reported_at = 0.0

    def look_in(self, line: str) -> None:
        """Told by the laser as it goes."""
        self.scene.story.aside(line)
        self.lines += 1
        if self.lines == DOUBT_AT_LINE:
            self._raise()

    def settled(self, command: str, answer: Mapping[str, Any]) -> bool:
        """The laser has been told to pause. May it go on? A doctor and a nurse say so."""
        took_ms = (time.perf_counter() - self.reported_at) * 1000
        expect((command, list(answer["reasons"])), ("PAUSE", ["clearance_suspended"]), "what the laser was told")
        self.pauses += 1
        scene, say = self.scene, self.scene.story.say
        clearance = self._clearance()
        say(
            "screening",
            "suspends her clearance at once, and nobody had to ask",
            rules=[as_told(reason) for reason in clearance.body["reasons"]],
            facts=[acted("clearance-suspended", "device-telemetry", took_ms)],
        )
        say(
            "laser",
            "is paused: told so in the answer to its next frames, it stops; while the clearance is suspended nobody may let it go on",
        )
        again = f"procedures/{self.procedure_id}/correction"
        scene.second.record(again, self._botox(YEARS_MISTAKEN), role="front_desk", expect=200)
        say("front desk", "corrects it: that was a year earlier", facts=[Fact("procedure-corrected")], town=LAS_PALMAS)
        path = f"clearances/{scene.clearance['clearance_id']}/reinstatement"
        reinstated = scene.second.record(path, expect=200)
        began = time.perf_counter()
        scene.clinic.get("device_telemetry", scene.treatment, role="nurse", after=reinstated.message)
        lifted_ms = (time.perf_counter() - began) * 1000
        say("doctor", "gives the clearance back; nobody else may", facts=[acted("clearance-reinstated", "device-telemetry", lifted_ms)])
        etag = scene.clinic.get("device_telemetry", scene.treatment, role="nurse").etag
        scene.clinic.post("device_telemetry", f"{scene.treatment}/resume", role="nurse", expect=200, if_match=etag)
        say("nurse", "lets the laser go on")
        return True

    def _raise(self) -> None:
        scene = self.scene
        reported = scene.second.record("procedures", self._botox(0), role="front_desk")
        self.reported_at = time.perf_counter()
        self.procedure_id = reported.body["procedure_id"]
        scene.story.say(
            "front desk",
            f"reports by mistake, while the laser runs in Madrid: {scene.second.name} had Botox here on {scene.told(scene.in_days(-5))}",
            facts=[Fact("procedure-reported")],
            town=LAS_PALMAS,
        )
        scene.clinic.get("device_telemetry", scene.treatment, role="nurse", after=reported.message)  # the next frames come after it

    def _botox(self, years_ago: int) -> dict[str, Any]:
        on = self.scene.in_days(-5)
        on = on.replace(year=on.year - years_ago)
        return {"kind": "botulinum_toxin", "zones": ["forehead"], "on": on.isoformat(), "certainty": "exact"}

    def _clearance(self) -> Any:
        path = f"/v1/patients/{self.scene.second.patient_id}/clearances/{self.scene.clearance['clearance_id']}"
        found = self.scene.clinic.get("screening", path)
        if found.body["standing"] != "suspended":
            raise JourneyFailed(f"the clearance should be suspended, but is {found.body['standing']}")
        return found


def completes(scene: Scene) -> None:
    """Ended with a gap, complete without."""
    say, path = scene.story.say, scene.treatment
    view = scene.clinic.wait_for("the first delivered frame", lambda: scene.desk.started(path, scene.machine.missing()))
    expect(view["gaps_open"], 1, "the gaps in the frames")
    etag = scene.clinic.get("device_telemetry", path, role="nurse").etag
    began = time.perf_counter()
    ended = scene.clinic.post("device_telemetry", f"{path}/end", scene.machine.finals(), role="nurse", expect=200, if_match=etag)
    scene.clinic.get("aftercare", f"{path}/care-plan", role="nurse", after=ended.message)
    say(
        "nurse",
        f"ends the treatment. {view['missing_frames']:,} frames are missing, so its totals are provisional; aftercare begins all the same",
        facts=[acted("treatment-ended", "aftercare", (time.perf_counter() - began) * 1000)],
    )
    scene.machine.back_fill()
    done = scene.clinic.wait_for("the completed treatment", lambda: scene.desk.phase(path, "completed"))
    [face] = done["totals"]
    expect(done["gaps_open"], 0, "open gaps")
    say(
        "laser",
        f"sends what was in its memory: complete. Face: {face['mtz_count']:,} MTZ, {face['energy_j'] / 1000:.2f} kJ, "
        f"{face['coverage_percent']:.1f} % coverage",
        facts=[Fact("treatment-completed")],
    )
