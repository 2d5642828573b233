"""One example of every event that screening stores, sealed as it stands in the log: for golden files, contracts and read tables."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from erbium_kernel.event import Actor, Envelope
from erbium_kernel.personal import Sealed
from screening.clinic import events as clinic
from screening.facts import When
from screening.limits import Limits
from screening.patient import decision_events as d
from screening.patient import fact_events as f
from screening.readings import LookedAt
from screening.rules import Asked, Reason, TraceLine


def uid(tail: str) -> UUID:
    """An id that is easy to find again."""
    return UUID(f"01990000-0000-7000-8000-{tail:0>12}")


CHAIN, PATIENT, CLINIC, DOCTOR, NURSE = uid("c0"), uid("a1"), uid("c1"), uid("d1"), uid("d2")
CLEARANCE, TREATMENT, VISIT = uid("e1"), uid("f1"), uid("f2")
AT = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
DAY = date(2026, 3, 20)
SEALED = Sealed(v=1, subject_id=PATIENT, nonce="bm9uY2Utbm9uY2U=", ciphertext="Y2lwaGVydGV4dA==")
ZONES = ("cheeks", "nose")
BOOK = "3f2a9c0d1b7e"
TRACE = (
    TraceLine(
        rule_id="FILLER", rule_version=1, policy=None, zone="cheeks", verdict="DEFER", earliest=date(2026, 3, 26),
        says="contouring, filler in the zone: gap 8 of 14 days, until 2026-03-26",
        looked_at=(LookedAt(fact="procedure:filler_ha", value="2026-03-12", known_on=DAY),),
    ),
    TraceLine(
        rule_id="ISOTRETINOIN", rule_version=1, policy="isotretinoin_policy = consensus_2017", zone="cheeks", verdict="CLEAR",
        earliest=None, says="oral isotretinoin now or less than 180 days ago: nothing open",
        looked_at=(LookedAt(fact="answer:isotretinoin", value="never", known_on=DAY),),
    ),
)  # fmt: skip
REASONS = (
    Reason(
        rule_id="FILLER", rule_version=1, verdict="DEFER", zones=ZONES, earliest=date(2026, 3, 26),
        says="contouring, filler in the zone: gap 8 of 14 days, until 2026-03-26", ends="14 days after hyaluronic acid",
        grounds=("filler_ha@2026-03-12",),
    ),
)  # fmt: skip
MISSING = (Asked(fact="answer:pregnancy", why="never asked", rule_ids=("PREGNANCY",)),)
LIMITS = Limits(
    energy_mj_per_mtz_min=2.0, energy_mj_per_mtz_max=100.0, density_mtz_per_cm2_max=4000, coverage_percent_max=40, passes_max=12
)
DECIDED: dict[str, Any] = {
    "clinic_id": CLINIC, "clearance_id": CLEARANCE, "modality": "nafl_1550", "zones": ZONES, "indication": "PHOTO_FACE", "asked_for": DAY,
    "reasons": REASONS, "missing": MISSING, "decided_on": DAY, "decided_by": DOCTOR, "trace": TRACE, "rulebook_version": BOOK,
}  # fmt: skip

RECORDED: dict[str, Any] = {
    "patient-registered": f.PatientRegistered(
        clinic_id=CLINIC, name=SEALED, birth_date=SEALED, contact=SEALED, registered_on=DAY, time_zone="Europe/Madrid"
    ),
    "procedure-reported": f.ProcedureReported(
        clinic_id=CLINIC, procedure_id=uid("b1"), kind="botulinum_toxin", zones=("forehead",), when=When(on=date(2026, 3, 15)),
        performed_time_zone="Europe/Madrid", reported_on=DAY, reported_at=AT, reported_by=NURSE,
    ),
    "procedure-corrected": f.ProcedureCorrected(
        clinic_id=CLINIC, procedure_id=uid("b1"), kind="filler_other", zones=("cheeks",),
        when=When(on=date(2026, 3, 1), certainty="estimated", latest_plausible_on=date(2026, 3, 10)),
        performed_time_zone="Europe/Madrid", corrected_on=DAY, corrected_at=AT, corrected_by=NURSE,
    ),
    "questionnaire-answered": f.QuestionnaireAnswered(
        clinic_id=CLINIC, answers_id=uid("b2"), corrects=None, asked_on=DAY, asked_at=AT, asked_by=NURSE,
        answers=(
            f.GivenAnswer(question="pregnancy", question_version=1, value="no"),
            f.GivenAnswer(question="isotretinoin", question_version=1, value="stopped", when=When(on=date(2025, 6, 1))),
            f.GivenAnswer(question="filler", question_version=1, value="yes", when=When(on=None, certainty="unknown"), zones=("cheeks",)),
        ),
    ),
    "consultation-held": f.ConsultationHeld(clinic_id=CLINIC, consultation_id=uid("b3"), doctor_id=DOCTOR, held_on=DAY, held_at=AT),
    "examination-recorded": f.ExaminationRecorded(
        clinic_id=CLINIC, consultation_id=uid("b3"), doctor_id=DOCTOR, skin_type="II", findings=("tanned",), note=SEALED,
        examined_on=DAY, examined_at=AT,
    ),
    "test-spot-placed": f.TestSpotPlaced(
        clinic_id=CLINIC, spot_id=uid("b4"), modality="nafl_1550", zone="cheeks", placed_on=DAY, placed_by=DOCTOR
    ),
    "test-spot-read": f.TestSpotRead(clinic_id=CLINIC, spot_id=uid("b4"), reading="no_pih", read_on=DAY, read_by=DOCTOR),
    "precondition-recorded": f.PreconditionRecorded(
        clinic_id=CLINIC, precondition_id=uid("b5"), kind="antiviral", starts_on=date(2026, 3, 21), recorded_on=DAY, recorded_by=DOCTOR
    ),
    "advisory-acknowledged": f.AdvisoryAcknowledged(
        clinic_id=CLINIC, rule_id="FITZ_IV", rule_version=1, grounds=("skin_type=IV",), acknowledged_by=DOCTOR, acknowledged_on=DAY
    ),
    "override-granted": d.OverrideGranted(
        clinic_id=CLINIC, override_id=uid("b6"), rule_id="ISOTRETINOIN", rule_version=1, modality="nafl_1550", zone="cheeks",
        indication=None, grounds=("isotretinoin=taking",), rationale=SEALED, mitigations=("lower_settings",), doctor_id=DOCTOR,
        granted_on=DAY, expires_on=date(2026, 4, 3),
    ),
    "clearance-granted": d.ClearanceGranted(
        clinic_id=CLINIC, clearance_id=CLEARANCE, modality="nafl_1550", zones=ZONES, indication="PHOTO_FACE", skin_type="II",
        limits=LIMITS, examined_on=DAY, valid_from=DAY, valid_until=date(2026, 4, 19), granted_on=DAY, granted_by=DOCTOR,
        time_zone="Europe/Madrid", trace=TRACE, rulebook_version=BOOK,
    ),
    "clearance-deferred": d.ClearanceDeferred(**DECIDED, until=date(2026, 3, 26), not_before=None),
    "clearance-refused": d.ClearanceRefused(**DECIDED, outcome="INCOMPLETE", until=None),
    "clearance-suspended": d.ClearanceSuspended(
        clinic_id=CLINIC, clearance_id=CLEARANCE, outcome="DEFERRED", earliest=date(2026, 3, 26), reasons=REASONS, missing=(),
        suspended_on=DAY, trace=TRACE, rulebook_version=BOOK,
    ),
    "clearance-reinstated": d.ClearanceReinstated(
        clinic_id=CLINIC, clearance_id=CLEARANCE, doctor_id=DOCTOR, reinstated_on=date(2026, 3, 26), trace=TRACE, rulebook_version=BOOK
    ),
    "clearance-revoked": d.ClearanceRevoked(
        clinic_id=CLINIC, clearance_id=CLEARANCE, doctor_id=DOCTOR, note=SEALED, revoked_on=date(2026, 3, 26)
    ),
    "clearance-expired": d.ClearanceExpired(clinic_id=CLINIC, clearance_id=CLEARANCE, expired_on=date(2026, 4, 20)),
    "adverse-event-noted": f.AdverseEventNoted(
        clinic_id=CLINIC, adverse_event_id=uid("f3"), treatment_id=TREATMENT, level="AMBER", opened_on=DAY
    ),
    "adverse-event-settled": f.AdverseEventSettled(adverse_event_id=uid("f3"), closed_on=date(2026, 3, 27)),
    "changes-attested": f.ChangesAttested(
        clinic_id=CLINIC, attestation_id=uid("f4"), visit_id=VISIT, attested_on=DAY, attested_at=AT
    ),
    "treatment-noted": f.TreatmentNoted(
        clinic_id=CLINIC, treatment_id=TREATMENT, clearance_id=CLEARANCE, modality="nafl_1550", zones=ZONES, treated_on=DAY
    ),
    "retention-lock-lifted": d.RetentionLockLifted(clinic_id=CLINIC, doctor_id=DOCTOR, rationale=SEALED, lifted_on=DAY),
    "patient-erased": d.PatientErased(erased_on=DAY, erased_by=DOCTOR),
    "clinic-noted": clinic.ClinicNoted(clinic_id=CLINIC, time_zone="Europe/Madrid"),
}  # fmt: skip


def envelope(name: str, version: int = 7) -> Envelope:
    """The envelope that such an event would stand in."""
    stream = f"clinic-{CLINIC}" if name == "clinic-noted" else f"patient-{PATIENT}"
    return Envelope(
        chain_id=CHAIN, ordering_id=PATIENT, event_id=uid(f"{len(name):x}"), type=name, schema_version=1, origin=None, stream=stream,
        version=version, clinic_id=CLINIC, subject_id=PATIENT, occurred_at=AT, recorded_at=AT, command_id=uid("aa"),
        correlation_id=uid("aa"), causation_id=None, actor=Actor(kind="staff", id=str(DOCTOR)), traceparent=None,
    )  # fmt: skip
