"""The table of rights."""

from erbium_kernel.identity.rights import RIGHTS, ROLES, SCOPES, scopes_of

CLINICAL = {
    "screening:read",
    "screening:write",
    "screening:decide",
    "screening:erase",
    "scheduling:read",
    "scheduling:book",
    "telemetry:read",
    "aftercare:read",
    "aftercare:triage",
}


def test_every_scope_has_somebody() -> None:
    """No scope is out of everybody's reach, and no role has nothing to do."""
    assert {scope for granted in RIGHTS.values() for scope in granted} == SCOPES.keys()
    assert all(RIGHTS.values())
    assert ROLES == (
        "integrator", "front_desk", "nurse", "doctor", "medical_director", "laser_safety_officer", "ops", "manufacturer", "device",
    )  # fmt: skip


def test_only_physicians_decide() -> None:
    """Only a doctor or the medical director overrides a rule."""
    assert {role for role, granted in RIGHTS.items() if "screening:decide" in granted} == {"doctor", "medical_director"}


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
