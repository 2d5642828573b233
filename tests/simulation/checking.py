"""All checkers of one run, and when each is asked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID

from aftercare.care import events as care
from device_telemetry.clearance import events as clearance
from erbium_kernel.log_records import Append, Row
from scheduling.itinerary import events as itinerary
from scheduling.itinerary.events import ItineraryEvent
from screening.patient import decision_events as patient
from screening.patient.events import Event as PatientEvent
from tests.simulation.checkers.agreement import check_agreement_at_rest
from tests.simulation.checkers.at_rest import check_everything_heard
from tests.simulation.checkers.bookings import BOOKINGS, Claims, check_pairs
from tests.simulation.checkers.clocks_kept import TimersKept, check_deadlines_at_rest
from tests.simulation.checkers.deferrals import check_deferred
from tests.simulation.checkers.erasures import Keys, check_erasures_at_rest
from tests.simulation.checkers.escalations import check_escalations_at_rest, check_level, check_opened
from tests.simulation.checkers.following import Following
from tests.simulation.checkers.frames import check_frames_at_rest
from tests.simulation.checkers.rebuilt import check_rebuilt
from tests.simulation.checkers.streams import (
    check_cleared,
    check_nothing_after_the_end,
    check_one_treatment_per_laser,
    check_suspensions_at_rest,
)
from tests.simulation.checkers.topics import Topics
from tests.simulation.checkers.treatments import AGAINST, ENDINGS, Clearances
from tests.simulation.turns import Broken
from tests.simulation.watch import OnEvent, Seen, Watch

if TYPE_CHECKING:
    from tests.simulation.world import World


class Checkers:
    """What must hold at every commit, and at rest."""

    def __init__(self, world: "World") -> None:
        """Nothing has happened yet."""
        self._world = world
        self._acknowledged: list[tuple[str, UUID]] = []
        self._claims, self._clearances, self._keys, self._timers = Claims(), Clearances(), Keys(), TimersKept()
        self.topics = Topics(world, tuple(world.sites))
        self.watch = Watch(world, self._on_event(), [self._follows, self._keys.on_commit, self._timers.on_commit, check_opened])
        for site in world.sites.values():
            self.watch.over(site)
        self.following = {name: Following(world, seen) for name, seen in self.watch.seen.items()}

    def _on_event(self) -> dict[type, list[OnEvent]]:
        found: dict[type, list[OnEvent]] = {
            itinerary.VisitBooked: [check_pairs, check_cleared],
            itinerary.VisitMoved: [check_pairs, check_cleared],
            itinerary.VisitMadeFirm: [check_cleared],
            itinerary.VisitCheckedIn: [check_cleared],
            clearance.TreatmentBound: [self._clearances.bound, check_one_treatment_per_laser],
            clearance.ReinstatementHeard: [self._clearances.heard],
            care.CheckInAnswered: [check_level],
            patient.ClearanceDeferred: [check_deferred],
        }
        for kind in BOOKINGS:
            found.setdefault(kind, []).append(self._claims.on_event)
        found |= {kind: [self._clearances.heard] for kind in AGAINST} | {kind: [self._clearances.ended] for kind in ENDINGS}
        for kind in (*get_args(ItineraryEvent), *get_args(PatientEvent)):
            found.setdefault(kind, []).append(check_nothing_after_the_end)
        return found

    def _follows(self, _: "World", seen: Seen, works: Sequence[Append], fresh: list[Row]) -> None:
        self.following[seen.site.name].committed(works, fresh)

    def answered(self, site: str, answer: tuple[Any, ...]) -> None:
        """A client has been told so: it must stand for ever."""
        named = dict(answer[1:]) if answer[0] == "done" else {}
        event_id = named.get("Erbium-Event")
        if event_id is not None:
            self._acknowledged.append((site, UUID(event_id)))

    def _nothing_acknowledged_is_lost(self) -> None:
        for site, event_id in self._acknowledged:
            if event_id not in self.watch.seen[site].by_id:
                raise Broken(f"R1: {site}: an answer names the event {event_id}, which is not in the log")

    def at_rest(self) -> None:
        """Raises: Broken."""
        self._nothing_acknowledged_is_lost()
        check_everything_heard(self._world)
        check_agreement_at_rest(self._world)
        check_escalations_at_rest(self._world)
        self._timers.check_at_rest(self._world)
        check_deadlines_at_rest(self._world)
        check_suspensions_at_rest(self._world)
        check_frames_at_rest(self._world)

    def at_the_end(self) -> None:
        """Raises: Broken."""
        self.at_rest()
        check_erasures_at_rest(self._world)
        check_rebuilt(self._world)
