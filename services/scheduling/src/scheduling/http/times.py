"""Times of day and weekly hours as bodies and views write them."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from erbium_kernel.http import Body, View
from scheduling.hours import Hours, LocalTime, clock_text

OPENINGS_MAX = 21  # three a day
TimeOfDay = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", max_length=5)]


def _known_day(text: str) -> str:
    try:
        date.fromisoformat(text.partition("T")[0])
    except ValueError:
        raise ValueError("is on no day that the calendar has") from None
    return text


LocalText = Annotated[
    str,
    Field(
        pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]$",
        max_length=16,
    ),
    AfterValidator(_known_day),
]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone of the IANA database") from None
    return name


TimeZone = Annotated[
    str, Field(min_length=3, max_length=64, description="Its IANA name, like `Europe/Madrid`."), AfterValidator(_known_zone)
]


class Opening(Body):
    """One opening on one weekday, on the clinic's wall clock."""

    weekday: Annotated[int, Field(ge=1, le=7, description="1 = Monday, 7 = Sunday.")]
    opens: Annotated[TimeOfDay, Field(description="Like `08:00`.")]
    closes: Annotated[TimeOfDay, Field(description="Later than `opens`, at most `24:00`.")]

    @model_validator(mode="after")
    def _closes_later(self) -> "Opening":
        if minute_of(self.closes) <= minute_of(self.opens):
            raise ValueError("must close later than it opens; hours through midnight are two openings")
        return self


class OpeningView(View):
    """One opening on one weekday."""

    weekday: int
    opens: str
    closes: str


def minute_of(text: str) -> int:
    """Minutes since midnight of `HH:MM`."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def hours_of(openings: Sequence[Opening]) -> tuple[Hours, ...]:
    """As the domain has them, in the order of the week."""
    rows = [Hours(weekday=one.weekday, opens_minute=minute_of(one.opens), closes_minute=minute_of(one.closes)) for one in openings]
    return tuple(sorted(rows, key=lambda row: (row.weekday, row.opens_minute)))


def opening_views(hours: Sequence[Hours]) -> list[OpeningView]:
    """As an answer writes them."""
    return [OpeningView(weekday=row.weekday, opens=clock_text(row.opens_minute), closes=clock_text(row.closes_minute)) for row in hours]


def local_time(text: str, fold: int | None) -> LocalTime:
    """What `LocalText` says, as the domain has it."""
    on, clock = text.split("T")
    return LocalTime(on=date.fromisoformat(on), minute=minute_of(clock), fold=fold)
