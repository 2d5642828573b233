"""One command, end to end: load the stream, fold, decide, append; the only way anything gets into the log."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from erbium_kernel.codec import never_seal, personal_values, seal_one
from erbium_kernel.decider import Decider
from erbium_kernel.errors import AlreadyAnswered, GuardRefused, KeyReused, Rejected, Stale, VersionConflict
from erbium_kernel.event import Actor, Envelope, message_id
from erbium_kernel.folding import STREAM_EVENTS_LONG, decided, events_of, state_after
from erbium_kernel.log_records import AfterAppend, Answer, AnswerKey, Append, Loaded, NewEvent
from erbium_kernel.observing import metrics
from erbium_kernel.personal import Personal
from erbium_kernel.runtime import Runtime

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")

log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 3  # a lost race is decided again on the new state, so often


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Who acted, and the command or event that led here."""

    actor: Actor
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None


class AnswerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Remember what this command is answered: `fingerprint` of its body, `status` if it succeeds."""

    key: AnswerKey
    fingerprint: bytes
    status: int


class Outcome(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """What a command led to. `version` and `state` are those that the answer speaks of, also when it is repeated.

    `event_id` is the last event it wrote, `message_id` the last message that other services will hear of it.
    """

    stream: str
    stream_id: UUID
    version: int
    state: S
    event_id: UUID | None
    message_id: UUID | None
    replayed: bool


async def execute(
    runtime: Runtime,
    chain_id: UUID,
    decider: Decider[C, S, E],
    stream_id: UUID,
    command: C,
    *,
    cause: Cause,
    if_match: int | None = None,
    answer: AnswerRequest | None = None,
    after: tuple[AfterAppend, ...] = (),
    loaded: Loaded | None = None,
) -> Outcome[S]:
    """Decides `command` on one stream and appends what follows from it, durably, whole, once.

    `loaded`: the stream and the answer's key, if they were loaded a moment ago; a lost race loads them anew.
    `after` (a checkpoint, a fired timer) commits with the events, and with a refusal or a repetition too: both are handled.
    Raises: Rejected (a rule said no, maybe long ago), Stale, KeyReused, StreamFull, VersionConflict after 3 lost races,
    LostLease, Unavailable.
    """
    attempt = _Attempt(runtime, chain_id, decider, stream_id, decider.stream(stream_id), command, cause, if_match, answer, after)
    for _ in range(ATTEMPTS_MAX):
        try:
            return await attempt.run(loaded)
        except (VersionConflict, AlreadyAnswered):
            loaded = None
    raise VersionConflict


class _Attempt(msgspec.Struct, Generic[C, S, E], frozen=True):
    runtime: Runtime
    chain_id: UUID
    decider: Decider[C, S, E]
    stream_id: UUID
    stream: str
    command: C
    cause: Cause
    if_match: int | None
    answer: AnswerRequest | None
    after: tuple[AfterAppend, ...]

    async def run(self, loaded: Loaded | None) -> Outcome[S]:
        if loaded is None:
            key = self.answer.key if self.answer else None
            loaded = await self.runtime.store.load(self.chain_id, self.stream, key, None, self.decider.carried_as)
        if self.answer and loaded.answer:
            return await self._repeated(self.answer, loaded.answer)
        version = loaded.version
        if self.if_match is not None and self.if_match != version:
            raise Stale(version)
        state = await state_after(self.runtime, self.decider, loaded)
        try:
            events = decided(self.decider, self.command, state, len(loaded.rows))
            new = tuple([await self._encoded(event) for event in events])
        except Rejected as refusal:
            await self._record_refusal(refusal, version)
            raise
        if not self.decider.carry and version < STREAM_EVENTS_LONG <= version + len(new):
            metrics.stream_long(self.decider.category)
            log.warning("stream long", stream=self.stream, version=version + len(new))
        return await self._append(new, events, state, version)

    async def _append(self, new: tuple[NewEvent, ...], events: Sequence[E], state: S, version: int) -> Outcome[S]:
        last = new[-1].event_id if new else None
        work = self._work(version, new, events)
        if work.answer is not None or new or self.after:
            try:
                await self.runtime.store.append(work)
            except GuardRefused as refused:
                raise await self._guard_refusal(refused, version) from None
        for event in events:
            state = self.decider.evolve(state, event)
        return self._outcome(state, version + len(new), last, self._last_message(new, events, version), replayed=False)

    async def _encoded(self, event: E) -> NewEvent:
        seal = await self._sealer(event)
        name, schema_version, data, subject_id = self.runtime.codec.encode(event, seal)
        return NewEvent(
            event_id=self.runtime.ids.new(),
            type=name,
            schema_version=schema_version,
            ordering_id=self.decider.ordering(event, self.stream_id),
            clinic_id=getattr(event, "clinic_id", None),
            subject_id=subject_id,
            data=data,
        )

    async def _sealer(self, event: E) -> seal_one:
        subject_id = next((value.subject_id for value in _open_values(event)), None)
        if subject_id is None:
            return never_seal
        return await self.runtime.vault.sealer(self.chain_id, subject_id, patient=not self.decider.staff)

    def _work(self, version: int, new: tuple[NewEvent, ...], events: Sequence[E]) -> Append:
        last = new[-1].event_id if new else None
        return Append(
            chain_id=self.chain_id,
            stream=self.stream,
            expected=version,
            events=new,
            occurred_at=self.runtime.clock.now(),
            actor=self.cause.actor,
            command_id=self.cause.command_id,
            correlation_id=self.cause.correlation_id,
            causation_id=self.cause.causation_id,
            traceparent=self.cause.traceparent,
            guards=tuple(guard for event in events for guard in self.decider.guards(event)),
            timers=tuple(
                (stored.event_id, change) for stored, event in zip(new, events, strict=True) for change in self.decider.timers(event)
            ),
            answer=self._answer(self.answer.status, version + len(new), event_id=last) if self.answer else None,
            after=self.after,
        )

    def _answer(self, status: int, version: int, *, event_id: UUID | None = None, refusal: Rejected | None = None) -> Answer:
        assert self.answer is not None
        return Answer(
            key=self.answer.key,
            fingerprint=self.answer.fingerprint,
            status=status,
            stream=self.stream,
            version=version,
            event_id=event_id,
            slug=refusal.slug if refusal else None,
            detail=refusal.detail if refusal else None,
            facts=refusal.facts if refusal else {},
        )

    async def _guard_refusal(self, refused: GuardRefused, version: int) -> Exception:
        make = self.decider.guard_refusal
        refusal = make(refused.guard) if make else Rejected(f"taken: {refused.guard}")
        if isinstance(refusal, Rejected):
            await self._record_refusal(refusal, version)
        return refusal

    async def _record_refusal(self, refusal: Rejected, version: int) -> None:
        """Why: a refusal is an append of no events: it holds only on the version it was decided on, and its checkpoint moves with it."""
        if self.answer is None and not self.after:
            return
        work = self._work(version, (), ())
        answer = self._answer(refusal.status, version, refusal=refusal) if self.answer else None
        await self.runtime.store.append(replace(work, answer=answer))

    async def _repeated(self, asked: AnswerRequest, given: Answer) -> Outcome[S]:
        if given.fingerprint != asked.fingerprint:
            raise KeyReused
        if given.slug is not None:
            refusal = Rejected.named(given.slug, given.detail, **given.facts)
            refusal.replayed = True
            raise refusal
        stream_id = UUID(given.stream[-36:])
        loaded = await self.runtime.store.load(self.chain_id, given.stream, None, given.version, self.decider.carried_as)
        events = await events_of(self.runtime, self.chain_id, loaded.rows)
        message = self._message_then(loaded, events, given)
        return Outcome(
            stream=given.stream, stream_id=stream_id, version=given.version, state=self.decider.fold(events),
            event_id=given.event_id, message_id=message, replayed=True,
        )  # fmt: skip

    def _message_then(self, loaded: Loaded, events: Sequence[E], given: Answer) -> UUID | None:
        """The last message of the command that was answered: its events are the last ones under its command id."""
        if given.event_id is None:
            return None
        command_id = loaded.rows[-1].envelope.command_id
        own = [(row.envelope, event) for row, event in zip(loaded.rows, events, strict=True) if row.envelope.command_id == command_id]
        return next((found for envelope, event in reversed(own) if (found := self._messages(envelope, event))), None)

    def _outcome(self, state: S, version: int, event_id: UUID | None, message: UUID | None, *, replayed: bool) -> Outcome[S]:
        return Outcome(
            stream=self.stream,
            stream_id=self.stream_id,
            version=version,
            state=state,
            event_id=event_id,
            message_id=message,
            replayed=replayed,
        )

    def _last_message(self, new: Sequence[NewEvent], events: Sequence[E], version: int) -> UUID | None:
        for place in reversed(range(len(new))):
            found = self._messages(self._envelope(new[place], version + place + 1), events[place])
            if found:
                return found
        return None

    def _messages(self, envelope: Envelope, event: E) -> UUID | None:
        messages = self.runtime.publishes(envelope, event)
        return message_id(envelope.event_id, messages[-1].fact) if messages else None

    def _envelope(self, new: NewEvent, version: int) -> Envelope:
        now = self.runtime.clock.now()
        return Envelope(
            chain_id=self.chain_id, ordering_id=new.ordering_id, event_id=new.event_id, type=new.type, schema_version=new.schema_version,
            origin=None, stream=self.stream, version=version, clinic_id=new.clinic_id, subject_id=new.subject_id,
            occurred_at=now, recorded_at=now, command_id=self.cause.command_id, correlation_id=self.cause.correlation_id,
            causation_id=self.cause.causation_id, actor=self.cause.actor, traceparent=self.cause.traceparent,
        )  # fmt: skip


def _open_values(event: Any) -> list[Personal]:
    return [value for value in personal_values(event) if isinstance(value, Personal)]
