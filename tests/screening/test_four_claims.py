"""Every command of screening: done, refused, repeated, raced, by one table that no command is missing from."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from erbium_kernel.errors import PersonErased
from screening.clinic.commands import NoteClinic
from screening.deciders import CLINIC as CLINIC_DECIDER
from screening.deciders import PATIENT
from screening.patient import commands as c
from screening.patient import refusals as r
from screening.wiring import SERVICE
from tests.four_claims import Claims, Ground, check_done_and_repeated, check_every_command, check_raced, check_refused
from tests.screening.story import CLINIC, NURSE, PATIENT_ID, act, id_of, personal
from tests.screening.test_raced import (
    CHANGES,
    DAY,
    ERASE,
    EXPIRE,
    FILLER,
    LIFT,
    NOTED,
    OVERRIDE,
    REINSTATE,
    REQUEST,
    REVOKE,
    TAKING,
    spoken,
)
from tests.screening.test_recording import ANSWER, CONSULT, CORRECT, PRIME, READ, REGISTER, REPORT, SPOT

READY = spoken()
CLEARED = [*READY, REQUEST]
SETTLE = c.SettleAdverseEvent(adverse_event_id=id_of("ae"), closed_on=date(2026, 3, 20))
TREATED = c.NoteTreatment(
    clinic_id=CLINIC, treatment_id=id_of("t"), clearance_id=REQUEST.clearance_id, modality="nafl_1550", zones=("face",),
    treated_on=date(2026, 3, 20),
)  # fmt: skip
BY_A_NURSE = act(DAY, "12:00", by=NURSE, roles=["nurse"])
HEARD = "a fact is a fact; of a stranger or an erased person there is nothing to record"
NOBODY = ([], [READY[0], ERASE])

TABLE = [
    Claims(command=REGISTER, event="patient-registered", refused={
        r.PatientAlreadyRegistered: (READY, REGISTER), PersonErased: ([*READY, ERASE], REGISTER),
        r.DateImpossible: ([], replace(REGISTER, birth_date=personal("2099-01-01")))}),
    Claims(command=REPORT, before=READY, event="procedure-reported", refused={
        r.PatientUnknown: ([], REPORT), r.IdTaken: ([*READY, REPORT], replace(REPORT, kind="peel_deep")),
        r.WordUnknown: (READY, replace(REPORT, kind="tattoo"))}),
    Claims(command=CORRECT, before=[*READY, REPORT], event="procedure-corrected", refused={r.ProcedureUnknown: (READY, CORRECT)}),
    Claims(command=ANSWER, before=READY, event="questionnaire-answered", refused={
        r.AnswersUnknown: (READY, replace(ANSWER, corrects=id_of("nothing")))}),
    Claims(command=CONSULT, before=READY, event="examination-recorded", refused={r.DoctorOnly: (READY, replace(CONSULT, act=BY_A_NURSE))}),
    Claims(command=SPOT, before=READY, event="test-spot-placed", refused={r.WordUnknown: (READY, replace(SPOT, zone="elbow"))}),
    Claims(command=READ, before=[*READY, SPOT], event="test-spot-read", refused={r.SpotUnknown: (READY, READ)}),
    Claims(command=PRIME, before=READY, event="precondition-recorded", refused={
        r.IdTaken: ([*READY, PRIME], replace(PRIME, kind="antiviral"))}),
    Claims(command=REQUEST, before=READY, event="clearance-granted", refused={
        r.DoctorOnly: (READY, replace(REQUEST, act=BY_A_NURSE)), r.NotOffered: (READY, replace(REQUEST, modality="co2_full_field")),
        r.AlreadyCleared: (CLEARED, replace(REQUEST, clearance_id=id_of("another"))),
        r.SuspendedClearanceWaits: ([*CLEARED, NOTED, SETTLE], replace(REQUEST, clearance_id=id_of("another")))}),
    Claims(command=REQUEST, before=[*READY, FILLER], event="clearance-deferred", refused={
        r.IdTaken: ([*READY, FILLER, REQUEST], replace(REQUEST, zones=("nose",)))}),
    Claims(command=REQUEST, before=spoken(**TAKING), event="clearance-refused", refused={
        r.DateImpossible: (READY, replace(REQUEST, on=date(2026, 3, 19)))}),
    Claims(command=OVERRIDE, before=spoken(**TAKING), event="override-granted", refused={
        r.NothingToOverride: (READY, OVERRIDE), r.DoctorOnly: (spoken(**TAKING), replace(OVERRIDE, act=BY_A_NURSE)),
        r.NotTheExaminingDoctor: (spoken(**TAKING), replace(OVERRIDE, act=replace(OVERRIDE.act, by=id_of("another doctor"))))}),
    Claims(command=REINSTATE, before=[*CLEARED, NOTED, SETTLE], event="clearance-reinstated", refused={
        r.StillContradicted: ([*CLEARED, NOTED], REINSTATE), r.ClearanceEnded: ([*CLEARED, REVOKE], REINSTATE),
        r.ClearanceUnknown: (READY, REINSTATE), r.DoctorOnly: ([*CLEARED, NOTED, SETTLE], replace(REINSTATE, act=BY_A_NURSE))}),
    Claims(command=REVOKE, before=CLEARED, event="clearance-revoked", refused={
        r.ClearanceEnded: ([*CLEARED, EXPIRE], REVOKE), r.ClearanceUnknown: (READY, REVOKE)}),
    Claims(command=EXPIRE, before=CLEARED, event="clearance-expired", never="a timer that comes late, twice or too early changes nothing",
           quiet=[*NOBODY, READY, [*CLEARED, REVOKE]]),
    Claims(command=LIFT, before=CLEARED, event="retention-lock-lifted", refused={r.DoctorOnly: (CLEARED, replace(LIFT, act=BY_A_NURSE))}),
    Claims(command=ERASE, before=READY, event="patient-erased", refused={
        r.RetentionLocked: (CLEARED, ERASE), r.PatientUnknown: ([], ERASE)}),
    Claims(command=NOTED, before=CLEARED, event="clearance-suspended", never=HEARD, quiet=NOBODY),
    Claims(command=NOTED, before=CLEARED, event="adverse-event-noted", never=HEARD, quiet=[*NOBODY, [*CLEARED, NOTED]]),
    Claims(command=SETTLE, before=[*CLEARED, NOTED], event="adverse-event-settled", never=HEARD, quiet=NOBODY),
    Claims(command=CHANGES, before=CLEARED, event="clearance-suspended", never=HEARD, quiet=NOBODY),
    Claims(command=TREATED, before=CLEARED, event="treatment-noted", never=HEARD, quiet=NOBODY),
]  # fmt: skip
CLINICS = [
    Claims(command=NoteClinic(clinic_id=CLINIC, time_zone="Europe/Madrid"), event="clinic-noted", never="scheduling has decided it already",
           quiet=[[NoteClinic(clinic_id=CLINIC, time_zone="Europe/Madrid")]]),
]  # fmt: skip
ALL = [*((claims, PATIENT, PATIENT_ID) for claims in TABLE), *((claims, CLINIC_DECIDER, CLINIC) for claims in CLINICS)]


@pytest.mark.parametrize(("claims", "decider", "stream_id"), ALL, ids=lambda value: str(value) if isinstance(value, Claims) else "")
class TestEveryCommand:
    """The four claims, one row a command."""

    async def test_done_and_repeated(self, claims: Claims, decider: Any, stream_id: Any) -> None:
        """Done once; the same again changes nothing."""
        await check_done_and_repeated(Ground(SERVICE, decider, stream_id), claims)

    async def test_raced(self, claims: Claims, decider: Any, stream_id: Any) -> None:
        """Twice at once is once. What forbids it at the same moment: test_raced.py."""
        await check_raced(Ground(SERVICE, decider, stream_id), claims)

    async def test_refused(self, claims: Claims, decider: Any, stream_id: Any) -> None:
        """Refused by its name, or never, for the reason that the row gives."""
        await check_refused(lambda: Ground(SERVICE, decider, stream_id), claims)


def test_no_command_is_missing() -> None:
    """The table has every command of both aggregates, and each of them may be refused or says why it never is."""
    check_every_command(TABLE, c.Command)
    check_every_command(CLINICS, NoteClinic)
