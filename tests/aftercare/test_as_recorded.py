"""A care plan and its check-ins as they were recorded before the patient answered."""

from datetime import timedelta

from aftercare.heard import COMPLETED
from tests.aftercare.test_over_http import FACT, TREATMENT, ZONE, treated
from tests.house import House


async def test_before_the_correction(house: House) -> None:
    """The plan that was derived from provisional totals is read again as it was, check-ins and all, after the final ones have come."""
    await treated(house)
    then = house.clock.at.isoformat().replace("+00:00", "Z")
    before = await house.get(f"/treatments/{TREATMENT}/care-plan")
    asked = await house.get(f"/treatments/{TREATMENT}/check-ins")
    house.clock.at += timedelta(days=1)
    await house.hear(COMPLETED, **{**FACT, "totals": [{**ZONE, "mtz_count": 136_800}], "provisional": False})
    await house.follow()
    now = await house.get(f"/treatments/{TREATMENT}/care-plan")
    back = await house.get(f"/treatments/{TREATMENT}/care-plan", as_recorded=then)
    assert (now.json()["basis"], back.json()["basis"]) == ("completed", "ended")
    assert back.json() == before.json()
    assert "etag" not in back.headers
    assert (await house.get(f"/treatments/{TREATMENT}/check-ins", as_recorded=then)).json() == asked.json()
