"""The list of bad input, over every operation of screening, on a real database."""

from typing import Any
from uuid import UUID

from erbium_kernel.http.app import create_app
from screening.http import examples
from screening.wiring import SERVICE
from tests.kernel.http.every_endpoint import every_endpoint
from tests.kernel.identity.bearers import Bearers
from tests.screening.reception import DOCTOR, Reception

VALUES = {
    "patient_id": examples.PATIENT_ID,
    "procedure_id": examples.PROCEDURE_ID,
    "spot_id": examples.SPOT_ID,
    "clearance_id": examples.CLEARANCE_ID,
    "modality": "nafl_1550",
    "zones": "face",
}


class OneDoctor(Bearers):
    """Every token is the same doctor's: who examined must be who overrides."""

    def token(self, chain_id: UUID, **claims: Any) -> str:
        """As usual, with this subject."""
        return super().token(chain_id, **({"subject": DOCTOR} | claims))


async def test_every_endpoint(reception: Reception) -> None:
    """Each documented example is answered as documented, and each wrong request by a problem that says what, where and what to do."""
    reading = ("listPatients", "getPatient", "listClearances", "getClearance")
    bearers = OneDoctor(reception.clock)
    app = create_app(SERVICE, reception.runtime, reception.engines["api"], bearers.verifier)
    await every_endpoint(app, bearers, chain=reception.chain, values=VALUES, before={name: reception.follow for name in reading})
