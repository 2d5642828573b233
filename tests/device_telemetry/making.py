"""A laser, a clearance, a treatment and frames with defaults; a test names what it is about."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from device_telemetry.binding import Binding, Limits, ZonePlan
from device_telemetry.clearance.commands import DeviceAtHand, HearAttestation, HearCheckIn, HearGrant, OpenTreatment
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.device.commands import ClaimDevice, RegisterDevice
from device_telemetry.device.decide import DEVICE
from device_telemetry.dose import LesionTable
from device_telemetry.frames.codec import Batch, Frame, Header
from device_telemetry.rulebook import RULES
from device_telemetry.treatment.commands import Delivered, StartTreatment, TakeUpBinding
from device_telemetry.treatment.decide import TREATMENT

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")
PATIENT = UUID("01990000-0000-7000-8000-0000000000a1")
CLINIC = UUID("01990000-0000-7000-8000-0000000000c1")
OTHER_CLINIC = UUID("01990000-0000-7000-8000-0000000000c2")
LASER = UUID("01990000-0000-7000-8000-0000000000d1")
OTHER_LASER = UUID("01990000-0000-7000-8000-0000000000d2")
CLEARANCE_ID = UUID("01990000-0000-7000-8000-0000000000e1")
TREATMENT_ID = UUID("01990000-0000-7000-8000-0000000000f1")
OTHER_TREATMENT = UUID("01990000-0000-7000-8000-0000000000f2")
VISIT = UUID("01990000-0000-7000-8000-0000000000b1")
BOOT = UUID("01990000-0000-7000-8000-00000000b001")
OTHER_BOOT = UUID("01990000-0000-7000-8000-00000000b002")
FAULT = UUID("01990000-0000-7000-8000-00000000fa01")
NOW = datetime(2026, 4, 15, 10, 30, tzinfo=UTC)  # 12:30 in Madrid
TODAY = date(2026, 4, 15)
ZONE = "Europe/Madrid"
AREAS = RULES.zones.areas_cm2
MODEL = RULES.models["ef-1550"]
LESIONS: LesionTable = MODEL.lesions[0].table

LIMITS = Limits(energy_mj_per_mtz_min=4, energy_mj_per_mtz_max=70, density_mtz_per_cm2_max=2500, coverage_percent_max=23, passes_max=8)
FACE = ZonePlan(zone="face", area_cm2=300, planned_mtz=136_800, energy_mj_per_mtz=40)  # 456 MTZ/cm2 at 40 mJ: 23.1 %
GRANT = HearGrant(
    clearance_id=CLEARANCE_ID, patient_id=PATIENT, clinic_id=CLINIC, modality="nafl_1550", zones=("face",), limits=LIMITS,
    valid_from=date(2026, 4, 13), valid_until=date(2026, 5, 13),
)  # fmt: skip
CHECK_IN = HearCheckIn(
    clearance_id=CLEARANCE_ID, patient_id=PATIENT, visit_id=VISIT, clinic_id=CLINIC, device_id=LASER, modality="nafl_1550",
    zones=("face",), on=TODAY, time_zone=ZONE,
)  # fmt: skip
ATTESTED = HearAttestation(clearance_id=CLEARANCE_ID, patient_id=PATIENT, visit_id=VISIT, clinic_id=CLINIC, on=TODAY, changes=False)
AT_HAND = DeviceAtHand(device_id=LASER, clinic_id=CLINIC, locked_out=None, modalities=("nafl_1550",), lesions=LESIONS, grid_cell_mm=10.0)
OPEN = OpenTreatment(
    treatment_id=TREATMENT_ID, visit_id=VISIT, device=AT_HAND, plan=(FACE,), screening_age_seconds=4.2, attesting_doctor=None,
    rules=RULES, at=NOW,
)  # fmt: skip
REGISTER = RegisterDevice(device_id=LASER, serial="EF-2026-0042", model=MODEL, at=NOW)
CLAIM = ClaimDevice(clinic_id=CLINIC, at=NOW)
NOTHING = Delivered(totals=(), gaps_open=0, missing_frames=0, whole=False)


def after(decider: Any, *commands: Any) -> tuple[Any, list[Any]]:
    """State and events after these commands, one after the other."""
    events: list[Any] = []
    for command in commands:
        events += decider.decide(command, decider.fold(events))
    return decider.fold(events), events


def device(*commands: Any) -> tuple[Any, list[Any]]:
    """A laser's state and events."""
    return after(DEVICE, *commands)


def clearance(*commands: Any) -> tuple[Any, list[Any]]:
    """A clearance's state and events."""
    return after(CLEARANCE, *commands)


def treatment(*commands: Any) -> tuple[Any, list[Any]]:
    """A treatment's state and events."""
    return after(TREATMENT, *commands)


def bound(**changed: Any) -> Binding:
    """What a treatment is bound to."""
    _, events = clearance(GRANT, CHECK_IN, ATTESTED, OPEN)
    binding: Binding = events[-1].binding
    return replace(binding, **changed)


BINDING = bound()
TAKE_UP = TakeUpBinding(binding=BINDING)
START = StartTreatment(started_at=NOW + timedelta(minutes=2))


def frame(seq: int, **changed: Any) -> Frame:
    """A frame of the face in pass 1, one cell after the other."""
    usual: dict[str, Any] = {
        "seq": seq, "device_ms": 1_000 + 100 * seq, "zone": "face", "pass_no": 1, "energy_set_mj": 40.0, "energy_mj": 40.0,
        "mtz_count": 17, "grid_row": seq // 20 % 15, "grid_col": seq % 20, "emission": True, "temp_tip_c": 31.5, "fault_bits": 0,
    }  # fmt: skip
    return Frame(**{**usual, **changed})


def header(**changed: Any) -> Header:
    """The first line of a batch."""
    usual: dict[str, Any] = {
        "v": 1, "treatment_id": TREATMENT_ID, "device_id": LASER, "boot_id": BOOT, "first_seq": 0, "grid_cell_mm": 10.0,
    }  # fmt: skip
    return Header(**{**usual, **changed})


def batch(frames: Iterable[Frame], **changed: Any) -> Batch:
    """A request of the laser."""
    return Batch(header=header(**changed), frames=tuple(frames))


def body(frames: Sequence[Frame], **changed: Any) -> bytes:
    """A request of the laser, as it is sent."""
    return b"\n".join(msgspec.json.encode(line) for line in (header(**changed), *frames)) + b"\n"
