"""The journey, chapter by chapter. Each says what it expects; the first thing that is otherwise ends it with a sentence."""

import statistics
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from erbium import fleet
from erbium.journey.clinic import Clinic, JourneyFailed
from erbium.journey.desk import Desk
from erbium.journey.people import Person
from erbium.journey.setting import MODALITY, Setting, next_monday_morning, set_the_stage
from erbium.journey.story import Story

FRAMES = 8_000
BLISTERS = {
    "pain_0_to_10": 4, "pain_trend": "worse", "redness": True, "redness_trend": "worse", "swelling": True, "eye_swollen_shut": False,
    "blisters": True, "grouped_sores": False, "pus_or_yellow_crust": False, "fever_celsius": None, "spreading_redness": False,
    "confusion": False, "open_areas": False, "oozing": False, "crusts": False, "flaking": False, "new_pigment_patches": False,
    "firm_or_raised_lines": False, "acne_like_spots": False, "itching_rash": False, "missed_antiviral": False, "breathing_trouble": False,
    "face_or_tongue_swelling": False, "vision_loss_or_severe_eye_pain": False, "seizure": False, "anaesthetic_poisoning_signs": False,
}  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """What a test looks at afterwards."""

    erased: Person
    treated: Person
    treatment_id: str
    report: Path
    frames_sent: int
    hops_ms: list[float]
    facts: dict[str, Any] = field(default_factory=dict)


def expect(found: Any, wanted: Any, what: str) -> None:
    """Raises: JourneyFailed with both values."""
    if found != wanted:
        raise JourneyFailed(f"{what} should be {wanted!r}, but is {found!r}")


class Journey:
    """One patient deferred and erased, another treated, hurt, and looked after."""

    def __init__(self, clinic: Clinic, story: Story, reports: Path, names: tuple[str, str]) -> None:
        """`names` of the two patients; `reports`: the folder for the treatment report."""
        self.clinic, self.story, self.reports = clinic, story, reports
        self.desk = Desk(clinic)
        self.names = names
        self.setting: Setting
        self.first: Person
        self.second: Person
        self.today: date
        self.clearance: dict[str, Any] = {}
        self.visit_id = self.next_visit_id = self.treatment_id = ""
        self.sent: fleet.Sent | None = None

    def play(self) -> Outcome:
        """All chapters. Raises: JourneyFailed naming the step."""
        chapter = self.story.chapter
        with chapter("A chain opens two clinics"):
            self._open()
        with chapter("A patient with Botox five days ago is deferred"):
            self._deferred()
        with chapter("A second patient is examined and cleared"):
            self._cleared()
        with chapter("Treatment on the same day, and the next visit in the other clinic"):
            self._booked()
        with chapter("The laser treats"):
            self._treated()
        with chapter("The treatment ends, then completes"):
            self._completed()
        with chapter("The aftercare plan"):
            self._plan()
        with chapter("The next morning: blisters"):
            self._blisters()
        with chapter("Biorevitalisation: day 13 or day 14?"):
            self._biorevitalisation()
        with chapter("Erasure"):
            self._erasure()
        with chapter("The treatment report"):
            report = self._report()
        assert self.sent is not None
        return Outcome(
            erased=self.first, treated=self.second, treatment_id=self.treatment_id, report=report,
            frames_sent=self.sent.frames + self.sent.withheld,
            hops_ms=self.story.hops(),
        )  # fmt: skip

    # --- the chapters

    def _open(self) -> None:
        start = next_monday_morning(datetime.now().astimezone())
        self.clinic.set_time(start - datetime.now().astimezone())
        self.today = start.date()
        self.setting = set_the_stage(self.clinic, self.story.say)

    def _deferred(self) -> None:
        say, first = self.story.say, Person(self.clinic, self.setting.madrid.clinic_id, self.names[0])
        self.first = first
        registered = first.register("1988-07-14")
        say("front desk", f"registers {first.name}", fact="patient-registered", hop_ms=self.desk.hop(first, registered))
        first.answer()
        botox_on = self.today - timedelta(days=5)
        reported = first.record(
            "procedures",
            {"kind": "botulinum_toxin", "zones": ["forehead"], "on": botox_on.isoformat(), "certainty": "exact"},
            role="front_desk",
        )
        say(
            "front desk",
            f"records Botox of {botox_on:%d %b}, done elsewhere",
            fact="procedure-reported",
            hop_ms=self.desk.hop(first, reported),
        )
        first.record("consultations", {"skin_type": "II", "findings": []})
        decided = first.record("clearances", {"modality": MODALITY, "zones": ["face"], "indication": "PHOTO_FACE"})
        until = botox_on + timedelta(days=14)
        expect(decided.body["outcome"], "DEFERRED", "the outcome")
        expect(decided.body["earliest"], until.isoformat(), "the first day that is allowed")
        rules = ", ".join(f"{reason['rule_id']} v{reason['rule_version']}" for reason in decided.body["reasons"])
        say(
            "doctor", f"may not clear {first.name} today: deferred until {until:%a %d %b}", rule=rules, fact="clearance-deferred",
            hop_ms=self.desk.hop(first, decided),
        )  # fmt: skip

    def _cleared(self) -> None:
        say, second = self.story.say, Person(self.clinic, self.setting.madrid.clinic_id, self.names[1])
        self.second = second
        registered = second.register("1984-02-29")
        say("front desk", f"registers {second.name}", fact="patient-registered", hop_ms=self.desk.hop(second, registered))
        consultation = self.desk.book(second, self.setting.madrid.clinic_id, "consultation", self.today)
        second.act_on_visit(consultation["visit_id"], "check-in")
        say("front desk", "books a consultation for the same morning and checks her in: a consultation needs no clearance")
        second.answer()
        say("front desk", "records her answers to the questionnaire: nothing that a rule minds")
        second.record("consultations", {"skin_type": "II", "findings": [], "note": "Fine lines, both cheeks."})
        decided = second.record("clearances", {"modality": MODALITY, "zones": ["face"], "indication": "PHOTO_FACE"})
        expect(decided.body["outcome"], "CLEARED", "the outcome")
        self.clearance = decided.body
        looked_at = len({row["rule_id"] for row in decided.body["trace"]})
        say(
            "doctor", f"examines her (skin type II) and clears her face for {MODALITY} until {decided.body['valid_until']}",
            rule=f"{looked_at} rules looked at, none open", fact="clearance-granted", hop_ms=self.desk.hop(second, decided),
        )  # fmt: skip

    def _booked(self) -> None:
        say, second, setting = self.story.say, self.second, self.setting
        visit = self.desk.book(second, setting.madrid.clinic_id, "laser", self.today, modality=MODALITY, zones=["face"])
        expect(visit["standing"], "firm", "the booking")
        self.visit_id = visit["visit_id"]
        say("front desk", f"books the laser for {_clock(visit)} today: firm, the clearance is valid", fact="visit-booked")
        later = self.today + timedelta(days=28)
        following = self.desk.book(second, setting.las_palmas.clinic_id, "laser", later, modality=MODALITY, zones=["face"])
        self.next_visit_id = following["visit_id"]
        say(
            "front desk",
            f"books the next session in Las Palmas on {later:%d %b}: {following['standing']}",
            rule="28 days between two sessions",
        )
        self.clinic.move_time(datetime.fromisoformat(visit["starts_at"]) - self.clinic.now())
        second.act_on_visit(self.visit_id, "same-day-approval", role="doctor")
        second.act_on_visit(self.visit_id, "check-in")
        attested = second.act_on_visit(self.visit_id, "attestation", {"changes": False}, role="nurse")
        say("nurse", "checks her in and attests that nothing has changed since the examination", fact="day-of-treatment-attested")
        self._attested = attested.message

    def _treated(self) -> None:
        say, setting = self.story.say, self.setting
        body = {
            "clearance_id": self.clearance["clearance_id"], "visit_id": self.visit_id, "device_id": str(setting.madrid.device_id),
            "zones": fleet.PLAN, "attest_stale_screening": False,
        }  # fmt: skip
        self.clinic.get("device_telemetry", "/v1/devices", role="nurse", after=self._attested)
        opened = self.desk.open_treatment(body)
        self.treatment_id = opened.body["treatment_id"]
        limits = opened.body["limits"]
        say(
            "nurse", f"binds the treatment; the laser downloads its limits ({limits['energy_mj_per_mtz_max']:g} mJ, "
            f"{limits['coverage_percent_max']:g} % coverage)", rule="clearance, visit, laser and plan checked together",
        )  # fmt: skip
        self.clinic.get("device_telemetry", f"/v1/treatments/{self.treatment_id}", role="nurse", after=opened.event)
        self.clinic.acts_as("device", setting.madrid.device_id)
        laser = fleet.Laser(
            url=self.clinic.urls["device_telemetry"], token=self.clinic.token("device"), device_id=setting.madrid.device_id,
            treatment_id=self.treatment_id, seed=1550, frames=FRAMES,
        )  # fmt: skip
        self.sent = laser.treat(progress=self.story.tell)
        say(
            "laser", f"sends {self.sent.frames:,} frames in {self.sent.batches} batches, {self.sent.repeated:,} twice, some out of order; "
            f"{self.sent.withheld:,} are still in its memory",
        )  # fmt: skip
        self._laser = laser

    def _completed(self) -> None:
        say = self.story.say
        path = f"/v1/treatments/{self.treatment_id}"
        view = self.clinic.wait_for("the first delivered frame", lambda: self.desk.started(path, self._laser.missing()))
        expect(view["gaps_open"], 1, "the gaps in the frames")
        etag = self.clinic.get("device_telemetry", path, role="nurse").etag
        ended = self.clinic.post("device_telemetry", f"{path}/end", self._laser.finals(), role="nurse", expect=200, if_match=etag)
        say("nurse", f"ends the treatment; {view['missing_frames']:,} frames are missing, totals are provisional", fact="treatment-ended")
        self.clinic.get("aftercare", f"{path}/care-plan", role="nurse", after=ended.message)
        self._laser.back_fill()
        done = self.clinic.wait_for("the completed treatment", lambda: self.desk.phase(path, "completed"))
        [face] = done["totals"]
        expect(done["gaps_open"], 0, "open gaps")
        say(
            "laser", f"back-fills the gap: complete. Face: {face['mtz_count']:,} MTZ, {face['energy_j'] / 1000:.2f} kJ, "
            f"{face['coverage_percent']:.1f} % coverage", fact="treatment-completed",
        )  # fmt: skip

    def _plan(self) -> None:
        path = f"/v1/treatments/{self.treatment_id}/care-plan"
        plan = self.clinic.wait_for("the corrected care plan", lambda: self.desk.plan_on(path, "completed"))
        dates = {row["id"]: (row["starts_on"], row["ends_on"]) for row in plan["instructions"]}
        expect(dates["HEAT"], (self.today.isoformat(), (self.today + timedelta(days=7)).isoformat()), "the days without heat")
        self.story.say(
            "aftercare", f"has a plan for {plan['patient_name']}: {len(dates)} instructions with dates", fact="from treatment-ended"
        )
        for row in plan["instructions"][:4]:
            self.story.say("", f"  {row['starts_on']} to {row['ends_on']}: {row['text']}")

    def _blisters(self) -> None:
        say, second = self.story.say, self.second
        self.clinic.move_time(timedelta(days=1))
        path = f"/v1/treatments/{self.treatment_id}"
        self.clinic.wait_for("the day-1 check-in", lambda: self.desk.check_in(path))
        say("aftercare", "asked how it is going at 09:00 on the clinic's wall", rule="check-in day 1")
        answered = self.clinic.post(
            "aftercare", f"{path}/check-in-answers", {**BLISTERS, "words": "Two small blisters."}, role="integrator"
        )
        expect(answered.body["level"], "AMBER", "the triage")
        say("patient", "answers: two small blisters", rule=f"triage {', '.join(answered.body['signs'])}", fact="adverse-event-opened")
        say("aftercare", f"AMBER. {answered.body['action']}")
        clearance = f"/v1/patients/{second.patient_id}/clearances/{self.clearance['clearance_id']}"
        suspended = self.desk.timed(lambda: self.clinic.get("screening", clearance, after=answered.message).body["standing"] == "suspended")
        say("screening", "suspends the clearance by itself; only a doctor reinstates it", fact="clearance-suspended", hop_ms=suspended)
        frozen = self.desk.timed(lambda: second.visit(self.next_visit_id).body["standing"] == "frozen")
        say("scheduling", "freezes the next visit in Las Palmas: the slot is kept, the laser is not", hop_ms=suspended + frozen)

    def _biorevitalisation(self) -> None:
        say, madrid = self.story.say, self.setting.madrid.clinic_id
        thirteen, fourteen = self.today + timedelta(days=13), self.today + timedelta(days=14)
        slot = self.desk.slot(madrid, "biorevitalisation", thirteen)
        refused = self.clinic.post(
            "scheduling", f"/v1/patients/{self.second.patient_id}/holds", self.second.hold(slot, kind="biorevitalisation", zones=["face"]),
            role="front_desk", expect=409,
        )  # fmt: skip
        say("front desk", f"asks for biorevitalisation on {thirteen:%d %b}: refused", rule=f"{refused.body['title']} ({refused.code})")
        booked = self.desk.book(self.second, madrid, "biorevitalisation", fourteen, zones=["face"])
        expect(booked["on"], fourteen.isoformat(), "the day of the biorevitalisation")
        say("front desk", f"asks for {fourteen:%d %b}: booked", rule="14 days after the laser, day 14 is allowed")

    def _erasure(self) -> None:
        say, first, second = self.story.say, self.first, self.second
        vetoed = second.record("erasure", role="medical_director", expect=409)
        say("director", f"may not erase {second.name}: {vetoed.body['detail']}", rule=vetoed.code)
        erased = first.record("erasure", role="medical_director", expect=200)
        say("director", f"erases {first.name}, who was never treated", fact="patient-erased", hop_ms=self.desk.hop_erased(first, erased))
        gone = self.clinic.get("screening", f"/v1/patients/{first.patient_id}", after=erased.event, expect=404)
        say("screening", "knows no name any more", rule=gone.code)

    def _report(self) -> Path:
        page = self.clinic.get("device_telemetry", f"/v1/treatments/{self.treatment_id}/report", role="doctor")
        self.reports.mkdir(parents=True, exist_ok=True)
        path = self.reports / f"treatment-{self.treatment_id}.html"
        path.write_text(page.body)
        self.story.say("telemetry", f"leaves the treatment report: {path}")
        hops = self.story.hops()
        self.story.tell("")
        self.story.tell(f"   {len(hops)} hops between services, median {statistics.median(hops):.0f} ms, slowest {hops[-1]:.0f} ms.")
        return path


def _clock(visit: dict[str, Any]) -> str:
    return datetime.fromisoformat(visit["starts_at"]).astimezone(ZoneInfo(visit["time_zone"])).strftime("%H:%M")
