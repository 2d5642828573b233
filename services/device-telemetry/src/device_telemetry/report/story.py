"""What happened in a treatment, in order, and who caused it: from the events of its own stream and of its clearance's. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from device_telemetry.clearance.events import (
    AttestationHeard,
    GrantHeard,
    ReinstatementHeard,
    RevocationHeard,
    SuspensionHeard,
    TreatmentBound,
)
from device_telemetry.report.contents import Contents, Told
from device_telemetry.report.wording import BROKEN_OFF, CAUSES, ENDED_BY, breach_words, number
from device_telemetry.treatment.events import (
    BackfillExpired,
    HoldLifted,
    TreatmentAborted,
    TreatmentCompleted,
    TreatmentEnded,
    TreatmentHeld,
    TreatmentPartiallyCompleted,
    TreatmentResumed,
    TreatmentStarted,
    ZoneClosed,
)
from erbium_kernel.event import Actor

BY_ITSELF = {"reaction": "this service", "timer": "the clock", "device": "the laser"}


class Line(NamedTuple):
    """One thing that happened. `command`: what the laser was told, PAUSE or STOP, if it was."""

    at: datetime
    what: str
    by: str
    command: str | None = None


class PersonNamed(NamedTuple):
    """Who did what, by an opaque id; `known` says how this service knows it."""

    part: str
    id: str | None
    known: str


def story(contents: Contents) -> list[Line]:
    """Oldest first."""
    lines = [line for told in contents.clearance for line in _of_clearance(told, contents.binding.ids.treatment_id)]
    lines += [line for told in contents.treatment for line in _of_treatment(told)]
    return sorted(lines, key=lambda line: line.at)  # stable: what the clearance says comes before what follows from it


def people(contents: Contents) -> list[PersonNamed]:
    """The persons whom the record names. Nobody's name is kept here, only ids."""
    binding, clearance = contents.binding, contents.clearance
    grants = [event.granted_by for _, event in clearance if isinstance(event, GrantHeard)]
    asked = [event for _, event in clearance if isinstance(event, AttestationHeard) and event.visit_id == binding.ids.visit_id]
    ended = [envelope.actor for envelope, event in contents.treatment if isinstance(event, TreatmentEnded)]
    resumed = [event for _, event in contents.treatment if isinstance(event, TreatmentResumed)]
    found = [
        PersonNamed("Operator who opened the treatment", _staff(_opener(clearance, binding.ids.treatment_id)), "from the opening"),
        PersonNamed("Operator who ended it", _staff(ended[0]) if ended else None, "from the end"),
        PersonNamed("Physician who granted the clearance", grants[0] if grants else None, "from screening"),
        PersonNamed("Asked the question of the day", asked[-1].attested_by if asked else None, "from scheduling"),
    ]
    if binding.screening.attested_by is not None:
        found.append(PersonNamed("Physician who attested for an old copy of screening", binding.screening.attested_by, "at the laser"))
    for person, doctor in dict.fromkeys((event.resumed_by, event.by_doctor) for event in resumed):
        found.append(PersonNamed(f"Resumed the laser, as {'a physician' if doctor else 'an operator'}", person, "at the laser"))
    return found


def _opener(clearance: Sequence[Told], treatment_id: UUID) -> Actor | None:
    bound = [envelope.actor for envelope, event in clearance if isinstance(event, TreatmentBound) and _id(event) == treatment_id]
    return bound[0] if bound else None


def _id(event: TreatmentBound) -> UUID:
    return event.binding.ids.treatment_id


def _staff(actor: Actor | None) -> str | None:
    return f"{actor.kind} {actor.id}" if actor and actor.kind not in BY_ITSELF else None


def _by(actor: Actor) -> str:
    return BY_ITSELF.get(actor.kind) or f"{actor.kind} {actor.id}"


def _of_clearance(told: Told, treatment_id: UUID) -> Iterator[Line]:
    envelope, event = told
    if isinstance(event, TreatmentBound) and _id(event) == treatment_id:
        yield Line(event.binding.bound_at, "opened: the laser may treat within the limits", _by(envelope.actor))
    if getattr(event, "treatment_id", None) != treatment_id:
        return
    match event:
        case SuspensionHeard():
            yield Line(envelope.occurred_at, "screening suspended the clearance", "screening")
        case RevocationHeard():
            yield Line(envelope.occurred_at, "screening revoked the clearance", "screening")
        case ReinstatementHeard():
            yield Line(envelope.occurred_at, "screening reinstated the clearance", "screening")
        case _:
            return


def _of_treatment(told: Told) -> Iterator[Line]:
    envelope, event = told
    by = _by(envelope.actor)
    match event:
        case TreatmentStarted():
            yield Line(event.started_at, "first microbeam: the treatment has started", "the laser")
        case TreatmentHeld():
            yield Line(event.held_at, _held(event), "the dose guard", event.command)
        case HoldLifted():
            yield Line(event.lifted_at, f"no longer holds: {CAUSES[event.cause]}; the operator may resume", by)
        case ZoneClosed():
            yield Line(event.closed_at, f"zone closed: {CAUSES[event.cause]} ({breach_words(event.cause, event.breach)})", "the dose guard")
        case TreatmentResumed():
            lifted = "; ".join(CAUSES[cause] for cause in event.lifted)
            role = "as a physician" if event.by_doctor else "as an operator"
            yield Line(event.resumed_at, f"resumed {role}, over: {lifted}", f"staff {event.resumed_by}")
        case _:
            yield from _of_its_end(event, by)


def _held(event: TreatmentHeld) -> str:
    where = f" ({breach_words(event.cause, event.breach)})" if event.breach else ""
    return f"{CAUSES[event.cause]}{where}"


def _of_its_end(event: Any, by: str) -> Iterator[Line]:
    match event:
        case TreatmentAborted():
            yield Line(event.aborted_at, BROKEN_OFF[event.cause], by)
        case TreatmentEnded():
            yield Line(event.ended_at, f"{ENDED_BY[event.cause]}; {number(event.gaps_open)} gaps open, totals provisional", by)
        case BackfillExpired():
            yield Line(event.expired_at, "missing frames are no longer waited for", by)
        case TreatmentCompleted():
            yield Line(event.completed_at, f"completed: no frame is missing, {_mtz(event)} MTZ in all", by)
        case TreatmentPartiallyCompleted():
            missing = number(event.missing_frames)
            yield Line(event.completed_at, f"partially completed: {missing} frames missing, {_mtz(event)} MTZ in all", by)
        case _:
            return


def _mtz(event: TreatmentCompleted | TreatmentPartiallyCompleted) -> str:
    return number(sum(total.mtz_count for total in event.totals))
