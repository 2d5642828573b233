"""What can be asked of a patient's record. Ids are chosen outside; `act` says who, where and when.

Commands that end in a fact heard from another service carry that fact's own dates instead.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from erbium_kernel.clinical_dates import local_date
from erbium_kernel.personal import PersonalData
from screening.facts import PreconditionKind, SkinType, SpotReading, When
from screening.patient.decision_events import Mitigation


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Somebody acts at a clinic. `time_zone`: of that clinic (IANA); `roles`: of the person, as the token says."""

    clinic_id: UUID
    time_zone: str
    at: datetime
    by: UUID
    roles: frozenset[str]

    @property
    def today(self) -> date:
        """The clinic's local day."""
        return local_date(self.at, self.time_zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterPatient:
    """Make this person a patient of the chain."""

    act: Act
    patient_id: UUID
    name: PersonalData
    birth_date: PersonalData
    contact: PersonalData | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportProcedure:
    """Record a procedure that was done elsewhere."""

    act: Act
    procedure_id: UUID
    kind: str
    zones: tuple[str, ...]
    when: When
    performed_time_zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectProcedure:
    """Replace what was reported about a procedure."""

    act: Act
    procedure_id: UUID
    kind: str
    zones: tuple[str, ...]
    when: When
    performed_time_zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of a questionnaire, as it was given."""

    question: str
    value: str
    when: When | None = None
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerQuestionnaire:
    """Record a patient's answers. `corrects`: the earlier set that was recorded wrongly."""

    act: Act
    answers_id: UUID
    replies: tuple[Reply, ...]
    corrects: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldConsultation:
    """Record a consultation; with a skin type it includes an examination. `corrects`: the earlier one that was recorded wrongly."""

    act: Act
    consultation_id: UUID
    skin_type: SkinType | None
    findings: tuple[str, ...] = ()
    note: PersonalData | None = None
    corrects: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTestSpot:
    """Record a test spot, treated today."""

    act: Act
    spot_id: UUID
    modality: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTestSpot:
    """Record what a test spot shows."""

    act: Act
    spot_id: UUID
    reading: SpotReading


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPrecondition:
    """Record a prescribed antiviral or the begin of priming. `corrects`: the earlier one that was recorded wrongly."""

    act: Act
    precondition_id: UUID
    kind: PreconditionKind
    starts_on: date
    corrects: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClearance:
    """Decide whether the patient may be treated so on `on` (None = today). `acknowledges`: advisory rows the patient was told of."""

    act: Act
    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    on: date | None = None
    indication: str | None = None
    acknowledges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantOverride:
    """The doctor who examined overrides one row for one modality and zone until `expires_on`."""

    act: Act
    override_id: UUID
    rule_id: str
    rule_version: int
    modality: str
    zone: str
    rationale: PersonalData
    mitigations: tuple[Mitigation, ...]
    expires_on: date
    indication: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstateClearance:
    """A doctor lifts a suspension."""

    act: Act
    clearance_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeClearance:
    """A doctor ends a clearance for good."""

    act: Act
    clearance_id: UUID
    note: PersonalData | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireClearance:
    """The timer of a clearance's last day has come."""

    clearance_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftRetentionLock:
    """A doctor decides that what is recorded so far need not be kept."""

    act: Act
    rationale: PersonalData


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePatient:
    """Make this person's data unreadable for good."""

    act: Act


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdverseEvent:
    """Aftercare has opened an adverse event."""

    clinic_id: UUID
    adverse_event_id: UUID
    treatment_id: UUID
    level: str
    opened_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleAdverseEvent:
    """Aftercare has closed an adverse event."""

    adverse_event_id: UUID
    closed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteChanges:
    """On the day of treatment changes were attested. `attestation_id`: of the message, so that hearing it twice is once."""

    clinic_id: UUID
    attestation_id: UUID
    visit_id: UUID
    attested_on: date
    attested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTreatment:
    """A laser has treated the patient."""

    clinic_id: UUID
    treatment_id: UUID
    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    treated_on: date


ByClinician = (
    ReportProcedure | CorrectProcedure | AnswerQuestionnaire | HoldConsultation | PlaceTestSpot | ReadTestSpot | RecordPrecondition
    | RequestClearance | GrantOverride | ReinstateClearance | RevokeClearance | LiftRetentionLock
)  # fmt: skip
HeardOf = NoteAdverseEvent | SettleAdverseEvent | NoteChanges | NoteTreatment
Command = RegisterPatient | ByClinician | ExpireClearance | ErasePatient | HeardOf
