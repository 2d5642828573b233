"""What screening refuses, by name: the docstring is the sentence a caller reads. Details hold ids, dates and words, no personal data."""

from erbium_kernel.errors import NotFound, ReferenceNotFound, Rejected


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


class ConsultationUnknown(ReferenceNotFound):
    """This patient has no consultation under this id."""


class PreconditionUnknown(ReferenceNotFound):
    """No precondition of this patient was recorded under this id."""


class SpotUnknown(NotFound):
    """This patient has no test spot under this id."""


class PatientAlreadyRegistered(Rejected):
    """Another person, or other data, is registered under this id."""

    slug = "screening.patient-already-registered"
    do = "Register the person under a new id, or without one."


class IdTaken(Rejected):
    """Something else was recorded under this id; a record is never silently replaced."""

    slug = "screening.id-taken"
    do = "Send it under a new id; to correct a procedure or a set of answers, send a correction of it."


class DateImpossible(Rejected):
    """A date lies on the wrong side of today, or does not go with how certain it is said to be."""

    slug = "screening.date-impossible"
    do = "Correct the date that `detail` speaks of; today is the day at the clinic."


class WordUnknown(Rejected):
    """The rules in force do not know this word here."""

    slug = "screening.word-unknown"
    do = "Use the words that `facts` or the API description list for this field, each once."


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
    """This is one of the fixed intervals between procedures: nobody may shorten it, unless the rule itself names a day from which on."""

    slug = "screening.seed-window-not-overridable"
    title = "Fixed interval not overridable"
    do = "Wait until the date that the assessment names."


class AbsoluteRule(Rejected):
    """An absolute contraindication is never overridden."""

    slug = "screening.absolute-not-overridable"
    title = "Absolute contraindication not overridable"
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
    do = "Write at least as many characters as `characters_min` says."


class MitigationMissing(Rejected):
    """An override records what is done about the risk, and some rules ask for one measure by name."""

    slug = "screening.mitigation-missing"
    do = "Send `mitigations`; those named must be among them."


class OverrideExpiryOutOfRange(Rejected):
    """An override holds from today for a limited number of days."""

    slug = "screening.override-expiry-out-of-range"
    do = "Choose a last day between `earliest` and `latest`."


class AlreadyCleared(Rejected):
    """A valid clearance for the same modality and zones reaches as far."""

    slug = "screening.already-cleared"
    do = "Use the clearance that `clearance_id` names."


class SuspendedClearanceWaits(Rejected):
    """A suspended clearance for the same modality and zones waits for a doctor."""

    slug = "screening.suspended-clearance-waits"
    do = "Reinstate or revoke the clearance that `clearance_id` names, then ask again."


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
    do = "Wait until `ends_on` (null: as long as a clearance is open), or let a doctor record the decision that lifts the lock."
