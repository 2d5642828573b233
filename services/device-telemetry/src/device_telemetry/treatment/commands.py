"""What is asked of a treatment. Units: `at` domain time, UTC."""

from dataclasses import dataclass
from datetime import datetime

from device_telemetry.binding import Binding
from device_telemetry.dose import ZoneTotals
from device_telemetry.treatment.events import AbortCause, Breach, Command, EndCause, FinalSeq, HoldCause


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeUpBinding:
    """The clearance's stream has bound the treatment: open it."""

    binding: Binding


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTreatment:
    """A frame says that a microbeam reached the skin. Units: `started_at` when it was delivered."""

    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTreatment:
    """Pause or stop the laser. `breach` None: for a reason outside the frames."""

    command: Command
    cause: HoldCause
    breach: Breach | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftSuspension:
    """The clearance was reinstated: the operator may resume."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseZone:
    """This zone has had what it may have."""

    zone: str
    cause: HoldCause
    breach: Breach
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeTreatment:
    """Let the laser go on."""

    by: str
    by_doctor: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What the stored frames say at this moment. `whole`: nothing is missing, and the last number is known.

    `first_at`: when the first microbeam fell; None while none is known of.
    """

    totals: tuple[ZoneTotals, ...]
    gaps_open: int
    missing_frames: int
    whole: bool
    first_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTreatment:
    """No more is delivered: the operator says so, or nothing has come for long enough."""

    cause: EndCause
    delivered: Delivered
    finals: tuple[FinalSeq, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortTreatment:
    """Break it off, delivered or not."""

    cause: AbortCause
    delivered: Delivered
    finals: tuple[FinalSeq, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUpUnstarted:
    """Opened long ago, and nothing has been delivered."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSilence:
    """Time to look whether frames still come."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteFramesComing:
    """They do: the last came at this time."""

    last_frame_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireBackfill:
    """Missing frames have been waited for long enough."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishTreatment:
    """The stored frames have changed, or the wait is over: complete it if that is due."""

    delivered: Delivered
    at: datetime


TreatmentCommand = (
    TakeUpBinding | StartTreatment | HoldTreatment | LiftSuspension | CloseZone | ResumeTreatment | EndTreatment | AbortTreatment
    | GiveUpUnstarted | CheckSilence | NoteFramesComing | ExpireBackfill | FinishTreatment
)  # fmt: skip
