"""What callers send. Closed, bounded; ids may be chosen by the caller, so that a client can name what it records before it is sent."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from erbium_kernel.clinical_dates import Certainty
from erbium_kernel.http import Body
from screening.facts import When
from screening.http.words import AnswerValue, FindingWord, Indication, Modality, ProcedureKind, Question, RuleId, Zone, Zones
from screening.patient.decision_events import Mitigation

LATEST = "The last day on which it may have been, for an estimated or unknown day."
Name = Annotated[str, Field(min_length=1, max_length=200)]
Note = Annotated[str, Field(min_length=1, max_length=2000, description="Free text; kept sealed.")]
Here = Annotated[UUID, Field(description="The clinic where it is done; it makes the local date.")]
NewId = Annotated[UUID | None, Field(description="Chosen by the caller, or made here.")]
PlannedModality = Annotated[Modality, Field(description="The kind of laser.")]
TimeZone = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+\-/]+$", description="IANA name.")]


class RegisterPatientBody(Body):
    """A new patient of the chain."""

    clinic_id: Annotated[UUID, Field(description="The clinic that registers; every clinic of the chain sees the patient.")]
    patient_id: NewId = None
    name: Annotated[Name, Field(description="Kept sealed.")]
    birth_date: Annotated[date, Field(description="Kept sealed.")]
    contact: Annotated[Name | None, Field(description="A telephone number or an address; kept sealed.")] = None


class ProcedureBody(Body):
    """A procedure done elsewhere. An estimate names the end of its plausible window; the worst case counts."""

    clinic_id: UUID = Field(description="Where it is reported.")
    kind: Annotated[ProcedureKind, Field(description="What was done.")]
    zones: Zones = Field(default_factory=list, description="Empty: the zone is unknown and counts as the face.")
    on: date | None = Field(default=None, description="Local date of the place where it was done.")
    certainty: Annotated[Certainty, Field(description="How well the day is known.")] = "exact"
    latest_plausible_on: Annotated[date | None, Field(description=LATEST)] = None
    performed_time_zone: TimeZone | None = Field(default=None, description="Of the place where it was done; the clinic's own if absent.")

    def when(self) -> When:
        """The day as it was told."""
        return When(on=self.on, certainty=self.certainty, latest_plausible_on=self.latest_plausible_on)


class ReportProcedureBody(ProcedureBody):
    """The first report of a procedure."""

    procedure_id: NewId = None


class AnswerBody(Body):
    """One answer. Values that take a date are listed by the questionnaire; zones matter for procedures."""

    question: Annotated[Question, Field(description="Its id in the questionnaire.")]
    value: Annotated[AnswerValue, Field(description="One of the values that the questionnaire lists for it.")]
    on: Annotated[date | None, Field(description="The day that the answer speaks of, where its value takes one.")] = None
    certainty: Annotated[Certainty | None, Field(description="How well that day is known; exact if `on` stands alone.")] = None
    latest_plausible_on: Annotated[date | None, Field(description=LATEST)] = None
    zones: Zones = Field(default_factory=list, description="Where, for procedures; empty: unknown, which counts as the face.")

    def when(self) -> When | None:
        """The day that the answer speaks of, if it names one."""
        if self.certainty is None and self.on is None and self.latest_plausible_on is None:
            return None
        return When(on=self.on, certainty=self.certainty or "exact", latest_plausible_on=self.latest_plausible_on)


class AnswersBody(Body):
    """A set of answers, given now."""

    clinic_id: Here
    answers_id: NewId = None
    corrects: Annotated[UUID | None, Field(description="The earlier set of this patient that was recorded wrongly.")] = None
    answers: Annotated[list[AnswerBody], Field(min_length=1, max_length=50, description="Each question once.")]


class ConsultationBody(Body):
    """A doctor's consultation, held now. With a skin type it includes an examination."""

    clinic_id: Here
    consultation_id: NewId = None
    skin_type: Literal["I", "II", "III", "IV", "V", "VI"] | None = Field(default=None, description="Fitzpatrick type.")
    findings: Annotated[list[FindingWord], Field(max_length=20, description="What was seen; needs `skin_type`.")] = Field(
        default_factory=list
    )
    note: Annotated[Note | None, Field(description="Of the examination; needs `skin_type`; kept sealed.")] = None
    corrects: Annotated[UUID | None, Field(description="The earlier consultation of this patient that was recorded wrongly.")] = None

    @model_validator(mode="after")
    def _examined(self) -> Self:
        """Findings and notes are of an examination."""
        if self.skin_type is None and (self.findings or self.note):
            raise ValueError("findings and note need skin_type: they are of an examination")
        return self


class TestSpotBody(Body):
    """A test spot, treated now."""

    clinic_id: Here
    spot_id: NewId = None
    modality: PlannedModality
    zone: Annotated[Zone, Field(description="Where the spot was treated.")]


class TestSpotReadingBody(Body):
    """What a test spot shows."""

    clinic_id: Here
    reading: Annotated[Literal["no_pih", "pih"], Field(description="PIH = post-inflammatory hyperpigmentation.")]


class PreconditionBody(Body):
    """A prescribed antiviral, or the begin of priming."""

    clinic_id: Here
    precondition_id: NewId = None
    kind: Annotated[Literal["antiviral", "priming"], Field(description="What begins.")]
    starts_on: Annotated[date, Field(description="The first day of it, which may lie ahead.")]
    corrects: Annotated[UUID | None, Field(description="The earlier precondition of this patient that was recorded wrongly.")] = None


class RequestClearanceBody(Body):
    """What is to be treated, and when."""

    clinic_id: Here
    clearance_id: NewId = None
    modality: PlannedModality
    zones: Annotated[list[Zone], Field(min_length=1, max_length=10, description="What is to be treated.")]
    on: Annotated[date | None, Field(description="The day that the rules are asked for; today if absent.")] = None
    indication: Annotated[Indication | None, Field(description="Why; some rules depend on it.")] = None
    acknowledges: Annotated[list[RuleId], Field(max_length=20)] = Field(
        default_factory=list, description="Advisory rules that the patient was told of."
    )


class OverrideBody(Body):
    """One rule, one modality, one zone, for a limited number of days from today."""

    clinic_id: Here
    override_id: NewId = None
    rule_id: RuleId
    rule_version: Annotated[int, Field(ge=1, le=10_000, description="As the assessment names it.")]
    modality: PlannedModality
    zone: Annotated[Zone, Field(description="Where the override holds.")]
    indication: Indication | None = Field(default=None, description="Where the rule depends on it: a minor's scar, a burn scar.")
    rationale: Annotated[Note, Field(description="Why it may be overridden here, in a sentence or two; kept sealed.")]
    mitigations: Annotated[list[Mitigation], Field(min_length=1, max_length=5, description="What makes it safer.")]
    expires_in_days: Annotated[int, Field(ge=0, le=365, description="0 = today is the last day; the rulebook says how many at most.")]


class ActBody(Body):
    """Where it is done."""

    clinic_id: Here


class RevokeBody(Body):
    """Where, and a sealed note why."""

    clinic_id: Here
    note: Annotated[Note | None, Field(description="Why; kept sealed.")] = None


class LiftRetentionLockBody(Body):
    """A doctor's decision that the record need not be kept."""

    clinic_id: Here
    rationale: Annotated[str, Field(min_length=20, max_length=2000, description="Free text; kept sealed.")]
