"""The clearance's stream: what is heard is recorded in any order, and decides alone whether a treatment opens."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from device_telemetry.binding import IN_TREATMENT
from device_telemetry.clearance import refusals
from device_telemetry.clearance.commands import CloseTreatment, HearChange, HearSameDayApproval, NoteDelivery
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.clearance.events import LateDeliveryHeard, RevocationHeard, SuspensionHeard, TreatmentBound, TreatmentOver
from erbium_kernel.decider import TakeName
from erbium_kernel.errors import Rejected
from tests.device_telemetry.making import (
    AT_HAND,
    ATTESTED,
    CHECK_IN,
    CLEARANCE_ID,
    CLINIC,
    FACE,
    GRANT,
    LASER,
    NOW,
    OPEN,
    OTHER_CLINIC,
    OTHER_LASER,
    OTHER_TREATMENT,
    PATIENT,
    TODAY,
    TREATMENT_ID,
    VISIT,
    clearance,
)

READY = (GRANT, CHECK_IN, ATTESTED)


def change(what: Any) -> HearChange:
    return HearChange(clearance_id=CLEARANCE_ID, patient_id=PATIENT, change=what)


def refused(kind: type[Rejected], *commands: Any) -> Rejected:
    with pytest.raises(kind) as caught:
        clearance(*commands)
    return caught.value


def test_open_done() -> None:
    """A valid clearance, a visit checked in and attested today, a laser of the clinic: the treatment is bound, with the limits."""
    state, [*_, bound] = clearance(*READY, OPEN)
    assert isinstance(bound, TreatmentBound)
    assert bound.binding.limits == GRANT.limits
    assert (bound.binding.on, bound.clinic_id) == (TODAY, CLINIC)
    assert bound.binding.screening.attested_by is None
    assert state.open_treatment == TREATMENT_ID
    assert CLEARANCE.guards(bound) == [TakeName(name=IN_TREATMENT, value=str(LASER))]
    assert CLEARANCE.ordering(bound, CLEARANCE_ID) == PATIENT


def test_heard_in_any_order() -> None:
    """Screening and scheduling come on two topics: whatever comes first, the treatment opens in the end, and not before."""
    for order in permutations(READY):
        _, [*_, bound] = clearance(*order, OPEN)
        assert isinstance(bound, TreatmentBound)
        for missing in range(3):
            with pytest.raises(Rejected):
                clearance(*order[:missing], *order[missing + 1 :], OPEN)


def test_open_repeated() -> None:
    """The same opening again binds nothing more, even after the clearance has been suspended; another one under its id is refused."""
    _, once = clearance(*READY, OPEN)
    _, twice = clearance(*READY, OPEN, OPEN)
    assert twice == once
    _, later = clearance(*READY, OPEN, change("suspended"), OPEN)
    assert not [event for event in later[len(once) :] if isinstance(event, TreatmentBound)]
    refused(refusals.TreatmentIdTaken, *READY, OPEN, replace(OPEN, device=replace(AT_HAND, device_id=OTHER_LASER)))


@pytest.mark.parametrize(
    ("kind", "commands"),
    [
        (refusals.ClearanceUnheard, (CHECK_IN, ATTESTED)),
        (refusals.NotCheckedIn, (GRANT, ATTESTED)),
        (refusals.NotAttested, (GRANT, CHECK_IN)),
        (refusals.NotAttested, (GRANT, CHECK_IN, replace(ATTESTED, on=TODAY - timedelta(days=1)))),
        (refusals.ChangesAttested, (GRANT, CHECK_IN, replace(ATTESTED, changes=True))),
        (refusals.ChangesAttested, (*READY, replace(ATTESTED, changes=True))),
        (refusals.ClearanceSuspended, (*READY, change("suspended"))),
        (refusals.ClearanceEnded, (*READY, change("revoked"))),
        (refusals.ClearanceEnded, (*READY, change("expired"))),
        (refusals.ClearanceEnded, (*READY, change("suspended"), change("revoked"), change("reinstated"))),
        (refusals.VisitNotToday, (GRANT, replace(CHECK_IN, on=TODAY + timedelta(days=1)), ATTESTED)),
        (refusals.ClearanceNotValidToday, (replace(GRANT, valid_until=TODAY - timedelta(days=1)), CHECK_IN, ATTESTED)),
        (refusals.ClearanceNotValidToday, (replace(GRANT, valid_from=TODAY + timedelta(days=1)), CHECK_IN, ATTESTED)),
        (refusals.VisitOfAnotherPatient, (replace(GRANT, patient_id=OTHER_CLINIC), CHECK_IN, ATTESTED)),
        (refusals.VisitOfAnotherPatient, (GRANT, replace(CHECK_IN, modality="nafl_1927"), ATTESTED)),
        (refusals.TreatmentAlreadyOpen, (*READY, replace(OPEN, treatment_id=OTHER_TREATMENT))),
        (refusals.ZonesNotCleared, (replace(GRANT, zones=("neck",)), replace(CHECK_IN, zones=()), ATTESTED)),
        (refusals.ZonesNotCleared, (GRANT, replace(CHECK_IN, zones=("forehead",)), ATTESTED)),
    ],
)
def test_open_refused(kind: type[Rejected], commands: tuple[Any, ...]) -> None:
    """Whatever is missing, over, of another day or of somebody else refuses the opening, each by its own name."""
    refused(kind, *commands, OPEN)


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        (refusals.DeviceNotOfClinic, {"device": replace(AT_HAND, clinic_id=None)}),
        (refusals.DeviceNotOfClinic, {"device": replace(AT_HAND, clinic_id=OTHER_CLINIC)}),
        (refusals.DeviceOutOfUse, {"device": replace(AT_HAND, locked_out="F402")}),
        (refusals.WrongModality, {"device": replace(AT_HAND, modalities=("nafl_1927",))}),
        (refusals.WrongModality, {"device": replace(AT_HAND, lesions=None)}),
        (refusals.ZonesNotCleared, {"plan": ()}),
        (refusals.ZonesNotCleared, {"plan": (FACE, replace(FACE, zone="forehead", area_cm2=60))}),
        (refusals.ScreeningStale, {"screening_age_seconds": None}),
        (refusals.ScreeningStale, {"screening_age_seconds": 300.1}),
    ],
)
def test_open_refused_by_what_is_at_hand(kind: type[Rejected], changed: dict[str, Any]) -> None:
    """A laser that is not the clinic's, locked out or of another kind, overlapping zones, a stale copy of screening: refused."""
    refused(kind, *READY, replace(OPEN, **changed))


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"planned_mtz": 180_000}, "coverage_percent 29."),  # worked case 26: type IV, 40 mJ, 600/cm2
        ({"energy_mj_per_mtz": 3.0}, "energy_mj_per_mtz 3"),
        ({"energy_mj_per_mtz": 71.0}, "energy_mj_per_mtz 71"),
        ({"area_cm2": 3000.0}, "area_cm2 3000"),
        ({"planned_mtz": 800_000, "energy_mj_per_mtz": 4.0}, "density_mtz_per_cm2 2667"),
    ],
)
def test_settings_beyond_limits(changed: dict[str, Any], names: str) -> None:
    """A plan beyond a limit of the clearance is refused with the number, and 23.1 % passes a cap of 23."""
    refusal = refused(refusals.BeyondLimits, *READY, replace(OPEN, plan=(replace(FACE, **changed),)))
    assert any(names in limit for limit in refusal.facts["limits"])  # type: ignore[union-attr]


def test_a_doctor_attests_for_a_stale_copy() -> None:
    """With a doctor at the laser a stale copy of screening does not refuse, and who attested is recorded; a suspension still does."""
    stale = replace(OPEN, screening_age_seconds=None, attesting_doctor="dr-1")
    _, [*_, bound] = clearance(*READY, stale)
    assert bound.binding.screening.attested_by == "dr-1"
    refused(refusals.ClearanceSuspended, *READY, change("suspended"), stale)


def test_a_fresh_copy_needs_nobody() -> None:
    """300 s is fresh, and then no doctor is recorded, even if one attests."""
    _, [*_, bound] = clearance(*READY, replace(OPEN, screening_age_seconds=300.0, attesting_doctor="dr-1"))
    assert bound.binding.screening.attested_by is None


def test_the_clinics_own_day_decides() -> None:
    """At 23:30 UTC it is tomorrow in Madrid: the visit of that local day opens, the one of the UTC day does not."""
    late = replace(OPEN, at=datetime(2026, 4, 15, 22, 30, tzinfo=NOW.tzinfo))
    tomorrow = date(2026, 4, 16)
    refused(refusals.VisitNotToday, *READY, late)
    _, [*_, bound] = clearance(GRANT, replace(CHECK_IN, on=tomorrow), replace(ATTESTED, on=tomorrow), late)
    assert bound.binding.on == tomorrow


def test_a_suspension_knows_the_open_treatment() -> None:
    """A suspension or revocation that is heard during a treatment names it; without one it names none."""
    _, [*_, suspended] = clearance(*READY, OPEN, change("suspended"))
    assert suspended == SuspensionHeard(clearance_id=CLEARANCE_ID, patient_id=PATIENT, treatment_id=TREATMENT_ID)
    _, [*_, revoked] = clearance(*READY, OPEN, change("revoked"))
    assert revoked == RevocationHeard(clearance_id=CLEARANCE_ID, patient_id=PATIENT, treatment_id=TREATMENT_ID)
    _, [*_, before] = clearance(*READY, change("suspended"))
    assert before.treatment_id is None


def test_reinstated_opens_again() -> None:
    """After a reinstatement a treatment opens, and a change that was reported before it no longer stands in the way."""
    changed = replace(ATTESTED, changes=True)
    refused(refusals.ChangesAttested, *READY, changed, OPEN)
    _, [*_, bound] = clearance(*READY, changed, change("suspended"), change("reinstated"), OPEN)
    assert isinstance(bound, TreatmentBound)
    refused(refusals.ChangesAttested, *READY, change("suspended"), change("reinstated"), changed, OPEN)


def test_closed_by_its_treatment() -> None:
    """A treatment that delivered closes its visit; one that did not leaves it open for another."""
    again = replace(OPEN, treatment_id=OTHER_TREATMENT)
    _, [*_, over] = clearance(*READY, OPEN, CloseTreatment(treatment_id=TREATMENT_ID, delivered=True))
    assert isinstance(over, TreatmentOver)
    refused(refusals.VisitAlreadyTreated, *READY, OPEN, CloseTreatment(treatment_id=TREATMENT_ID, delivered=True), again)
    _, [*_, bound] = clearance(*READY, OPEN, CloseTreatment(treatment_id=TREATMENT_ID, delivered=False), again)
    assert isinstance(bound, TreatmentBound)


def test_a_treatment_that_was_given_up_and_delivered_after_all() -> None:
    """Its visit counts as treated from the first microbeam that is told of, so no second one opens; one that is open already is named."""
    given_up, late = CloseTreatment(treatment_id=TREATMENT_ID, delivered=False), NoteDelivery(treatment_id=TREATMENT_ID)
    again = replace(OPEN, treatment_id=OTHER_TREATMENT)
    refused(refusals.VisitAlreadyTreated, *READY, OPEN, given_up, late, again)
    _, [*_, heard] = clearance(*READY, OPEN, given_up, again, late)
    assert isinstance(heard, LateDeliveryHeard)
    assert (heard.treatment_id, heard.delivered_by) == (OTHER_TREATMENT, TREATMENT_ID)
    for history in ((OPEN,), (OPEN, given_up, late), (OPEN, CloseTreatment(treatment_id=TREATMENT_ID, delivered=True)), ()):
        state, _ = clearance(*READY, *history)
        assert CLEARANCE.decide(late, state) == []


def test_heard_repeated() -> None:
    """Everything that is heard, heard again at once, changes nothing."""
    approved = HearSameDayApproval(clearance_id=CLEARANCE_ID, patient_id=PATIENT, visit_id=VISIT, clinic_id=CLINIC, on=TODAY)
    closed = CloseTreatment(treatment_id=TREATMENT_ID, delivered=True)
    history: list[Any] = [*READY, approved, OPEN, change("suspended"), change("reinstated"), closed, change("revoked"), change("expired")]
    for length in range(1, len(history) + 1):
        _, once = clearance(*history[:length])
        _, twice = clearance(*history[:length], history[length - 1])
        assert twice == once, history[length - 1]


def test_same_day_approval_is_kept() -> None:
    """Whether consultation and treatment were approved for one day stands in the binding."""
    approved = HearSameDayApproval(clearance_id=CLEARANCE_ID, patient_id=PATIENT, visit_id=VISIT, clinic_id=CLINIC, on=TODAY)
    _, [*_, bound] = clearance(*READY, approved, OPEN)
    assert bound.binding.same_day_approved
