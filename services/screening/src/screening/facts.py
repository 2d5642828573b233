"""What is known about a patient, as dated facts: the only thing the rules look at. Pure records, no rule and no number here."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from erbium_kernel.clinical_dates import Certainty

Standing = Literal["firm", "provisional"]
PreconditionKind = Literal["antiviral", "priming"]
SpotReading = Literal["no_pih", "pih"]
SkinType = Literal["I", "II", "III", "IV", "V", "VI"]
SKIN_TYPES = ("I", "II", "III", "IV", "V", "VI")  # Fitzpatrick, lightest first


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A day as it was told, and how sure it is.

    `estimated` has a plausible window that ends at `latest_plausible_on`; `latest_plausible` is that end alone;
    `unknown` has no date, or only `latest_plausible_on` as its bound.
    """

    on: date | None
    certainty: Certainty = "exact"
    latest_plausible_on: date | None = None

    @property
    def counted_on(self) -> date | None:
        """The worst case: the latest day it may have been; None = no bound, so it is missing. Source: domain.md, Day arithmetic."""
        if self.certainty in ("estimated", "unknown"):
            return self.latest_plausible_on
        return self.on


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a questionnaire; `when` is the day it speaks of (last dose, healing), `asked_on` the local day it was given."""

    question: str
    value: str
    when: When | None
    zones: tuple[str, ...]
    asked_on: date
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """An outside procedure, with the local date of the place where it was done. No zones = zone unknown."""

    procedure_id: UUID
    kind: str
    zones: tuple[str, ...]
    when: When
    reported_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What a doctor saw: Fitzpatrick type (I to VI) and findings, as words of the rulebook."""

    examined_on: date
    examined_at: datetime
    examined_by: str
    skin_type: SkinType
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A small treated patch; `reading` None = not read yet."""

    modality: str
    zone: str
    placed_on: date
    reading: SpotReading | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """Something that must have begun before a treatment: a prescribed antiviral, priming."""

    kind: PreconditionKind
    starts_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A doctor's decision that one row does not stop one patient, on the grounds seen then, until `expires_on` inclusive."""

    rule_id: str
    rule_version: int
    modality: str
    zone: str
    grounds: tuple[str, ...]
    expires_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A clinician has told the patient of an advisory row, on the grounds seen then."""

    rule_id: str
    rule_version: int
    grounds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything an assessment reads. The order inside a tuple has no meaning."""

    birth_date: date | None = None
    answers: tuple[Answer, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    examinations: tuple[Examination, ...] = ()
    consulted_on: date | None = None
    test_spots: tuple[Spot, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    overrides: tuple[Override, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()
    open_adverse_events_on: tuple[date, ...] = ()
    changes_attested: tuple[tuple[date, datetime], ...] = ()
    cleared_on: date | None = None

    @property
    def examination(self) -> Examination | None:
        """The newest examination; of two at one instant the darker skin type, since it is the more cautious one."""
        return max(self.examinations, key=lambda e: (e.examined_at, SKIN_TYPES.index(e.skin_type), sorted(e.findings)), default=None)

    @property
    def skin_type(self) -> SkinType | None:
        """Fitzpatrick type of the newest examination."""
        newest = self.examination
        return newest.skin_type if newest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The treatment in question. `firm`: facts must be fresh on the treatment day `on`; `provisional`: on the day of the decision."""

    modality: str
    zones: tuple[str, ...]
    on: date
    indication: str | None = None
    standing: Standing = "firm"
