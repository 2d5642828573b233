"""Why an itinerary says no; every class is one answer that a front desk can act on."""

from erbium_kernel.errors import Rejected


class SlotTaken(Rejected):
    """The practitioner, the room, the laser or the patient is taken at that time."""

    slug = "scheduling.slot-taken"
    do = "Search for free slots again and hold another one."


class SlotInThePast(Rejected):
    """The slot starts before now."""

    slug = "scheduling.slot-in-the-past"
    do = "Choose a later start."


class SlotTooFarAhead(Rejected):
    """The slot is further ahead than bookings are taken."""

    slug = "scheduling.slot-too-far-ahead"
    do = "Choose an earlier start; `days_ahead_max` says how many days ahead."


class ClinicClosed(Rejected):
    """The clinic is not open for the whole visit."""

    slug = "scheduling.clinic-closed"
    do = "Choose a start inside the opening hours: GET /v1/clinics/{clinic_id} lists them."


class PractitionerAway(Rejected):
    """The practitioner does not work at this clinic for the whole visit."""

    slug = "scheduling.practitioner-away"
    do = "Choose another practitioner or a start inside the working hours."


class PractitionerNotLicensed(Rejected):
    """The practitioner holds no licence for this visit at this clinic on that day."""

    slug = "scheduling.practitioner-not-licensed"
    do = "Choose a practitioner whose licence names the kind of visit and the modality."


class RoomUnsuitable(Rejected):
    """The clinic has no such room, or no laser may be used in it."""

    slug = "scheduling.room-unsuitable"
    do = "Choose a room of this clinic; a laser visit needs one that is ready for lasers."


class LaserUnsuitable(Rejected):
    """No such laser stands at this clinic, or it does not offer this modality."""

    slug = "scheduling.laser-unsuitable"
    do = "Choose a laser of this clinic that offers the modality."


class VisitIncomplete(Rejected):
    """A laser visit names a modality, zones and a laser; no other visit does."""

    slug = "scheduling.visit-incomplete"
    do = "Send `modality`, `zones` and `device_id` with a laser visit, and no `modality` or `device_id` with another."


class TooManyHolds(Rejected):
    """The patient already has as many holds as may be open at one time."""

    slug = "scheduling.too-many-holds"
    do = "Book or give back one of them, or wait until one expires."


class HoldExists(Rejected):
    """Another slot is or was held under this id."""

    slug = "scheduling.hold-exists"
    do = "Leave the id out and let the service choose one."


class HoldGone(Rejected):
    """There is no such hold: it has expired, was given back, or its visit is over."""

    slug = "scheduling.hold-gone"
    do = "Hold the slot again, then book with the new hold."


class IntervalTooShort(Rejected):
    """Another treatment or procedure of the patient is too close, before or after, at whatever clinic."""

    slug = "scheduling.interval-too-short"
    do = "Choose a day on or after `earliest`; where it is null, no legal day was found in the time looked at."


class NotCleared(Rejected):
    """What screening has said so far allows no laser visit on that day."""

    slug = "scheduling.not-cleared"
    do = "Choose a day on or after `earliest`; where it is null, book a consultation: a doctor decides first."


class TooLateForProvisional(Rejected):
    """No clearance reaches that day, and it is too near to wait for one."""

    slug = "scheduling.too-late-for-provisional"
    do = "Let a doctor clear the patient first, or choose a later day."


class VisitOver(Rejected):
    """The visit has been cancelled or treated."""

    slug = "scheduling.visit-over"
    do = "Book a new visit."


class AlreadyArrived(Rejected):
    """The patient has checked in for this visit."""

    slug = "scheduling.already-arrived"
    do = "Cancel the visit and book another one."


class VisitNotToday(Rejected):
    """Today is not the day of this visit at its clinic."""

    slug = "scheduling.visit-not-today"
    do = "Move the visit to today, or wait for its day."


class VisitNotFirm(Rejected):
    """The visit is provisional or frozen and may not take place."""

    slug = "scheduling.visit-not-firm"
    do = "Read `standing` and `cause` of the visit; a doctor's clearance makes it firm."


class NotArrived(Rejected):
    """The patient has not checked in for this visit."""

    slug = "scheduling.not-arrived"
    do = "Check the patient in first."


class ChangesStand(Rejected):
    """A change has been attested for this day; only a doctor can clear the patient again."""

    slug = "scheduling.changes-stand"
    do = "Let a doctor examine the patient; once the clearance is reinstated, the visit may take place."


class SameDayNotApproved(Rejected):
    """The patient was examined today, and nobody has approved a treatment on the same day."""

    slug = "scheduling.same-day-not-approved"
    do = "Approve the same day first (same-day-approval), or move the visit to a later day."


class NotTheSameDay(Rejected):
    """The visit does not rest on an examination of its own day."""

    slug = "scheduling.not-the-same-day"
    do = "Nothing to approve: check the patient in, or let a doctor examine and clear the patient today."


class SameDayNeedsOverride(Rejected):
    """This modality is not given on the day of the examination."""

    slug = "scheduling.same-day-needs-override"
    do = "Move the visit to a later day."
