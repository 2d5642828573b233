"""A patient's story for tests: real commands on the real decider, in the clinic's words, without any server."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from erbium_kernel.personal import Personal
from screening.facts import Plan, When
from screening.patient import commands as c
from screening.patient.decide import patient_decider
from screening.patient.state import Registered
from screening.rule_rows import Rulebook
from screening.rulebook import load
from screening.rules import Assessment, evaluate

RULES = Path(__file__).resolve().parents[2] / "services" / "screening" / "rules"
NAMES = UUID("0d9f0000-0000-7000-8000-000000000000")
CLEAR_ANSWERS = {
    "pregnancy": "no", "cold_sore_now": "no", "cold_sore_history": "no", "isotretinoin": "never", "sun_exposure": "none",
    "keloid_tendency": "no", "peeling": "no", "botulinum_toxin": "no", "filler": "no", "biorevitalisation": "no", "waxing": "no",
}  # fmt: skip
RATIONALE = "Low dose, last tablet months ago, normal healing seen in a test spot."


@cache
def rulebook(policy: str = "consensus_2017") -> Rulebook:
    """The rules of this repository, under one of the two isotretinoin policies."""
    return load(RULES, isotretinoin_policy=policy)


def id_of(name: str) -> UUID:
    """The same name, the same id."""
    return uuid5(NAMES, name)


PATIENT_ID, CLINIC, DOCTOR, NURSE = (id_of(name) for name in ("patient", "clinic", "doctor", "nurse"))
ZONE = "Europe/Madrid"


def at(day: str | date, clock: str = "10:00", zone: str = ZONE) -> datetime:
    """An instant by the clinic's wall clock."""
    on = date.fromisoformat(day) if isinstance(day, str) else day
    return datetime.combine(on, time.fromisoformat(clock), ZoneInfo(zone)).astimezone(UTC)


def act(day: str | date, clock: str = "10:00", *, by: UUID = DOCTOR, roles: Sequence[str] = ("doctor",), zone: str = ZONE) -> c.Act:
    """Somebody acts at the clinic."""
    return c.Act(clinic_id=CLINIC, time_zone=zone, at=at(day, clock, zone), by=by, roles=frozenset(roles))


def exactly(day: str | None) -> When | None:
    """A date without doubt."""
    return When(on=date.fromisoformat(day)) if day else None


def personal(text: str) -> Personal:
    """Readable text about the patient of these tests."""
    return Personal(PATIENT_ID, text)


class Story:
    """One patient from registration on. Every method is one command; `events` is the whole stream."""

    def __init__(self, book: Rulebook | None = None, *, born: str = "1986-05-05", registered: str = "2026-01-02") -> None:
        """An adult unless told otherwise."""
        self.book = book or rulebook()
        self.decider = patient_decider(self.book)
        self.events: list[Any] = []
        self.state: Any = self.decider.initial
        self._made = 0
        self.do(
            c.RegisterPatient(
                act=act(registered), patient_id=PATIENT_ID, name=personal("Ada Sample"), birth_date=personal(born), contact=None
            )
        )

    def do(self, command: Any) -> list[Any]:
        """Decides and folds; returns the new events. Raises: what decide raises."""
        new = list(self.decider.decide(command, self.state))
        for event in new:
            self.state = self.decider.evolve(self.state, event)
        self.events.extend(new)
        return new

    def new_id(self) -> UUID:
        """The next id."""
        self._made += 1
        return id_of(f"thing {self._made}")

    def examined(self, day: str, skin_type: Any = "II", *findings: str, clock: str = "10:00", by: UUID = DOCTOR) -> Self:
        """A consultation with examination."""
        self.do(
            c.HoldConsultation(
                act=act(day, clock, by=by),
                consultation_id=self.new_id(),
                skin_type=skin_type,
                findings=findings,
            )
        )
        return self

    def answered(self, day: str, clock: str = "09:30", **replies: str | tuple[str, str] | tuple[str, When]) -> Self:
        """All questions, answered "nothing" unless named: value, or (value, date)."""
        return self._asked(day, clock, {**CLEAR_ANSWERS, **replies})

    def answered_only(self, day: str, clock: str = "09:30", **replies: Any) -> Self:
        """These questions and no others."""
        return self._asked(day, clock, replies)

    def _asked(self, day: str, clock: str, replies: dict[str, Any]) -> Self:
        command = c.AnswerQuestionnaire(
            act=act(day, clock, by=NURSE, roles=["nurse"]),
            answers_id=self.new_id(),
            replies=tuple(_reply(question, value) for question, value in replies.items()),
        )
        self.do(command)
        return self

    def reported(self, kind: str, on: str | When, *zones: str, day: str | None = None) -> Self:
        """An outside procedure, reported on `day` (the day itself unless named)."""
        when = on if isinstance(on, When) else When(on=date.fromisoformat(on))
        reported_on = day or str(on)
        self.do(
            c.ReportProcedure(
                act=act(reported_on, "23:45"), procedure_id=self.new_id(), kind=kind, zones=zones, when=when, performed_time_zone=None
            )
        )
        return self

    def asks(self, on: str, modality: str = "nafl_1550", *zones: str, today: str | None = None, **plan: Any) -> Assessment:
        """What the rules say about this patient on that day."""
        assert isinstance(self.state, Registered)
        day = date.fromisoformat(on)
        wanted = Plan(modality=modality, zones=zones or ("face",), on=day, **plan)
        return evaluate(self.book, self.state.facts, wanted, date.fromisoformat(today) if today else day)

    def cleared(self, day: str, *zones: str, on: str | None = None, clearance_id: UUID | None = None, **more: Any) -> list[Any]:
        """A doctor asks for a clearance; the new events."""
        return self.do(self.request(day, *zones, on=on, clearance_id=clearance_id, **more))

    def request(self, day: str, *zones: str, on: str | None = None, clearance_id: UUID | None = None, **more: Any) -> c.RequestClearance:
        """The command of `cleared`."""
        return c.RequestClearance(
            act=more.pop("act", None) or act(day, "11:00"), clearance_id=clearance_id or self.new_id(),
            modality=more.pop("modality", "nafl_1550"), zones=zones or ("face",), on=date.fromisoformat(on) if on else None, **more,
        )  # fmt: skip

    def overridden(self, day: str, rule_id: str, *, expires: str, **other: Any) -> list[Any]:
        """The examining doctor overrides a row; the new events."""
        return self.do(self.override(day, rule_id, expires=expires, **other))

    def override(self, day: str, rule_id: str, *, expires: str, **other: Any) -> c.GrantOverride:
        """The command of `overridden`."""
        rule = self.book.rules.get(rule_id)
        wanted: dict[str, Any] = {
            "act": act(day, "10:30"), "override_id": self.new_id(), "rule_id": rule_id, "rule_version": rule.version if rule else 1,
            "modality": "nafl_1550", "zone": "face", "rationale": personal(RATIONALE), "mitigations": ("lower_settings",),
            "expires_on": date.fromisoformat(expires),
        }  # fmt: skip
        return c.GrantOverride(**(wanted | other))

    def stands_on(self, day: str) -> bool:
        """The newest clearance permits a treatment on that day."""
        granted = self.clearance.granted
        return bool(self.clearance.standing == "valid" and granted.valid_from <= date.fromisoformat(day) <= granted.valid_until)

    @property
    def clearance(self) -> Any:
        """The newest clearance of the patient."""
        return list(self.state.clearances.values())[-1]


def _reply(question: str, value: Any) -> c.Reply:
    if isinstance(value, tuple):
        when = value[1] if isinstance(value[1], When) else exactly(value[1])
        return c.Reply(question=question, value=value[0], when=when)
    return c.Reply(question=question, value=value)


def said(assessment: Assessment) -> str:
    """An assessment in the words of the table of worked cases."""
    if assessment.outcome == "DEFERRED":
        return f"DEFERRED until {assessment.until}" if assessment.until else "DEFERRED, date open"
    if assessment.outcome == "CONDITIONAL" and assessment.until:
        return f"CONDITIONAL, earliest {assessment.until}"
    return str(assessment.outcome)


def reasons(assessment: Assessment) -> dict[str, str | None]:
    """Open reasons: rule -> its earliest date."""
    return {reason.rule_id: reason.earliest.isoformat() if reason.earliest else None for reason in assessment.reasons}
