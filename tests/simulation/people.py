"""The clinics, staff, lasers and patients of the simulation; ids are fixed, so that a failure names the same ones in every run."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from scheduling.hours import Hours

CHAIN: Final = UUID("01990000-0000-7000-8000-00000000c4a1")
DOCTOR: Final = UUID("01990000-0000-7000-8000-000000000d0c")
BORN: Final = "1986-05-05"
PATIENTS_MAX: Final = 3
EVERY_DAY: Final = tuple(Hours(weekday=day, opens_minute=6 * 60, closes_minute=22 * 60) for day in range(1, 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """A clinic with its rooms and its laser."""

    id: UUID
    name: str
    time_zone: str
    rooms: tuple[UUID, ...]
    laser: UUID
    serial: str


def _id(kind: str, number: int) -> UUID:
    return UUID(f"01990000-0000-7000-8000-0000{kind}{number:04x}")


def _clinic(number: int, name: str, time_zone: str) -> Clinic:
    rooms = tuple(_id("0000", 16 * number + n) for n in (1, 2))
    return Clinic(
        id=_id("c11c", number), name=name, time_zone=time_zone, rooms=rooms, laser=_id("1a5e", number), serial=f"EF-2026-{number:04}"
    )


CLINICS: Final = (_clinic(1, "Berlin", "Europe/Berlin"), _clinic(2, "New York", "America/New_York"))
PRACTITIONERS: Final = tuple(_id("bead", n) for n in (1, 2))
PATIENTS: Final = tuple(_id("feed", n) for n in range(1, PATIENTS_MAX + 1))
NAMES: Final = ("Ada Sample", "Ben Sample", "Cleo Sample")
