"""One example of every event that this service stores; the ids are those of the contracts' examples."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from scheduling.clinic.events import ClinicRegistered, RoomAdded
from scheduling.hours import Hours
from scheduling.itinerary import events as e
from scheduling.itinerary.carried_forward import carried
from scheduling.itinerary.intervals import Act
from scheduling.itinerary.slot import Occupied, Slot, Wanted
from scheduling.itinerary.state import Clearance, Firm, Frozen, Hold, Itinerary, Over, Provisional, Verdict, Visit
from scheduling.laser.events import LaserInstalled
from scheduling.practitioner.events import PractitionerLicensed


def ident(last: str) -> UUID:
    """An id that is easy to tell apart."""
    return UUID(f"01990000-0000-7000-8000-0000000000{last}")


CLINIC, OTHER_CLINIC, ROOM, DOCTOR, LASER = ident("c1"), ident("c9"), ident("c2"), ident("b1"), ident("d1")
PATIENT, CLEARANCE, VISIT, HEARD = ident("a1"), ident("e1"), ident("f1"), ident("91")
ON = date(2026, 4, 15)


def at(hour: int, minute: int = 0) -> datetime:
    """That day, UTC."""
    return datetime(2026, 4, 15, hour, minute, tzinfo=UTC)


HOURS = (Hours(weekday=1, opens_minute=480, closes_minute=1200),)
WANTED = Wanted(kind="laser", modality="nafl_1550", zones=("face", "neck"))
SLOT = Slot(
    clinic_id=CLINIC,
    time_zone="Europe/Berlin",
    on=ON,
    starts_at=at(9, 30),
    ends_at=at(10, 45),
    practitioner_id=DOCTOR,
    room_id=ROOM,
    device_id=LASER,
    occupied=(
        Occupied(kind="practitioner", resource_id=DOCTOR, starts_at=at(9, 30), ends_at=at(10, 50)),
        Occupied(kind="patient", resource_id=PATIENT, starts_at=at(9, 30), ends_at=at(10, 45)),
    ),
)
LATER = replace(SLOT, starts_at=at(12), ends_at=at(13, 15))
BOOKED = e.VisitBooked(visit_id=VISIT, patient_id=PATIENT, wanted=WANTED, slot=SLOT, clearance_id=CLEARANCE, firm_by=None)

VISITS = [
    Visit(
        visit_id=VISIT, wanted=WANTED, slot=SLOT, standing=Firm(clearance_id=CLEARANCE), checked_in=True, changes=False,
        same_day_approved=True,
    ),
    Visit(visit_id=ident("f2"), wanted=WANTED, slot=SLOT, standing=Provisional(firm_by=at(9, 30))),
    Visit(
        visit_id=ident("f3"), wanted=WANTED, slot=SLOT,
        standing=Frozen(cause="interval", until=at(8), clearance_id=CLEARANCE, rules=("peel-14",), earliest=date(2026, 5, 1)),
    ),
]  # fmt: skip
FILLER = Act(ref=ident("71"), kind="filler_ha", zones=("cheeks",), on=ON)
ITINERARY = Itinerary(
    patient_id=PATIENT,
    holds={ident("f4"): Hold(hold_id=ident("f4"), wanted=WANTED, slot=SLOT, expires_at=at(8, 10))},
    visits={visit.visit_id: visit for visit in VISITS[1:]},
    over={VISIT: Over(visit=VISITS[0], cause="treated")},
    procedures={FILLER.ref: FILLER},
    procedures_heard={FILLER.ref: 2},
    treatments={ident("81"): Act(ref=ident("81"), kind="nafl_1550", zones=("face",), on=ON)},
    clearances={
        CLEARANCE: Clearance(
            clearance_id=CLEARANCE, modality="nafl_1550", zones=("face",), examined_on=ON, granted_on=ON, valid_from=ON,
            valid_until=date(2026, 5, 15), status="suspended", earliest=date(2026, 5, 1), heard=1,
        )
    },
    early={ident("e2"): e.ClearanceChangeHeard(heard_id=HEARD, clearance_id=ident("e2"), change="revoked", earliest=None)},
    verdicts=(Verdict(outcome="DEFERRED", modality="nafl_1550", zones=("face",), until=None, heard=3),),
    heard_ids=frozenset({HEARD, ident("92")}),
    said=3,
)  # fmt: skip

EXAMPLES: tuple[Any, ...] = (
    ClinicRegistered(clinic_id=CLINIC, name="Mitte", time_zone="Europe/Berlin", hours=HOURS),
    RoomAdded(clinic_id=CLINIC, room_id=ROOM, label="Laser 1", laser_ready=True),
    PractitionerLicensed(
        practitioner_id=DOCTOR, clinic_id=CLINIC, visit_kinds=("consultation", "laser"), modalities=("nafl_1550",),
        licensed_until=date(2027, 12, 31), hours=HOURS,
    ),
    LaserInstalled(device_id=LASER, clinic_id=CLINIC, model="Erfrac 1550", modalities=("nafl_1550",)),
    e.ItineraryOpened(patient_id=PATIENT),
    e.ItineraryClosed(patient_id=PATIENT),
    e.ClearanceHeard(
        heard_id=HEARD, clearance_id=CLEARANCE, modality="nafl_1550", zones=("face",), examined_on=ON, granted_on=ON, valid_from=ON,
        valid_until=date(2026, 5, 15),
    ),
    e.ClearanceChangeHeard(heard_id=HEARD, clearance_id=CLEARANCE, change="suspended", earliest=date(2026, 5, 1)),
    e.VerdictHeard(heard_id=HEARD, outcome="DEFERRED", modality="nafl_1550", zones=("face",), until=None),
    e.ProcedureHeard(heard_id=HEARD, procedure_id=ident("71"), kind="filler_ha", zones=("cheeks",), on=ON),
    e.TreatmentHeard(
        heard_id=HEARD, treatment_id=ident("81"), visit_id=VISIT, clinic_id=CLINIC, modality="nafl_1550", zones=("face",), on=ON
    ),
    e.SlotHeld(hold_id=VISIT, patient_id=PATIENT, wanted=WANTED, slot=SLOT, expires_at=at(8, 10)),
    e.HoldEnded(hold_id=VISIT, patient_id=PATIENT, slot=SLOT, cause="expired"),
    BOOKED,
    e.VisitMoved(
        visit_id=VISIT, patient_id=PATIENT, wanted=WANTED, was=SLOT, slot=LATER, clearance_id=None,
        firm_by=datetime(2026, 4, 13, 12, tzinfo=UTC),
    ),
    e.VisitCancelled(visit_id=VISIT, patient_id=PATIENT, slot=SLOT, cause="patient"),
    e.VisitMadeFirm(visit_id=VISIT, clinic_id=CLINIC, clearance_id=CLEARANCE),
    e.VisitMadeProvisional(visit_id=VISIT, clinic_id=CLINIC, firm_by=at(9, 30)),
    e.VisitFrozen(
        visit_id=VISIT, clinic_id=CLINIC, cause="interval", until=at(9, 30), rules=("FILLER_HA_TO_NAFL_1550 v1",),
        earliest=date(2026, 4, 29),
    ),
    e.VisitCheckedIn(
        visit_id=VISIT, patient_id=PATIENT, clinic_id=CLINIC, time_zone="Europe/Berlin", on=ON, clearance_id=CLEARANCE, device_id=LASER,
        wanted=WANTED,
    ),
    e.DayAttested(
        visit_id=VISIT, patient_id=PATIENT, clinic_id=CLINIC, on=ON, clearance_id=CLEARANCE, changes=False, attested_by=str(ident("b2"))
    ),
    e.SameDayApproved(
        visit_id=VISIT, patient_id=PATIENT, clinic_id=CLINIC, on=ON, clearance_id=CLEARANCE, approved_by=str(DOCTOR)
    ),
    carried(ITINERARY),
)  # fmt: skip
