"""What the chapters share: who plays, where, and what earlier chapters have left."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from erbium import fleet
from erbium.journey.cited import day
from erbium.journey.clinic import Clinic, JourneyFailed
from erbium.journey.desk import Desk
from erbium.journey.people import Person
from erbium.journey.setting import Setting
from erbium.journey.story import Fact, Story, Town

MADRID = Town("Madrid", "Europe/Madrid")
LAS_PALMAS = Town("Las Palmas", "Atlantic/Canary")


@dataclass(slots=True)
class Scene:
    """`first` is deferred and erased, `second` treated, hurt and looked after. `today` is the day of the treatment, day 0."""

    clinic: Clinic
    story: Story
    desk: Desk
    setting: Setting
    first: Person
    second: Person
    today: date
    reports: Path
    clearance: dict[str, Any] = field(default_factory=dict)
    visit_id: str = ""
    next_visit: dict[str, Any] = field(default_factory=dict)
    attested: str | None = None  # the message that the nurse's question left
    treatment_id: str = ""
    laser: fleet.Laser | None = None

    @property
    def treatment(self) -> str:
        """Where services keep the treatment."""
        return f"/v1/treatments/{self.treatment_id}"

    @property
    def machine(self) -> fleet.Laser:
        """The laser that treats. Promise: it has begun."""
        assert self.laser is not None
        return self.laser

    def in_days(self, count: int) -> date:
        """Day `count`, the treatment being on day 0."""
        return self.today + timedelta(days=count)

    def told(self, when: date | str) -> str:
        """A date as people say it."""
        return day(when, year=self.today.year)


def expect(found: Any, wanted: Any, what: str) -> None:
    """Raises: JourneyFailed with both values."""
    if found != wanted:
        raise JourneyFailed(f"{what} should be {wanted!r}, but is {found!r}")


def acted(name: str, who: str, hop_ms: float) -> Fact:
    """A fact on which another service was seen to act."""
    return Fact(name, who, hop_ms)
