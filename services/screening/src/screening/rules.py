"""May this patient be treated so, on that day, and why? The order of domain.md, Decision precedence, word by word. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from screening.facts import Facts, Plan
from screening.freshness import lacking
from screening.readings import Finding, LookedAt, Missing, applies, read
from screening.rule_rows import Rule, Rulebook, Verdict
from screening.zones import contains

OutcomeWord = Literal["CLEARED", "INELIGIBLE", "INCOMPLETE", "DEFERRED", "NEEDS_PHYSICIAN", "CONDITIONAL", "ADVISORY"]
TracedVerdict = Literal["ABSOLUTE", "MISSING", "DEFER", "RELATIVE", "COND", "ADVISORY", "OVERRIDDEN", "ACKNOWLEDGED", "CLEAR"]

PRECEDENCE: tuple[tuple[Verdict, OutcomeWord], ...] = (
    ("ABSOLUTE", "INELIGIBLE"),
    ("MISSING", "INCOMPLETE"),
    ("DEFER", "DEFERRED"),
    ("RELATIVE", "NEEDS_PHYSICIAN"),
    ("COND", "CONDITIONAL"),
    ("ADVISORY", "ADVISORY"),
)
_NOTHING_OPEN: OutcomeWord = "CLEARED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """An open reason. `earliest`: the first day on which it no longer stands; None = date open, or no date is offered."""

    rule_id: str
    rule_version: int
    verdict: Verdict
    zones: tuple[str, ...]
    earliest: date | None
    says: str
    ends: str
    grounds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What must be asked or recorded before a decision, and the rows that need it."""

    fact: str
    why: str
    rule_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """One row, one zone: what it looked at, and what it said."""

    rule_id: str
    rule_version: int
    policy: str | None
    zone: str
    verdict: TracedVerdict
    earliest: date | None
    says: str
    looked_at: tuple[LookedAt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """`until`: DEFERRED = first allowed day, CONDITIONAL = when the recorded preconditions are ripe; None = date open or none offered.

    `not_before`: DEFERRED with a date open: the greatest of the dates that are known.
    """

    outcome: OutcomeWord
    until: date | None
    not_before: date | None
    reasons: tuple[Reason, ...]
    missing: tuple[Asked, ...]
    trace: tuple[TraceLine, ...]
    rulebook_version: str


@dataclass(frozen=True, slots=True)
class _Line:
    rule: Rule
    zone: str
    findings: tuple[Finding, ...]
    missing: tuple[Missing, ...]
    settled: tuple[tuple[TracedVerdict, Finding], ...]
    looked_at: tuple[LookedAt, ...]


def evaluate(book: Rulebook, facts: Facts, plan: Plan, today: date) -> Assessment:
    """The answer for this patient, modality, zones and date. `today`: the clinic's local day of the decision.

    Source: domain.md, Decision precedence, and section 3c.
    """
    lines = _lines(book, facts, plan, today)
    outcome = _outcome(lines)
    until, not_before = _dates(outcome, [finding for line in lines for finding in line.findings])
    return Assessment(
        outcome=outcome,
        until=until,
        not_before=not_before,
        reasons=_reasons(lines, outcome),
        missing=_asked(lines),
        trace=tuple(_traced(line) for line in lines),
        rulebook_version=book.version,
    )


def outcome_of(book: Rulebook, facts: Facts, plan: Plan, today: date) -> OutcomeWord:
    """The outcome of `evaluate` alone."""
    return _outcome(_lines(book, facts, plan, today))


def _lines(book: Rulebook, facts: Facts, plan: Plan, today: date) -> list[_Line]:
    return [
        _line(book, rule, facts, plan, zone, today)
        for rule in book.rules.values()
        for zone in sorted(set(plan.zones))
        if applies(book, rule, plan.modality, zone)
    ]


def _outcome(lines: Sequence[_Line]) -> OutcomeWord:
    verdicts = {finding.verdict for line in lines for finding in line.findings} | {"MISSING" for line in lines if line.missing}
    return next((word for verdict, word in PRECEDENCE if verdict in verdicts), _NOTHING_OPEN)


def _line(book: Rulebook, rule: Rule, facts: Facts, plan: Plan, zone: str, today: date) -> _Line:
    reading = read(book, rule, facts, plan, zone)
    lacks = [lack for row in rule.reads if (lack := lacking(row, facts, plan, today)) is not None]
    open_, settled = [], []
    for finding in reading.findings:
        left, word = _settled(book, rule, facts, plan, zone, finding)
        if left is not None:
            open_.append(left)
        if word is not None:
            settled.append((word, finding))
    return _Line(rule, zone, tuple(open_), tuple([*lacks, *reading.missing]), tuple(settled), tuple(reading.looked_at))


def _settled(
    book: Rulebook, rule: Rule, facts: Facts, plan: Plan, zone: str, finding: Finding
) -> tuple[Finding | None, TracedVerdict | None]:
    """What an override or an acknowledgement leaves of a finding. ABSOLUTE and COND are never overridden."""
    if finding.verdict == "ADVISORY":
        told = any(
            (a.rule_id, a.rule_version) == (rule.id, rule.version) and set(finding.grounds) <= set(a.grounds)
            for a in facts.acknowledgements
        )
        return (None, "ACKNOWLEDGED") if told else (finding, None)
    if finding.overridable_from is None or not _overridden(book, rule, facts, plan, zone, finding):
        return finding, None
    if plan.on >= finding.overridable_from:
        return None, "OVERRIDDEN"
    return replace(finding, earliest=finding.overridable_from if finding.verdict == "DEFER" else None), None


def _overridden(book: Rulebook, rule: Rule, facts: Facts, plan: Plan, zone: str, finding: Finding) -> bool:
    return any(
        (o.rule_id, o.rule_version, o.modality) == (rule.id, rule.version, plan.modality)
        and contains(book.zone_parent, o.zone, zone)
        and plan.on <= o.expires_on
        and set(finding.grounds) <= set(o.grounds)
        for o in facts.overrides
    )


def _dates(outcome: OutcomeWord, findings: Sequence[Finding]) -> tuple[date | None, date | None]:
    """The latest date wins; one open date opens the whole."""
    verdict = {"DEFERRED": "DEFER", "CONDITIONAL": "COND"}.get(outcome)
    dates = [finding.earliest for finding in findings if finding.verdict == verdict]
    known = max((day for day in dates if day is not None), default=None)
    return (None, known) if None in dates else (known, None)


def _reasons(lines: Iterable[_Line], outcome: OutcomeWord) -> tuple[Reason, ...]:
    """All open reasons, one per row and verdict, the winning class first. INELIGIBLE offers no date, not even beside it."""
    grouped: dict[tuple[str, Verdict], list[tuple[_Line, Finding]]] = {}
    for line in lines:
        found = list(line.findings)
        if line.missing and outcome == "INCOMPLETE":
            found.append(Finding(verdict="MISSING", says="; ".join(_sentences(line.missing)), grounds=()))
        for finding in found:
            grouped.setdefault((line.rule.id, finding.verdict), []).append((line, finding))
    reasons = [_reason(found, dated=outcome != "INELIGIBLE") for found in grouped.values()]
    order = [verdict for verdict, _ in PRECEDENCE]
    return tuple(sorted(reasons, key=lambda r: (order.index(r.verdict), -(r.earliest or date.max).toordinal(), r.rule_id)))


def _reason(found: Sequence[tuple[_Line, Finding]], *, dated: bool) -> Reason:
    rule, verdict = found[0][0].rule, found[0][1].verdict
    dates = [finding.earliest for _, finding in found]
    latest = None if None in dates else max(day for day in dates if day is not None)
    return Reason(
        rule_id=rule.id,
        rule_version=rule.version,
        verdict=verdict,
        zones=tuple(sorted({line.zone for line, _ in found})),
        earliest=latest if dated else None,
        says="; ".join(sorted({finding.says for _, finding in found})) if dated else rule.label,
        ends=rule.ends,
        grounds=tuple(sorted({ground for _, finding in found for ground in finding.grounds})),
    )


def _asked(lines: Iterable[_Line]) -> tuple[Asked, ...]:
    wanted: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        for missing in line.missing:
            wanted.setdefault((missing.fact, missing.why), set()).add(line.rule.id)
    return tuple(Asked(fact=fact, why=why, rule_ids=tuple(sorted(ids))) for (fact, why), ids in sorted(wanted.items()))


def _sentences(missing: Sequence[Missing]) -> list[str]:
    return sorted({f"{lack.fact}: {lack.why}" for lack in missing})


def _traced(line: _Line) -> TraceLine:
    """The worst thing that the row said, with all its sentences."""
    order: list[str] = [verdict for verdict, _ in PRECEDENCE]
    said: list[tuple[TracedVerdict, date | None, str]] = [(f.verdict, f.earliest, f.says) for f in line.findings]
    said.extend(("MISSING", None, sentence) for sentence in _sentences(line.missing))
    said.sort(key=lambda word: (order.index(word[0]), -(word[1] or date.max).toordinal(), word[2]))
    said.extend((word, finding.earliest, finding.says) for word, finding in line.settled)
    verdict, earliest, _ = said[0] if said else ("CLEAR", None, "")
    return TraceLine(
        rule_id=line.rule.id,
        rule_version=line.rule.version,
        policy=line.rule.policy,
        zone=line.zone,
        verdict=verdict,
        earliest=earliest,
        says="; ".join(sentence for _, _, sentence in said) or f"{line.rule.label}: nothing open",
        looked_at=line.looked_at,
    )
