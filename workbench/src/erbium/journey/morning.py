"""The morning: two clinics, a patient who must wait, one who is cleared, and the bookings."""

from datetime import datetime, timedelta

from erbium.journey.cited import as_told, clock, looked_at, row, source, table
from erbium.journey.scene import LAS_PALMAS, Scene, acted, expect
from erbium.journey.setting import LASER_MODEL, MODALITY
from erbium.journey.story import Fact

BOTOX_DAYS_AGO = 5
NEXT_SESSION_DAY = 28


def clinics_open(scene: Scene) -> None:
    """The stage is set by now: only told here."""
    say, model = scene.story.say, f"with a laser room and a laser, model {LASER_MODEL}"
    say("chain", f"opens {scene.setting.madrid.name} ({scene.setting.madrid.time_zone}) {model}")
    say("chain", f"opens {scene.setting.las_palmas.name} ({scene.setting.las_palmas.time_zone}) {model}", town=LAS_PALMAS)


def deferred(scene: Scene) -> None:
    """Botox was too recent: a date, not a treatment."""
    say, first, desk = scene.story.say, scene.first, scene.desk
    registered = first.register("1988-07-14")
    say("front desk", f"registers {first.name}", facts=[acted("patient-registered", "scheduling", desk.hop(first, registered))])
    first.answer()
    botox_on = scene.in_days(-BOTOX_DAYS_AGO)
    botox = {"kind": "botulinum_toxin", "zones": ["forehead"], "on": botox_on.isoformat(), "certainty": "exact"}
    reported = first.record("procedures", botox, role="front_desk")
    say(
        "front desk",
        f"writes down what she tells: Botox in the forehead on {scene.told(botox_on)}, done elsewhere",
        facts=[acted("procedure-reported", "scheduling", desk.hop(first, reported))],
    )
    first.record("consultations", {"skin_type": "II", "findings": []})
    decided = first.record("clearances", {"modality": MODALITY, "zones": ["face"], "indication": "PHOTO_FACE"})
    until = botox_on + timedelta(days=14)
    expect(decided.body["outcome"], "DEFERRED", "the outcome")
    expect(decided.body["earliest"], until.isoformat(), "the first day that is allowed")
    say(
        "doctor",
        f"examines her and asks for a clearance of her face for {MODALITY}: deferred, not before {scene.told(until)}",
        rules=[as_told(reason) for reason in decided.body["reasons"]],
        facts=[acted("clearance-deferred", "scheduling", desk.hop(first, decided))],
    )


def cleared(scene: Scene) -> None:
    """Questionnaire, consultation, examination, clearance."""
    say, second, desk, madrid = scene.story.say, scene.second, scene.desk, scene.setting.madrid.clinic_id
    registered = second.register("1984-02-29")
    say("front desk", f"registers {second.name}", facts=[acted("patient-registered", "scheduling", desk.hop(second, registered))])
    consultation = desk.book(second, madrid, "consultation", scene.today)
    second.act_on_visit(consultation["visit_id"], "check-in")
    say("front desk", "books a consultation for this morning and checks her in: a consultation needs no clearance")
    second.answer()
    say("front desk", "writes down her answers to the questionnaire: no to everything")
    second.record("consultations", {"skin_type": "II", "findings": [], "note": "Fine lines, both cheeks."})
    decided = second.record("clearances", {"modality": MODALITY, "zones": ["face"], "indication": "PHOTO_FACE"})
    expect(decided.body["outcome"], "CLEARED", "the outcome")
    scene.clearance = decided.body
    rules = len(list(looked_at(decided.body["trace"])))
    longest = row("screening", "settings.toml", "setting", id="clearance_days_max")
    say(
        "doctor",
        f"examines her (skin type II) and clears her face for {MODALITY}, from today until {scene.told(decided.body['valid_until'])}",
        rules=[
            f"{rules} rules looked at what is known of her, and none stands against it",
            f"{longest['id']} v{longest['version']}: a clearance lasts {longest['value']} days at most "
            f"{source(longest['provenance'], 'screening', 'settings.toml')}",
        ],
        facts=[acted("clearance-granted", "scheduling", desk.hop(second, decided))],
    )


def booked(scene: Scene) -> None:
    """Today's laser visit and the next one; then the patient is here."""
    say, second, desk, setting = scene.story.say, scene.second, scene.desk, scene.setting
    visit = desk.book(second, setting.madrid.clinic_id, "laser", scene.today, modality=MODALITY, zones=["face"])
    expect(visit["standing"], "firm", "the booking")
    scene.visit_id = visit["visit_id"]
    say(
        "front desk",
        f"books the laser for {clock(visit['starts_at'], visit['time_zone'])} today: firm, that is, it may take place, "
        "for her clearance reaches that day",
        facts=[Fact("visit-booked")],
    )
    later = scene.in_days(NEXT_SESSION_DAY)
    scene.next_visit = desk.book(second, setting.las_palmas.clinic_id, "laser", later, modality=MODALITY, zones=["face"])
    between = row("scheduling", "intervals.toml", "laser", earlier=MODALITY)
    days = between["later_days_min"][MODALITY]
    starts = clock(scene.next_visit["starts_at"], LAS_PALMAS.time_zone)
    say(
        "front desk",
        f"books the next session in Las Palmas on {scene.told(later)} at {starts} there: {scene.next_visit['standing']}",
        rules=[
            f"{MODALITY.upper()}_TO_{MODALITY.upper()} v1: {days} days between two sessions at least, and it is day {NEXT_SESSION_DAY} "
            f"{source(between['source'], 'scheduling', 'intervals.toml')}"
        ],
        facts=[Fact("visit-booked")],
    )
    scene.clinic.move_time(datetime.fromisoformat(visit["starts_at"]) - scene.clinic.now())
    _arrives(scene)


def _arrives(scene: Scene) -> None:
    say, second = scene.story.say, scene.second
    same_day = table("scheduling", "visits.toml", "same_day")
    second.act_on_visit(scene.visit_id, "same-day-approval", role="doctor")
    say(
        "doctor",
        "approves that she was examined and is treated on one day",
        rules=[f"same_day v1: {', '.join(same_day['modalities'])} only {source('H', 'scheduling', 'visits.toml')}"],
        facts=[Fact("same-day-approved")],
    )
    second.act_on_visit(scene.visit_id, "check-in")
    say("front desk", "checks her in", facts=[Fact("visit-checked-in")])
    scene.attested = second.act_on_visit(scene.visit_id, "attestation", {"changes": False}, role="nurse").message
    say("nurse", "asks whether anything has changed since the examination: nothing", facts=[Fact("day-of-treatment-attested")])
