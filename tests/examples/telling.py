"""The sentences that worked cases are told in, each one a command to a real decider. What no pattern knows is an error.

`GIVEN` happens; `ASKED` is answered in words, with the rules that the answer names. The patient is an adult of type II, the laser NAFL
1550, the zone the face, unless a sentence says otherwise.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from aftercare.care.commands import AnswerCheckIn
from aftercare.triage import Answers
from device_telemetry.binding import ZonePlan
from erbium_kernel.errors import Rejected
from scheduling.itinerary import commands as s
from scheduling.itinerary.slot import Wanted
from screening.facts import Plan, When
from screening.patient import commands as c
from screening.patient.decide import patient_decider
from screening.rules import evaluate
from tests.device_telemetry.making import AT_HAND, OPEN
from tests.examples.chain import Chain
from tests.scheduling import scenes
from tests.screening.story import CLINIC, DOCTOR, NURSE, PATIENT_ID, RATIONALE, ZONE, at, id_of, personal, rulebook

Told = tuple[str, list[str]]
GIVEN: list[tuple[re.Pattern[str], Callable[..., None]]] = []
ASKED: list[tuple[re.Pattern[str], Callable[..., Told]]] = []
WORDS = {"<day>": r"(\d{4}-\d\d-\d\d)", "<clock>": r"(\d\d:\d\d)", "<word>": r"([\w ]+?)", "<name>": r"(\w+)"}
PROCEDURES = {
    "Botox": "botulinum_toxin", "superficial peel": "peel_superficial", "deep peel": "peel_deep", "biorevitalisation": "biorevitalisation",
    "hyaluronic filler": "filler_ha", "waxing": "waxing",
}  # fmt: skip
SAYINGS = {
    "pregnant": ("pregnancy", "pregnant"), "cold sore today": ("cold_sore_now", "yes"), "cold sore healed on": ("cold_sore_now", "healed"),
    "cold sores in the past": ("cold_sore_history", "yes"), "isotretinoin stopped on": ("isotretinoin", "stopped"),
    "strong sun last on": ("sun_exposure", "exposed"),
}  # fmt: skip
PLACE = scenes.place(scenes.BERLIN, clinic_id=CLINIC, time_zone=ZONE)
VISITS = {
    "laser": Wanted(kind="laser", modality="nafl_1550", zones=("face",)), "Botox": Wanted(kind="botulinum_toxin", zones=("face",)),
    "biorevitalisation": Wanted(kind="biorevitalisation", zones=("face",)), "consultation": Wanted(kind="consultation"),
}  # fmt: skip
CHECK_IN_ANSWERS: dict[str, dict[str, Any]] = {"grouped sores": {"grouped_sores": True}, "pain getting worse": {"pain_trend": "worse"}}


class Telling:
    """One patient of one chain. `now` moves with the sentences, never back."""

    def __init__(self, policy: str, born: str) -> None:
        """Registered, and nothing else known."""
        self.rulebook = rulebook(policy)
        self.chain = Chain({"patient": patient_decider(self.rulebook)})
        self.skin_type: Any = "II"
        self.history: dict[str, tuple[str, date | None]] = {}
        self.visit_id: Any = None
        self._made = 0
        self.when("2026-01-02", "09:00")
        self.screening(
            c.RegisterPatient(
                act=self.act(), patient_id=PATIENT_ID, name=personal("Ada Sample"), birth_date=personal(born), contact=None
            )
        )  # fmt: skip

    def when(self, day: str, clock: str | None = None) -> None:
        """Time goes on to that day; without a clock to its morning, or a minute on."""
        wanted = at(day, clock or "09:00")
        later = self.chain.now + timedelta(minutes=1)
        assert clock is None or wanted >= self.chain.now, f"{day} {clock} lies before what was told last"
        assert at(day, "23:59") >= self.chain.now, f"{day} lies before what was told last"
        self.chain.now = max(wanted, later) if clock is None else wanted

    def new_id(self) -> Any:
        """The next id."""
        self._made += 1
        return id_of(f"told {self._made}")

    def act(self, *, by: Any = DOCTOR, role: str = "doctor") -> c.Act:
        """Somebody acts now at the clinic."""
        return c.Act(clinic_id=CLINIC, time_zone=ZONE, at=self.chain.now, by=by, roles=frozenset({role}))

    def screening(self, command: Any) -> list[Any]:
        """To the patient's record."""
        return self.chain.do("screening", "patient", PATIENT_ID, command)

    def scheduling(self, *commands: Any) -> None:
        """To the patient's itinerary."""
        for command in commands:
            self.chain.do("scheduling", "itinerary", PATIENT_ID, command)

    @property
    def record(self) -> Any:
        """The patient's record."""
        return self.chain.state("screening", "patient", PATIENT_ID)

    @property
    def clearance(self) -> Any:
        """The newest clearance."""
        return list(self.record.clearances.values())[-1]

    @property
    def itinerary(self) -> Any:
        """The patient's itinerary."""
        return self.chain.state("scheduling", "itinerary", PATIENT_ID)

    def answer(self, **replies: tuple[str, date | None]) -> None:
        """The patient answers these questions now."""
        given = tuple(
            c.Reply(question=question, value=value, when=When(on=on) if on else None) for question, (value, on) in replies.items()
        )
        self.screening(c.AnswerQuestionnaire(act=self.act(by=NURSE, role="nurse"), answers_id=self.new_id(), replies=given))

    def request(self, day: str, *acknowledges: str) -> Any:
        """A doctor asks for a clearance for that day."""
        wanted = c.RequestClearance(
            act=self.act(), clearance_id=self.new_id(), modality="nafl_1550", zones=("face",), on=date.fromisoformat(day),
            acknowledges=acknowledges,
        )  # fmt: skip
        return self.screening(wanted)[-1]

    def book(self, kind: str, day: str, clock: str) -> Any:
        """Hold and book now; the visit's id. Raises: Rejected."""
        wanted = VISITS[kind]
        asked = scenes.asked(at(day, clock), wanted, scenes.BERLIN)
        hold = s.HoldSlot(hold_id=self.new_id(), patient_id=PATIENT_ID, wanted=wanted, asked=asked, place=PLACE, at=self.chain.now)
        self.scheduling(hold, scenes.book(hold))
        return hold.hold_id

    def move(self, day: str, clock: str) -> None:
        """Move the laser visit. Raises: Rejected."""
        asked = scenes.asked(at(day, clock), VISITS["laser"], scenes.BERLIN)
        self.scheduling(s.MoveVisit(visit_id=self.visit_id, asked=asked, place=PLACE, at=self.chain.now))

    def settings(self, energy_mj: str, density: str) -> None:
        """Open a treatment of the face with these settings. Raises: Rejected."""
        plan = ZonePlan(zone="face", area_cm2=300, planned_mtz=300 * int(density), energy_mj_per_mtz=float(energy_mj))
        wanted = replace(
            OPEN, treatment_id=self.new_id(), visit_id=self.visit_id, device=replace(AT_HAND, clinic_id=CLINIC), plan=(plan,),
            at=self.chain.now,
        )  # fmt: skip
        self.chain.do("device-telemetry", "clearance", self.clearance.granted.clearance_id, wanted)

    def tell_aftercare(self, said: str) -> Any:
        """The patient tells how it is going after the treatment; the judgement."""
        (treatment_id,) = [stream for service, _, stream in self.chain.streams if service == "aftercare"]
        shown = {name: value for words in said.split(" and ") for name, value in CHECK_IN_ANSWERS[words].items()}
        command = AnswerCheckIn(at=self.chain.now, answers=Answers(**shown), words=None, adverse_event_id=self.new_id())
        return self.chain.do("aftercare", "care", treatment_id, command)[0]

    def assessed(self, modality: str, day: str) -> Any:
        """What the rules say of a laser that may not be offered."""
        plan = Plan(modality=modality, zones=("face",), on=date.fromisoformat(day))
        return evaluate(self.rulebook, self.record.facts, plan, self.act().today)

    def override(self, rule_id: str, modality: str, *, by: Any, role: str) -> None:
        """For ten days. Raises: Rejected."""
        act = self.act(by=by, role=role)
        self.screening(
            c.GrantOverride(
                act=act, override_id=self.new_id(), rule_id=rule_id, rule_version=self.rulebook.rules[rule_id].version, modality=modality,
                zone="face", rationale=personal(RATIONALE), mitigations=("lower_settings",), expires_on=act.today + timedelta(days=10),
            )
        )  # fmt: skip


def pattern(words: str) -> re.Pattern[str]:
    """A sentence with places for days, clocks and words."""
    for place, expression in WORDS.items():
        words = words.replace(place, expression)
    return re.compile(words)


def given(words: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Something that happens."""

    def keep(step: Callable[..., None]) -> Callable[..., None]:
        GIVEN.append((pattern(words), step))
        return step

    return keep


def asked(words: str) -> Callable[[Callable[..., Told]], Callable[..., Told]]:
    """Something that is answered."""

    def keep(step: Callable[..., Told]) -> Callable[..., Told]:
        ASKED.append((pattern(words), step))
        return step

    return keep


def understood(table: list[tuple[re.Pattern[str], Any]], sentence: str) -> tuple[Any, tuple[str, ...]]:
    """The one step that a sentence stands for, and its words."""
    found = [(step, match.groups()) for known, step in table if (match := known.fullmatch(sentence))]
    assert len(found) == 1, f"{len(found)} patterns know the sentence: {sentence}"
    return found[0]


def said_of(refusal: Rejected) -> str:
    """A refusal in a word."""
    return f"rejected, {refusal.slug.partition('.')[2]}"
