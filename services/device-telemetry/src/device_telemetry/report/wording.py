"""How a report says things: causes, phases, numbers and times."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from device_telemetry.treatment.events import AbortCause, Breach, EndCause, HoldCause
from device_telemetry.treatment.state import Ended, GivenUp, Known, Opened, Running, Settled

NARROW: Final = "\u202f"  # between thousands, never broken

MODALITIES: Final[Mapping[str, str]] = {
    "nafl_1550": "non-ablative fractional, 1550 nm (erbium)",
    "nafl_1927": "non-ablative fractional, 1927 nm (thulium)",
    "afl_2940": "ablative fractional, 2940 nm (Er:YAG)",
    "afl_10600": "ablative fractional, 10600 nm (CO2)",
}
CAUSES: Final[Mapping[HoldCause, str]] = {
    "clearance_suspended": "the clearance was suspended",
    "clearance_revoked": "the clearance was revoked",
    "energy_over_limit": "energy above the cleared limit",
    "zone_not_planned": "a zone outside the plan",
    "passes_over_limit": "a pass beyond the cleared number",
    "zone_closed": "a zone that had been closed",
    "density_over_plan": "more than the plan allows, in the zone or in one grid cell (F604)",
    "density_over_limit": "density above the cleared limit",
    "coverage_over_limit": "coverage above the cleared cap",
    "numbers_reused": "frame numbers used twice, so that what they delivered is in no total",
    "device_locked_out": "the laser was locked out",
    "earlier_delivery": "an earlier treatment of this visit turned out to have delivered",
}
UNITS: Final[Mapping[HoldCause, str]] = {
    "energy_over_limit": "mJ per MTZ", "zone_not_planned": "MTZ", "passes_over_limit": "passes", "zone_closed": "MTZ",
    "density_over_plan": "MTZ", "density_over_limit": "MTZ/cm²", "coverage_over_limit": "%", "numbers_reused": "ms since boot",
}  # fmt: skip
ENDED_BY: Final[Mapping[EndCause, str]] = {
    "operator": "ended by its operator",
    "silence": "ended by itself: no frame came for so long",
    "aborted": "ended because it was broken off",
}
BROKEN_OFF: Final[Mapping[AbortCause, str]] = {
    "operator": "broken off by the operator",
    "patient_wish": "broken off at the patient's wish",
    "device_fault": "broken off for a fault of the laser",
    "adverse_reaction": "broken off for an adverse reaction",
    "never_started": "given up: nothing had been delivered",
}


def phase(state: Known) -> tuple[str, str]:
    """(one or two words, what they mean)."""
    match state:
        case Opened():
            return "opened", "The laser may treat within the limits below. Nothing has been delivered as far as known."
        case Running():
            return "running", "The laser delivers. All totals are those of the moment."
        case Ended():
            return "ended", (
                "Nothing more is delivered. The totals are provisional: they become final when every frame that the laser numbered is "
                f"stored, or when the missing ones have been waited for {state.ended.backfill_hours} hours."
            )
        case Settled() if state.whole and state.ended.cause != "aborted":
            return "completed", (
                "Every frame that the laser numbered is stored: the totals are final. It does not say that the plan was carried out in "
                "full; that is the column Share of plan."
            )
        case Settled():
            missing = f"{number(state.missing_frames)} frames never came." if state.missing_frames else "No frame is missing."
            why = "The treatment was broken off." if state.ended.cause == "aborted" else "The wait for missing frames is over."
            return "partially completed", f"{why} {missing} The totals are those of the frames that are stored."
        case GivenUp():
            return "given up", "Broken off before anything was delivered, as far as known."


def number(value: float, digits: int = 0) -> str:
    """With thousands set apart."""
    return f"{value:,.{digits}f}".replace(",", NARROW)


def span(low: float | None, high: float | None, unit: str, digits: int = 1) -> str:
    """One value, or from the least to the greatest."""
    if low is None or high is None:
        return "none"
    same = number(low, digits) == number(high, digits)
    return f"{number(low, digits)} {unit}" if same else f"{number(low, digits)} to {number(high, digits)} {unit}"


def breach_words(cause: HoldCause, breach: Breach) -> str:
    """Where and by how much."""
    unit = UNITS.get(cause, "")
    digits = 1 if cause in ("energy_over_limit", "coverage_over_limit", "density_over_limit") else 0
    frames = f"frame {breach.seq_first}" if breach.seq_first == breach.seq_last else f"frames {breach.seq_first} to {breach.seq_last}"
    where = f"{breach.zone}, " if breach.zone else ""
    return f"{where}{number(breach.measured, digits)} against {number(breach.limit, digits)} {unit}, {frames}"


def utc(at: datetime) -> str:
    """Date and time in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def local(at: datetime, zone: str) -> str:
    """Date and time on the clinic's clock."""
    return f"{at.astimezone(UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def offset(at: datetime, zone: str) -> str:
    """What the clinic's clock was ahead of UTC at that time: UTC+02:00."""
    shown = f"{at.astimezone(UTC).astimezone(ZoneInfo(zone)):%z}"
    return f"UTC{shown[:3]}:{shown[3:]}"


def lasted(seconds: float) -> str:
    """A duration for people."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
