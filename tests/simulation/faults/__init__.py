"""What goes wrong, one function a fault. Each says what it did in the trace."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tests.simulation.faults import machines, people, topics

if TYPE_CHECKING:
    from tests.simulation.world import World

Fault = Callable[["World", random.Random], None]
FAULTS: Final[dict[str, Fault]] = {
    fault.__name__: fault
    for fault in (
        machines.crash,
        machines.crash_at_commit,
        machines.power_failure,
        machines.second_process,
        machines.slow,
        machines.cut_lease,
        machines.database_away,
        machines.broker_away,
        machines.restore,
        machines.clock_step,
        machines.minutes_pass,
        machines.bug,
        topics.hold_back,
        topics.rebalance,
        topics.duplicate,
        topics.late_key,
        topics.compact,
        topics.garbage,
        topics.future,
        people.operator,
        people.forget_positions,
        people.tell_again,
        people.topics_made_again,
        people.doubt_unheard,
    )
}
