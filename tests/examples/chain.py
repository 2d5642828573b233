"""Four services of one chain, decided purely: what one says the others hear at once, by their own records and reactions.

No store, no topic, no clock: the real deciders, `published`, `heard` and reactions of each service, one after the other.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from aftercare.wiring import SERVICE as AFTERCARE
from device_telemetry.wiring import SERVICE as TELEMETRY
from erbium_kernel.codec import Codec
from erbium_kernel.decider import Decider
from erbium_kernel.event import Actor, Envelope, message_id
from erbium_kernel.personal import Personal
from erbium_kernel.service import Service
from scheduling.wiring import SERVICE as SCHEDULING
from screening.wiring import SERVICE as SCREENING
from tests.stored_events import codec_of, seal

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")
SERVICES = (SCREENING, SCHEDULING, TELEMETRY, AFTERCARE)


@dataclass(frozen=True, slots=True)
class _Said:
    """A fact on its way to those who hear it."""

    name: str
    version: int
    body: bytes
    event_id: UUID


class Chain:
    """`instead`: deciders that take the place of a service's own, by category (another policy of screening)."""

    def __init__(self, instead: dict[str, Decider[Any, Any, Any]] | None = None) -> None:
        """Nothing has happened."""
        self.now = datetime(2026, 1, 1, 9, tzinfo=UTC)
        self.streams: dict[tuple[str, str, UUID], list[Any]] = {}
        own = {(service.name, decider.category): decider for service in SERVICES for decider in service.deciders}
        self._deciders = own | {("screening", category): decider for category, decider in (instead or {}).items()}
        self._codecs = {service.name: codec_of(service) for service in SERVICES}
        self._hearing = {service.name: Codec([], service.heard) for service in SERVICES}

    def copy(self) -> "Chain":
        """The same up to now; what happens there does not happen here."""
        other = Chain()
        other.now, other._deciders = self.now, self._deciders
        other.streams = {stream: [*events] for stream, events in self.streams.items()}
        return other

    def state(self, service: str, category: str, stream_id: UUID) -> Any:
        """A stream, folded."""
        return self._deciders[service, category].fold(self.streams.get((service, category, stream_id), []))

    def do(self, service: str, category: str, stream_id: UUID, command: Any) -> list[Any]:
        """One command and everything that follows from it everywhere; returns its own events. Raises: Rejected."""
        said: deque[_Said] = deque()
        new = self._decide(service, category, stream_id, command, said)
        self._told(said)
        return new

    def say(self, name: str, body: bytes) -> None:
        """A fact that its owner's decider is not asked for here."""
        self._told(deque([_Said(name, 1, body, uuid5(CHAIN, f"{name}{body!r}"))]))

    def _told(self, said: deque[_Said]) -> None:
        while said:
            fact = said.popleft()
            for service in SERVICES:
                if fact.name in service.heard:
                    record = self._hearing[service.name].decode_data(fact.name, fact.version, fact.body)
                    self._react(service, self._envelope(fact.name, fact.event_id), record, said)

    def _decide(self, service: str, category: str, stream_id: UUID, command: Any, said: deque[_Said]) -> list[Any]:
        decider = self._deciders[service, category]
        stream = self.streams.setdefault((service, category, stream_id), [])
        new = list(decider.decide(command, decider.fold(stream)))
        declared = next(one for one in SERVICES if one.name == service)
        for event in new:
            stream.append(event)
            event_id = uuid5(stream_id, f"{category}{len(stream)}")
            envelope = self._envelope(decider.events.name_of(event), event_id, decider.stream(stream_id))
            said.extend(self._facts(declared, envelope, event))
            self._react(declared, envelope, event, said)
        return new

    def _react(self, service: Service, envelope: Envelope, record: Any, said: deque[_Said]) -> None:
        for reaction in service.reactions:
            if envelope.type in reaction.hears and (to := reaction.react(envelope, record)) is not None:
                self._decide(service.name, to.decider.category, to.stream_id, to.command, said)

    def _facts(self, service: Service, envelope: Envelope, event: Any) -> Iterator[_Said]:
        for message in service.publishes(envelope, event):
            body = self._codecs[service.name].to_json(_sealed(message.data))
            name = f"erbium.{service.name}.{message.fact}"
            yield _Said(name, message.version, body, message_id(envelope.event_id, message.fact))

    def _envelope(self, name: str, event_id: UUID, stream: str | None = None) -> Envelope:
        origin = None if stream else name.split(".")[1]
        return Envelope(
            chain_id=CHAIN, ordering_id=CHAIN, event_id=event_id, type=name, schema_version=1, origin=origin, stream=stream, version=None,
            clinic_id=None, subject_id=None, occurred_at=self.now, recorded_at=self.now, command_id=None, correlation_id=event_id,
            causation_id=None, actor=Actor(kind="staff", id="doctor-1"), traceparent=None,
        )  # fmt: skip


def _sealed(data: Any) -> Any:
    """Personal values travel sealed."""
    values = {field.name: getattr(data, field.name) for field in fields(data)}
    return replace(data, **{name: seal(value) for name, value in values.items() if isinstance(value, Personal)})
