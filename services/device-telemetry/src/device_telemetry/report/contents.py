"""Everything that a treatment report is made from: the streams' events with who caused them, and what is stored of the frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from device_telemetry.binding import Binding
from device_telemetry.device.state import Registered
from device_telemetry.frames.consequences import Kept, delivered, gaps_by_boot
from device_telemetry.frames.ranges import Range
from device_telemetry.frames.totals import CellKey, Sum
from device_telemetry.rules import DeviceModel
from device_telemetry.treatment.commands import Delivered
from device_telemetry.treatment.state import Ended, Known, Running, Settled
from erbium_kernel.event import Envelope

Told = tuple[Envelope, Any]  # an event, and who caused it


class PassTotals(NamedTuple):
    """What one zone received in one pass. Units: `energy_uj` microjoules, `*_mj` per MTZ of frames that delivered, degrees Celsius."""

    zone: str
    pass_no: int
    shots: int  # frames that delivered
    mtz_count: int
    energy_uj: int
    set_mj_min: float | None
    set_mj_max: float | None
    measured_mj_min: float | None
    measured_mj_max: float | None
    tip_c_max: float | None


class BackFilled(NamedTuple):
    """Frames that came after later ones, or after the end. Units: domain time, UTC."""

    boot_id: UUID
    first_seq: int
    last_seq: int
    noticed_at: datetime  # when the first later frame came, or the end was told
    closed_at: datetime  # when the last of them came


class FramesTold(NamedTuple):
    """What the frames themselves tell. `noticed`: of a gap that is open, by boot and the number after it, when it was noticed."""

    passes: Sequence[PassTotals]
    cells: Mapping[CellKey, Sum]
    back_filled: Sequence[BackFilled]
    noticed: Mapping[tuple[UUID, int], datetime]


class OpenGap(NamedTuple):
    """Numbers that are missing. `noticed_at` None: nothing later has come and no end was told."""

    boot_id: UUID
    gap: Range
    noticed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """One treatment. `version`: of its stream; `model` None: the rules no longer know it."""

    state: Known
    version: int
    laser: Registered
    model: DeviceModel | None
    treatment: Sequence[Told]
    clearance: Sequence[Told]
    kept: Kept
    frames: FramesTold
    usual_areas_cm2: Mapping[str, float]

    @property
    def binding(self) -> Binding:
        """What it was bound to."""
        return self.state.binding

    @property
    def started_at(self) -> datetime | None:
        """When the first microbeam fell."""
        return self.state.started.started_at if isinstance(self.state, Running | Ended | Settled) else None

    @property
    def ended_at(self) -> datetime | None:
        """When its operator ended it, or when silence did."""
        return self.state.ended.ended_at if isinstance(self.state, Ended | Settled) else None

    @property
    def now(self) -> Delivered:
        """Totals and gaps as the stored frames say now."""
        finals = self.state.ended.finals if isinstance(self.state, Ended | Settled) else ()
        return delivered(self.kept, self.binding, finals, self.usual_areas_cm2)

    @property
    def open_gaps(self) -> list[OpenGap]:
        """What is still missing, boot by boot."""
        finals = self.state.ended.finals if isinstance(self.state, Ended | Settled) else ()
        found = gaps_by_boot(self.kept.recordings, finals)
        return [OpenGap(boot_id, gap, self.frames.noticed.get((boot_id, gap.last + 1), self.ended_at)) for boot_id, gap in found]
