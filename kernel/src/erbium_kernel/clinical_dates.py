"""Clinical dates: a local date, the zone it was made in, and how sure it is. Made once, where the act happened."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

Certainty = Literal["exact", "estimated", "latest_plausible", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalDate:
    """`on` in `zone` (IANA), never converted to another zone."""

    on: date
    zone: str
    certainty: Certainty = "exact"


def local_date(at: datetime, zone: str) -> date:
    """The calendar day of an instant in a clinic's zone. Raises: ValueError on an instant without zone."""
    if at.tzinfo is None:
        raise ValueError("an instant without a zone has no local date")
    return at.astimezone(UTC).astimezone(ZoneInfo(zone)).date()


def gap_days(earlier: date, later: date) -> int:
    """Whole calendar days between two local dates; clock time is ignored. Source: domain.md, day arithmetic."""
    return (later - earlier).days
