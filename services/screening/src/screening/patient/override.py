"""A physician's override: who may, on which rows, with what recorded. Source: domain.md, Overrides."""

from collections.abc import Sequence
from datetime import timedelta

from erbium_kernel.errors import Rejected
from erbium_kernel.personal import Personal
from screening.facts import Plan
from screening.patient.commands import GrantOverride
from screening.patient.decision_events import OverrideGranted
from screening.patient.events import Event
from screening.patient.physicians import doctor_only
from screening.patient.record_facts import once
from screening.patient.refusals import (
    AbsoluteRule,
    MitigationMissing,
    NothingToOverride,
    NotOverridable,
    NotTheExaminingDoctor,
    OverrideExpiryOutOfRange,
    PreconditionNotOverridable,
    RationaleTooShort,
    RuleUnknown,
    SeedWindow,
    WordUnknown,
)
from screening.patient.state import Registered
from screening.readings import Finding, applies, read
from screening.rule_rows import Rule, Rulebook


def grant_override(book: Rulebook, command: GrantOverride, state: Registered) -> Sequence[Event]:
    """The override, on the grounds that stand today. Raises: a named refusal for everything the table does not allow."""
    known = state.overrides.get(command.override_id)
    act = command.act
    doctor_only(act)
    if known is None:
        _who_and_how(book, command, state)
    rule = _rule(book, command)
    grounds = known.grounds if known else _grounds(command, _overridable(book, rule, command, state))
    event = OverrideGranted(
        clinic_id=act.clinic_id, override_id=command.override_id, rule_id=rule.id, rule_version=rule.version, modality=command.modality,
        zone=command.zone,
        indication=command.indication, grounds=grounds, rationale=command.rationale, mitigations=tuple(sorted(set(command.mitigations))),
        doctor_id=act.by, granted_on=known.granted_on if known else act.today, expires_on=command.expires_on,
    )  # fmt: skip
    return once(event, known)


def _who_and_how(book: Rulebook, command: GrantOverride, state: Registered) -> None:
    settings, today = book.settings, command.act.today
    if state.examined_by() != command.act.by:
        raise NotTheExaminingDoctor
    if not isinstance(command.rationale, Personal) or len(command.rationale.text.strip()) < settings.override_rationale_chars_min:
        raise RationaleTooShort(characters_min=settings.override_rationale_chars_min)
    latest = today + timedelta(days=settings.override_days_max)
    if not today <= command.expires_on <= latest:
        raise OverrideExpiryOutOfRange(earliest=today.isoformat(), latest=latest.isoformat())


def _rule(book: Rulebook, command: GrantOverride) -> Rule:
    """The row in force, with words checked."""
    rule = book.rules.get(command.rule_id)
    if rule is None or rule.version != command.rule_version:
        raise RuleUnknown(version_in_force=rule.version if rule else None, known=sorted(book.rules))
    if command.modality not in book.modalities:
        raise WordUnknown(field="modality", known=sorted(book.modalities))
    if command.zone not in book.zone_parent:
        raise WordUnknown(field="zone", known=sorted(book.zone_parent))
    return rule


def _overridable(book: Rulebook, rule: Rule, command: GrantOverride, state: Registered) -> Sequence[Finding]:
    """What the row says today that a doctor may override. Raises: why nothing of it is."""
    today = command.act.today
    plan = Plan(modality=command.modality, zones=(command.zone,), on=today, indication=command.indication)
    findings = read(book, rule, state.facts, plan, command.zone).findings if applies(book, rule, command.modality, command.zone) else []
    able = [finding for finding in findings if finding.overridable_from is not None and finding.overridable_from <= today]
    if able:
        return able
    raise _why_not(book, rule, command.modality, findings)(rule_id=rule.id, rule_version=rule.version)


def _grounds(command: GrantOverride, overridden: Sequence[Finding]) -> tuple[str, ...]:
    """What the override is about, as the facts stand today; later facts of the same row are not covered by it.

    Raises: MitigationMissing.
    """
    asked_for = {finding.mitigation for finding in overridden if finding.mitigation is not None}
    if not command.mitigations or asked_for - set(command.mitigations):
        raise MitigationMissing(asked_for=sorted(asked_for))
    return tuple(sorted({ground for finding in overridden for ground in finding.grounds}))


def _why_not(book: Rulebook, rule: Rule, modality: str, findings: Sequence[Finding]) -> type[Rejected]:
    """The refusal that fits best. A row that nobody may ever override says so even when it is not in the way."""
    columns = [cell for cells in (rule.cells, *rule.procedures.values()) if (cell := book.cell(cells, modality))]
    says = [say for cell in columns for say in cell.says]
    words = {finding.verdict for finding in findings} or {say.verdict for say in says}
    if "ABSOLUTE" in words:
        return AbsoluteRule
    if rule.seed_window_days is not None:
        return SeedWindow
    if words and words <= {"COND", "ADVISORY"}:
        return PreconditionNotOverridable
    if findings or all(say.overridable_from_day is None for say in says):
        return NotOverridable
    return NothingToOverride
