"""The aggregates under the rulebook of this installation. A broken rules file stops the process here, with its sentence."""

import os
from pathlib import Path

from erbium_kernel.data_folder import data_folder
from screening.clinic.decide import CLINIC
from screening.patient.decide import patient_decider
from screening.rulebook import load

RULES_FOLDER = "ERBIUM_RULES_DIR"  # names another folder of rules than the one beside the sources


def rules_folder() -> Path:
    """The folder named by ERBIUM_RULES_DIR, else this service's own. Raises: FileNotFoundError."""
    named = os.environ.get(RULES_FOLDER)
    return Path(named) if named else data_folder(Path(__file__).parent, "rules", "settings.toml")


RULEBOOK = load(rules_folder())
PATIENT = patient_decider(RULEBOOK)

__all__ = ["CLINIC", "PATIENT", "RULEBOOK"]
