"""What follows for a treatment from the frames that are stored: commands, in order, each harmless when repeated. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from device_telemetry.binding import Binding
from device_telemetry.frames import guard, ranges, totals
from device_telemetry.frames.guard import Finding, Place
from device_telemetry.frames.ranges import Range, Ranges
from device_telemetry.frames.totals import CellKey, Sum
from device_telemetry.treatment.commands import (
    CloseZone,
    Delivered,
    EndTreatment,
    FinishTreatment,
    HoldTreatment,
    NoteFramesComing,
    StartTreatment,
    TreatmentCommand,
)
from device_telemetry.treatment.events import FinalSeq
from device_telemetry.treatment.state import Ended, GivenUp, Known, Opened, Running, Settled

BOOTS_MAX: Final = 100  # power-ons that are looked at in one treatment


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One treatment in one boot of its laser. `received`: all numbers of that boot; those outside the treatment do not count here.

    Units: times UTC, domain time; `last_seq` None = the laser has not said where the treatment ended, `last_seq_at` when it first said so
    (None too if it was said before that was noted); `duplicates` frames.
    """

    boot_id: UUID
    first_seq: int
    last_seq: int | None
    highest_seq: int
    last_received_at: datetime | None
    first_delivered_at: datetime | None
    received: Ranges
    duplicates: int = 0
    last_seq_at: datetime | None = None

    def gaps(self, final: int | None) -> Ranges:
        """What is missing up to the last number known of. Frames beyond the announced end count too: they were delivered."""
        last = max(seq for seq in (self.highest_seq, self.last_seq, final) if seq is not None)
        return ranges.missing(self.received, self.first_seq, last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Everything stored of one treatment. `findings`: limits that single frames passed, not yet told to the treatment."""

    recordings: Sequence[Recording]
    zones: Mapping[str, Sum]
    fullest_cells: Mapping[CellKey, Sum]
    findings: Sequence[Finding] = ()

    @property
    def newest(self) -> Place:
        """The newest frame counted, by the time it came."""
        heard = [(one.last_received_at, one.boot_id, one.highest_seq) for one in self.recordings if one.last_received_at]
        _, boot_id, seq = max(heard, default=(None, None, 0))
        return Place(boot_id, seq)


def gaps_by_boot(recordings: Sequence[Recording], finals: Sequence[FinalSeq]) -> list[tuple[UUID, Range]]:
    """Every gap, boot by boot. A boot of which only the final number is known counts as one gap of that number."""
    last = {final.boot_id: final.last_seq for final in finals}
    found = [(one.boot_id, gap) for one in recordings for gap in one.gaps(last.get(one.boot_id))]
    unheard = last.keys() - {one.boot_id for one in recordings}
    return found + [(boot_id, Range(last[boot_id], last[boot_id])) for boot_id in sorted(unheard)]


def delivered(kept: Kept, binding: Binding, finals: Sequence[FinalSeq], usual_areas_cm2: Mapping[str, float]) -> Delivered:
    """What the stored frames say now. Whole: the last number of every boot is known, and nothing up to it is missing.

    With so many boots that some may not have been looked at, nothing is whole.
    """
    gaps = gaps_by_boot(kept.recordings, finals)
    ended = {final.boot_id for final in finals} | {one.boot_id for one in kept.recordings if one.last_seq is not None}
    known = all(one.boot_id in ended for one in kept.recordings)
    whole = 0 < len(kept.recordings) < BOOTS_MAX and not gaps and known
    return Delivered(
        totals=totals.told(kept.zones, binding, usual_areas_cm2),
        gaps_open=len(gaps),
        missing_frames=ranges.count(gap for _, gap in gaps),
        whole=whole,
        first_at=_first_delivery(kept),
    )


def commands(
    state: Known, kept: Kept, now: datetime, usual_areas_cm2: Mapping[str, float], *, nothing_waits: bool
) -> Iterator[TreatmentCommand]:
    """What the treatment has to be told. `nothing_waits`: every frame that reached the topic is stored, so silence is silence."""
    if isinstance(state, Opened | GivenUp) and (started_at := _first_delivery(kept)):
        yield StartTreatment(started_at=started_at)
    for finding in kept.findings:
        yield HoldTreatment(command="STOP", cause=finding.cause, breach=finding.breach, at=now)
    for finding in guard.from_totals(state.binding, kept.zones, kept.fullest_cells, kept.newest):
        assert finding.breach.zone is not None
        yield CloseZone(zone=finding.breach.zone, cause=finding.cause, breach=finding.breach, at=now)
    if isinstance(state, Running) and state.silence_check and nothing_waits:
        yield _after_silence(state, kept, now, usual_areas_cm2)
    if isinstance(state, Ended | Settled):
        yield FinishTreatment(delivered=delivered(kept, state.binding, state.ended.finals, usual_areas_cm2), at=now)


def _first_delivery(kept: Kept) -> datetime | None:
    return min((one.first_delivered_at for one in kept.recordings if one.first_delivered_at), default=None)


def _after_silence(state: Running, kept: Kept, now: datetime, usual_areas_cm2: Mapping[str, float]) -> TreatmentCommand:
    last = max((one.last_received_at for one in kept.recordings if one.last_received_at), default=state.started.started_at)
    if now - last < timedelta(minutes=state.started.silence_minutes):
        return NoteFramesComing(last_frame_at=last)
    return EndTreatment(cause="silence", delivered=delivered(kept, state.binding, (), usual_areas_cm2), finals=(), at=now)
