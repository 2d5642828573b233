"""One row of `rules/*.toml` becomes one `Rule`, or a sentence that says what is wrong with it."""

from screening.rule_rows import Cell, Read, Rule, Say, Settings
from screening.toml_rows import BrokenRulebook, Table

KINDS = ("procedure", "condition", "skin_type", "age", "plan", "consultation", "clearance_age", "adverse_event", "attestation")
VERDICTS = ("ABSOLUTE", "DEFER", "RELATIVE", "COND", "ADVISORY")
PRECONDITIONS = ("antiviral", "priming", "test_spot")
MITIGATIONS = ("test_spot", "lower_settings", "shorter_exposure", "specialist_note", "guardian_consent")
PROVENANCE = ("S", "C", "R", "G", "H")
SKIN_TYPES = ("I", "II", "III", "IV", "V", "VI")
PLAIN_FACTS = ("examination", "birth_date", "consultation", "clearance")
DAYS_MAX = 3650
YEARS_MAX = 150


def rule_row(row: Table, settings: Settings) -> Rule:
    """The rule of one row, with the cells of the policy that the settings choose. Raises: BrokenRulebook."""
    policy, cells = _cells(row, settings)
    rule = Rule(
        id=row.text("id"),
        version=row.whole("version", 1, 10_000),
        label=row.text("label"),
        kind=row.word("kind", KINDS),  # type: ignore[arg-type]  # one of KINDS
        source=row.text("source"),
        provenance=row.word("provenance", PROVENANCE),
        unit=row.text("unit"),
        ends=row.text("ends"),
        seed_window_days=row.whole("seed_window_days", 1, DAYS_MAX) if row.has("seed_window_days") else None,
        policy=policy,
        reads=tuple(_read(table) for table in row.tables("reads")),
        face_only=row.flag("face_only", default=False),
        positives=_pairs(row),
        question=row.text("question") if row.has("question") else None,
        unknown_kind=row.text("unknown_kind") if row.has("unknown_kind") else None,
        procedures={kind: _by_group(table) for kind, table in row.table("procedures").inner().items()},
        skin_types=row.words("skin_types"),
        years_below=row.whole("years_below", 1, YEARS_MAX) if row.has("years_below") else None,
        years_from=row.whole("years_from", 1, YEARS_MAX) if row.has("years_from") else None,
        cells=cells,
    )
    _whole_of_its_kind(row, rule)
    _seed_window_holds(row, rule)
    return rule


def _cells(row: Table, settings: Settings) -> tuple[str | None, dict[str, Cell]]:
    if not row.has("policy_setting"):
        return None, _by_group(row.table("cells"))
    setting = row.text("policy_setting")
    chosen = getattr(settings, setting, None)
    policies = row.table("policies")
    read = {name: _by_group(table) for name, table in policies.inner().items()}
    if chosen not in read:
        raise policies.broken(str(chosen), f"the cells of the policy that setting {setting} chooses")
    return f"{setting} = {chosen}", read[str(chosen)]


def _by_group(table: Table) -> dict[str, Cell]:
    return {group: _cell(cell) for group, cell in table.inner().items()}


def _cell(table: Table) -> Cell:
    cell = Cell(
        holds=tuple(_say(say, dated=False) for say in table.tables("holds")),
        after=tuple(_say(say, dated=True) for say in table.tables("after")),
    )
    table.done()
    return cell


def _say(table: Table, *, dated: bool) -> Say:
    verdict = table.word("verdict", VERDICTS)
    by_type = table.table("days_by_skin_type") if table.has("days_by_skin_type") else None
    say = Say(
        verdict=verdict,  # type: ignore[arg-type]  # one of VERDICTS
        days=table.whole("days", 0, DAYS_MAX) if table.has("days") else None,
        days_by_skin_type={skin: by_type.whole(skin, 0, DAYS_MAX) for skin in SKIN_TYPES} if by_type else None,
        overridable_from_day=_overridable_from(table, verdict),
        mitigation=table.word("mitigation", MITIGATIONS) if table.has("mitigation") else None,
        precondition=table.word("precondition", PRECONDITIONS) if verdict == "COND" else None,
        greatest_age_days=table.whole("greatest_age_days", 0, DAYS_MAX) if table.has("greatest_age_days") else None,
        only_for_indications=table.words("only_for_indications"),
        not_for_indications=table.words("not_for_indications"),
    )
    if (dated or verdict == "COND") and say.days is None and say.days_by_skin_type is None:
        raise table.broken("days", "a number of days")
    if say.mitigation is not None and say.overridable_from_day is None:
        raise table.broken("mitigation", "a cell that a doctor may override")
    table.done()
    return say


def _overridable_from(table: Table, verdict: str) -> int | None:
    """ABSOLUTE, COND and ADVISORY are never overridden; a DEFER or RELATIVE must say whether it may be."""
    if verdict not in ("DEFER", "RELATIVE"):
        return None
    if not table.take("overridable", bool, "true or false"):
        return None
    return table.whole("overridable_from_day", 0, DAYS_MAX) if table.has("overridable_from_day") else 0


def _read(table: Table) -> Read:
    fact = table.text("fact")
    if not fact.startswith("answer:") and fact not in PLAIN_FACTS:
        raise table.broken("fact", f"answer:<question> or one of {', '.join(PLAIN_FACTS)}")
    ages = table.take("ages_years", list, "two ages in years") if table.has("ages_years") else None
    if ages is not None and (len(ages) != 2 or not all(type(age) is int for age in ages)):
        raise table.broken("ages_years", "two ages in years")
    read = Read(
        fact=fact,
        greatest_age_days=table.whole("greatest_age_days", 0, DAYS_MAX) if table.has("greatest_age_days") else None,
        ages_years=(ages[0], ages[1]) if ages is not None else None,
    )
    table.done()
    return read


def _pairs(row: Table) -> tuple[tuple[str, str], ...]:
    pairs = row.take("positives", list, "pairs of question and value") if row.has("positives") else []
    if not all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(word, str) for word in pair) for pair in pairs):
        raise row.broken("positives", "pairs of question and value")
    return tuple((pair[0], pair[1]) for pair in pairs)


def _whole_of_its_kind(row: Table, rule: Rule) -> None:
    """A row has what its kind needs. Raises: BrokenRulebook."""
    needed: dict[str, tuple[tuple[str, object], ...]] = {
        "procedure": (("question", rule.question), ("unknown_kind", rule.unknown_kind), ("procedures", rule.procedures)),
        "condition": (("question", rule.question), ("cells", rule.cells)),
        "skin_type": (("skin_types", rule.skin_types), ("cells", rule.cells)),
        "age": (("years_below or years_from", rule.years_below or rule.years_from), ("cells", rule.cells)),
    }
    for name, value in needed.get(rule.kind, (("cells", rule.cells),)):
        if not value:
            raise BrokenRulebook(f"{row.place}, field {name}: a row of kind {rule.kind} needs it, and it is missing")
    if any(skin not in SKIN_TYPES for skin in rule.skin_types):
        raise row.broken("skin_types", f"words out of {', '.join(SKIN_TYPES)}")


def _seed_window_holds(row: Table, rule: Rule) -> None:
    """No cell of a seed row may be shorter than its window, or overridable inside it. Source: domain.md, Overrides."""
    window = rule.seed_window_days
    if window is None:
        return
    for kind, cells in rule.procedures.items():
        for group, cell in cells.items():
            place = f"{row.place}, procedures {kind} {group}"
            if not any(say.verdict == "DEFER" and (say.days or 0) >= window for say in cell.after):
                raise BrokenRulebook(f"{place}: the seed window is {window} days, and no DEFER cell here is as long")
            for say in cell.says:
                if say.overridable_from_day is not None and say.overridable_from_day < window:
                    raise BrokenRulebook(f"{place}, field overridable_from_day: nobody overrides before day {window} of a seed row")
