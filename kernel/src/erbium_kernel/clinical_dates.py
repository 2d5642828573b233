"""Local dates of a clinic: made once, where the act happened, counted in whole days, and how sure one is of them."""

from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

Certainty = Literal["exact", "estimated", "latest_plausible", "unknown"]


def local_date(at: datetime, zone: str) -> date:
    """The calendar day of an instant in a clinic's zone. Raises: ValueError on an instant without zone."""
    if at.tzinfo is None:
        raise ValueError("an instant without a zone has no local date")
    return at.astimezone(UTC).astimezone(ZoneInfo(zone)).date()


def gap_days(earlier: date, later: date) -> int:
    """Whole calendar days between two local dates; clock time is ignored. Source: domain.md, day arithmetic."""
    return (later - earlier).days
