"""What screening refuses, by name: the docstring is the sentence a caller reads. Details hold ids, dates and words, no personal data."""

from erbium_kernel.errors import NotFound, Rejected


class PatientUnknown(NotFound):
    """No patient of this chain has this id."""

    slug = "not-found"
    do = "Check the id; patients of another chain are not shown."


class ClearanceUnknown(NotFound):
    """This patient has no clearance under this id."""


class ProcedureUnknown(NotFound):
    """Nothing was reported of this patient under this procedure id."""


class AnswersUnknown(NotFound):
    """This patient has no set of answers under this id."""


class SpotUnknown(NotFound):
    """This patient has no test spot under this id."""


class PatientAlreadyRegistered(Rejected):
    """Another person, or other data, is registered under this id."""

    slug = "screening.patient-already-registered"
    do = "Register the person under a new id, or without one."


class IdTaken(Rejected):
    """Something else was recorded under this id; a record is never silently replaced."""

    slug = "screening.id-taken"
    do = "Send it under a new id; to correct what was recorded, use the correction."


class DateImpossible(Rejected):
    """A date does not fit: what has been done lies in the past, and an estimate needs the end of its plausible window."""

    slug = "screening.date-impossible"
    do = "Give `on` for an exact date, `latest_plausible_on` for an estimate, neither later than today at the clinic."


class WordUnknown(Rejected):
    """The rulebook does not know this word."""

    slug = "screening.word-unknown"
    do = "Use the words that the API description lists for this field."


class NotOffered(Rejected):
    """This modality is not offered: there are no limits for it that a laser could enforce."""

    slug = "screening.modality-not-offered"
    do = "Choose a modality that is offered."


class DoctorOnly(Rejected):
    """Only a doctor may decide this."""

    slug = "screening.doctor-only"
    do = "Ask a doctor to decide it."


class NotTheExaminingDoctor(Rejected):
    """Only the doctor of the patient's newest examination may override a rule."""

    slug = "screening.not-the-examining-doctor"
    do = "Examine the patient first, or ask the doctor who did."


class RuleUnknown(Rejected):
    """There is no rule of this id and version in force."""

    slug = "screening.rule-unknown"
    do = "Take rule id and version from a current assessment."


class SeedWindow(Rejected):
    """This is a rule of the seed: nobody may override it, except from the day on that its row names."""

    slug = "screening.seed-window-not-overridable"
    do = "Wait until the date that the assessment names."


class AbsoluteRule(Rejected):
    """An absolute contraindication is never overridden."""

    slug = "screening.absolute-not-overridable"
    do = "Record the event that ends it, with its date."


class PreconditionNotOverridable(Rejected):
    """A precondition is met, never overridden; an advisory is acknowledged with the clearance."""

    slug = "screening.precondition-not-overridable"
    do = "Record the precondition, or acknowledge the advisory in the request for clearance."


class NotOverridable(Rejected):
    """This rule is marked as one that nobody may override."""

    slug = "screening.not-overridable"
    do = "Wait until the date that the assessment names, or record what ends it."


class NothingToOverride(Rejected):
    """The rule does not stand in the way today for this modality and zone."""

    slug = "screening.nothing-to-override"
    do = "Read the assessment for that day, and override what it names."


class RationaleTooShort(Rejected):
    """An override needs a rationale that says why."""

    slug = "screening.rationale-too-short"
    do = "Write at least the number of characters named."


class OverrideExpiryOutOfRange(Rejected):
    """An override holds from today for a limited number of days."""

    slug = "screening.override-expiry-out-of-range"
    do = "Choose a last day inside the range named."


class AlreadyCleared(Rejected):
    """A valid clearance for the same modality and zones reaches as far."""

    slug = "screening.already-cleared"
    do = "Use the clearance named."


class SuspendedClearanceWaits(Rejected):
    """A suspended clearance for the same modality and zones waits for a doctor."""

    slug = "screening.suspended-clearance-waits"
    do = "Reinstate or revoke the clearance named, then ask again."


class AdvisoryNotAcknowledged(Rejected):
    """Advisory rules stand, and the patient has not been told of them."""

    slug = "screening.advisory-not-acknowledged"
    do = "Tell the patient, and name the rules in `acknowledges`."


class StillContradicted(Rejected):
    """The facts still contradict the clearance; it cannot be reinstated."""

    slug = "screening.still-contradicted"
    do = "Record what has changed, or revoke the clearance and ask for a new one."


class ClearanceEnded(Rejected):
    """The clearance has ended; nothing can be done with it any more."""

    slug = "screening.clearance-ended"
    do = "Ask for a new clearance."


class RetentionLocked(Rejected):
    """The record may not be erased yet: it must be kept."""

    slug = "screening.retention-locked"
    do = "Wait until the day named, or let a doctor record the decision that lifts the lock."
