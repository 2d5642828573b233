"""The aggregates under the rulebook of this installation. A broken rules file stops the process here, with its sentence."""

import os
from pathlib import Path

from screening.clinic.decide import CLINIC
from screening.patient.decide import patient_decider
from screening.rulebook import load

RULES_FOLDER = "ERBIUM_RULES_DIR"  # names another folder of rules than the one beside the sources


def rules_folder() -> Path:
    """The folder named by ERBIUM_RULES_DIR, else the one inside the package (wheel) or beside the sources (checkout)."""
    if named := os.environ.get(RULES_FOLDER):
        return Path(named)
    package = Path(__file__).parent
    inside = package / "rules"
    return inside if inside.is_dir() else package.parents[1] / "rules"


RULEBOOK = load(rules_folder())
PATIENT = patient_decider(RULEBOOK)

__all__ = ["CLINIC", "PATIENT", "RULEBOOK"]
