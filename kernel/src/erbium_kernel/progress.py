"""What one step of a role (relay, intake, follow, fire) came to; the driver decides from it when the next step is."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`worked`: something was done. `idle`: nothing to do. `blocked`: back off; `reason` is a sentence for people.

    `more`, of work done: there may be more, go on at once; False: the reader came to the end, and only news will bring more.
    `operator`: waiting does not help, somebody has to decide (another cluster, a topic made again); it is tried again all the same.
    """

    kind: Literal["worked", "idle", "blocked"]
    reason: str = ""
    operator: bool = False
    more: bool = True


WORKED = Progress(kind="worked")
WORKED_OFF = Progress(kind="worked", more=False)
IDLE = Progress(kind="idle")


def blocked(reason: str, *, operator: bool = False) -> Progress:
    """Something outside is not there; `reason` holds names and numbers, never personal data."""
    return Progress(kind="blocked", reason=reason, operator=operator)
