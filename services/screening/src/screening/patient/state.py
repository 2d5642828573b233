"""What the record of a patient comes to. Three phases, so that nothing can be recorded of a stranger or of an erased person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace as changed

from erbium_kernel.personal import Personal
from screening.facts import Acknowledgement, Answer, Examination, Facts, Override, Precondition, Procedure, Spot
from screening.patient.decision_events import ClearanceDeferred, ClearanceGranted, ClearanceRefused, ClearanceSuspended, OverrideGranted
from screening.patient.fact_events import (
    AdverseEventNoted,
    AdverseEventSettled,
    AdvisoryAcknowledged,
    ChangesAttested,
    ConsultationHeld,
    ExaminationRecorded,
    PatientRegistered,
    PreconditionRecorded,
    ProcedureCorrected,
    ProcedureReported,
    QuestionnaireAnswered,
    TestSpotPlaced,
    TestSpotRead,
    TreatmentNoted,
)

Standing = Literal["valid", "suspended", "revoked", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """A granted clearance and what became of it. `ended_on`: the day it was revoked, or the day after its last."""

    granted: ClearanceGranted
    standing: Standing = "valid"
    suspension: ClearanceSuspended | None = None
    ended_on: date | None = None

    @property
    def open(self) -> bool:
        """Valid or suspended: not ended yet."""
        return self.standing in ("valid", "suspended")


@dataclass(frozen=True, slots=True)
class Unregistered:
    """Nobody is known under this id."""


@dataclass(frozen=True, slots=True)
class Erased:
    """The person was erased on this day; for good."""

    erased_on: date


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A patient: everything recorded, by id. `version` counts the events.

    Why no dataclass: each event makes another one out of it, and every command folds the whole record.
    """

    registration: PatientRegistered
    version: int = 1
    procedures: Mapping[UUID, ProcedureReported] = {}
    corrections: Mapping[UUID, ProcedureCorrected] = {}
    answer_sets: Mapping[UUID, QuestionnaireAnswered] = {}
    consultations: Mapping[UUID, ConsultationHeld] = {}
    examinations: Mapping[UUID, ExaminationRecorded] = {}
    spots: Mapping[UUID, TestSpotPlaced] = {}
    spot_readings: Mapping[UUID, tuple[TestSpotRead, ...]] = {}
    preconditions: Mapping[UUID, PreconditionRecorded] = {}
    acknowledged: tuple[AdvisoryAcknowledged, ...] = ()
    overrides: Mapping[UUID, OverrideGranted] = {}
    clearances: Mapping[UUID, Clearance] = {}
    denials: Mapping[UUID, ClearanceDeferred | ClearanceRefused] = {}
    adverse_events: Mapping[UUID, AdverseEventNoted] = {}
    settled: Mapping[UUID, AdverseEventSettled] = {}
    attestations: Mapping[UUID, ChangesAttested] = {}
    treatments: Mapping[UUID, TreatmentNoted] = {}
    lifted: frozenset[UUID] = frozenset()

    @property
    def birth_date(self) -> date | None:
        """None when it cannot be read: the rules then count it as missing."""
        value = self.registration.birth_date
        return date.fromisoformat(value.text) if isinstance(value, Personal) else None

    @property
    def open_clearances(self) -> tuple[Clearance, ...]:
        """Those that are valid or suspended."""
        return tuple(clearance for clearance in self.clearances.values() if clearance.open)

    @property
    def corrected(self) -> frozenset[UUID]:
        """Consultations and preconditions that were recorded wrongly and count no more."""
        records: tuple[ConsultationHeld | PreconditionRecorded, ...] = (*self.consultations.values(), *self.preconditions.values())
        return frozenset(record.corrects for record in records if record.corrects is not None)

    def examined_by(self) -> UUID | None:
        """The doctor of the newest examination."""
        newest = max(self._examined(), key=lambda e: e.examined_at, default=None)
        return newest.doctor_id if newest else None

    def _examined(self) -> tuple[ExaminationRecorded, ...]:
        return tuple(e for e in self.examinations.values() if e.consultation_id not in self.corrected)

    @property
    def facts(self) -> Facts:
        """What the rules look at."""
        corrected = self.corrected
        return Facts(
            birth_date=self.birth_date,
            answers=self._answers(),
            procedures=tuple(self._procedure(reported) for reported in self.procedures.values()),
            examinations=tuple(_examination(e) for e in self._examined()),
            consulted_on=max((c.held_on for c in self.consultations.values() if c.consultation_id not in corrected), default=None),
            test_spots=tuple(self._spot(placed) for placed in self.spots.values()),
            preconditions=tuple(
                Precondition(kind=p.kind, starts_on=p.starts_on) for p in self.preconditions.values() if p.precondition_id not in corrected
            ),
            overrides=tuple(_override(o) for o in self.overrides.values()),
            acknowledgements=tuple(
                Acknowledgement(rule_id=a.rule_id, rule_version=a.rule_version, grounds=a.grounds) for a in self.acknowledged
            ),
            open_adverse_events_on=tuple(e.opened_on for id_, e in self.adverse_events.items() if id_ not in self.settled),
            changes_attested=tuple((a.attested_on, a.attested_at) for a in self.attestations.values()),
        )

    def _answers(self) -> tuple[Answer, ...]:
        """All answers that no later set corrects."""
        corrected = {(s.corrects, answer.question) for s in self.answer_sets.values() if s.corrects for answer in s.answers}
        return tuple(
            Answer(question=a.question, value=a.value, when=a.when, zones=a.zones, asked_on=s.asked_on, asked_at=s.asked_at)
            for s in self.answer_sets.values()
            for a in s.answers
            if (s.answers_id, a.question) not in corrected
        )

    def _procedure(self, reported: ProcedureReported) -> Procedure:
        now = self.corrections.get(reported.procedure_id, reported)
        return Procedure(
            procedure_id=reported.procedure_id, kind=now.kind, zones=now.zones, when=now.when, reported_on=reported.reported_on
        )

    def _spot(self, placed: TestSpotPlaced) -> Spot:
        """Why the last word of each day, then the worst of the days: a slip is mended at once, pigment that fades later was there."""
        words = {read.read_on: read.reading for read in self.spot_readings.get(placed.spot_id, ())}
        reading = max(words.values(), key=("no_pih", "pih").index, default=None)
        return Spot(modality=placed.modality, zone=placed.zone, placed_on=placed.placed_on, reading=reading)


State = Unregistered | Registered | Erased


def _examination(e: ExaminationRecorded) -> Examination:
    return Examination(
        examined_on=e.examined_on, examined_at=e.examined_at, examined_by=str(e.doctor_id), skin_type=e.skin_type, findings=e.findings
    )


def _override(o: OverrideGranted) -> Override:
    return Override(
        rule_id=o.rule_id, rule_version=o.rule_version, modality=o.modality, zone=o.zone, grounds=o.grounds, expires_on=o.expires_on
    )


def with_clearance(state: Registered, clearance: Clearance) -> Registered:
    """The record with this clearance as it now stands."""
    return changed(state, clearances={**state.clearances, clearance.granted.clearance_id: clearance})
