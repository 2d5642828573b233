"""What one row says about one zone of a plan, per kind of row. Pure: rows and facts in, findings out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import assert_never
from uuid import UUID

from erbium_kernel.clinical_dates import gap_days
from screening.courses import course_of, latest_answer
from screening.facts import Facts, Plan, Procedure, When
from screening.preconditions import ripens
from screening.rule_rows import Cell, Rule, Rulebook, Say, Verdict
from screening.zones import FACE, any_overlap, contains

_NO_ID = UUID(int=0)  # of a procedure that is known from an answer alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row's open word about one zone. `earliest` None = date open or no date; `overridable_from` None = nobody may override.

    `grounds`: what it was based on, as words without personal data; an override holds for the same grounds only, and records
    `mitigation` if the row asks for one.
    """

    verdict: Verdict
    says: str
    grounds: tuple[str, ...]
    earliest: date | None = None
    overridable_from: date | None = None
    mitigation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A fact that a row needs and that is unknown or too old."""

    fact: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """A fact that a row looked at. Never personal data: ages are bands."""

    fact: str
    value: str
    known_on: date | None = None


@dataclass(slots=True)
class Reading:
    """All that one row found in one zone."""

    findings: list[Finding] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    looked_at: list[LookedAt] = field(default_factory=list)


def applies(book: Rulebook, rule: Rule, modality: str, zone: str) -> bool:
    """The row has a word for this modality, and for this zone."""
    columns = [rule.cells, *rule.procedures.values()]
    if all(book.cell(cells, modality) is None for cells in columns):
        return False
    return not rule.face_only or contains(book.zone_parent, FACE, zone)


def read(book: Rulebook, rule: Rule, facts: Facts, plan: Plan, zone: str) -> Reading:
    """What the row says about this zone, overrides not yet counted."""
    reading = Reading()
    match rule.kind:
        case "procedure":
            _procedures(book, rule, facts, plan, zone, reading)
        case "condition":
            _condition(book, rule, facts, plan, zone, reading)
        case "skin_type":
            if (skin_type := facts.skin_type) is not None:
                reading.looked_at.append(LookedAt(fact="skin_type", value=skin_type))
                if skin_type in rule.skin_types:
                    _hold(book, rule, facts, plan, zone, (f"skin_type={skin_type}",), reading)
        case "age":
            _age(book, rule, facts, plan, zone, reading)
        case "plan":
            _hold(book, rule, facts, plan, zone, (f"plan={plan.modality}/{zone}",), reading)
        case "consultation":
            if facts.consulted_on is not None:
                reading.looked_at.append(LookedAt(fact="consultation", value="held", known_on=facts.consulted_on))
                _after(book, rule, facts, plan, facts.consulted_on, (f"consultation@{facts.consulted_on}",), reading)
        case "adverse_event":
            for opened_on in sorted(facts.open_adverse_events_on):
                reading.looked_at.append(LookedAt(fact="adverse_event", value="open", known_on=opened_on))
                _hold(book, rule, facts, plan, zone, (f"adverse_event@{opened_on}",), reading)
        case "attestation":
            _attestation(facts, reading)
        case "clearance_age":
            pass  # all of it is in the age of the fact it reads, see `freshness`
        case _:
            assert_never(rule.kind)
    return reading


def _procedures(book: Rulebook, rule: Rule, facts: Facts, plan: Plan, zone: str, reading: Reading) -> None:
    for procedure in [*_own(rule, facts), *_told(book, rule, facts)]:
        on = procedure.when.counted_on
        known = LookedAt(fact=f"procedure:{procedure.kind}", value=str(on or "date unknown"), known_on=procedure.reported_on)
        reading.looked_at.append(known)
        if not any_overlap(book.zone_parent, zone, procedure.zones):
            continue
        cell = _procedure_cell(book, rule, procedure.kind, plan.modality)
        if on is None and _may_still_matter(cell, facts, plan, procedure.reported_on):
            why = f"known since {procedure.reported_on}, but its date is unknown and has no bound"
            reading.missing.append(Missing(fact=f"procedure:{procedure.kind}", why=why))
            continue
        since = on or procedure.reported_on
        grounds = (f"{procedure.kind}@{since}",)
        for say in cell.after:
            _dated(say, facts, plan, since, rule, grounds, reading)
        for say in cell.holds:
            _undated(book, say, facts, plan, zone, rule, grounds, reading, since=since)


def _may_still_matter(cell: Cell, facts: Facts, plan: Plan, known_on: date) -> bool:
    """What was told of on a day was done by then: once the longest washout since that day is over, its own day matters no more."""
    return gap_days(known_on, plan.on) < max((say.days_for(facts.skin_type) for say in cell.after), default=0)


def _own(rule: Rule, facts: Facts) -> list[Procedure]:
    """Reported procedures of this row, in a fixed order."""
    kinds = {*rule.procedures, rule.unknown_kind}
    return sorted((p for p in facts.procedures if p.kind in kinds), key=lambda p: (str(p.when.counted_on), p.kind, str(p.procedure_id)))


def _told(book: Rulebook, rule: Rule, facts: Facts) -> Iterator[Procedure]:
    """Procedures known from answers alone: of unknown kind. What a report, or for an undated one a later word, explains is left out."""
    assert rule.question is not None, f"row {rule.id} is no procedure row"
    assert rule.unknown_kind is not None, f"row {rule.id} is no procedure row"
    reported, means = _own(rule, facts), book.questions[rule.question].values
    told = [answer for answer in facts.answers if answer.question == rule.question and means.get(answer.value) == "ended"]
    for answer in sorted(told, key=lambda a: (a.asked_at, a.value, str(a.when), a.zones)):
        when = answer.when or When(on=None, certainty="unknown")
        explained = (
            any(p.when.counted_on == when.counted_on for p in reported)
            if when.counted_on is not None
            else any(p.reported_on >= answer.asked_on for p in reported)
            or any(a.asked_at >= answer.asked_at and a.when is not None and a.when.counted_on is not None for a in told)
        )
        if not explained:
            yield Procedure(procedure_id=_NO_ID, kind=rule.unknown_kind, zones=answer.zones, when=when, reported_on=answer.asked_on)


def _procedure_cell(book: Rulebook, rule: Rule, kind: str, modality: str) -> Cell:
    """The cell of this kind; an unknown kind has the longest washout of its row."""
    if kind in rule.procedures:
        return book.cell(rule.procedures[kind], modality) or Cell()
    cells = [book.cell(cells, modality) or Cell() for cells in rule.procedures.values()]
    return max(cells, key=lambda cell: max((say.days or 0 for say in cell.after), default=0))


def _condition(book: Rulebook, rule: Rule, facts: Facts, plan: Plan, zone: str, reading: Reading) -> None:
    course = course_of(book, rule, facts)
    newest = latest_answer(facts, rule.question or "")
    if newest is not None:
        reading.looked_at.append(LookedAt(fact=f"answer:{newest.question}", value=newest.value, known_on=newest.asked_on))
    reading.looked_at.extend(LookedAt(fact="grounds", value=ground) for ground in course.grounds)
    if course.holds is not None:
        _hold(book, rule, facts, plan, zone, course.grounds, reading)
        return
    cell = book.cell(rule.cells, plan.modality) or Cell()
    if course.undated is not None and _may_still_matter(cell, facts, plan, course.undated.known_on):
        reading.missing.append(Missing(fact=f"answer:{course.undated.question}", why=f"{course.undated.value}, but its date is unknown"))
    if course.ended_on is not None:
        _after(book, rule, facts, plan, course.ended_on, course.grounds, reading)


def _age(book: Rulebook, rule: Rule, facts: Facts, plan: Plan, zone: str, reading: Reading) -> None:
    if facts.birth_date is None:
        return
    years = completed_years(facts.birth_date, plan.on)
    below, from_ = rule.years_below, rule.years_from
    hit = (below is not None and years < below) or (from_ is not None and years >= from_)
    band = f"under {below}" if below is not None else f"{from_} or older"
    reading.looked_at.append(LookedAt(fact="age on the treatment date", value=band if hit else f"not {band}"))
    if hit:
        _hold(book, rule, facts, plan, zone, (f"age={band}",), reading)


def completed_years(birth_date: date, on: date) -> int:
    """Completed years of age; born on 29 February = 1 March in common years. Source: domain.md section 3c."""
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))


def _attestation(facts: Facts, reading: Reading) -> None:
    if not facts.changes_attested:
        return
    on, at = max(facts.changes_attested, key=lambda attested: attested[1])
    reading.looked_at.append(LookedAt(fact="attestation", value="changes", known_on=on))
    if not any(answer.asked_at > at for answer in facts.answers):
        reading.missing.append(Missing(fact="questionnaire", why=f"changes were attested on {on}; ask again"))


def _hold(book: Rulebook, rule: Rule, facts: Facts, plan: Plan, zone: str, grounds: Sequence[str], reading: Reading) -> None:
    cell = book.cell(rule.cells, plan.modality) or Cell()
    for say in cell.holds:
        _undated(book, say, facts, plan, zone, rule, tuple(grounds), reading, since=date.min)


def _after(book: Rulebook, rule: Rule, facts: Facts, plan: Plan, on: date, grounds: Sequence[str], reading: Reading) -> None:
    cell = book.cell(rule.cells, plan.modality) or Cell()
    for say in cell.after:
        _dated(say, facts, plan, on, rule, tuple(grounds), reading)


def _dated(say: Say, facts: Facts, plan: Plan, on: date, rule: Rule, grounds: tuple[str, ...], reading: Reading) -> None:
    """A washout: blocked while gap < days, free from the day on that the gap is reached; what has run out is no finding."""
    days = say.days_for(facts.skin_type)
    if not _indicated(say, plan) or gap_days(on, plan.on) >= days:
        return
    ends_on = on + timedelta(days=days)
    reading.findings.append(
        Finding(
            verdict=say.verdict,
            says=f"{rule.label}: gap {gap_days(on, plan.on)} of {days} days, until {ends_on}",
            grounds=grounds,
            earliest=ends_on if say.verdict == "DEFER" else None,
            overridable_from=_from_day(say, on),
            mitigation=say.mitigation,
        )
    )


def _undated(
    book: Rulebook, say: Say, facts: Facts, plan: Plan, zone: str, rule: Rule, grounds: tuple[str, ...], reading: Reading, *, since: date
) -> None:
    """Something that holds. A precondition that is met is no finding; an unripe one names its day."""
    if not _indicated(say, plan):
        return
    earliest, says = None, f"{rule.label}; ends: {rule.ends}"
    if say.verdict == "COND":
        earliest = ripens(book, say, facts, plan, zone)
        if earliest is not None and earliest <= plan.on:
            return
        says = f"{rule.label}: {say.precondition} not met" + (f", earliest {earliest}" if earliest else "")
    reading.findings.append(
        Finding(
            verdict=say.verdict,
            says=says,
            grounds=grounds,
            earliest=earliest,
            overridable_from=_from_day(say, since),
            mitigation=say.mitigation,
        )
    )


def _from_day(say: Say, on: date) -> date | None:
    return None if say.overridable_from_day is None else on + timedelta(days=say.overridable_from_day)


def _indicated(say: Say, plan: Plan) -> bool:
    if say.only_for_indications and plan.indication not in say.only_for_indications:
        return False
    return plan.indication is None or plan.indication not in say.not_for_indications
