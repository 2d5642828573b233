"""The table of rights."""

from erbium_kernel.identity.rights import RIGHTS, ROLES, SCOPES, scopes_of

CLINICAL = {
    "screening:read",
    "screening:write",
    "screening:examine",
    "screening:decide",
    "screening:erase",
    "scheduling:read",
    "scheduling:book",
    "scheduling:attest",
    "scheduling:approve",
    "telemetry:read",
    "aftercare:read",
    "aftercare:triage",
}


def test_every_scope_has_somebody() -> None:
    """No scope is out of everybody's reach, and no role has nothing to do."""
    assert {scope for granted in RIGHTS.values() for scope in granted} == SCOPES.keys()
    assert all(RIGHTS.values())
    assert ROLES == (
        "integrator", "front_desk", "nurse", "doctor", "medical_director", "laser_safety_officer", "privacy_officer", "ops", "manufacturer",
        "device",
    )  # fmt: skip


def who_has(scope: str) -> set[str]:
    """The roles that have a scope."""
    return {role for role, granted in RIGHTS.items() if scope in granted}


def test_only_physicians_decide() -> None:
    """Only a doctor or the medical director clears a patient, overrides a rule, or lets the treatment follow on the same day."""
    assert who_has("screening:decide") == who_has("scheduling:approve") == {"doctor", "medical_director"}


def test_only_clinicians_examine_and_attest() -> None:
    """What is seen on the skin, and that nothing has changed since, is recorded by those who look: no front desk, no software."""
    assert who_has("screening:examine") == who_has("scheduling:attest") == {"nurse", "doctor", "medical_director"}


def test_only_the_privacy_officer_erases() -> None:
    """An erasure is decided by who answers for personal data, who otherwise only reads; the chain's software cannot do it."""
    assert who_has("screening:erase") == {"privacy_officer"}
    assert RIGHTS["privacy_officer"] == {"screening:read", "screening:erase"}


def test_who_lets_a_laser_back_into_use() -> None:
    """A lockout is ended by those who answer for the laser's safety in the clinic, not by operations or the manufacturer."""
    assert who_has("fleet:release") == {"laser_safety_officer", "medical_director"}


def test_who_sees_no_patient() -> None:
    """Operations, manufacturers and devices read no patient's record and no treatment."""
    for role in ("ops", "manufacturer", "device"):
        assert not RIGHTS[role] & CLINICAL, role


def test_only_devices_send_frames() -> None:
    """Frames come from devices, and devices do nothing else."""
    assert {role for role, granted in RIGHTS.items() if "telemetry:ingest" in granted} == {"device"}
    assert RIGHTS["device"] == {"telemetry:ingest"}


def test_unknown_role() -> None:
    """A role that we do not know grants nothing."""
    assert scopes_of(frozenset({"emperor"})) == frozenset()
