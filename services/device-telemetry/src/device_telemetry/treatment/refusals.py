"""Why a treatment's record does not accept something."""

from erbium_kernel.errors import NotFound, Rejected


class TreatmentUnknown(NotFound):
    """There is no such treatment in this chain, or its opening has not been taken up yet."""

    do = "Check the id; right after the opening, try again in a moment."


class NothingDelivered(Rejected):
    """No delivered microbeam of this treatment is known here yet."""

    slug = "telemetry.nothing-delivered"
    do = "If nothing was delivered, abort it; if frames were just sent, end it again in a moment under a new Idempotency-Key."


class TreatmentOver(Rejected):
    """This treatment is over."""

    slug = "telemetry.treatment-over"
    do = "Open a new treatment; a fresh visit and clearance may be needed."


class TooManyFramesThen(Rejected):
    """This treatment has more frames than are added up again for one look at its past."""

    slug = "telemetry.too-many-frames-then"
    do = "Read the treatment as it is now, or its report, which says when each gap was noticed and closed."


class MayNotResume(Rejected):
    """The clearance behind this treatment is suspended or revoked."""

    slug = "telemetry.may-not-resume"
    do = "A doctor reinstates the clearance in screening, or the treatment is ended."


class DoctorMustResume(Rejected):
    """The laser was stopped by the dose guard; only a doctor lets it go on."""

    slug = "telemetry.doctor-must-resume"
    do = "A doctor assesses the skin and resumes, or the treatment is ended."
