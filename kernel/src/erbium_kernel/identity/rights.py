"""What each role may do: one table, the only place where roles and scopes meet.

integrator: the chain's own software. ops: runs Erbium, sees no patient. manufacturer: makes and services lasers, sees no patient.
"""

SCOPES = {
    "screening:read": "Read patients, answers, examinations, clearances and their reasons.",
    "screening:write": "Register patients; record answers, procedures, examinations; ask for a clearance.",
    "screening:decide": "Decide as a physician: override a rule, revoke, reinstate.",
    "screening:erase": "Erase a person's data for good.",
    "scheduling:read": "Read clinics, calendars, slots and visits.",
    "scheduling:book": "Hold, book, move, cancel and check in visits.",
    "scheduling:manage": "Set up clinics, practitioners, rooms and lasers.",
    "telemetry:read": "Read devices, treatments, delivered doses and reports.",
    "telemetry:ingest": "Send a device's frames.",
    "telemetry:treat": "Open, pause and end treatments.",
    "fleet:operate": "Register, claim, lock and release lasers.",
    "aftercare:read": "Read aftercare plans, check-ins and adverse events.",
    "aftercare:answer": "Answer a check-in.",
    "aftercare:triage": "Acknowledge escalations; classify and close adverse events.",
    "ops:operate": "Operate Erbium itself.",
}

_TABLE = """
                   integrator front_desk nurse doctor medical_director laser_safety_officer ops manufacturer device
screening:read         x          x        x      x           x                 -            -        -         -
screening:write        x          x        x      x           x                 -            -        -         -
screening:decide       -          -        -      x           x                 -            -        -         -
screening:erase        x          -        -      -           x                 -            -        -         -
scheduling:read        x          x        x      x           x                 -            -        -         -
scheduling:book        x          x        x      x           x                 -            -        -         -
scheduling:manage      x          -        -      -           x                 -            x        -         -
telemetry:read         x          -        x      x           x                 x            -        -         -
telemetry:ingest       -          -        -      -           -                 -            -        -         x
telemetry:treat        -          -        x      x           x                 -            -        -         -
fleet:operate          -          -        -      -           x                 x            x        x         -
aftercare:read         x          -        x      x           x                 -            -        -         -
aftercare:answer       x          x        x      x           x                 -            -        -         -
aftercare:triage       -          -        x      x           x                 -            -        -         -
ops:operate            -          -        -      -           -                 -            x        -         -
"""


def _read(table: str) -> dict[str, frozenset[str]]:
    head, *rows = (line.split() for line in table.strip().splitlines())
    assert [row[0] for row in rows] == list(SCOPES), "the table has one row a scope, in the order of SCOPES"
    assert all(len(row) == len(head) + 1 and set(row[1:]) <= {"x", "-"} for row in rows), "a row has one mark a role"
    return {role: frozenset(row[0] for row in rows if row[place + 1] == "x") for place, role in enumerate(head)}


RIGHTS = _read(_TABLE)
ROLES = tuple(RIGHTS)


def scopes_of(roles: frozenset[str], narrowed_to: frozenset[str] = frozenset()) -> frozenset[str]:
    """All scopes of these roles; a token that names scopes of ours has only those of them. An unknown role has none."""
    granted = frozenset(scope for role in roles for scope in RIGHTS.get(role, ()))
    named = narrowed_to & SCOPES.keys()
    return granted & named if named else granted
