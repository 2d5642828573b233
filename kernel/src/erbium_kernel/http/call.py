"""One request in a handler's hands: who asks, what time it is, and the ways to act and to read."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from erbium_kernel.decider import Decider
from erbium_kernel.errors import NotFound, ReferenceNotFound, Stale, Unavailable
from erbium_kernel.event import made_uuid
from erbium_kernel.execute import AnswerRequest, Cause, Outcome, execute
from erbium_kernel.folding import state_after, state_of
from erbium_kernel.http.problem import Faulty
from erbium_kernel.http.request_headers import etag
from erbium_kernel.identity.principal import Principal
from erbium_kernel.log_records import AnswerKey, Loaded, Wanted
from erbium_kernel.looking_back import Past, state_then, tables_then
from erbium_kernel.personal import Personal, PersonalData, Sealed
from erbium_kernel.projecting import set_chain
from erbium_kernel.runtime import Runtime

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")
V = TypeVar("V")

Opener = Callable[[Any], str | None]

NO_VERSION = -1  # no stream has it: a missing If-Match is only noticed after a repeated key has been answered


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the edge has read off the request. `if_match` None = the header is absent; `fingerprint` covers path and body.

    `versioned`: the answer speaks of the stream that is written, so it has that stream's version and ETag.
    """

    request_id: UUID
    traceparent: str
    route: str  # method and template
    status: int
    changes: bool
    versioned: bool = True
    key: str | None = None
    fingerprint: bytes = b""
    if_match: int | None = None


@dataclass(slots=True, kw_only=True)
class Call:
    """What a handler gets. `headers` are added to its answer; `version` is that of the stream that `execute` has written.

    `past`: the question is how something was recorded at an instant; time, streams and read tables are then those of that instant.
    """

    runtime: Runtime
    principal: Principal
    asked: Asked
    engine: AsyncEngine | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    version: int | None = None
    past: Past | None = None
    _made: int = 0
    _executed: bool = False
    _ahead: tuple[str, Loaded] | None = None

    def now(self) -> datetime:
        """Domain time, UTC: what commands carry as `at`; the instant that is looked back to."""
        return self.past.at if self.past else self.runtime.clock.now()

    def new_id(self) -> UUID:
        """A new id; in a command the nth call yields the same id whenever the request is repeated under its key.

        Why: a repeated request then speaks of the same things, even when the first attempt's answer was lost.
        """
        if self.asked.key is None:
            return self.runtime.ids.new()
        self._made += 1
        return self._derived(f"new|{self._made}")

    @property
    def actor_id(self) -> UUID:
        """The id of the person, device or system that asks."""
        return UUID(self.principal.actor.id)

    def at_clinic(self, clinic_id: UUID) -> None:
        """Raises: Faulty (403) if the token does not cover this clinic."""
        if not self.principal.covers(clinic_id):
            raise Faulty("clinic-not-yours", f"The token does not cover clinic {clinic_id}.")

    async def execute(
        self,
        decider: Decider[C, S, E],
        stream_id: UUID,
        command: C,
        *,
        render: Callable[[S, UUID, Opener], V],
        location: str | None = None,
    ) -> V:
        """Decides the command, once per Idempotency-Key, and renders the answer from the state at the version it was answered with.

        `render(state, stream_id, opener)` is pure; `opener(personal value)` is its text, None when erased or not here yet.
        Raises: what execute raises; Faulty (428) without If-Match where it is needed.
        """
        assert not self._executed, "one request is one command: its Idempotency-Key answers for one"
        self._executed = True
        outcome = await self._decided(decider, stream_id, command)
        self.version = outcome.version
        self._announce(outcome, location)
        return render(outcome.state, outcome.stream_id, text_of)

    async def state_of(
        self, decider: Decider[C, S, E], stream_id: UUID, *, ahead: tuple[Decider[Any, Any, Any], UUID] | None = None
    ) -> tuple[S, int]:
        """The folded state of a stream of this chain and its version; (initial, 0) if there is none.

        `ahead`: the stream that the command will be executed on; it is loaded in the same round trip.
        """
        chain_id = self.principal.chain_id
        if self.past:
            return await state_then(self.runtime, chain_id, decider, stream_id, self.past.at)
        if ahead is None:
            return await state_of(self.runtime, chain_id, decider, stream_id)
        answer, (later, later_id) = self._answer(), ahead
        own, loaded = await self.runtime.store.load_together(
            chain_id,
            (
                Wanted(decider.stream(stream_id), None, decider.carried_as),
                Wanted(later.stream(later_id), answer.key if answer else None, later.carried_as),
            ),
        )
        self._ahead = later.stream(later_id), loaded
        return await state_after(self.runtime, decider, own), own.version

    @asynccontextmanager
    async def naming(self, decider: Decider[C, S, E], stream_id: UUID) -> AsyncIterator[None]:
        """What the body names is looked up inside; what the path names, this stream, comes first where neither is there.

        Raises: NotFound; ReferenceNotFound.
        """
        try:
            yield
        except ReferenceNotFound:
            if (await self.state_of(decider, stream_id))[1] == 0:
                raise NotFound from None
            raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees this chain's rows of the read tables, and no others. Raises: Unavailable."""
        if self.engine is None:
            raise Unavailable("this process has no read tables")
        if self.past:
            async with tables_then(self.engine, self.runtime, self.principal.chain_id, self.past) as connection:
                yield connection
            return
        async with self.engine.begin() as connection:
            await set_chain(connection, self.principal.chain_id)
            yield connection

    async def open(self, sealed: Mapping[str, Any] | None) -> str | None:
        """The text of a sealed value as read tables keep it; None when it is none, erased, or its key is not here yet."""
        if sealed is None:
            return None
        return (await self.opener([sealed]))(sealed)

    async def opener(self, sealed: list[Mapping[str, Any] | None]) -> Opener:
        """Opens all of these values, fetching their keys at once: for lists."""
        subjects = [UUID(str(value["subject_id"])) for value in sealed if value is not None]
        open_one = await self.runtime.vault.opener(self.principal.chain_id, subjects)

        def opened(value: Mapping[str, Any] | None) -> str | None:
            if value is None or "ciphertext" not in value:
                return None
            return text_of(open_one(Sealed(int(value["v"]), UUID(str(value["subject_id"])), value["nonce"], value["ciphertext"])))

        return opened

    async def _decided(self, decider: Decider[C, S, E], stream_id: UUID, command: C) -> Outcome[S]:
        asked = self.asked
        wanted = asked.if_match if asked.if_match is not None or not asked.changes else NO_VERSION
        loaded = self._ahead[1] if self._ahead and self._ahead[0] == decider.stream(stream_id) else None
        try:
            return await execute(
                self.runtime, self.principal.chain_id, decider, stream_id, command,
                cause=self.cause, if_match=wanted, answer=self._answer(), loaded=loaded,
            )  # fmt: skip
        except Stale as stale:
            if asked.changes and stale.current == 0:
                raise NotFound from None
            if asked.if_match is None:
                raise Faulty("if-match-missing", "This changes an existing record, so it needs If-Match with the ETag last seen.") from None
            raise

    @property
    def cause(self) -> Cause:
        """Who acts, and the id of this command: the same for every repetition under its key."""
        command_id = self._derived("command") if self.asked.key else self.asked.request_id
        return Cause(actor=self.principal.actor, command_id=command_id, correlation_id=command_id, traceparent=self.asked.traceparent)

    def _answer(self) -> AnswerRequest | None:
        if self.asked.key is None:
            return None
        key = AnswerKey(self.principal.chain_id, self.principal.client, self.asked.route, self.asked.key)
        return AnswerRequest(key=key, fingerprint=self.asked.fingerprint, status=self.asked.status)

    def _announce(self, outcome: Outcome[Any], location: str | None) -> None:
        found = {
            "ETag": etag(outcome.version) if self.asked.versioned else None,
            "Location": location,
            "Erbium-Event": outcome.event_id and str(outcome.event_id),
            "Erbium-Message": outcome.message_id and str(outcome.message_id),
            "Idempotent-Replayed": "true" if outcome.replayed else None,
        }
        self.headers.update({name: value for name, value in found.items() if value})

    def _derived(self, purpose: str) -> UUID:
        """An id that follows from the scope of the Idempotency-Key, and that nobody without our secret can foresee."""
        scope = "|".join((purpose, str(self.principal.chain_id), self.principal.client, self.asked.route, self.asked.key or ""))
        value = int.from_bytes(self.runtime.vault.fingerprint(b"id|" + scope.encode())[:16], "big")
        return made_uuid(value, version=8)  # made by a rule of one's own (RFC 9562 section 5.8)


def text_of(value: PersonalData | None) -> str | None:
    """The text of an opened personal value; None when there is none to show."""
    return value.text if isinstance(value, Personal) else None
