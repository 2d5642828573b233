"""What others say reaches the itinerary: from the contract's own examples, in any order, any number of times."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from erbium_kernel.codec import Codec
from erbium_kernel.event import Actor, Envelope
from scheduling.deciders import ITINERARY, LASER
from scheduling.heard import HEARD
from scheduling.itinerary import commands as c
from scheduling.itinerary.state import Frozen, Itinerary
from scheduling.laser.state import Installed
from scheduling.wiring import SERVICE
from tests.scheduling.scenes import CHAIN, FACE_LASER, PATIENT, Desk, book, day, hold, local, uid

CONTRACTS = Path(__file__).parents[2] / "contracts"
CODEC = Codec([], HEARD)
NOW = local("2026-03-02T09:00")
CLEARANCE: dict[str, Any] = {
    "clearance_id": str(uid("clearance")), "patient_id": str(PATIENT), "modality": "nafl_1550", "zones": ["face"],
    "examined_on": "2026-03-02", "granted_on": "2026-03-02", "valid_from": "2026-03-02", "valid_until": "2026-04-01",
}  # fmt: skip


def envelope(name: str, data: Any, at: Any = NOW) -> Envelope:
    """A heard row's envelope; the same data is the same message."""
    return Envelope(
        chain_id=CHAIN, ordering_id=PATIENT, event_id=uuid5(CHAIN, f"{name}{data}"), type=name, schema_version=1, origin="screening",
        stream=None, version=None, clinic_id=None, subject_id=None, occurred_at=at, recorded_at=at, command_id=None,
        correlation_id=uid("correlation"), causation_id=None, actor=Actor(kind="staff", id="doctor-1"), traceparent=None,
    )  # fmt: skip


def hear(desk: Desk, fact: str, at: Any = NOW, **data: Any) -> None:
    """The fact goes through decoding, reaction and decision."""
    name = fact if fact.startswith("erbium.") else f"erbium.screening.{fact}"
    record = CODEC.decode_data(name, 1, json.dumps(data).encode())
    for reaction in SERVICE.reactions:
        if name in reaction.hears:
            to = reaction.react(envelope(name, data, at), record)
            assert to is not None
            assert to.stream_id == desk.patient
            desk.do(to.command)


def everything(fact: str) -> dict[str, Any]:
    """One clearance's life, as messages."""
    ids = {"clearance_id": CLEARANCE["clearance_id"], "patient_id": str(PATIENT)}
    said: dict[str, dict[str, Any]] = {
        "clearance-granted": CLEARANCE,
        "clearance-suspended": {**ids, "earliest": None},
        "clearance-revoked": ids,
    }
    return said[fact]


@pytest.mark.parametrize("order", list(permutations(["clearance-granted", "clearance-suspended"])))
def test_a_suspension_stands_in_every_order(order: tuple[str, ...]) -> None:
    """Heard before or after its grant, once or twice, a suspended clearance permits nothing."""
    desk = Desk()
    for fact in (*order, *order):
        hear(desk, fact, **everything(fact))
    assert desk.state.clearances[uid("clearance")].status == "suspended"


@pytest.mark.parametrize("order", list(permutations(["clearance-granted", "clearance-suspended", "clearance-revoked"])))
def test_a_revocation_leaves_nothing_valid_in_any_order(order: tuple[str, ...]) -> None:
    """Whatever came last, the clearance is not valid."""
    desk = Desk()
    for fact in order:
        hear(desk, fact, **everything(fact))
    assert desk.state.clearances[uid("clearance")].status in ("suspended", "revoked")


def test_a_patient_registered_elsewhere_can_be_booked_here() -> None:
    """PatientRegistered opens the itinerary, PatientErased closes it; the sealed name goes nowhere near it."""
    desk = Desk(patient=PATIENT)
    desk.events.clear()
    sealed = {"v": 1, "subject_id": str(PATIENT), "nonce": "AAAA", "ciphertext": "AAAA"}
    hear(desk, "patient-registered", patient_id=str(PATIENT), name=sealed, clinic_id=str(uid("clinic")), registered_on="2026-03-02")
    assert desk.state.patient_id == PATIENT
    assert "AAAA" not in repr(desk.events)
    hear(desk, "patient-erased", patient_id=str(PATIENT))
    assert desk.state.closed


def test_a_refusal_keeps_the_latest_of_its_dates() -> None:
    """CONDITIONAL with an unripe test spot: provisional from the spot's date on; a doctor's override may come any day."""
    desk = Desk()
    reasons = [
        {"rule_id": "FITZ_V_VI", "rule_version": 1, "earliest": "2026-06-01"},
        {"rule_id": "NEVUS", "rule_version": 1, "earliest": None},
    ]
    said = {"patient_id": str(PATIENT), "modality": "nafl_1550", "zones": ["face"], "reasons": reasons}
    hear(desk, "clearance-refused", **said, outcome="CONDITIONAL", decided_on="2026-05-04")
    hear(desk, "clearance-refused", **said, outcome="NEEDS_PHYSICIAN", decided_on="2026-05-04")
    assert [verdict.until for verdict in desk.state.verdicts] == [day("2026-06-01"), None]


def test_the_freeze_is_counted_from_the_time_of_the_fact() -> None:
    """`at` of the command is when the fact happened, so a freeze's grace starts then."""
    desk = Desk()
    hear(desk, "clearance-granted", **CLEARANCE)
    wish = hold(local("2026-03-10T10:00"), FACE_LASER, at=NOW)
    desk.do(wish, book(wish, NOW))
    hear(desk, "clearance-suspended", at=local("2026-03-10T08:30"), **everything("clearance-suspended"))
    standing = desk.visit(wish.hold_id).standing
    assert isinstance(standing, Frozen)
    assert standing.until == local("2026-03-10T10:30")


@pytest.mark.parametrize("order", list(permutations(["started", "ended"])))
def test_a_treatment_counts_once_in_every_order(order: tuple[str, ...]) -> None:
    """Its start and its end tell of one treatment on one date; either alone is enough."""
    said = {
        "treatment_id": str(uid("treatment")), "patient_id": str(PATIENT), "visit_id": str(uid("visit")), "clinic_id": str(uid("clinic")),
        "modality": "nafl_1550", "zones": ["face"], "on": "2026-03-10",
    }  # fmt: skip
    desk = Desk()
    for fact in order:
        hear(desk, f"erbium.device-telemetry.treatment-{fact}", **said)
    assert [act.on.isoformat() for act in desk.state.treatments.values()] == ["2026-03-10"]


def test_a_claimed_laser_is_installed() -> None:
    """DeviceClaimed leads to the laser's own stream."""
    [reaction] = [one for one in SERVICE.reactions if one.name == "scheduling.install-claimed-laser"]
    said = {"device_id": str(uid("laser")), "clinic_id": str(uid("clinic")), "model": "Erfrac", "modalities": ["nafl_1927", "nafl_1550"]}
    record = CODEC.decode_data("erbium.device-telemetry.device-claimed", 1, json.dumps(said).encode())
    to = reaction.react(envelope("erbium.device-telemetry.device-claimed", said), record)
    assert to is not None
    assert to.decider is LASER
    state = LASER.fold(LASER.decide(to.command, LASER.initial))
    assert state == Installed(clinic_id=uid("clinic"), model="Erfrac", modalities=("nafl_1550", "nafl_1927"))


HEARD_CONTRACTS = [CONTRACTS / name.split(".")[1] / f"{name.split('.')[2]}.v1.json" for name in HEARD]


@pytest.mark.parametrize("path", HEARD_CONTRACTS, ids=lambda path: path.name)
def test_every_golden_example_leads_to_an_entry(path: Path) -> None:
    """The owner's golden example of every fact we hear is decoded and decided without a refusal."""
    contract = json.loads(path.read_text())
    name = f"erbium.{contract['owner']}.{contract['fact']}"
    record = CODEC.decode_data(name, 1, json.dumps(contract["example"]).encode())
    [reaction] = [one for one in SERVICE.reactions if name in one.hears]
    to = reaction.react(envelope(name, contract["example"]), record)
    assert to is not None
    initial = Itinerary(patient_id=UUID(contract["example"].get("patient_id", str(PATIENT)))) if to.decider is ITINERARY else LASER.initial
    events = to.decider.decide(to.command, initial)
    assert events or isinstance(to.command, c.OpenItinerary)
