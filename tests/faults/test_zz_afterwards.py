"""What all the faults before have left: nothing to be found (its name makes it the last)."""

import time

from tests.faults.compared import rebuilt, reconciled
from tests.faults.recovery import recovered
from tests.faults.site import Site
from tests.faults.telling import WHOLE, Figures, tell

SMALL = ("scheduling.clinics",)  # one of them, in the small part


def test_everything_agrees_after_the_chaos(site: Site, figures: Figures) -> None:
    """Whatever the faults before this one did: no message between two services is missing, and every read table equals one made anew."""
    recovered(site, time.monotonic())
    pairs = reconciled(site)
    tables = rebuilt(site, () if WHOLE else SMALL)
    tell(f"{sum(pairs.values())} messages between {len(pairs)} pairs, none missing; {len(tables)} read tables made again, all the same")
    figures["after the chaos"] = {"messages": pairs, "missing": 0, "rows_compared": tables, "rows_differing": 0}
