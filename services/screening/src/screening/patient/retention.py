"""The retention lock: which record must be kept until when, and the erasure that it vetoes. Source: decision 0014."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from screening.patient.commands import ErasePatient, LiftRetentionLock
from screening.patient.decision_events import ClearanceRevoked, PatientErased, RetentionLockLifted
from screening.patient.events import Event
from screening.patient.physicians import doctor_only
from screening.patient.refusals import RetentionLocked
from screening.patient.state import Registered
from screening.rule_rows import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionLock:
    """Locked because of this treatment or clearance; free from `ends_on` on, None = while the clearance is open."""

    because: str
    id: UUID
    ends_on: date | None


def lock_of(settings: Settings, state: Registered, today: date) -> RetentionLock | None:
    """The lock that holds longest today, or None."""
    held = [lock for lock in _locks(settings, state) if lock.ends_on is None or today < lock.ends_on]
    return max(held, key=lambda lock: (lock.ends_on or date.max, str(lock.id)), default=None)


def erase_patient(settings: Settings, command: ErasePatient, state: Registered) -> Sequence[Event]:
    """The erasure, and the end of clearances that a doctor's decision left open. Raises: RetentionLocked with the reason."""
    act = command.act
    lock = lock_of(settings, state, act.today)
    if lock is not None:
        ends_on = lock.ends_on.isoformat() if lock.ends_on else None
        raise RetentionLocked(f"The record may not be erased yet: {lock.because}.", because=lock.because, ends_on=ends_on, id=str(lock.id))
    ended = [
        ClearanceRevoked(
            clinic_id=act.clinic_id, clearance_id=clearance.granted.clearance_id, doctor_id=None, note=None, revoked_on=act.today
        )
        for clearance in state.open_clearances
    ]
    return [*ended, PatientErased(erased_on=act.today, erased_by=act.by)]


def lift_retention_lock(settings: Settings, command: LiftRetentionLock, state: Registered) -> Sequence[Event]:
    """A doctor's recorded decision ends the lock for all that is recorded so far; a later clearance locks again."""
    act = command.act
    doctor_only(act)
    if lock_of(settings, state, act.today) is None:
        return []
    return [RetentionLockLifted(clinic_id=act.clinic_id, doctor_id=act.by, rationale=command.rationale, lifted_on=act.today)]


def _locks(settings: Settings, state: Registered) -> Iterator[RetentionLock]:
    years, days = settings.retention_treatment_years, settings.retention_untreated_days
    treated = {treatment.clearance_id for treatment in state.treatments.values()}
    for treatment in state.treatments.values():
        if treatment.treatment_id not in state.lifted:
            ends_on = years_later(treatment.treated_on, years)
            yield RetentionLock(because=f"a treatment record is kept {years} years", id=treatment.treatment_id, ends_on=ends_on)
    for clearance_id, clearance in state.clearances.items():
        if clearance_id in state.lifted or clearance_id in treated:
            continue
        because = f"a clearance is open, or ended without a treatment less than {days} days ago"
        ended_on = clearance.ended_on
        yield RetentionLock(because=because, id=clearance_id, ends_on=ended_on + timedelta(days=days) if ended_on else None)


def years_later(day: date, years: int) -> date:
    """The same day of the year; 29 February becomes 1 March in a common year."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
