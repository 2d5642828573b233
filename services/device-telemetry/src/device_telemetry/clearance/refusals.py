"""Why a treatment may not open. None of these sentences holds anything about the patient."""

from erbium_kernel.errors import Rejected


class ClearanceUnheard(Rejected):
    """Screening has not told of a granted clearance with this id."""

    slug = "telemetry.clearance-unheard"
    do = "Check the id; if the clearance was granted just now, try again in a moment under a new Idempotency-Key."


class ClearanceSuspended(Rejected):
    """The clearance is suspended."""

    slug = "telemetry.clearance-suspended"
    do = "A doctor reinstates or revokes it in screening."


class ClearanceEnded(Rejected):
    """The clearance has been revoked or has expired."""

    slug = "telemetry.clearance-ended"
    do = "The patient needs a new clearance."


class ClearanceNotValidToday(Rejected):
    """The clearance does not hold on the clinic's local date of today."""

    slug = "telemetry.clearance-not-valid-today"
    do = "Treat inside its dates, or have the patient cleared anew."


class NotCheckedIn(Rejected):
    """The patient has not been checked in for this visit under this clearance."""

    slug = "telemetry.visit-not-checked-in"
    do = "Check the patient in, in scheduling."


class VisitNotToday(Rejected):
    """The visit is not on the clinic's local date of today."""

    slug = "telemetry.visit-not-today"
    do = "Book and check in a visit for today."


class VisitOfAnotherPatient(Rejected):
    """The visit and the clearance do not belong together: another patient, or another modality."""

    slug = "telemetry.visit-does-not-fit"
    do = "Stop, and find out who is in the room. Then book the visit under the right clearance."


class NotAttested(Rejected):
    """Nobody has recorded today that nothing has changed since the clearance."""

    slug = "telemetry.visit-not-attested"
    do = "Ask the patient the question of the day and record the answer in scheduling."


class ChangesAttested(Rejected):
    """The patient reported a change today."""

    slug = "telemetry.changes-attested"
    do = "A doctor looks at the change; screening decides the clearance anew."


class VisitAlreadyTreated(Rejected):
    """A treatment of this visit has delivered already."""

    slug = "telemetry.visit-already-treated"
    do = "The interval rules count from that treatment; book the next visit by them."


class TreatmentAlreadyOpen(Rejected):
    """Another treatment under this clearance is open."""

    slug = "telemetry.treatment-already-open"
    do = "End or abort that one first."


class TreatmentIdTaken(Rejected):
    """Another treatment was opened under this id."""

    slug = "telemetry.treatment-id-taken"
    do = "Use a new treatment id."


class DeviceNotOfClinic(Rejected):
    """This laser is not one that the visit's clinic has claimed."""

    slug = "telemetry.device-not-of-clinic"
    do = "Use a laser of the clinic, or have this one claimed."


class DeviceOutOfUse(Rejected):
    """This laser is locked out."""

    slug = "telemetry.device-locked-out"
    do = "Use another laser until a named person has released this one."


class WrongModality(Rejected):
    """This laser cannot do what was cleared, or its model has no lesion table for it, so coverage could not be watched."""

    slug = "telemetry.device-wrong-modality"
    do = "Use a laser of the cleared modality; a changed modality needs a new clearance."


class DeviceInTreatment(Rejected):
    """A treatment on this laser is open."""

    slug = "telemetry.device-in-treatment"
    do = "End or abort that one first."


class ZonesNotCleared(Rejected):
    """The plan names a zone that was not cleared or not booked, or names the same skin twice."""

    slug = "telemetry.zones-not-cleared"
    do = "Plan cleared and booked zones only, none of which lies inside another."


class BeyondLimits(Rejected):
    """The planned settings are outside what the clearance or the laser's table allows; `limits` lists each."""

    slug = "telemetry.settings-beyond-limits"
    do = "Plan within the limits of the clearance."


class ScreeningStale(Rejected):
    """Screening has not been heard for certain within its time limit, so a suspension could be under way unheard."""

    slug = "telemetry.screening-stale"
    do = "Wait until screening is heard again, or have a doctor attest at the laser."
