"""What callers send. Closed, bounded; ids may be chosen by the caller, so that a client can name what it records before it is sent."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from erbium_kernel.http import Body
from screening.facts import When
from screening.http.words import AnswerValue, FindingWord, Indication, Modality, ProcedureKind, Question, RuleId, Zone, Zones
from screening.patient.decision_events import Mitigation

Certainty = Literal["exact", "estimated", "latest_plausible", "unknown"]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Note = Annotated[str, Field(min_length=1, max_length=2000, description="Free text; kept sealed.")]
TimeZone = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+\-/]+$", description="IANA name.")]


class RegisterPatientBody(Body):
    """A new patient of the chain."""

    clinic_id: UUID
    patient_id: UUID | None = Field(default=None, description="Chosen by the caller, or made here.")
    name: Name
    birth_date: date
    contact: Name | None = None


class ProcedureBody(Body):
    """A procedure done elsewhere. An estimate names the end of its plausible window; the worst case counts."""

    clinic_id: UUID = Field(description="Where it is reported.")
    kind: ProcedureKind
    zones: Zones = Field(default_factory=list, description="Empty: the zone is unknown and counts as the face.")
    on: date | None = Field(default=None, description="Local date of the place where it was done.")
    certainty: Certainty = "exact"
    latest_plausible_on: date | None = None
    performed_time_zone: TimeZone | None = Field(default=None, description="Of the place where it was done; the clinic's own if absent.")

    def when(self) -> When:
        """The day as it was told."""
        return When(on=self.on, certainty=self.certainty, latest_plausible_on=self.latest_plausible_on)


class ReportProcedureBody(ProcedureBody):
    """The first report of a procedure."""

    procedure_id: UUID | None = None


class AnswerBody(Body):
    """One answer. Values that take a date are listed by the questionnaire; zones matter for procedures."""

    question: Question
    value: AnswerValue
    on: date | None = None
    certainty: Certainty | None = None
    latest_plausible_on: date | None = None
    zones: Zones = Field(default_factory=list)

    def when(self) -> When | None:
        """The day that the answer speaks of, if it names one."""
        if self.certainty is None and self.on is None and self.latest_plausible_on is None:
            return None
        return When(on=self.on, certainty=self.certainty or "exact", latest_plausible_on=self.latest_plausible_on)


class AnswersBody(Body):
    """A set of answers, given now. `corrects`: the earlier set that was recorded wrongly."""

    clinic_id: UUID
    answers_id: UUID | None = None
    corrects: UUID | None = None
    answers: Annotated[list[AnswerBody], Field(min_length=1, max_length=50)]


class ConsultationBody(Body):
    """A doctor's consultation, held now. With a skin type it includes an examination."""

    clinic_id: UUID
    consultation_id: UUID | None = None
    skin_type: Literal["I", "II", "III", "IV", "V", "VI"] | None = Field(default=None, description="Fitzpatrick type.")
    findings: Annotated[list[FindingWord], Field(max_length=20)] = Field(default_factory=list)
    note: Note | None = None

    @model_validator(mode="after")
    def _examined(self) -> Self:
        """Findings and notes are of an examination."""
        if self.skin_type is None and (self.findings or self.note):
            raise ValueError("findings and note need skin_type: they are of an examination")
        return self


class TestSpotBody(Body):
    """A test spot, treated now."""

    clinic_id: UUID
    spot_id: UUID | None = None
    modality: Modality
    zone: Zone


class TestSpotReadingBody(Body):
    """What a test spot shows. PIH = post-inflammatory hyperpigmentation."""

    clinic_id: UUID
    reading: Literal["no_pih", "pih"]


class PreconditionBody(Body):
    """A prescribed antiviral, or the begin of priming."""

    clinic_id: UUID
    precondition_id: UUID | None = None
    kind: Literal["antiviral", "priming"]
    starts_on: date


class RequestClearanceBody(Body):
    """What is to be treated, and on which day the rules are asked for (today if absent)."""

    clinic_id: UUID
    clearance_id: UUID | None = None
    modality: Modality
    zones: Annotated[list[Zone], Field(min_length=1, max_length=10)]
    on: date | None = None
    indication: Indication | None = None
    acknowledges: Annotated[list[RuleId], Field(max_length=20)] = Field(
        default_factory=list, description="Advisory rules that the patient was told of."
    )


class OverrideBody(Body):
    """One rule, one modality, one zone, for a limited number of days from today."""

    clinic_id: UUID
    override_id: UUID | None = None
    rule_id: RuleId
    rule_version: Annotated[int, Field(ge=1, le=10_000)]
    modality: Modality
    zone: Zone
    indication: Indication | None = Field(default=None, description="Where the rule depends on it: a minor's scar, a burn scar.")
    rationale: Note
    mitigations: Annotated[list[Mitigation], Field(min_length=1, max_length=5)]
    expires_in_days: Annotated[int, Field(ge=0, le=365, description="0 = today is the last day; the rulebook says how many at most.")]


class ActBody(Body):
    """Where it is done."""

    clinic_id: UUID


class RevokeBody(Body):
    """Where, and a sealed note why."""

    clinic_id: UUID
    note: Note | None = None


class LiftRetentionLockBody(Body):
    """A doctor's decision that the record need not be kept."""

    clinic_id: UUID
    rationale: Annotated[str, Field(min_length=20, max_length=2000, description="Free text; kept sealed.")]
