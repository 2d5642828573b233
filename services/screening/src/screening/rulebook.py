"""Loads and checks `rules/*.toml`. A broken file stops the service with one sentence: file, row, field."""

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from screening.reading_rules import rule_row
from screening.rule_rows import Finding, LimitRow, Modality, Question, Rule, Rulebook, Settings, greatest_ages_days, procedure_kinds
from screening.toml_rows import BrokenRulebook, Table

T = TypeVar("T")
PROVENANCE = ("S", "C", "R", "G", "H")
SETTINGS = tuple(Settings.__dataclass_fields__)
POLICIES = ("label_180", "consensus_2017")
ANSWER_CLASSES = ("clear", "ongoing", "suspected", "ended", "lasting")
SKIN_TYPES = ("I", "II", "III", "IV", "V", "VI")
DAYS_MAX = 3650
FILES = ("settings", "vocabulary", "questionnaire", "procedures", "conditions", "person", "course", "limits")


def load(folder: Path, **instead: str) -> Rulebook:
    """The rulebook in this folder; `instead` replaces settings (a chain's own policy). Raises: BrokenRulebook."""
    files = {name: _parsed(folder / f"{name}.toml") for name in FILES}
    settings = _settings(_rows(files["settings"], "setting"), instead)
    tables = [t for name in ("procedures", "conditions", "person", "course") for t in _rows(files[name], "rule")]
    rules = _by_id(tuple(tables), lambda table: rule_row(table, settings))
    vocabulary = files["vocabulary"]
    book = Rulebook(
        version=_digest(folder, instead),
        settings=settings,
        modalities=_by_id(_rows(vocabulary, "modality"), _modality),
        zone_parent=_zones(_rows(vocabulary, "zone")),
        questions=_by_id(_rows(files["questionnaire"], "question"), _question),
        findings=_by_id(_rows(vocabulary, "finding"), _finding),
        rules=rules,
        procedure_kinds=procedure_kinds(rules.values()),
        greatest_ages_days=greatest_ages_days(rules.values(), settings),
        limits={row.modality: row for row in _by_id(_rows(files["limits"], "limit"), _limit).values()},
    )
    for table in files.values():
        table.done()
    _agree(book)
    return book


def _digest(folder: Path, instead: Mapping[str, str]) -> str:
    """Twelve hex digits over the files and the replaced settings."""
    content = b"".join((folder / f"{name}.toml").read_bytes() for name in FILES)
    return hashlib.sha256(content + repr(sorted(instead.items())).encode()).hexdigest()[:12]


def _parsed(path: Path) -> Table:
    try:
        return Table(f"rules/{path.name}", tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BrokenRulebook(f"rules/{path.name}: the file is missing in {path.parent}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as mistake:
        raise BrokenRulebook(f"rules/{path.name}: this is not TOML: {mistake}") from None


def _rows(file: Table, name: str) -> tuple[Table, ...]:
    """The rows of one kind, each placed by its id."""
    rows = file.tables(name)
    for row in rows:
        row.place = f"{file.place}, {name} {row.values.get('id', 'without id')}"
        row.text("id")
    return rows


def _by_id(rows: tuple[Table, ...], read: Callable[[Table], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for row in rows:
        if row.text("id") in found:
            raise row.broken("id", "an id that no other row has")
        found[row.text("id")] = read(row)
        row.done()
    return found


def _sourced(row: Table) -> None:
    """Every clinical number says where it is from."""
    row.whole("version", 1, 10_000)
    row.word("provenance", PROVENANCE)
    row.text("source")
    row.text("unit")


def _settings(rows: tuple[Table, ...], instead: Mapping[str, str]) -> Settings:
    def value(row: Table) -> str | int:
        _sourced(row)
        if row.text("id") == "isotretinoin_policy":
            return row.word("value", POLICIES)
        return row.whole("value", 1, DAYS_MAX)

    found: dict[str, str | int] = {**_by_id(rows, value), **instead}
    for name in sorted(set(SETTINGS) ^ set(found)):
        raise BrokenRulebook(f"rules/settings.toml, setting {name}: {'it is missing' if name in SETTINGS else 'no such setting'}")
    if found["isotretinoin_policy"] not in POLICIES:
        raise BrokenRulebook(f"rules/settings.toml, setting isotretinoin_policy: expected one of {', '.join(POLICIES)}")
    return Settings(**found)  # type: ignore[arg-type]  # names and types were checked above


def _zones(rows: tuple[Table, ...]) -> dict[str, str | None]:
    tree = _by_id(rows, lambda row: row.text("parent") if row.has("parent") else None)
    for row in rows:
        parent = tree[row.text("id")]
        seen = {row.text("id")}
        while parent is not None:
            if parent not in tree or parent in seen:
                raise row.broken("parent", "a zone of this file, without a circle")
            seen.add(parent)
            parent = tree[parent]
    return tree


def _modality(row: Table) -> Modality:
    return Modality(id=row.text("id"), groups=row.words("groups"), offered=row.flag("offered", default=False))


def _finding(row: Table) -> Finding:
    return Finding(id=row.text("id"), question=row.text("question"), value=row.text("value"))


def _question(row: Table) -> Question:
    values = row.table("values")
    return Question(
        id=row.text("id"),
        version=row.whole("version", 1, 10_000),
        text=row.text("text"),
        date_means=row.text("date_means") if row.has("date_means") else None,
        values={name: values.word(name, ANSWER_CLASSES) for name in values.values},  # type: ignore[misc]
        dated=frozenset(row.words("dated")),
    )


def _limit(row: Table) -> LimitRow:
    _sourced(row)
    caps, energies, densities = (
        row.table(f"{name}") for name in ("coverage_percent_max_by_skin_type", "zone_energy_mj_per_mtz_max", "zone_density_mtz_per_cm2_max")
    )
    return LimitRow(
        id=row.text("id"),
        version=row.whole("version", 1, 10_000),
        modality=row.text("modality"),
        energy_mj_per_mtz_min=row.number("energy_mj_per_mtz_min", 0.1, 200),
        energy_mj_per_mtz_max=row.number("energy_mj_per_mtz_max", 0.1, 200),
        density_mtz_per_cm2_max=row.whole("density_mtz_per_cm2_max", 1, 10_000),
        coverage_percent_max=row.whole("coverage_percent_max", 1, 100),
        passes_max=row.whole("passes_max", 1, 20),
        coverage_percent_max_by_skin_type={skin: caps.whole(skin, 1, 100) for skin in SKIN_TYPES},
        zone_energy_mj_per_mtz_max={zone: energies.number(zone, 0.1, 200) for zone in energies.values},
        zone_density_mtz_per_cm2_max={zone: densities.whole(zone, 1, 10_000) for zone in densities.values},
    )


def _agree(book: Rulebook) -> None:
    """The files name each other's words, and the rows that decisions name are there. Raises: BrokenRulebook."""
    _known("course.toml", "id", ["CHANGES_ATTESTED"], book.rules)
    for rule in book.rules.values():
        place = f"rule {rule.id}"
        asked = [name for name in (rule.question, *(q for q, _ in rule.positives)) if name is not None]
        _known(place, "question", asked, book.questions)
        _known(place, "reads", [r.fact.removeprefix("answer:") for r in rule.reads if r.fact.startswith("answer:")], book.questions)
        groups = {group for modality in book.modalities.values() for group in modality.groups}
        _known(place, "cells", [*rule.cells, *(g for cells in rule.procedures.values() for g in cells)], groups)
    for finding in book.findings.values():
        _known(f"finding {finding.id}", "question", [finding.question], book.questions)
        _known(f"finding {finding.id}", "value", [finding.value], book.questions[finding.question].values)
    for question in book.questions.values():
        _known(f"question {question.id}", "dated", sorted(question.dated), question.values)
    _known("limits.toml", "modality", sorted(book.limits), book.modalities)
    _known("modalities", "offered, but without a row in limits.toml", [m.id for m in book.modalities.values() if m.offered], book.limits)
    for limit in book.limits.values():
        _known(limit.id, "zone", [*limit.zone_energy_mj_per_mtz_max, *limit.zone_density_mtz_per_cm2_max], book.zone_parent)


def _known(place: str, field: str, words: list[str], allowed: object) -> None:
    assert isinstance(allowed, Mapping | set)
    for word in words:
        if word not in allowed:
            raise BrokenRulebook(f"rules, {place}, field {field}: {word!r} is not defined anywhere in the rules")


__all__ = ["BrokenRulebook", "Rule", "Rulebook", "load"]
