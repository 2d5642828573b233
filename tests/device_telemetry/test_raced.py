"""Two at once, on the memory store: one wins, the other is told why, and a suspension and the treatment it forbids never both win."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from device_telemetry.clearance.commands import CloseTreatment, HearChange, OpenTreatment
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.clearance.events import ClearanceEvent, SuspensionHeard, TreatmentBound, TreatmentOver
from device_telemetry.clearance.refusals import ClearanceSuspended, DeviceInTreatment
from device_telemetry.clearance.state import Clearance
from device_telemetry.device.decide import DEVICE, SerialTaken
from device_telemetry.device.events import DeviceClaimed, DeviceFaulted, DeviceLockedOut, DeviceRegistered, DeviceReleased
from device_telemetry.treatment.commands import CheckSilence, ExpireBackfill, GiveUpUnstarted, NoteFramesComing
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.events import (
    BackfillExpired,
    FramesStillComing,
    HoldLifted,
    SilenceCheckDue,
    TreatmentAborted,
    TreatmentCompleted,
    TreatmentEnded,
    TreatmentHeld,
    TreatmentOpened,
    TreatmentPartiallyCompleted,
    TreatmentResumed,
    TreatmentStarted,
    ZoneClosed,
)
from device_telemetry.wiring import SERVICE
from erbium_kernel.decider import Decider
from erbium_kernel.errors import Rejected
from erbium_kernel.event import Actor
from erbium_kernel.execute import Cause, execute
from erbium_kernel.folding import state_of
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.runtime import Runtime
from tests.device_telemetry.making import (
    ATTESTED,
    CHAIN,
    CHECK_IN,
    CLAIM,
    CLEARANCE_ID,
    CLINIC,
    GRANT,
    LASER,
    NOW,
    OPEN,
    OTHER_CLINIC,
    OTHER_LASER,
    PATIENT,
    REGISTER,
    START,
    TAKE_UP,
    TREATMENT_ID,
)
from tests.device_telemetry.test_device import LOCKOUT, RELEASE, WARNING
from tests.device_telemetry.test_treatment import ABORT, CLOSE, DOCTOR, END, GAPPY, LATER, LIFT, PAUSE, RUNNING, STOP, WHOLE, finish
from tests.house import others_first, race, runtime_of
from tests.kernel.ward import WardClock

SUSPEND = HearChange(clearance_id=CLEARANCE_ID, patient_id=PATIENT, change="suspended")
OVER = CloseTreatment(treatment_id=TREATMENT_ID, delivered=True)
CLEARED = (GRANT, CHECK_IN, ATTESTED)
SILENT = (*RUNNING, CheckSilence(at=LATER))
LATE = (*RUNNING, END, ExpireBackfill(at=LATER))
ONCE: list[tuple[str, Any, UUID, tuple[Any, ...], Any, list[type]]] = [
    ("register", DEVICE, LASER, (), REGISTER, [DeviceRegistered]),
    ("claim", DEVICE, LASER, (REGISTER,), CLAIM, [DeviceClaimed]),
    ("fault", DEVICE, LASER, (REGISTER, CLAIM), WARNING, [DeviceFaulted]),
    ("lock out", DEVICE, LASER, (REGISTER, CLAIM), LOCKOUT, [DeviceLockedOut]),
    ("release", DEVICE, LASER, (REGISTER, CLAIM, LOCKOUT), RELEASE, [DeviceReleased]),
    ("hear a suspension", CLEARANCE, CLEARANCE_ID, CLEARED, SUSPEND, [SuspensionHeard]),
    ("open", CLEARANCE, CLEARANCE_ID, CLEARED, OPEN, [TreatmentBound]),
    ("be over", CLEARANCE, CLEARANCE_ID, (*CLEARED, OPEN), OVER, [TreatmentOver]),
    ("take up", TREATMENT, TREATMENT_ID, (), TAKE_UP, [TreatmentOpened]),
    ("start", TREATMENT, TREATMENT_ID, (TAKE_UP,), START, [TreatmentStarted]),
    ("pause", TREATMENT, TREATMENT_ID, RUNNING, PAUSE, [TreatmentHeld]),
    ("stop", TREATMENT, TREATMENT_ID, RUNNING, STOP, [TreatmentHeld]),
    ("lift", TREATMENT, TREATMENT_ID, (*RUNNING, PAUSE), LIFT, [HoldLifted]),
    ("close a zone", TREATMENT, TREATMENT_ID, RUNNING, CLOSE, [ZoneClosed, TreatmentHeld]),
    ("resume", TREATMENT, TREATMENT_ID, (*RUNNING, STOP), DOCTOR, [TreatmentResumed]),
    ("end", TREATMENT, TREATMENT_ID, RUNNING, END, [TreatmentEnded]),
    ("abort", TREATMENT, TREATMENT_ID, RUNNING, ABORT, [TreatmentAborted, TreatmentEnded]),
    ("abort unstarted", TREATMENT, TREATMENT_ID, (TAKE_UP,), ABORT, [TreatmentAborted]),
    ("give up unstarted", TREATMENT, TREATMENT_ID, (TAKE_UP,), GiveUpUnstarted(at=LATER), [TreatmentAborted]),
    ("check silence", TREATMENT, TREATMENT_ID, RUNNING, CheckSilence(at=LATER), [SilenceCheckDue]),
    ("note frames coming", TREATMENT, TREATMENT_ID, SILENT, NoteFramesComing(last_frame_at=LATER), [FramesStillComing]),
    ("expire back-fill", TREATMENT, TREATMENT_ID, (*RUNNING, END), ExpireBackfill(at=LATER), [BackfillExpired]),
    ("complete", TREATMENT, TREATMENT_ID, (*RUNNING, END), finish(WHOLE), [TreatmentCompleted]),
    ("complete in part", TREATMENT, TREATMENT_ID, LATE, finish(GAPPY), [TreatmentPartiallyCompleted]),
]


@pytest.fixture
def runtime() -> Runtime:
    """Telemetry on an empty memory store."""
    clock = WardClock()
    clock.at = NOW
    return runtime_of(SERVICE, MemoryStore(clock=clock, pause=others_first), clock)


async def do(runtime: Runtime, decider: Any, stream_id: UUID, *commands: Any) -> None:
    """Commands one after the other. Raises: Rejected."""
    for command in commands:
        cause = Cause(actor=Actor(kind="staff", id="nurse-1"), command_id=uuid4(), correlation_id=uuid4())
        await execute(runtime, CHAIN, decider, stream_id, command, cause=cause)


async def raced(*attempts: Any) -> list[BaseException | None]:
    return await asyncio.gather(*attempts, return_exceptions=True)


async def stored(runtime: Runtime, decider: Any, stream_id: UUID) -> list[Any]:
    """The events of a stream."""
    loaded = await runtime.store.load(CHAIN, decider.stream(stream_id))
    return [runtime.codec.decode(row) for row in loaded.rows]


@pytest.mark.parametrize(("decider", "stream_id", "before", "command", "effect"), [row[1:] for row in ONCE], ids=[row[0] for row in ONCE])
async def test_raced_with_itself(
    runtime: Runtime, decider: Any, stream_id: UUID, before: tuple[Any, ...], command: Any, effect: list[type]
) -> None:
    """The same command twice at once, a timer's too, has its effect once."""
    await do(runtime, decider, stream_id, *before)
    earlier = len(await stored(runtime, decider, stream_id))
    assert await race([do(runtime, decider, stream_id, command) for _ in range(2)]) == ["done", "done"]
    assert [type(event) for event in (await stored(runtime, decider, stream_id))[earlier:]] == effect


async def test_two_registrations_of_one_serial(runtime: Runtime) -> None:
    """Two lasers registered under one serial number at once: one is, the other is refused."""
    other = replace(REGISTER, device_id=OTHER_LASER)
    results = await raced(do(runtime, DEVICE, LASER, REGISTER), do(runtime, DEVICE, OTHER_LASER, other))
    assert [type(result) for result in results if result] == [SerialTaken]


async def test_two_clinics_claim_one_laser(runtime: Runtime) -> None:
    """Two clinics claim one laser at once: one has it, the other is refused."""
    await do(runtime, DEVICE, LASER, REGISTER)
    results = await raced(do(runtime, DEVICE, LASER, CLAIM), do(runtime, DEVICE, LASER, replace(CLAIM, clinic_id=OTHER_CLINIC)))
    assert [type(result).__name__ for result in results if result] == ["DeviceClaimedElsewhere"]
    state, _ = await state_of(runtime, CHAIN, DEVICE, LASER)
    assert state.clinic_id in (CLINIC, OTHER_CLINIC)  # type: ignore[union-attr]


async def test_two_treatments_on_one_laser(runtime: Runtime) -> None:
    """Two patients' treatments opened on one laser at once: one is, the other is refused."""
    second = uuid4()
    patient = {"patient_id": uuid4(), "clearance_id": second}
    await do(runtime, CLEARANCE, CLEARANCE_ID, GRANT, CHECK_IN, ATTESTED)
    await do(runtime, CLEARANCE, second, *(replace(command, **patient) for command in (GRANT, CHECK_IN, ATTESTED)))
    results = await raced(do(runtime, CLEARANCE, CLEARANCE_ID, OPEN), do(runtime, CLEARANCE, second, replace(OPEN, treatment_id=uuid4())))
    assert [type(result) for result in results if result] == [DeviceInTreatment]


@pytest.mark.parametrize("suspend_first", [True, False])
async def test_a_suspension_races_the_opening(runtime: Runtime, suspend_first: bool) -> None:
    """Whoever comes first: either the opening is refused, or the suspension knows the treatment that it pauses."""
    await do(runtime, CLEARANCE, CLEARANCE_ID, GRANT, CHECK_IN, ATTESTED)
    attempts = [do(runtime, CLEARANCE, CLEARANCE_ID, SUSPEND), do(runtime, CLEARANCE, CLEARANCE_ID, OPEN)]
    results = await raced(*(attempts if suspend_first else reversed(attempts)))
    assert {type(result) for result in results if result} <= {ClearanceSuspended}
    never_bound_while_suspended(await stored(runtime, CLEARANCE, CLEARANCE_ID))


async def test_a_stop_races_a_resume_and_an_end(runtime: Runtime) -> None:
    """A breach that is told while a doctor resumes and the operator ends is never lost."""
    await do(runtime, TREATMENT, TREATMENT_ID, TAKE_UP, START)
    results = await raced(
        do(runtime, TREATMENT, TREATMENT_ID, STOP), do(runtime, TREATMENT, TREATMENT_ID, DOCTOR), do(runtime, TREATMENT, TREATMENT_ID, END)
    )
    assert all(isinstance(result, Rejected) for result in results if result)
    assert [event for event in await stored(runtime, TREATMENT, TREATMENT_ID) if isinstance(event, TreatmentHeld)]


# --- the mutant: a safety decision that reads a read table instead of its own stream


def never_bound_while_suspended(events: Sequence[ClearanceEvent]) -> None:
    """The checker: no treatment is bound after a suspension, and a suspension after a binding names the treatment."""
    suspended = False
    open_treatment = None
    for event in events:
        if isinstance(event, TreatmentBound):
            assert not suspended, "bound under a suspended clearance"
            open_treatment = event.binding.ids.treatment_id
        if isinstance(event, SuspensionHeard):
            suspended = True
            assert event.treatment_id == open_treatment, "the suspension does not know what it pauses"


@dataclass
class ReadTable:
    """What a projection showed a moment ago."""

    row: Clearance


def reading_a_table(table: ReadTable) -> Decider[Any, Clearance, ClearanceEvent]:
    """The mutant: OpenTreatment is decided on the read table, whatever its own stream says."""

    def decide(command: Any, state: Clearance) -> Sequence[ClearanceEvent]:
        return CLEARANCE.decide(command, table.row if isinstance(command, OpenTreatment) else state)

    return replace(CLEARANCE, decide=decide)


@pytest.mark.parametrize("mutant", [False, True], ids=["own stream", "read table"])
async def test_a_decision_on_a_read_table_is_caught(runtime: Runtime, mutant: bool) -> None:
    """The suspension is appended while the projection lags: the real decision refuses, the mutant binds, and the checker sees it."""
    await do(runtime, CLEARANCE, CLEARANCE_ID, GRANT, CHECK_IN, ATTESTED)
    lagging = ReadTable((await state_of(runtime, CHAIN, CLEARANCE, CLEARANCE_ID))[0])
    await do(runtime, CLEARANCE, CLEARANCE_ID, SUSPEND)
    decider = reading_a_table(lagging) if mutant else CLEARANCE
    await raced(do(runtime, decider, CLEARANCE_ID, replace(OPEN, at=NOW + timedelta(seconds=1))))
    events = await stored(runtime, CLEARANCE, CLEARANCE_ID)
    if mutant:
        with pytest.raises(AssertionError, match="bound under a suspended clearance"):
            never_bound_while_suspended(events)
    else:
        never_bound_while_suspended(events)
        assert not [event for event in events if isinstance(event, TreatmentBound)]


async def test_nobody_of_another_chain(runtime: Runtime) -> None:
    """A treatment is not there for another chain, whoever knows its id."""
    await do(runtime, TREATMENT, TREATMENT_ID, TAKE_UP)
    state, version = await state_of(runtime, uuid4(), TREATMENT, TREATMENT_ID)
    assert (type(state).__name__, version) == ("Unopened", 0)
