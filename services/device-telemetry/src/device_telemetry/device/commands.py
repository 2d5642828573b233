"""What may be asked of a laser's record. Units: `at` domain time, UTC."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from device_telemetry.rules import DeviceModel, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterDevice:
    """Make a laser known. `model` None = the rules know no such model."""

    device_id: UUID
    serial: str
    model: DeviceModel | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimDevice:
    """A clinic takes the laser into use."""

    clinic_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFault:
    """A fault by its code. `severity` None = the rules know no such code."""

    fault_id: UUID
    code: str
    severity: Severity | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDevice:
    """End a lockout."""

    by: str
    at: datetime


DeviceCommand = RegisterDevice | ClaimDevice | ReportFault | ReleaseDevice
