"""What has happened in a treatment. Frames are not here: they are stored in bulk, and only what follows from them is told.

Units: `*_at` UTC, `on` local date in the clinic's zone, `totals` as delivered so far.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from device_telemetry.binding import Binding, TreatmentIds
from device_telemetry.dose import ZoneTotals
from erbium_kernel.event import EventTable, Stored

Command = Literal["PAUSE", "STOP"]
HoldCause = Literal[
    "clearance_suspended", "clearance_revoked", "energy_over_limit", "zone_not_planned", "passes_over_limit", "zone_closed",
    "density_over_plan", "density_over_limit", "coverage_over_limit", "numbers_reused", "device_locked_out", "earlier_delivery",
]  # fmt: skip
EndCause = Literal["operator", "silence", "aborted"]
AbortCause = Literal["operator", "patient_wish", "device_fault", "adverse_reaction", "never_started"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentOpened:
    """The laser may treat within these limits; nothing has been delivered yet."""

    binding: Binding

    @property
    def ids(self) -> TreatmentIds:
        """Whose treatment."""
        return self.binding.ids


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentStarted:
    """The first microbeam reached the skin: all after-windows start on this day.

    `silence_minutes`: without a frame for so long, it has ended. `on` is the local date of the delivery.
    """

    ids: TreatmentIds
    on: date
    started_at: datetime
    silence_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Where a limit was passed. `measured` and `limit` carry the unit of the cause; seq first and last of one boot."""

    zone: str | None
    measured: float
    limit: float
    boot_id: UUID | None
    seq_first: int
    seq_last: int

    def covers(self, other: "Breach") -> bool:
        """Whether the other one lies inside this one and is no worse."""
        same_place = (other.boot_id, other.zone) == (self.boot_id, self.zone)
        return same_place and self.seq_first <= other.seq_first and other.seq_last <= self.seq_last and other.measured <= self.measured


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentHeld:
    """The laser is told to pause or stop until somebody who may has resumed."""

    ids: TreatmentIds
    command: Command
    cause: HoldCause
    breach: Breach | None
    held_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLifted:
    """The cause of a hold has gone by itself: the clearance was reinstated."""

    ids: TreatmentIds
    cause: HoldCause
    lifted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneClosed:
    """This zone has had what it may have; it stays closed in this treatment. Frames up to `seq` of `boot_id` were counted."""

    ids: TreatmentIds
    zone: str
    cause: HoldCause
    breach: Breach
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentResumed:
    """A named person lets the laser go on; closed zones stay closed."""

    ids: TreatmentIds
    lifted: tuple[HoldCause, ...]
    resumed_by: str
    by_doctor: bool
    resumed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceCheckDue:
    """Time to look whether frames still come."""

    ids: TreatmentIds
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesStillComing:
    """They did: the next look is `silence_minutes` after the last frame."""

    ids: TreatmentIds
    last_frame_at: datetime
    silence_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalSeq:
    """The last sequence number that the laser gave out for this treatment in one boot."""

    boot_id: UUID
    last_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentEnded:
    """No more is delivered; the totals are provisional until the sequence is whole. `frees_device`: it still held its laser."""

    ids: TreatmentIds
    on: date
    ended_at: datetime
    cause: EndCause
    totals: tuple[ZoneTotals, ...]
    gaps_open: int
    finals: tuple[FinalSeq, ...]
    frees_device: bool
    backfill_hours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillExpired:
    """Missing frames have been waited for long enough."""

    ids: TreatmentIds
    expired_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentCompleted:
    """The sequence is whole: these totals are final (told again if later frames still change them)."""

    ids: TreatmentIds
    on: date
    completed_at: datetime
    totals: tuple[ZoneTotals, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentPartiallyCompleted:
    """The sequence stayed incomplete, or the treatment was broken off: these are the totals of what is known."""

    ids: TreatmentIds
    on: date
    completed_at: datetime
    totals: tuple[ZoneTotals, ...]
    missing_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentAborted:
    """Broken off. `delivered` False: nothing has reached the skin as far as known. `frees_device`: it still held its laser."""

    ids: TreatmentIds
    on: date
    aborted_at: datetime
    cause: AbortCause
    delivered: bool
    frees_device: bool


TreatmentEvent = (
    TreatmentOpened | TreatmentStarted | TreatmentHeld | HoldLifted | ZoneClosed | TreatmentResumed | SilenceCheckDue | FramesStillComing
    | TreatmentEnded | BackfillExpired | TreatmentCompleted | TreatmentPartiallyCompleted | TreatmentAborted
)  # fmt: skip

EVENTS = EventTable(
    {
        "treatment-opened": Stored(record=TreatmentOpened),
        "treatment-started": Stored(record=TreatmentStarted),
        "treatment-held": Stored(record=TreatmentHeld),
        "treatment-hold-lifted": Stored(record=HoldLifted),
        "treatment-zone-closed": Stored(record=ZoneClosed),
        "treatment-resumed": Stored(record=TreatmentResumed),
        "treatment-silence-check-due": Stored(record=SilenceCheckDue),
        "treatment-frames-still-coming": Stored(record=FramesStillComing),
        "treatment-ended": Stored(record=TreatmentEnded),
        "treatment-backfill-expired": Stored(record=BackfillExpired),
        "treatment-completed": Stored(record=TreatmentCompleted),
        "treatment-partially-completed": Stored(record=TreatmentPartiallyCompleted),
        "treatment-aborted": Stored(record=TreatmentAborted),
    }
)
