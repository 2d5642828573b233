"""Afterwards: the plan, the blisters and what they stop, an injection that must keep its distance, an erasure, the report."""

from pathlib import Path
from typing import Any

from erbium.journey.cited import as_told, clock, row, source, table
from erbium.journey.scene import LAS_PALMAS, Scene, acted, expect
from erbium.journey.setting import MODALITY
from erbium.journey.story import Fact

BLISTERS = {
    "pain_0_to_10": 4, "pain_trend": "worse", "redness": True, "redness_trend": "worse", "swelling": True, "eye_swollen_shut": False,
    "blisters": True, "grouped_sores": False, "pus_or_yellow_crust": False, "fever_celsius": None, "spreading_redness": False,
    "confusion": False, "open_areas": False, "oozing": False, "crusts": False, "flaking": False, "new_pigment_patches": False,
    "firm_or_raised_lines": False, "acne_like_spots": False, "itching_rash": False, "missed_antiviral": False, "breathing_trouble": False,
    "face_or_tongue_swelling": False, "vision_loss_or_severe_eye_pain": False, "seizure": False, "anaesthetic_poisoning_signs": False,
}  # fmt: skip
HEAT_DAYS = 7
TOO_EARLY, EARLY_ENOUGH = 13, 14  # days after the laser


def plan(scene: Scene) -> None:
    """Everything that the patient is told, with the days it holds."""
    found = scene.clinic.wait_for("the corrected care plan", lambda: scene.desk.plan_on(f"{scene.treatment}/care-plan", "completed"))
    dates = {line["id"]: (line["starts_on"], line["ends_on"]) for line in found["instructions"]}
    expect(dates["HEAT"], (scene.today.isoformat(), scene.in_days(HEAT_DAYS).isoformat()), "the days without heat")
    scene.story.say(
        "aftercare",
        f"has made {found['patient_name']}'s plan from what was delivered: {len(dates)} instructions",
        rules=[f"instructions.toml v{found['rules_version']}: each with its days and its source (aftercare/rules/instructions.toml)"],
    )
    for line in sorted(found["instructions"], key=lambda line: (line["starts_on"], line["ends_on"], line["id"])):
        scene.story.aside(line["text"], _days(scene, line))


def _days(scene: Scene, line: dict[str, Any]) -> str:
    first, last = scene.told(line["starts_on"]), scene.told(line["ends_on"])
    return f"{first} to {last}" if first != last else f"{first} only"


def blisters(scene: Scene) -> None:
    """An answer that a doctor must see, and what it stops in the other services."""
    say, second, desk, path = scene.story.say, scene.second, scene.desk, scene.treatment
    scene.clinic.move_time(scene.in_days(1) - scene.today)
    scene.clinic.wait_for("the day-1 check-in", lambda: desk.check_in(path))
    asked, days = table("aftercare", "check_ins.toml", "days")[MODALITY], "days {} after the treatment"
    say(
        "aftercare",
        "has asked her at 09:00 how it is going",
        rules=[
            f"check_ins v1: {days.format(', '.join(map(str, asked)))}, at 09:00 of the clinic {source('H', 'aftercare', 'check_ins.toml')}"
        ],
    )
    answered = scene.clinic.post("aftercare", f"{path}/check-in-answers", {**BLISTERS, "words": "Two small blisters."}, role="integrator")
    expect(answered.body["level"], "AMBER", "the triage")
    say("patient", "answers: two small blisters, pain 4 of 10 and getting worse")
    say(
        "aftercare",
        f"judges AMBER, the third of four levels (GREEN, YELLOW, AMBER, RED), opens an adverse event and tells her: "
        f'"{answered.body["action"]}"',
        rules=[f"triage v1: {', '.join(answered.body['signs'])} is AMBER {source('H', 'aftercare', 'triage.toml')}"],
        facts=[Fact("adverse-event-opened")],
    )
    clearance = f"/v1/patients/{second.patient_id}/clearances/{scene.clearance['clearance_id']}"
    suspended_ms = desk.timed(lambda: scene.clinic.get("screening", clearance, after=answered.message).body["standing"] == "suspended")
    reasons = scene.clinic.get("screening", clearance).body["reasons"]
    say(
        "screening",
        "suspends her clearance by itself; only a doctor can give it back",
        rules=[as_told(reason) for reason in reasons],
        facts=[acted("adverse-event-opened", "screening", suspended_ms)],
    )
    frozen_ms = desk.timed(lambda: second.visit(scene.next_visit["visit_id"]).body["standing"] == "frozen")
    until = second.visit(scene.next_visit["visit_id"]).body["until"]
    kept = f"{scene.told(until[:10])}, {clock(until, LAS_PALMAS.time_zone)}"
    say(
        "scheduling",
        f"freezes her next session in Las Palmas: the slot stays hers until {kept} there, but nobody may treat her in it",
        facts=[acted("clearance-suspended", "scheduling", suspended_ms + frozen_ms)],
    )


def biorevitalisation(scene: Scene) -> None:
    """One day too early, and the first day that is allowed."""
    say, second, desk, madrid = scene.story.say, scene.second, scene.desk, scene.setting.madrid.clinic_id
    early, right = scene.in_days(TOO_EARLY), scene.in_days(EARLY_ENOUGH)
    slot = desk.slot(madrid, "biorevitalisation", early)
    held = second.hold(slot, kind="biorevitalisation", zones=["face"])
    refused = scene.clinic.post("scheduling", f"/v1/patients/{second.patient_id}/holds", held, role="front_desk", expect=409)
    expect(refused.facts["earliest"], right.isoformat(), "the first legal day")
    distance = row("scheduling", "intervals.toml", "procedure", kind="biorevitalisation")
    days, origin = distance["after_nafl_days_min"], source(distance["source"], "scheduling", "intervals.toml")
    say(
        "front desk",
        f"asks for an injection of biorevitalisation on {scene.told(early)}, day {TOO_EARLY} after the laser: refused, "
        f"the first day allowed is {scene.told(refused.facts['earliest'])}",
        rules=[f"{', '.join(refused.facts['reasons'])}: it would be {', '.join(refused.facts['gaps'])} {origin}"],
    )
    booked = desk.book(second, madrid, "biorevitalisation", right, zones=["face"])
    expect((booked["on"], booked["standing"]), (right.isoformat(), "firm"), "the booking of the biorevitalisation")
    say(
        "front desk",
        f"asks for {scene.told(right)}, day {EARLY_ENOUGH}: booked, and firm. Only a laser visit waits for a clearance (it is provisional "
        "until there is one); an injection needs the distance alone, and the doctor who gives it looks at the skin first",
        rules=[
            f"{days} days after the laser of {scene.told(scene.today)}, and "
            f"{distance['before_nafl_days_min']} before the session of {scene.told(scene.next_visit['on'])} {origin}"
        ],
        facts=[Fact("visit-booked")],
    )


def erasure(scene: Scene) -> None:
    """A treated patient's record must be kept; the other one's is forgotten everywhere."""
    say, first, second = scene.story.say, scene.first, scene.second
    years = row("screening", "settings.toml", "setting", id="retention_treatment_years")
    vetoed = second.record("erasure", role="privacy_officer", expect=409)
    expect(vetoed.code, "screening.retention-locked", "why the treated patient is not erased")
    say(
        "privacy officer",
        f"asks to erase {second.name}: refused",
        rules=[
            f"{years['id']} v{years['version']}: the record of a treatment is kept {years['value']} years "
            f"{source(years['provenance'], 'screening', 'settings.toml')}"
        ],
    )
    erased = first.record("erasure", role="privacy_officer", expect=200)
    say(
        "privacy officer",
        f"erases {first.name}, who was never treated: the key that seals her data is destroyed",
        facts=[acted("patient-erased", "scheduling", scene.desk.hop_erased(first, erased))],
    )
    gone = scene.clinic.get("screening", f"/v1/patients/{first.patient_id}", after=erased.event, expect=404)
    say("screening", f"is asked for her and answers {gone.status}: there is no such patient")


def report(scene: Scene) -> Path:
    """The treatment report, kept as a file."""
    page = scene.clinic.get("device_telemetry", f"{scene.treatment}/report", role="doctor")
    scene.reports.mkdir(parents=True, exist_ok=True)
    path = scene.reports / f"treatment-{scene.treatment_id}.html"
    path.write_text(page.body)
    scene.story.say("device-telemetry", "writes the report with a map of what every square centimetre got; open it in a browser:")
    scene.story.aside(str(path))
    return path
