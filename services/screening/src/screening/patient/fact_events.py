"""Events that record what is known. Days are local dates of the clinic named in the event; personal values are sealed."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from erbium_kernel.personal import PersonalData
from screening.facts import PreconditionKind, SkinType, SpotReading, When


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRegistered:
    """A person is a patient of this chain now. `birth_date` is an ISO date, sealed like the name."""

    clinic_id: UUID
    name: PersonalData
    birth_date: PersonalData
    contact: PersonalData | None
    registered_on: date
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureReported:
    """A procedure done elsewhere. `performed_time_zone`: of the place where it was done; `when` is a local date there."""

    clinic_id: UUID
    procedure_id: UUID
    kind: str
    zones: tuple[str, ...]
    when: When
    performed_time_zone: str
    reported_on: date
    reported_at: datetime
    reported_by: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureCorrected:
    """What was reported about a procedure was wrong; this is what counts now, from the first report on."""

    clinic_id: UUID
    procedure_id: UUID
    kind: str
    zones: tuple[str, ...]
    when: When
    performed_time_zone: str
    corrected_on: date
    corrected_at: datetime
    corrected_by: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """One answer. `when` is the day it speaks of; no zones = the zone is unknown, or has no meaning for the question."""

    question: str
    question_version: int
    value: str
    when: When | None = None
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionnaireAnswered:
    """The patient was asked. `corrects`: an earlier set whose answers to the same questions were recorded wrongly and count no more."""

    clinic_id: UUID
    answers_id: UUID
    answers: tuple[GivenAnswer, ...]
    corrects: UUID | None
    asked_on: date
    asked_at: datetime
    asked_by: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsultationHeld:
    """A doctor talked with the patient. `corrects`: an earlier consultation that was recorded wrongly; nothing of it counts any more."""

    clinic_id: UUID
    consultation_id: UUID
    doctor_id: UUID
    held_on: date
    held_at: datetime
    corrects: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminationRecorded:
    """A doctor looked at the skin: Fitzpatrick type I to VI, findings as words of the rulebook, a free note."""

    clinic_id: UUID
    consultation_id: UUID
    doctor_id: UUID
    skin_type: SkinType
    findings: tuple[str, ...]
    note: PersonalData | None
    examined_on: date
    examined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSpotPlaced:
    """A small patch was treated, to be read later."""

    clinic_id: UUID
    spot_id: UUID
    modality: str
    zone: str
    placed_on: date
    placed_by: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSpotRead:
    """A clinician read the patch, in person or from a photo."""

    clinic_id: UUID
    spot_id: UUID
    reading: SpotReading
    read_on: date
    read_by: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PreconditionRecorded:
    """An antiviral was prescribed, or priming begun, from `starts_on` on. `corrects`: an earlier one that was recorded wrongly."""

    clinic_id: UUID
    precondition_id: UUID
    kind: PreconditionKind
    starts_on: date
    recorded_on: date
    recorded_by: UUID
    corrects: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisoryAcknowledged:
    """A clinician has told the patient of an advisory row."""

    clinic_id: UUID
    rule_id: str
    rule_version: int
    grounds: tuple[str, ...]
    acknowledged_by: UUID
    acknowledged_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEventNoted:
    """Aftercare opened an adverse event of an earlier treatment."""

    clinic_id: UUID
    adverse_event_id: UUID
    treatment_id: UUID
    level: str
    opened_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEventSettled:
    """Aftercare closed it."""

    adverse_event_id: UUID
    closed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesAttested:
    """On the day of treatment the patient said that something has changed; what, must be asked."""

    clinic_id: UUID
    attestation_id: UUID
    visit_id: UUID
    attested_on: date
    attested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentNoted:
    """A laser has treated this patient: the record must be kept."""

    clinic_id: UUID
    treatment_id: UUID
    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    treated_on: date
