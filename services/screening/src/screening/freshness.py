"""Is a fact there, and fresh enough? "Never asked" is unknown, never "no". Source: domain.md, Decision precedence; section 3c."""

from datetime import date

from erbium_kernel.clinical_dates import gap_days
from screening.courses import latest_answer
from screening.facts import Facts, Plan
from screening.readings import Missing, completed_years
from screening.rule_rows import Read


def judged_on(plan: Plan, today: date) -> date:
    """The day on which facts must be fresh: the treatment day for a firm booking, the day of the decision for a provisional one."""
    return plan.on if plan.standing == "firm" else today


def lacking(read: Read, facts: Facts, plan: Plan, today: date) -> Missing | None:
    """What is wrong with the fact that a row reads, or None."""
    if read.fact == "birth_date":
        return None if facts.birth_date else Missing(fact="birth_date", why="unknown")
    if not _asked_at_this_age(read, facts, plan):
        return None
    known_on = _known_on(read.fact, facts)
    if known_on is None:
        if read.fact == "clearance":
            return None  # not asked about an existing clearance
        return Missing(fact=read.fact, why="never asked" if read.fact.startswith("answer:") else "never recorded")
    age_days = gap_days(known_on, judged_on(plan, today))
    if read.greatest_age_days is not None and age_days > read.greatest_age_days:
        return Missing(fact=read.fact, why=f"of {known_on}, {age_days} days old; at most {read.greatest_age_days}")
    return None


def _known_on(fact: str, facts: Facts) -> date | None:
    if fact.startswith("answer:"):
        answer = latest_answer(facts, fact.removeprefix("answer:"))
        return answer.asked_on if answer else None
    if fact == "examination":
        return facts.examination.examined_on if facts.examination else None
    return facts.consulted_on if fact == "consultation" else facts.cleared_on


def _asked_at_this_age(read: Read, facts: Facts, plan: Plan) -> bool:
    """Some questions are asked of some ages only; while the age is unknown, of everybody."""
    if read.ages_years is None or facts.birth_date is None:
        return True
    youngest, oldest = read.ages_years
    return youngest <= completed_years(facts.birth_date, plan.on) <= oldest
