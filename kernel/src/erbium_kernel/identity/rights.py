"""What each role may do: one table, the only place where roles and scopes meet.

integrator: the chain's own software. ops: runs Erbium, sees no patient. manufacturer: makes and services lasers, sees no patient.
privacy_officer: answers for personal data in the chain, and is the only one who erases. Whoever has two of these functions has two roles.
"""

SCOPES = {
    "screening:read": "Read patients, answers, examinations, clearances and their reasons.",
    "screening:write": "Register patients; record answers and procedures done elsewhere.",
    "screening:examine": "Record test spots and their readings, prescribed antivirals, priming.",
    "screening:decide": "Decide as a physician: consult, clear, override a rule, revoke, reinstate.",
    "screening:erase": "Erase a person's data for good.",
    "scheduling:read": "Read clinics, calendars, slots and visits.",
    "scheduling:book": "Hold, book, move, cancel and check in visits.",
    "scheduling:attest": "Attest on the day of a visit whether anything has changed since the examination.",
    "scheduling:approve": "Approve a treatment on the day of the examination.",
    "scheduling:manage": "Set up clinics, practitioners, rooms and lasers.",
    "telemetry:read": "Read devices, treatments, delivered doses and reports.",
    "telemetry:ingest": "Send a device's frames.",
    "telemetry:treat": "Open, pause and end treatments.",
    "fleet:operate": "Register and claim lasers, report their faults.",
    "fleet:release": "Let a laser back into use after a lockout.",
    "aftercare:read": "Read aftercare plans, check-ins and adverse events.",
    "aftercare:answer": "Answer a check-in.",
    "aftercare:triage": "Acknowledge escalations; classify and close adverse events.",
    "ops:operate": "Operate Erbium itself.",
}

# Why physicians alone approve the same day: the days between consultation and treatment are a doctor's advice, and so is leaving them out.
_TABLE = """
                   integrator front_desk nurse doctor medical_director laser_safety_officer privacy_officer ops manufacturer device
screening:read         x          x        x      x           x                 -                  x         -        -         -
screening:write        x          x        x      x           x                 -                  -         -        -         -
screening:examine      -          -        x      x           x                 -                  -         -        -         -
screening:decide       -          -        -      x           x                 -                  -         -        -         -
screening:erase        -          -        -      -           -                 -                  x         -        -         -
scheduling:read        x          x        x      x           x                 -                  -         -        -         -
scheduling:book        x          x        x      x           x                 -                  -         -        -         -
scheduling:attest      -          -        x      x           x                 -                  -         -        -         -
scheduling:approve     -          -        -      x           x                 -                  -         -        -         -
scheduling:manage      x          -        -      -           x                 -                  -         x        -         -
telemetry:read         x          -        x      x           x                 x                  -         -        -         -
telemetry:ingest       -          -        -      -           -                 -                  -         -        -         x
telemetry:treat        -          -        x      x           x                 -                  -         -        -         -
fleet:operate          -          -        -      -           x                 x                  -         x        x         -
fleet:release          -          -        -      -           x                 x                  -         -        -         -
aftercare:read         x          -        x      x           x                 -                  -         -        -         -
aftercare:answer       x          x        x      x           x                 -                  -         -        -         -
aftercare:triage       -          -        x      x           x                 -                  -         -        -         -
ops:operate            -          -        -      -           -                 -                  -         x        -         -
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
