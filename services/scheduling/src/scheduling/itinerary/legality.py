"""Is a slot legal at its place: clinic open, practitioner licensed and at work, room fit, laser right? The patient is judged elsewhere."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from erbium_kernel.clinical_dates import local_date
from scheduling.hours import LocalTime, Window, inside, instant_of
from scheduling.itinerary import refusals
from scheduling.itinerary.commands import Asked, Licence, Place
from scheduling.itinerary.slot import Occupied, ResourceKind, Slot, Wanted
from scheduling.rules import Buffers, Rules, VisitRule


def legal_slot(rules: Rules, patient_id: UUID, wanted: Wanted, asked: Asked, place: Place, at: datetime) -> Slot:
    """The slot that was asked for, with everything it occupies.

    Raises: VisitIncomplete, NoSuchLocalTime, AmbiguousLocalTime, SlotInThePast, SlotTooFarAhead, ClinicClosed, PractitionerAway,
    PractitionerNotLicensed, RoomUnsuitable, LaserUnsuitable.
    """
    _complete(wanted, asked)
    rule = rules.visits[wanted.kind]
    starts_at = instant_of(asked.starts, place.time_zone) if isinstance(asked.starts, LocalTime) else asked.starts
    window = Window(starts_at, starts_at + timedelta(minutes=rule.duration_minutes))
    _in_the_book(rules, window, at)
    slot = Slot(
        clinic_id=place.clinic_id,
        time_zone=place.time_zone,
        on=local_date(starts_at, place.time_zone),
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        practitioner_id=asked.practitioner_id,
        room_id=asked.room_id,
        device_id=asked.device_id,
        occupied=tuple(_occupied(rule, patient_id, asked, window)),
    )
    fits(wanted, slot, place)
    return slot


def fits(wanted: Wanted, slot: Slot, place: Place) -> None:
    """The place, as it says of itself now, can give that visit in that slot.

    Raises: ClinicClosed, PractitionerAway, PractitionerNotLicensed, RoomUnsuitable, LaserUnsuitable.
    """
    window = Window(slot.starts_at, slot.ends_at)
    if not inside(window, place.hours, slot.on, place.time_zone):
        raise refusals.ClinicClosed(on=slot.on.isoformat(), time_zone=place.time_zone)
    _practitioner(place.licence, wanted, slot, window)
    _room_and_laser(place, wanted)


def _complete(wanted: Wanted, asked: Asked) -> None:
    laser_parts = (wanted.modality is not None, asked.device_id is not None)
    if wanted.kind == "laser":
        if not (all(laser_parts) and wanted.zones):
            raise refusals.VisitIncomplete
    elif any(laser_parts):
        raise refusals.VisitIncomplete


def _in_the_book(rules: Rules, window: Window, at: datetime) -> None:
    if window.starts_at < at:
        raise refusals.SlotInThePast
    if window.starts_at > at + timedelta(days=rules.clocks.booking_ahead_days_max):
        raise refusals.SlotTooFarAhead(days_ahead_max=rules.clocks.booking_ahead_days_max)


def _occupied(rule: VisitRule, patient_id: UUID, asked: Asked, window: Window) -> Iterator[Occupied]:
    def taken(kind: ResourceKind, resource_id: UUID, buffers: Buffers | None) -> Occupied:
        before = timedelta(minutes=buffers.before_minutes if buffers else 0)
        after = timedelta(minutes=buffers.after_minutes if buffers else 0)
        return Occupied(kind=kind, resource_id=resource_id, starts_at=window.starts_at - before, ends_at=window.ends_at + after)

    yield taken("practitioner", asked.practitioner_id, rule.practitioner)
    yield taken("room", asked.room_id, rule.room)
    if asked.device_id is not None:
        yield taken("laser", asked.device_id, rule.laser)
    yield taken("patient", patient_id, None)


def _practitioner(licence: Licence | None, wanted: Wanted, slot: Slot, window: Window) -> None:
    if licence is None or wanted.kind not in licence.visit_kinds:
        raise refusals.PractitionerNotLicensed(kind=wanted.kind)
    if wanted.modality is not None and wanted.modality not in licence.modalities:
        raise refusals.PractitionerNotLicensed(kind=wanted.kind, modality=wanted.modality)
    if licence.licensed_until is not None and slot.on > licence.licensed_until:
        raise refusals.PractitionerNotLicensed(licensed_until=licence.licensed_until.isoformat())
    if not inside(window, licence.hours, slot.on, slot.time_zone):
        raise refusals.PractitionerAway(on=slot.on.isoformat())


def _room_and_laser(place: Place, wanted: Wanted) -> None:
    if place.room is None or (wanted.kind == "laser" and not place.room.laser_ready):
        raise refusals.RoomUnsuitable
    if wanted.kind == "laser" and (place.laser is None or wanted.modality not in place.laser.modalities):
        raise refusals.LaserUnsuitable
