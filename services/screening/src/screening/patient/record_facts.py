"""What clinicians record: procedures, answers, consultations, test spots, preconditions. Each may suspend a clearance."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from erbium_kernel.clinical_dates import local_date
from screening.facts import When
from screening.patient.commands import (
    AnswerQuestionnaire,
    CorrectProcedure,
    HoldConsultation,
    PlaceTestSpot,
    ReadTestSpot,
    RecordPrecondition,
    Reply,
    ReportProcedure,
)
from screening.patient.events import Event
from screening.patient.fact_events import (
    ConsultationHeld,
    ExaminationRecorded,
    GivenAnswer,
    PreconditionRecorded,
    ProcedureCorrected,
    ProcedureReported,
    QuestionnaireAnswered,
    TestSpotPlaced,
    TestSpotRead,
)
from screening.patient.physicians import doctor_only
from screening.patient.refusals import (
    AnswersUnknown,
    ConsultationUnknown,
    DateImpossible,
    IdTaken,
    PreconditionUnknown,
    ProcedureUnknown,
    SpotUnknown,
    WordUnknown,
)
from screening.patient.state import Registered
from screening.rule_rows import Rulebook

BY_CLOCK = ("reported_on", "reported_at", "corrected_on", "corrected_at", "asked_on", "asked_at", "held_on", "held_at", "placed_on",
            "examined_on", "examined_at", "read_on", "recorded_on")  # fmt: skip


def report_procedure(book: Rulebook, command: ReportProcedure, state: Registered) -> Sequence[Event]:
    """An outside procedure, once."""
    act = command.act
    zone = _place_checked(book, command)
    event = ProcedureReported(
        clinic_id=act.clinic_id, procedure_id=command.procedure_id, kind=command.kind, zones=tuple(sorted(set(command.zones))),
        when=command.when, performed_time_zone=zone, reported_on=act.today, reported_at=act.at, reported_by=act.by,
    )  # fmt: skip
    return once(event, state.procedures.get(command.procedure_id))


def correct_procedure(book: Rulebook, command: CorrectProcedure, state: Registered) -> Sequence[Event]:
    """What counts from now on; saying what already counts changes nothing."""
    act = command.act
    reported = state.procedures.get(command.procedure_id)
    if reported is None:
        raise ProcedureUnknown(procedure_id=str(command.procedure_id))
    zone = _place_checked(book, command)
    event = ProcedureCorrected(
        clinic_id=act.clinic_id, procedure_id=command.procedure_id, kind=command.kind, zones=tuple(sorted(set(command.zones))),
        when=command.when, performed_time_zone=zone, corrected_on=act.today, corrected_at=act.at, corrected_by=act.by,
    )  # fmt: skip
    now = state.corrections.get(command.procedure_id, reported)
    same = (now.kind, now.zones, now.when, now.performed_time_zone) == (event.kind, event.zones, event.when, zone)
    return [] if same else [event]


def answer_questionnaire(book: Rulebook, command: AnswerQuestionnaire, state: Registered) -> Sequence[Event]:
    """A set of answers, once; with `corrects` it takes the place of earlier answers to the same questions."""
    act = command.act
    if command.corrects is not None and command.corrects not in state.answer_sets:
        raise AnswersUnknown(answers_id=str(command.corrects))
    asked = [reply.question for reply in command.replies]
    if len(set(asked)) != len(asked):
        raise WordUnknown("One set answers each question once.", questions=sorted({q for q in asked if asked.count(q) > 1}))
    event = QuestionnaireAnswered(
        clinic_id=act.clinic_id, answers_id=command.answers_id, answers=tuple(_given(book, reply, act.today) for reply in command.replies),
        corrects=command.corrects, asked_on=act.today, asked_at=act.at, asked_by=act.by,
    )  # fmt: skip
    return once(event, state.answer_sets.get(command.answers_id))


def hold_consultation(book: Rulebook, command: HoldConsultation, state: Registered) -> Sequence[Event]:
    """A consultation, with the examination if there was one; with `corrects` it takes the place of an earlier one."""
    act = command.act
    doctor_only(act)
    _known("finding", command.findings, book.findings)
    if command.corrects is not None and command.corrects not in state.consultations:
        raise ConsultationUnknown(pointer="/corrects")
    held = ConsultationHeld(
        clinic_id=act.clinic_id, consultation_id=command.consultation_id, doctor_id=act.by, held_on=act.today, held_at=act.at,
        corrects=command.corrects,
    )  # fmt: skip
    examined = [_examination(command, command.skin_type)] if command.skin_type is not None else []
    if command.consultation_id in state.consultations:
        once(held, state.consultations[command.consultation_id])
        earlier = state.examinations.get(command.consultation_id)
        if (earlier is None) != (not examined):
            raise IdTaken(id=str(command.consultation_id))
        return [event for event in examined for event in once(event, earlier)]
    return [held, *examined]


def _examination(command: HoldConsultation, skin_type: Any) -> ExaminationRecorded:
    act = command.act
    return ExaminationRecorded(
        clinic_id=act.clinic_id, consultation_id=command.consultation_id, doctor_id=act.by, skin_type=skin_type,
        findings=tuple(sorted(set(command.findings))), note=command.note, examined_on=act.today, examined_at=act.at,
    )  # fmt: skip


def place_test_spot(book: Rulebook, command: PlaceTestSpot, state: Registered) -> Sequence[Event]:
    """A test spot of today."""
    act = command.act
    _known("modality", [command.modality], book.modalities)
    _known("zone", [command.zone], book.zone_parent)
    event = TestSpotPlaced(
        clinic_id=act.clinic_id, spot_id=command.spot_id, modality=command.modality, zone=command.zone,
        placed_on=act.today, placed_by=act.by,
    )  # fmt: skip
    return once(event, state.spots.get(command.spot_id))


def read_test_spot(command: ReadTestSpot, state: Registered) -> Sequence[Event]:
    """What the spot shows; a second reading that differs is recorded, for pigment may come late, and what was seen stays seen."""
    act = command.act
    if command.spot_id not in state.spots:
        raise SpotUnknown(spot_id=str(command.spot_id))
    earlier = state.spot_readings.get(command.spot_id, ())
    if earlier and earlier[-1].reading == command.reading:
        return []
    return [
        TestSpotRead(clinic_id=act.clinic_id, spot_id=command.spot_id, reading=command.reading, read_on=act.today, read_by=act.by),
    ]


def record_precondition(command: RecordPrecondition, state: Registered) -> Sequence[Event]:
    """A prescription or priming; its start may lie ahead. With `corrects` it takes the place of an earlier one."""
    act = command.act
    if command.corrects is not None and command.corrects not in state.preconditions:
        raise PreconditionUnknown(pointer="/corrects")
    event = PreconditionRecorded(
        clinic_id=act.clinic_id, precondition_id=command.precondition_id, kind=command.kind, starts_on=command.starts_on,
        recorded_on=act.today, recorded_by=act.by, corrects=command.corrects,
    )  # fmt: skip
    return once(event, state.preconditions.get(command.precondition_id))


def once(event: Any, earlier: Any) -> list[Any]:
    """The event; nothing if the same was recorded under its id before; refused if something else was. Raises: IdTaken.

    Why the clock is left out: a repeated command comes at another moment.
    """
    if earlier is None:
        return [event]
    clock = {name: getattr(earlier, name) for name in BY_CLOCK if hasattr(event, name)}
    if replace(event, **clock) != earlier:
        raise IdTaken
    return []


def _given(book: Rulebook, reply: Reply, today: date) -> GivenAnswer:
    _known("question", [reply.question], book.questions)
    question = book.questions[reply.question]
    _known(f"value of {question.id}", [reply.value], question.values)
    _known("zone", reply.zones, book.zone_parent)
    if reply.when is not None:
        if reply.value not in question.dated:
            raise DateImpossible(f"The answer {reply.value} to {question.id} takes no date.", question=question.id)
        _day_checked(reply.when, today)
    return GivenAnswer(
        question=question.id, question_version=question.version, value=reply.value, when=reply.when, zones=tuple(sorted(set(reply.zones)))
    )


def _place_checked(book: Rulebook, command: ReportProcedure | CorrectProcedure) -> str:
    """Checks kind, zones and date; returns the zone of the place where it was done (the clinic's own if none is named)."""
    _known("kind", [command.kind], book.procedure_kinds)
    _known("zone", command.zones, book.zone_parent)
    zone = command.performed_time_zone or command.act.time_zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WordUnknown("This is no IANA time zone.", field="performed_time_zone") from None
    _day_checked(command.when, local_date(command.act.at, zone))
    return zone


def _day_checked(when: When, today: date) -> None:
    """Raises: DateImpossible. Source: domain.md, Day arithmetic."""
    needs_on = when.certainty in ("exact", "latest_plausible")
    if needs_on and (when.on is None or when.latest_plausible_on is not None):
        raise DateImpossible(f"A date that is {when.certainty} has `on` and nothing else.")
    if when.certainty == "estimated" and when.latest_plausible_on is None:
        raise DateImpossible("An estimated date needs `latest_plausible_on`, the end of its plausible window.")
    if when.certainty == "unknown" and when.on is not None:
        raise DateImpossible("An unknown date has no `on`; give `latest_plausible_on` if there is a bound.")
    if any(day is not None and day > today for day in (when.on, when.latest_plausible_on)):
        raise DateImpossible("What has been done cannot lie after today.", today=today.isoformat())
    if when.on and when.latest_plausible_on and when.on > when.latest_plausible_on:
        raise DateImpossible("`latest_plausible_on` lies before `on`.")


def _known(field: str, words: Iterable[str], known: Any) -> None:
    for word in words:
        if word not in known:
            raise WordUnknown(f"The rulebook does not know this {field}.", field=field, known=sorted(known))
