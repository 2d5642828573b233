"""R4: every event reaches every subscriber, in the order of its key, with its effect in the transaction that moves past it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from erbium_kernel.errors import Undecodable
from erbium_kernel.event import Cursor
from erbium_kernel.log.memory_tables import ParkedPlace
from erbium_kernel.log_records import Append, Row
from tests.simulation.turns import Broken
from tests.simulation.watch import Seen

if TYPE_CHECKING:
    from tests.simulation.world import World


class Following:
    """One service's subscribers, and how far each has come with each key."""

    def __init__(self, world: "World", seen: Seen) -> None:
        """Nobody has moved yet."""
        service = seen.site.service
        self._world, self._seen, self._site = world, seen, seen.site
        self._reactions = {reaction.name: reaction for reaction in service.reactions}
        self._projections = seen.site.projections
        self._erasure = service.erasure
        self._hears = {name: reaction.hears for name, reaction in self._reactions.items()}
        self._hears |= self._projections | {self._erasure: frozenset(service.erased_by)} | world.extra_hears(service.name)
        self._checkpoints: dict[str, Cursor] = {}
        self._parked: dict[ParkedPlace, tuple[Row, ...]] = {}
        self._handled: dict[ParkedPlace, Cursor] = {}
        self._last: dict[str, Cursor] = {}
        self._last_own = Cursor()
        self._commands: dict[UUID, tuple[int, int]] = {}

    @property
    def subscribers(self) -> list[str]:
        """All but the relay, by name."""
        return list(self._hears)

    def committed(self, works: Sequence[Append], fresh: list[Row]) -> None:
        """Raises: Broken."""
        tables = self._site.store.tables
        for row in fresh:
            self._last[row.envelope.type] = max(row.cursor, self._last.get(row.envelope.type, row.cursor))
            if row.envelope.origin is None:
                self._last_own = max(row.cursor, self._last_own)
            self._nobody_is_past(row)
            self._takes_effect_once(row)
        if tables.parked_rows != self._parked:
            self._left_parking(works, tables.parked_rows)
            self._parked = dict(tables.parked_rows)
        if tables.checkpoints != self._checkpoints:
            for subscriber, to in tables.checkpoints.items():
                since = self._checkpoints.get(subscriber, Cursor())
                if to != since:
                    self._moved(subscriber, since, to, works)
            self._checkpoints = dict(tables.checkpoints)

    def behind(self) -> str | None:
        """Who has not followed yet what concerns him. What does not he may pass later."""
        checkpoints = self._site.store.tables.checkpoints
        for name, hears in self._hears.items():
            last = max((self._last[type_] for type_ in hears if type_ in self._last), default=Cursor())
            if checkpoints.get(name, Cursor()) < last:
                return name
        return "relay" if checkpoints.get("relay", Cursor()) < self._last_own else None

    def forget(self, subscriber: str) -> None:
        """It begins again: a rebuild, or an operator who lets a relay tell everything again."""
        self._checkpoints.pop(subscriber, None)
        for place in [place for place in self._handled if place.subscriber == subscriber]:
            del self._handled[place]

    def _nobody_is_past(self, row: Row) -> None:
        for subscriber, place in self._checkpoints.items():
            if place >= row.cursor:
                raise Broken(f"R4: {self._site.name}: {subscriber} is at {place}, and only now {row.cursor} is committed: it is skipped")

    def _takes_effect_once(self, row: Row) -> None:
        command_id = row.envelope.command_id
        if command_id is None:
            return
        transaction = row.cursor.epoch, row.cursor.tx
        if self._commands.setdefault(command_id, transaction) != transaction:
            raise Broken(f"R2/R4: {self._site.name}: the command {command_id} took effect twice ({row.envelope.type})")

    def _moved(self, subscriber: str, since: Cursor, to: Cursor, works: Sequence[Append]) -> None:
        if to < since:
            raise Broken(f"R4: {self._site.name}: {subscriber} went back from {since} to {to}")
        if subscriber.startswith("relay."):
            return
        for row in self._seen.log.after(since):
            if row.cursor > to:
                return
            if subscriber == "relay" and row.envelope.origin is None:
                self._relayed(row)
            elif row.envelope.type in self._hears.get(subscriber, ()):
                self._passed(subscriber, row, works)

    def _relayed(self, row: Row) -> None:
        place = ParkedPlace("relay", row.envelope.chain_id, row.envelope.ordering_id)
        if self._is_parked(place, row) or self._is_skipped("relay", row):
            return
        missing = [id_ for id_ in self._seen.by_id[row.envelope.event_id].messages if id_ not in self._world.topics.told]
        if missing:
            raise Broken(f"R4: {self._site.name}: the relay moved past {row.envelope.type}, which is not in the topic")

    def _passed(self, subscriber: str, row: Row, works: Sequence[Append]) -> None:
        place = ParkedPlace(subscriber, row.envelope.chain_id, row.envelope.ordering_id)
        if self._is_parked(place, row) or self._is_skipped(subscriber, row):
            return
        self._had_effect(place, row, works)
        if any(parked.cursor < row.cursor for parked in self._site.store.tables.parked_rows.get(place, ())):
            raise Broken(f"R4: {self._site.name}: {subscriber} let {row.envelope.type} pass, and an earlier one of its key is parked")

    def _left_parking(self, works: Sequence[Append], now: dict[ParkedPlace, tuple[Row, ...]]) -> None:
        for place, rows in self._parked.items():
            left = [row for row in rows if row not in now.get(place, ())]
            if left and left != list(rows[: len(left)]):
                raise Broken(f"R4: {self._site.name}: {place.subscriber} worked off a parked row before the first of its key")
            for row in left:
                if self._is_skipped(place.subscriber, row):
                    continue
                if place.subscriber == "relay":
                    self._relayed(row)
                else:
                    self._had_effect(place, row, works)

    def _had_effect(self, place: ParkedPlace, row: Row, works: Sequence[Append]) -> None:
        subscriber, site, envelope = place.subscriber, self._site, row.envelope
        if self._handled.get(place, Cursor()) >= row.cursor:
            raise Broken(f"R4: {site.name}: {subscriber} worked off {envelope.type} after a later one of its key, or twice")
        self._handled[place] = row.cursor
        wanted = envelope.event_id, uuid5(envelope.event_id, subscriber)
        if any((work.causation_id, work.command_id) == wanted for work in works):
            return
        if not self._needed_nothing(place, row):
            raise Broken(f"R4: {site.name}: {subscriber} moved past {envelope.type} {envelope.event_id} without its effect")

    def _needed_nothing(self, place: ParkedPlace, row: Row) -> bool:
        subscriber, site, envelope = place.subscriber, self._site, row.envelope
        if subscriber in self._projections:
            told: tuple[Any, ...] = site.read_tables.get((subscriber, envelope.chain_id, envelope.ordering_id), ())
            return envelope.event_id in told
        if subscriber == self._erasure:
            key = site.store.tables.keys.get((envelope.chain_id, envelope.ordering_id))
            return key is not None and key.key.erased
        reaction = self._reactions.get(subscriber)
        if reaction is None:
            return self._world.extra_effect_is_there(site.name, subscriber, row)
        try:
            return reaction.react(envelope, site.codec.decode(row)) is None
        except Undecodable:
            return False

    def _is_parked(self, place: ParkedPlace, row: Row) -> bool:
        return row in self._site.store.tables.parked_rows.get(place, ())

    def _is_skipped(self, subscriber: str, row: Row) -> bool:
        return (subscriber, row.envelope.chain_id, row.envelope.event_id) in self._site.store.tables.skips
