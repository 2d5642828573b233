"""The journey, chapter by chapter. Each says what it expects; the first thing that is otherwise ends it with a sentence."""

import statistics
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from erbium.journey import afterwards, laser_day, morning
from erbium.journey.clinic import Clinic
from erbium.journey.desk import Desk
from erbium.journey.people import Person
from erbium.journey.prologue import prologue
from erbium.journey.scene import Scene
from erbium.journey.setting import next_monday_morning, set_the_stage
from erbium.journey.story import Story


@dataclass(slots=True)
class Outcome:
    """What a test looks at afterwards."""

    erased: Person
    treated: Person
    treatment_id: str
    report: Path
    frames_sent: int
    hops_ms: list[float]


def play(clinic: Clinic, story: Story, reports: Path, names: tuple[str, str]) -> Outcome:
    """All chapters. `names` of the two patients; `reports`: the folder for the treatment report. Raises: JourneyFailed naming the step."""
    start = next_monday_morning(datetime.now().astimezone())
    prologue(story.tell, names, start.date())
    with story.chapter("The chain opens two clinics"):
        clinic.set_time(start - datetime.now().astimezone())
        setting = set_the_stage(clinic)
        first, second = (Person(clinic, setting.madrid.clinic_id, name) for name in names)
        scene = Scene(
            clinic=clinic, story=story, desk=Desk(clinic), setting=setting, first=first, second=second, today=start.date(), reports=reports
        )
        morning.clinics_open(scene)
    for title, act in (
        (f"{first.name} had Botox five days ago and is deferred", morning.deferred),
        (f"{second.name} is examined and cleared", morning.cleared),
        (f"{second.name}'s treatment is booked for today, the next session in the other clinic", morning.booked),
        ("The laser treats, and is paused by a doubt", laser_day.treats),
        ("The treatment ends, then it is complete", laser_day.completes),
        ("The aftercare plan", afterwards.plan),
        ("The next morning: blisters", afterwards.blisters),
        ("Biorevitalisation: day 13 or day 14 after the laser?", afterwards.biorevitalisation),
        ("Erasure", afterwards.erasure),
    ):
        with story.chapter(title):
            act(scene)
    with story.chapter("The treatment report"):
        report = afterwards.report(scene)
    hops, sent = story.hops(), scene.machine.sent
    story.tell("")
    story.tell(
        f"{len(hops)} times a service was seen to act on what another had told it: "
        f"median {statistics.median(hops):.0f} ms, slowest {hops[-1]:.0f} ms."
    )
    return Outcome(
        erased=first, treated=second, treatment_id=scene.treatment_id, report=report, frames_sent=sent.frames + sent.withheld, hops_ms=hops
    )
