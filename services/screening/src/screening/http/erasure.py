"""The end of a record: the retention lock, the decision that lifts it, the erasure."""

from collections.abc import Callable
from datetime import date
from uuid import UUID

from erbium_kernel.clinical_dates import local_date
from erbium_kernel.errors import PersonErased
from erbium_kernel.http import Call, Opener, Routes
from erbium_kernel.looking_back import AsRecorded
from erbium_kernel.personal import Personal
from screening.deciders import PATIENT, RULEBOOK
from screening.http import examples
from screening.http.acting import act_at, the_patient
from screening.http.bodies import ActBody, LiftRetentionLockBody
from screening.http.views import ErasedView, RetentionView
from screening.patient.commands import Act, ErasePatient, LiftRetentionLock
from screening.patient.refusals import DoctorOnly, RetentionLocked
from screening.patient.retention import lock_of
from screening.patient.state import Erased, Registered, State

routes = Routes(tag="erasure")


@routes.query("GET", "/patients/{patient_id}/retention-lock", name="getRetentionLock", scope="screening:read", response=RetentionView,
              response_example=examples.RETENTION, as_recorded=AsRecorded(decider=PATIENT, by="patient_id"))  # fmt: skip
async def get_retention_lock(call: Call, patient_id: UUID) -> RetentionView:
    """Read whether the record must be kept, why and until when."""
    state, _ = await the_patient(call, patient_id)
    return _retention(state, patient_id, local_date(call.now(), state.registration.time_zone))


@routes.command("POST", "/patients/{patient_id}/retention-lock/release", name="liftRetentionLock", scope="screening:decide", status=200,
                changes=True, request_example=examples.LIFT, response_example=examples.LIFTED, response=RetentionView,
                refusals=(DoctorOnly, PersonErased))  # fmt: skip
async def lift_retention_lock(call: Call, patient_id: UUID, body: LiftRetentionLockBody) -> RetentionView:
    """Record a doctor's decision that what is recorded so far need not be kept; a later clearance locks again."""
    act = await act_at(call, body.clinic_id, patient_id)
    command = LiftRetentionLock(act=act, rationale=Personal(patient_id, body.rationale))
    return await call.execute(PATIENT, patient_id, command, render=_retention_of(act))


@routes.command("POST", "/patients/{patient_id}/erasure", name="erasePatient", scope="screening:erase", status=200, changes=True,
                request_example=examples.ACT, response_example=examples.ERASED, response=ErasedView,
                refusals=(RetentionLocked,))  # fmt: skip
async def erase_patient(call: Call, patient_id: UUID, body: ActBody) -> ErasedView:
    """Erase a person for good: the key is destroyed, and no interface yields the name any more.

    Vetoed while the record must be kept: an open clearance, 7 days after one that led to no treatment, the years of a treatment record.
    """
    command = ErasePatient(act=await act_at(call, body.clinic_id, patient_id))
    return await call.execute(PATIENT, patient_id, command, render=_erased)


def _retention_of(act: Act) -> Callable[[State, UUID, Opener], RetentionView]:
    def render(state: State, patient_id: UUID, _: Opener) -> RetentionView:
        assert isinstance(state, Registered)
        return _retention(state, patient_id, act.today)

    return render


def _retention(state: Registered, patient_id: UUID, today: date) -> RetentionView:
    lock = lock_of(RULEBOOK.settings, state, today)
    return RetentionView(
        patient_id=patient_id, locked=lock is not None, because=lock.because if lock else None, ends_on=lock.ends_on if lock else None
    )


def _erased(state: State, patient_id: UUID, _: Opener) -> ErasedView:
    assert isinstance(state, Erased)
    return ErasedView(patient_id=patient_id, erased_on=state.erased_on)
