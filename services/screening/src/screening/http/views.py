"""What screening shows. Open to more fields; personal values are None when the person was erased."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from erbium_kernel.http import View


class PatientView(View):
    """A patient of the chain."""

    patient_id: UUID
    clinic_id: UUID = Field(description="Where the patient was registered; every clinic of the chain sees the patient.")
    name: str | None
    birth_date: str | None
    contact: str | None
    registered_on: date
    version: int = Field(description="Of the patient's record: the ETag that changes need in If-Match.")


class ProcedureView(View):
    """An outside procedure as it now counts. `counted_on`: the worst case that rules reckon with; null = unknown, without a bound."""

    procedure_id: UUID
    patient_id: UUID
    kind: str
    zones: list[str]
    on: date | None
    certainty: str
    latest_plausible_on: date | None
    counted_on: date | None
    suspended_clearance_ids: list[UUID] = Field(description="Clearances that wait for a doctor now.")


class RecordedView(View):
    """Something was recorded. `suspended_clearance_ids`: clearances of the patient that wait for a doctor now."""

    id: UUID
    patient_id: UUID
    suspended_clearance_ids: list[UUID]


class ReasonView(View):
    """An open reason. `earliest`: the first day on which it no longer stands; null = open, or no date is offered."""

    rule_id: str
    rule_version: int
    verdict: str
    zones: list[str]
    earliest: date | None
    says: str
    ends: str


class MissingView(View):
    """What must be asked or recorded, and the rules that need it."""

    fact: str
    why: str
    rule_ids: list[str]


class LookedAtView(View):
    """A fact that a rule looked at."""

    fact: str
    value: str
    known_on: date | None


class TraceView(View):
    """One rule, one zone: what it looked at and what it said."""

    rule_id: str
    rule_version: int
    policy: str | None
    zone: str
    verdict: str
    earliest: date | None
    says: str
    looked_at: list[LookedAtView]


class AssessmentView(View):
    """What the rules say. `until`: the first allowed day; null with `not_before`: date open. `patient_version`: for If-Match."""

    patient_version: int
    outcome: Literal["CLEARED", "INELIGIBLE", "INCOMPLETE", "DEFERRED", "NEEDS_PHYSICIAN", "CONDITIONAL", "ADVISORY"]
    until: date | None
    not_before: date | None
    reasons: list[ReasonView]
    missing: list[MissingView]
    trace: list[TraceView]
    rulebook_version: str


class LimitsView(View):
    """Hard limits that go with the clearance."""

    energy_mj_per_mtz_min: float
    energy_mj_per_mtz_max: float
    density_mtz_per_cm2_max: int
    coverage_percent_max: int
    passes_max: int


class ClearanceView(View):
    """A request for clearance and how it stands. Valid from and until are inclusive local days of the clinic."""

    clearance_id: UUID
    patient_id: UUID
    clinic_id: UUID
    modality: str
    zones: list[str]
    indication: str | None
    outcome: str
    standing: Literal["valid", "suspended", "revoked", "expired", "deferred", "refused"]
    valid_from: date | None
    valid_until: date | None
    earliest: date | None = Field(description="Deferred, conditional or suspended: the first day that is possible; null = open.")
    decided_on: date
    decided_by: UUID
    limits: LimitsView | None
    reasons: list[ReasonView]
    missing: list[MissingView]
    rulebook_version: str


class TracedClearanceView(ClearanceView):
    """A request for clearance and how it stands, with the trace: which rule looked at which facts and said what."""

    trace: list[TraceView]


class OverrideView(View):
    """An override in force until `expires_on`. `grounds`: the facts it covers; later ones of the same rule are not covered."""

    override_id: UUID
    patient_id: UUID
    rule_id: str
    rule_version: int
    modality: str
    zone: str
    indication: str | None
    rationale: str | None
    mitigations: list[str]
    grounds: list[str]
    doctor_id: UUID
    granted_on: date
    expires_on: date


class QuestionView(View):
    """One question of the questionnaire."""

    id: str
    version: int
    text: str
    values: list[str]
    dated_values: list[str] = Field(description="Values that take a date.")
    date_means: str | None


class QuestionnaireView(View):
    """All questions, under the rulebook in force."""

    rulebook_version: str
    questions: list[QuestionView]


class RetentionView(View):
    """Whether the record must be kept. `ends_on` null while a clearance is open."""

    patient_id: UUID
    locked: bool
    because: str | None
    ends_on: date | None


class ErasedView(View):
    """The end of the record."""

    patient_id: UUID
    erased_on: date
