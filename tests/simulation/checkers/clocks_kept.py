"""R9: no timer is lost, fired twice or too early; what has a deadline has met it when everything rests."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from aftercare.care.state import UnderCare
from erbium_kernel.decider import SetTimer
from erbium_kernel.log_records import Append, TimerFired
from scheduling.itinerary.state import Frozen, Itinerary, Provisional
from screening.patient.state import Registered
from tests.simulation.turns import Broken
from tests.simulation.watch import Seen

if TYPE_CHECKING:
    from tests.simulation.world import World

EARLY_MAX: Final = timedelta(seconds=10)  # a clock that was set back between the look and the commit, or since
TimerPlace = tuple[UUID, str]


class TimersKept:
    """What has been set and fired, by the appends alone."""

    def __init__(self) -> None:
        """Nothing is set."""
        self._set: dict[tuple[str, UUID, str], tuple[datetime, UUID]] = {}
        self._fired: set[tuple[str, UUID, str, UUID]] = set()

    def on_commit(self, _: "World", seen: Seen, works: Sequence[Append], __: Any) -> None:
        """Raises: Broken."""
        name = seen.site.name
        for work in works:
            for effect in work.after:
                if isinstance(effect, TimerFired):
                    self._check_fired(seen, effect)
            for set_by, change in work.timers:
                place = name, work.chain_id, change.key
                if isinstance(change, SetTimer):
                    self._set[place] = change.due_at, set_by
                else:
                    self._set.pop(place, None)

    def _check_fired(self, seen: Seen, fired: TimerFired) -> None:
        name = seen.site.name
        place = name, fired.chain_id, fired.key
        due_at, set_by = self._set.get(place, (None, None))
        if due_at is None or set_by != fired.set_by:
            raise Broken(f"R9: {name}: the timer {fired.key} fired, which was cancelled or set anew")
        if seen.site.clock.now() + EARLY_MAX < due_at:
            raise Broken(f"R9: {name}: the timer {fired.key} fired at {seen.site.clock.now()}, due at {due_at}")
        if (*place, fired.set_by) in self._fired:
            raise Broken(f"R9: {name}: the timer {fired.key} fired twice")
        self._fired.add((*place, fired.set_by))
        del self._set[place]

    def check_at_rest(self, world: "World") -> None:
        """Raises: Broken if one that is due has not fired, or one was lost."""
        for (name, chain_id, key), (due_at, _) in self._set.items():
            site = world.watch.seen[name].site
            if due_at <= site.clock.now():
                raise Broken(f"R9: {name}: the timer {key} is due since {due_at} and has not fired")
            if (chain_id, key) not in site.store.tables.timers:
                raise Broken(f"R9: {name}: the timer {key} is lost")


def check_deadlines_at_rest(world: "World") -> None:
    """Raises: Broken if a hold, a provisional or frozen visit, a clearance or a check-in has outlived its time."""
    for _, patient in world.watch.seen["screening"].of("patient"):
        if isinstance(patient, Registered):
            _clearances(world, patient)
    now = world.watch.seen["scheduling"].site.clock.now()
    for patient_id, itinerary in world.watch.seen["scheduling"].of("itinerary"):
        _itinerary(patient_id, itinerary, now)
    for _, care in world.watch.seen["aftercare"].of("care"):
        if isinstance(care, UnderCare):
            _check_ins(care, world.watch.seen["aftercare"].site.clock.now())


def _clearances(world: "World", patient: Registered) -> None:
    yesterday = world.watch.seen["screening"].site.clock.now().date() - timedelta(days=1)
    late = [c for c in patient.open_clearances if c.granted.valid_until < yesterday]
    if late:
        raise Broken(f"R9: a clearance stands {late[0].standing} after its last day {late[0].granted.valid_until}")


def _itinerary(patient_id: UUID, itinerary: Itinerary, now: datetime) -> None:
    for hold in itinerary.holds.values():
        if hold.expires_at <= now:
            raise Broken(f"R9: a hold of {patient_id} outlives its {hold.expires_at}")
    for visit in itinerary.visits.values():
        match visit.standing:
            case Provisional(firm_by=until) | Frozen(until=until):
                if until <= now:
                    raise Broken(f"R9: a visit of {patient_id} is {type(visit.standing).__name__} beyond {until}")
            case _:
                pass


def _check_ins(care: UnderCare, now: datetime) -> None:
    """`EARLY_MAX`: this clock may have been set back since one was opened."""
    times = list(zip(care.check_in_days, care.check_ins_due_at, strict=True))
    due, opened = {day for day, at in times if at <= now}, set(care.opened_days)
    if not due <= opened <= {day for day, at in times if at <= now + EARLY_MAX}:
        raise Broken(f"R9: check-ins of the days {sorted(due)} are due, opened were {list(care.opened_days)}")
