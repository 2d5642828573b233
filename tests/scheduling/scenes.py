"""People, places and times that the scheduling tests share, and a desk that puts commands to one itinerary."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from scheduling.deciders import ITINERARY, RULES
from scheduling.hours import Hours
from scheduling.itinerary import commands as c
from scheduling.itinerary.slot import Wanted
from scheduling.itinerary.state import Itinerary, Visit

NAMES = UUID("5c4ed11e-0000-4000-8000-000000000000")


def uid(name: str) -> UUID:
    """The same id for the same name, in every run."""
    return uuid5(NAMES, name)


PATIENT, OTHER_PATIENT, CHAIN = uid("patient"), uid("other patient"), uid("chain")
BERLIN, NEW_YORK = uid("clinic in Berlin"), uid("clinic in New York")
ZONES = {BERLIN: "Europe/Berlin", NEW_YORK: "America/New_York"}
DOCTOR, ROOM, SECOND_ROOM, LASER = uid("doctor"), uid("room"), uid("second room"), uid("laser")
ALL_KINDS = tuple(RULES.visits)
ALWAYS = tuple(Hours(weekday=day, opens_minute=0, closes_minute=1440) for day in range(1, 8))

FACE_LASER = Wanted(kind="laser", modality="nafl_1550", zones=("face",))
BIOREVITALISATION = Wanted(kind="biorevitalisation", zones=("face",))
CONSULTATION = Wanted(kind="consultation")


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    """The instant at which a clinic's clock shows this."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def day(text: str) -> date:
    """A local date."""
    return date.fromisoformat(text)


def place(clinic: UUID = BERLIN, **changes: Any) -> c.Place:
    """A clinic that is always open, with a room for lasers, a doctor who may do everything and a laser that can do everything."""
    values: dict[str, Any] = {
        "clinic_id": clinic,
        "time_zone": ZONES[clinic],
        "hours": ALWAYS,
        "room": c.Room(laser_ready=True),
        "licence": c.Licence(
            visit_kinds=ALL_KINDS, modalities=("nafl_1550", "nafl_1927", "afl_2940", "afl_10600"), licensed_until=None, hours=ALWAYS
        ),
        "laser": c.Laser(modalities=("nafl_1550", "nafl_1927", "afl_2940", "afl_10600")),
    }
    return c.Place(**{**values, **changes})


def asked(starts: Any, wanted: Wanted, clinic: UUID = BERLIN, **changes: Any) -> c.Asked:
    """That clinic's doctor, room and, for a laser visit, laser."""
    mine = ZONES[clinic]
    values: dict[str, Any] = {
        "starts": starts,
        "practitioner_id": uid(f"{DOCTOR} {mine}"),
        "room_id": uid(f"{ROOM} {mine}"),
        "device_id": uid(f"{LASER} {mine}") if wanted.kind == "laser" else None,
    }
    return c.Asked(**{**values, **changes})


def hold(
    starts: datetime,
    wanted: Wanted,
    *,
    at: datetime,
    name: str = "",
    clinic: UUID = BERLIN,
    patient: UUID = PATIENT,
    there: c.Place | None = None,
    **changes: Any,
) -> c.HoldSlot:
    """Hold that slot; the hold's id follows from `name`, else from what is wanted and when."""
    return c.HoldSlot(
        hold_id=uid(name or f"{patient}{wanted}{starts}"),
        patient_id=patient,
        wanted=wanted,
        asked=asked(starts, wanted, clinic, **changes),
        place=there or place(clinic),
        at=at,
    )


def book(wish: c.HoldSlot, at: datetime | None = None) -> c.BookVisit:
    """Book what was held, at a place that is as it was."""
    return c.BookVisit(hold_id=wish.hold_id, place=wish.place, at=at or wish.at)


def move(visit_id: UUID, starts: Any, wanted: Wanted, *, at: datetime, clinic: UUID = BERLIN) -> c.MoveVisit:
    """Move a visit there."""
    return c.MoveVisit(visit_id=visit_id, asked=asked(starts, wanted, clinic), place=place(clinic), at=at)


def clearance(
    on: str,
    *,
    at: datetime | None = None,
    name: str = "clearance",
    until: str | None = None,
    zones: tuple[str, ...] = ("face",),
    modality: str = "nafl_1550",
    examined: str | None = None,
    heard: str = "",
) -> c.HearClearance:
    """Screening cleared the patient on that day, for 30 days unless `until` says otherwise."""
    granted = day(on)
    return c.HearClearance(
        heard_id=uid(heard or f"granted {name}"),
        clearance_id=uid(name),
        modality=modality,
        zones=zones,
        examined_on=day(examined or on),
        granted_on=granted,
        valid_from=granted,
        valid_until=day(until) if until else granted + timedelta(days=30),
        at=at or local(f"{on}T09:00"),
    )


def changed(change: Any, *, at: datetime, name: str = "clearance", earliest: str | None = None, heard: str = "") -> c.HearClearanceChange:
    """Screening suspended, reinstated, revoked or expired a clearance."""
    return c.HearClearanceChange(
        heard_id=uid(heard or f"{change} {name} {at}"),
        clearance_id=uid(name),
        change=change,
        earliest=day(earliest) if earliest else None,
        at=at,
    )


def verdict(
    outcome: Any, *, at: datetime, until: str | None = None, zones: tuple[str, ...] = ("face",), modality: str = "nafl_1550"
) -> c.HearVerdict:
    """Screening did not clear the patient."""
    return c.HearVerdict(
        heard_id=uid(f"{outcome} {until} {zones} {at}"),
        outcome=outcome,
        modality=modality,
        zones=zones,
        until=day(until) if until else None,
        at=at,
    )


def procedure(kind: str, on: str, *, at: datetime, zones: tuple[str, ...] = ("face",)) -> c.HearProcedure:
    """The patient reported a procedure from elsewhere."""
    return c.HearProcedure(heard_id=uid(f"{kind} {on} {at}"), procedure_id=uid(f"{kind} {on}"), kind=kind, zones=zones, on=day(on), at=at)


def treatment(on: str, *, at: datetime, visit: UUID, modality: str = "nafl_1550", zones: tuple[str, ...] = ("face",)) -> c.HearTreatment:
    """A laser started on the patient."""
    return c.HearTreatment(
        heard_id=uid(f"treatment {on} {at}"),
        treatment_id=uid(f"treatment {on}"),
        visit_id=visit,
        clinic_id=BERLIN,
        modality=modality,
        zones=zones,
        on=day(on),
        at=at,
    )


@dataclass
class Desk:
    """One patient's itinerary and everything that has happened to it, decided purely."""

    patient: UUID = PATIENT
    events: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The patient is known unless the test says otherwise."""
        self.do(c.OpenItinerary(patient_id=self.patient))

    @property
    def state(self) -> Itinerary:
        """The folded itinerary."""
        return ITINERARY.fold(self.events)

    def do(self, *commands: Any) -> Sequence[Any]:
        """Decides the commands one after the other; returns the events of the last. Raises: Rejected."""
        new: Sequence[Any] = ()
        for command in commands:
            new = ITINERARY.decide(command, self.state)
            self.events.extend(new)
        return new

    def book(self, starts: datetime, wanted: Wanted, *, at: datetime, clinic: UUID = BERLIN, **changes: Any) -> UUID:
        """Hold and book; returns the visit's id. Raises: Rejected."""
        wish = hold(starts, wanted, at=at, clinic=clinic, patient=self.patient, **changes)
        self.do(wish, book(wish))
        return wish.hold_id

    def visit(self, visit_id: UUID) -> Visit:
        """A visit that is not over."""
        return self.state.visits[visit_id]
