"""The list of bad input, over every operation of the ward: the same helper runs over every service."""

from erbium_kernel.http.app import create_app
from tests.kernel.http.conftest import CHAIN, Door
from tests.kernel.http.every_endpoint import every_endpoint
from tests.kernel.http.ward_app import BED_ID, ROOM_ID, WARD


async def test_every_endpoint(door: Door) -> None:
    """Each documented example is answered as documented, and each wrong request by a problem that says what, where and what to do."""
    values = {"bed_id": BED_ID, "room_id": ROOM_ID}
    app = create_app(WARD, door.runtime, None, door.bearers.verifier)
    await every_endpoint(app, door.bearers, chain=CHAIN, values=values)
