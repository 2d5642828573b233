"""A treatment by phase; what the guard knows is kept through all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from device_telemetry.binding import Binding
from device_telemetry.dose import ZoneTotals
from device_telemetry.treatment.events import (
    BackfillExpired,
    Breach,
    Command,
    FramesStillComing,
    HoldCause,
    HoldLifted,
    SilenceCheckDue,
    TreatmentAborted,
    TreatmentCompleted,
    TreatmentEnded,
    TreatmentEvent,
    TreatmentHeld,
    TreatmentOpened,
    TreatmentPartiallyCompleted,
    TreatmentResumed,
    TreatmentStarted,
    ZoneClosed,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What the guard has said: what holds the laser now, zones that are closed, breaches that were told before.

    `held`: the causes that hold now, each with the zone it was found in. `suspended`: the clearance is, so nobody may resume.
    """

    holds: Mapping[HoldCause, Command] = field(default_factory=dict)
    held: frozenset[tuple[HoldCause, str | None]] = frozenset()
    suspended: bool = False
    closed: Mapping[str, ZoneClosed] = field(default_factory=dict)
    told: tuple[tuple[HoldCause, Breach], ...] = ()

    @property
    def command(self) -> Command | None:
        """What the laser is to do: STOP outweighs PAUSE."""
        if "STOP" in self.holds.values():
            return "STOP"
        return "PAUSE" if self.holds else None

    def knows(self, cause: HoldCause, breach: Breach) -> bool:
        """Whether these frames have been told before.

        Why not by their numbers alone: a frame back-filled between them may be worse than what a doctor resumed over.
        """
        return any(known == cause and old.covers(breach) for known, old in self.told)


@dataclass(frozen=True, slots=True)
class Unopened:
    """Nothing is known under this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Bound; nothing delivered yet."""

    binding: Binding
    watch: Watch = Watch()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Delivering. `holds_device` False: begun after it had been given up, so the laser may be in other hands by now."""

    binding: Binding
    watch: Watch
    started: TreatmentStarted
    holds_device: bool
    silence_check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Over, totals provisional. `window_over`: missing frames are no longer waited for."""

    binding: Binding
    watch: Watch
    started: TreatmentStarted
    ended: TreatmentEnded
    window_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Over, totals final as far as anybody will know. `whole`: nothing is missing."""

    binding: Binding
    watch: Watch
    started: TreatmentStarted
    ended: TreatmentEnded
    totals: tuple[ZoneTotals, ...]
    whole: bool
    missing_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Broken off before anything was delivered, as far as known."""

    binding: Binding
    watch: Watch
    aborted: TreatmentAborted


Known = Opened | Running | Ended | Settled | GivenUp
Treatment = Unopened | Known


def evolve(state: Treatment, event: TreatmentEvent) -> Treatment:
    """The treatment after one more event."""
    if isinstance(event, TreatmentOpened):
        return Opened(binding=event.binding)
    assert not isinstance(state, Unopened), "a treatment is opened before anything else happens to it"
    match event:
        case TreatmentHeld() | HoldLifted() | ZoneClosed() | TreatmentResumed():
            return replace(state, watch=_watched(state.watch, event))
        case TreatmentStarted():
            return Running(binding=state.binding, watch=state.watch, started=event, holds_device=isinstance(state, Opened))
        case TreatmentAborted():
            return state if event.delivered else GivenUp(binding=state.binding, watch=state.watch, aborted=event)
        case SilenceCheckDue() | FramesStillComing():
            assert isinstance(state, Running)
            return replace(state, silence_check=isinstance(event, SilenceCheckDue))
        case TreatmentEnded():
            assert isinstance(state, Running)
            return Ended(binding=state.binding, watch=state.watch, started=state.started, ended=event)
        case BackfillExpired():
            return replace(state, window_over=True) if isinstance(state, Ended) else state
        case TreatmentCompleted() | TreatmentPartiallyCompleted():
            return _settled(state, event)
    assert_never(event)


def _watched(watch: Watch, event: TreatmentHeld | HoldLifted | ZoneClosed | TreatmentResumed) -> Watch:
    match event:
        case TreatmentHeld():
            told = watch.told if event.breach is None else (*watch.told, (event.cause, event.breach))
            suspended = watch.suspended or event.cause == "clearance_suspended"
            held = watch.held | {(event.cause, event.breach.zone if event.breach else None)}
            return replace(watch, holds={**watch.holds, event.cause: event.command}, held=held, suspended=suspended, told=told)
        case HoldLifted():
            return replace(watch, suspended=False)
        case ZoneClosed():
            return replace(watch, closed={**watch.closed, event.zone: event})
        case TreatmentResumed():
            holds = {cause: command for cause, command in watch.holds.items() if cause not in event.lifted}
            return replace(watch, holds=holds, held=frozenset(one for one in watch.held if one[0] in holds))
    assert_never(event)


def _settled(state: Known, event: TreatmentCompleted | TreatmentPartiallyCompleted) -> Settled:
    assert isinstance(state, Ended | Settled)
    missing = event.missing_frames if isinstance(event, TreatmentPartiallyCompleted) else 0
    return Settled(
        binding=state.binding, watch=state.watch, started=state.started, ended=state.ended,
        totals=event.totals, whole=isinstance(event, TreatmentCompleted), missing_frames=missing,
    )  # fmt: skip
