"""Never treated without clearance: no treatment opens against a clearance that telemetry has heard ended, or on a stale copy."""

from typing import Final
from uuid import UUID

from device_telemetry.clearance import events as t
from screening.patient import decision_events as s
from tests.simulation.clocks import SECOND
from tests.simulation.turns import Broken
from tests.simulation.watch import Happened

STALE_US: Final = 300 * SECOND
SLACK_US: Final = 10 * SECOND  # clocks of two machines, and a clock that was set back
AGAINST: Final = (t.SuspensionHeard, t.RevocationHeard, t.ExpiryHeard)
ENDINGS: Final = (s.ClearanceSuspended, s.ClearanceRevoked, s.ClearanceExpired)


class Clearances:
    """What telemetry's own streams have said of each clearance, in their order, and when screening said so."""

    def __init__(self) -> None:
        """Nothing said yet."""
        self._against: dict[UUID, set[str]] = {}
        self._said: dict[UUID, list[tuple[int, UUID]]] = {}  # clearance -> when screening ended it, the message's event

    def ended(self, happened: Happened) -> None:
        """Screening has suspended or ended one."""
        told = happened.told
        self._said.setdefault(told.record.clearance_id, []).append((told.us, told.row.envelope.event_id))

    def heard(self, happened: Happened) -> None:
        """Telemetry has heard something of one."""
        record = happened.record
        against = self._against.setdefault(record.clearance_id, set())
        if isinstance(record, t.ReinstatementHeard):
            against.discard("SuspensionHeard")
        else:
            against.add(type(record).__name__)

    def bound(self, happened: Happened) -> None:
        """A treatment opens. Raises: Broken."""
        binding, world = happened.record.binding, happened.world
        clearance_id = binding.ids.clearance_id
        if against := self._against.get(clearance_id):
            raise Broken(f"clearance: a treatment opens against {clearance_id}, of which was heard: {sorted(against)}")
        if happened.before.open_treatment is not None:
            raise Broken(f"clearance: a second treatment opens under {clearance_id}")
        if binding.screening.attested_by is not None:
            return
        # Of the moment of the question: a process that is frozen between the question and the commit acts on what it knew then.
        latest_us = world.looked_us[world.turns.current] - STALE_US - SLACK_US
        heard = {row.envelope.event_id: row.cursor for row in happened.seen.heard}
        followed = happened.seen.site.store.tables.checkpoints
        for us, event_id in self._said.get(clearance_id, []):
            if us > latest_us:
                continue
            messages = world.watch.seen["screening"].by_id[event_id].messages
            for id_ in messages:
                if id_ not in heard or followed.get("device-telemetry.hear-clearance", (0, 0, 0)) < heard[id_]:
                    late_s = (world.time.us - us) // SECOND
                    raise Broken(
                        f"clearance: a treatment opens unattested; screening ended {clearance_id} {late_s} s ago, not followed yet"
                    )
