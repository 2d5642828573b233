"""Nothing sealed is readable after an erasure: keys go everywhere, for good, and with them every value they sealed."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from erbium_kernel.codec import personal_values
from erbium_kernel.errors import Undecodable
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Row
from erbium_kernel.message import KEYS_TOPIC, ordering_key
from erbium_kernel.personal import Redacted, Sealed
from screening.patient.state import Erased
from tests.simulation.turns import Broken, run_through
from tests.simulation.watch import Seen

if TYPE_CHECKING:
    from tests.simulation.sites import Site
    from tests.simulation.world import World

Person = tuple[UUID, UUID]


class Keys:
    """Which keys each service has seen erased; that is final."""

    def __init__(self) -> None:
        """None yet."""
        self._erased: dict[str, set[Person]] = {}

    def on_commit(self, _: "World", seen: Seen, __: Any, ___: Any) -> None:
        """Raises: Broken."""
        erased = self._erased.setdefault(seen.site.name, set())
        for person, row in seen.site.store.tables.keys.items():
            if row.key.erased:
                if row.key.wrapped is not None:
                    raise Broken(f"erasure: {seen.site.name} keeps the wrapped key of an erased person")
                erased.add(person)
            elif person in erased:
                raise Broken(f"erasure: {seen.site.name} accepted a key of a person whose key it had erased")


def check_erasures_at_rest(world: "World") -> None:
    """Raises: Broken."""
    screening = world.watch.seen["screening"]
    gone = [patient_id for patient_id, state in screening.of("patient") if isinstance(state, Erased)]
    if not gone:
        return
    world.broker.compact(KEYS_TOPIC)
    for patient_id in gone:
        key = ordering_key(world.chain, patient_id)
        if any(record.key == key and record.value is not None for record in world.broker.records(KEYS_TOPIC)):
            raise Broken("erasure: after compaction the key topic still holds an erased person's key")
        for seen in world.watch.seen.values():
            _unreadable(seen, patient_id)


def _unreadable(seen: Seen, patient_id: UUID) -> None:
    site = seen.site
    rows = [row for row in seen.log.after(Cursor()) if patient_id in (row.envelope.subject_id, row.envelope.ordering_id)]
    if not rows:
        return
    key = site.store.tables.keys.get((rows[0].envelope.chain_id, patient_id))
    if key is None or not key.key.erased:
        raise Broken(f"erasure: {site.name} still has the key of an erased person")
    vault = site.fresh_vault()
    open_ = run_through(vault.opener(rows[0].envelope.chain_id, [patient_id]))
    for row in rows:
        for value in _personal(site, row):
            if isinstance(value, Sealed) and value.subject_id == patient_id and not isinstance(open_(value), Redacted):
                raise Broken(f"erasure: {site.name}: {row.envelope.type} of an erased person is not redacted")


def _personal(site: "Site", row: Row) -> list[Any]:
    try:
        return list(personal_values(site.codec.decode(row)))
    except Undecodable:  # what nobody can decode nobody can read
        return []
