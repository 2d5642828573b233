"""A clinic's software as an integrator would write it: HTTP with tokens, Idempotency-Keys, If-Match and Erbium-After."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

ANSWER_SECONDS_MAX = 30.0
WAIT_SECONDS_MAX = 30.0
WAIT_POLL_SECONDS = 0.05
RETRIES_MAX = 5


class JourneyFailed(Exception):
    """A step did not go as promised; the sentence says which and what was answered instead.

    `service`: who answered, or did not. `status` and `code` of the answer, if there was one.
    """

    def __init__(self, sentence: str, *, service: str | None = None, status: int | None = None, code: str = "") -> None:
        """Carries what the answer was beside the sentence."""
        super().__init__(sentence)
        self.service, self.status, self.code = service, status, code


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `took_ms` is the client's whole wait."""

    status: int
    body: Any
    headers: Mapping[str, str]
    took_ms: float

    @property
    def etag(self) -> str:
        """The version to send as If-Match."""
        return self.headers["etag"]

    @property
    def message(self) -> str | None:
        """The last fact that other services will hear of this command."""
        return self.headers.get("erbium-message")

    @property
    def event(self) -> str | None:
        """The last event that this command wrote."""
        return self.headers.get("erbium-event")

    @property
    def code(self) -> str:
        """A problem's machine word."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    @property
    def told(self) -> str:
        """What a person is told of it: a problem in a sentence, anything else as it came."""
        if not self.code:
            return str(self.body)
        beside = [str(self.body[name]) for name in ("facts", "errors") if self.body.get(name)]
        return " ".join([f"{self.code}: {self.body['detail']}", *beside])

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a refusal says beside its sentence: numbers, dates, rules."""
        return self.body.get("facts", {}) if isinstance(self.body, dict) else {}


@dataclass(slots=True)
class Clinic:
    """`urls`: service -> base URL. `mint(role, chain, clinics, subject)` gives tokens. Use as a context manager."""

    urls: Mapping[str, str]
    mint: Callable[[str, uuid.UUID, list[uuid.UUID], uuid.UUID], str]
    chain: uuid.UUID
    clinics: list[uuid.UUID]
    offset: timedelta = timedelta()
    _tokens: dict[str, str] = field(default_factory=dict)
    _staff: dict[str, uuid.UUID] = field(default_factory=dict)
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=ANSWER_SECONDS_MAX, trust_env=False))

    def __enter__(self) -> "Clinic":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections."""
        self._http.close()

    def who(self, role: str) -> uuid.UUID:
        """The opaque id of the person in this role."""
        return self._staff.setdefault(role, uuid.uuid4())

    def acts_as(self, role: str, subject: uuid.UUID) -> None:
        """From now on this role's tokens are this subject's: a laser's token names the laser."""
        self._staff[role] = subject
        self._tokens.pop(role, None)

    def forget(self, role: str) -> None:
        """The next request of this role asks for a new token: a clinic was added."""
        self._tokens.pop(role, None)

    def token(self, role: str) -> str:
        """This person's token."""
        return self._tokens.setdefault(role, self.mint(role, self.chain, self.clinics, self.who(role)))

    def get(self, service: str, path: str, *, role: str = "doctor", after: str | None = None, expect: int = 200, **query: Any) -> Reply:
        """A read; `after` waits until this event or message has been followed there."""
        headers = {"Erbium-After": after} if after else {}
        params = {name: value for name, value in query.items() if value is not None}
        for _ in range(RETRIES_MAX):
            reply = self._send("GET", service, path, role, headers, None, params)
            if reply.headers.get("erbium-after") != "pending":
                return self._expected(reply, expect, "GET", service, path)
        raise JourneyFailed(f"GET {service}{path}: {after} had not arrived after {RETRIES_MAX} waits of 2 s", service=service)

    def post(
        self,
        service: str,
        path: str,
        body: Any = None,
        *,
        role: str = "doctor",
        expect: int = 201,
        if_match: str | None = None,
        key: str | None = None,
    ) -> Reply:
        """A command under an Idempotency-Key of its own; 503 is tried again under the same key, as an integrator must."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        if if_match is not None:
            headers["If-Match"] = if_match
        reply = self._send("POST", service, path, role, headers, body, {})
        for _ in range(RETRIES_MAX):
            if reply.status != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(float(reply.headers.get("retry-after", "1")))
            reply = self._send("POST", service, path, role, headers, body, {})
        return self._expected(reply, expect, "POST", service, path)

    def now(self) -> datetime:
        """The clinic's time."""
        return datetime.now().astimezone() + self.offset

    def move_time(self, by: timedelta) -> None:
        """All four services go on `by`, and so does this clinic."""
        self.set_time(self.offset + by)

    def set_time(self, offset: timedelta) -> None:
        """Domain time minus machine time, in all four services."""
        self.offset = offset
        for service in self.urls:
            body, path = {"offset_seconds": int(offset.total_seconds())}, "/v1/development/clock"
            self._expected(self._send("PUT", service, path, "ops", {}, body, {}), None, "PUT", service, path)

    def wait_for(self, what: str, look: Callable[[], Any]) -> Any:
        """Looks again until there is something. Raises: JourneyFailed after the deadline."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            time.sleep(WAIT_POLL_SECONDS)
        raise JourneyFailed(f"{what} did not happen within {WAIT_SECONDS_MAX:.0f} s")

    def _send(
        self, method: str, service: str, path: str, role: str, headers: Mapping[str, str], body: Any, params: Mapping[str, Any]
    ) -> Reply:
        started = time.perf_counter()
        asked = {"headers": {"Authorization": f"Bearer {self.token(role)}", **headers}, "json": body, "params": params}
        try:
            answer = self._http.request(method, self.urls[service] + path, **asked)
        except (httpx.ReadError, httpx.RemoteProtocolError):  # an idle connection was closed under us: every request here is safe to repeat
            answer = self._again(method, service, path, asked)
        except httpx.HTTPError as error:
            raise _unanswered(method, service, path, error) from error
        took_ms = (time.perf_counter() - started) * 1000
        kind = answer.headers.get("content-type", "")
        return Reply(answer.status_code, answer.json() if "json" in kind else answer.text, answer.headers, took_ms)

    def _again(self, method: str, service: str, path: str, asked: Mapping[str, Any]) -> httpx.Response:
        try:
            return self._http.request(method, self.urls[service] + path, **asked)
        except httpx.HTTPError as error:
            raise _unanswered(method, service, path, error) from error

    @staticmethod
    def _expected(reply: Reply, expect: int | None, method: str, service: str, path: str) -> Reply:
        good = reply.status < httpx.codes.BAD_REQUEST if expect is None else reply.status == expect
        if not good:
            sentence = f"{method} {service}{path}: expected {expect or 'success'}, got {reply.status}: {reply.told}"
            raise JourneyFailed(sentence, service=service, status=reply.status, code=reply.code)
        return reply


def _unanswered(method: str, service: str, path: str, error: httpx.HTTPError) -> JourneyFailed:
    return JourneyFailed(f"{method} {service}{path} was not answered ({type(error).__name__}: {error})", service=service)
