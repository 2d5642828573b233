"""The rulebook in memory: rows that were read from `rules/*.toml`, checked, and never change while the service runs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ABSOLUTE", "MISSING", "DEFER", "RELATIVE", "COND", "ADVISORY"]
RuleKind = Literal["procedure", "condition", "skin_type", "age", "plan", "consultation", "clearance_age", "adverse_event", "attestation"]
AnswerClass = Literal["clear", "ongoing", "suspected", "ended", "lasting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """One cell of a row. Units: all days are whole calendar days.

    `days`: the washout (DEFER), how long a RELATIVE lasts after the date, or the ripening of a precondition (COND).
    `overridable_from_day`: None = nobody may override; n = a doctor may, from day n after the date on.
    `mitigation`: what an override of this cell must record beside the rationale.
    """

    verdict: Verdict
    days: int | None = None
    days_by_skin_type: Mapping[str, int] | None = None
    overridable_from_day: int | None = None
    precondition: str | None = None
    greatest_age_days: int | None = None
    mitigation: str | None = None
    only_for_indications: tuple[str, ...] = ()
    not_for_indications: tuple[str, ...] = ()

    def days_for(self, skin_type: str | None) -> int:
        """The washout for this skin type; the longest one while the type is unknown."""
        if self.days_by_skin_type is None:
            return self.days or 0
        if skin_type is None:
            return max(self.days_by_skin_type.values())
        return self.days_by_skin_type[skin_type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a row says for one modality: while the thing holds, and after the day on which it ended or was done."""

    holds: tuple[Say, ...] = ()
    after: tuple[Say, ...] = ()

    @property
    def says(self) -> tuple[Say, ...]:
        """All of its words."""
        return (*self.holds, *self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A fact that a row looks at. Units: greatest age in days; None = it does not age."""

    fact: str
    greatest_age_days: int | None = None
    ages_years: tuple[int, int] | None = None  # asked only of people of this age; an answer given anyway counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: what it reads and what it says per modality group."""

    id: str
    version: int
    label: str
    kind: RuleKind
    source: str
    provenance: str
    unit: str
    ends: str
    seed_window_days: int | None
    policy: str | None
    reads: tuple[Read, ...]
    face_only: bool
    positives: tuple[tuple[str, str], ...]
    question: str | None
    unknown_kind: str | None
    procedures: Mapping[str, Mapping[str, Cell]]
    skin_types: tuple[str, ...]
    years_below: int | None
    years_from: int | None
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of the questionnaire; `values` says what each answer means to a rule."""

    id: str
    version: int
    text: str
    date_means: str | None
    values: Mapping[str, AnswerClass]
    dated: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A word a doctor may record; it counts as this answer, given on the day of the examination."""

    id: str
    question: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Modality:
    """A kind of laser treatment; cells are looked up by its groups, the most exact first."""

    id: str
    groups: tuple[str, ...]
    offered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """Hard limits of one modality, with the caps by skin type and zone. Units: in the names."""

    modality: str
    id: str
    version: int
    energy_mj_per_mtz_min: float
    energy_mj_per_mtz_max: float
    density_mtz_per_cm2_max: int
    coverage_percent_max: int
    passes_max: int
    coverage_percent_max_by_skin_type: Mapping[str, int]
    zone_energy_mj_per_mtz_max: Mapping[str, float]
    zone_density_mtz_per_cm2_max: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """House settings that a rule or a decision reads. Units: in the names."""

    isotretinoin_policy: str
    clearance_days_max: int
    override_days_max: int
    override_rationale_chars_min: int
    retention_treatment_years: int
    retention_untreated_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """All rows together; `version` is a digest of the files, so a decision names exactly what it was made with."""

    version: str
    settings: Settings
    modalities: Mapping[str, Modality]
    zone_parent: Mapping[str, str | None]
    rules: Mapping[str, Rule]
    questions: Mapping[str, Question]
    findings: Mapping[str, Finding]
    limits: Mapping[str, LimitRow]
    procedure_kinds: frozenset[str]  # all kinds of outside procedures that some row knows
    greatest_ages_days: tuple[int, ...]  # every greatest age of a fact that some row names

    def cell(self, cells: Mapping[str, Cell], modality: str) -> Cell | None:
        """The cell of a row for this modality, or None where the row says nothing."""
        return next((cells[group] for group in self.modalities[modality].groups if group in cells), None)


def procedure_kinds(rules: Iterable[Rule]) -> frozenset[str]:
    """All kinds of outside procedures that these rows know."""
    return frozenset(kind for rule in rules for kind in (*rule.procedures, rule.unknown_kind) if kind)


def greatest_ages_days(rules: Iterable[Rule], settings: Settings) -> tuple[int, ...]:
    """Every greatest age of a fact or a precondition that these rows name."""
    return tuple(sorted({settings.clearance_days_max, *(age for rule in rules for age in _ages(rule) if age is not None)}))


def _ages(rule: Rule) -> Iterator[int | None]:
    yield from (read.greatest_age_days for read in rule.reads)
    for cells in (rule.cells, *rule.procedures.values()):
        yield from (say.greatest_age_days for cell in cells.values() for say in cell.says)
