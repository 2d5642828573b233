"""A load generator for HTTP/1.1 on keep-alive connections: bytes out, bytes in, as little of its own as Python allows.

How we know that it does not limit: `ceiling` measures it against an application that answers nothing, and every reading says what it
cost. A generator in C would cost less, but it could not hold a conversation (versions, new ids) as a clinic's software does.
"""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from bench.ground import Ground, own_cpu_s
from bench.measuring import Reading, keep_in_flight, reading

ANSWER_SECONDS_MAX: Final = 30.0
END: Final = b"\r\n\r\n"
LENGTH: Final = b"\r\ncontent-length: "
CEILING_CONNECTIONS: Final = 64
AWAY: Final = 503
AWAY_PAUSE_SECONDS: Final = 0.05
AWAY_TRIES_MAX: Final = 200


class Answer(NamedTuple):
    """One answer. `head` in lower case."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The value of a header; empty if it is not there."""
        at = self.head.find(b"\r\n" + name + b": ")
        if at < 0:
            return b""
        start = at + len(name) + 4
        end = self.head.find(b"\r\n", start)
        return self.head[start : end if end >= 0 else None]


class Refused(Exception):
    """An answer that the load did not expect: then nothing is measured."""


class Asks(Protocol):
    """Where a request can be sent."""

    async def ask(self, request: bytes) -> Answer:
        """Sends it and waits."""
        ...


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        """Use `connect`."""
        self._transport: Any = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Whoever waits is told."""
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError(str(error or "the server closed the connection")))

    def data_received(self, data: bytes) -> None:
        """An answer may come in pieces."""
        self._got = self._got + data if self._got else data
        end = self._got.find(END)
        if end < 0:
            return
        head = self._got[:end].lower()
        at = head.find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._got) < end + 4 + length:
            return
        answer = Answer(int(head[9:12]), head, self._got[end + 4 : end + 4 + length])
        self._got = b""
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(answer)

    async def ask(self, request: bytes) -> Answer:
        """Sends it and waits."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Lets go."""
        self._transport.close()


async def connect(url: str) -> Connection:
    """To the server of this URL."""
    place = urlsplit(url)
    _, protocol = await asyncio.get_running_loop().create_connection(Connection, place.hostname or "", place.port or 0)
    return protocol


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """As it goes onto the wire."""
    lines = [f"{method} {path} HTTP/1.1", "host: bench", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join([*lines, f"content-length: {len(body)}"])).encode() + END + body


async def patiently(connection: Asks, asked: bytes) -> Answer:
    """As an integrator must: after a 503 the same again, under the same key. The wait counts."""
    for _ in range(AWAY_TRIES_MAX):
        answer = await connection.ask(asked)
        if answer.status != AWAY:
            return answer
        await asyncio.sleep(AWAY_PAUSE_SECONDS)
    raise Refused(f"still {AWAY} after {AWAY_TRIES_MAX} tries")


async def closed_loop(
    url: str, callers: int, seconds: float, talk: Callable[[int, Connection], Callable[[], Awaitable[object]]]
) -> Reading:
    """So many connections, each asking again as soon as it is answered. `talk(n, connection)` makes the nth caller's next question.

    `load_us` is what the generator itself cost, per question.
    """
    connections = [await connect(url) for _ in range(callers)]
    talks = [talk(n, connection) for n, connection in enumerate(connections)]
    latencies: list[float] = []
    cpu_s, begun = own_cpu_s(), time.perf_counter()
    try:
        async with asyncio.timeout(seconds + ANSWER_SECONDS_MAX):
            found = await asyncio.gather(*(keep_in_flight(1, seconds, once) for once in talks))
    finally:
        for connection in connections:
            connection.close()
    took = time.perf_counter() - begun
    for _, one in found:
        latencies.extend(one)
    base = reading(took, latencies)
    return Reading(per_second=base.per_second, p50_ms=base.p50_ms, p99_ms=base.p99_ms, load_us=1e6 * (own_cpu_s() - cpu_s) / len(latencies))


async def at_rate(per_second: float, seconds: float, once: Callable[[int], Awaitable[object]]) -> tuple[int, Counter[str]]:
    """An open loop: calls begin at random (Poisson) times, whether or not earlier ones have ended. Returns how many, and what failed."""
    chance, failed, under_way = random.Random(per_second), Counter[str](), set[asyncio.Task[object]]()
    count, due = 0, time.perf_counter()
    end = due + seconds
    while (due := due + chance.expovariate(per_second)) < end:
        wait_s = due - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        task = asyncio.ensure_future(once(count))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        task.add_done_callback(lambda done: failed.update([f"{type(error).__name__}: {error}"] if (error := done.exception()) else []))
        count += 1
    if under_way:
        await asyncio.wait(set(under_way), timeout=ANSWER_SECONDS_MAX)
    return count, failed


NOTHING: Final = """
import sys, uvicorn
async def app(scope, receive, send):
    while (await receive()).get("more_body"): pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off")
"""


async def ceiling(ground: Ground) -> str:
    """What the generator reaches when nothing is asked of the server: one sentence for the results."""
    from erbium.servers.ports import free_port

    port = free_port()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", NOTHING, str(port))
    ask = request("POST", "/", {"authorization": ground.token("doctor"), "content-type": "application/json"}, b"{}" * 150)
    try:
        await _answering(port)
        found = await closed_loop(f"http://127.0.0.1:{port}", CEILING_CONNECTIONS, 2.0, lambda _, connection: lambda: connection.ask(ask))
    finally:
        child.terminate()
        await child.wait()
    return (
        f"HTTP: against an application that answers nothing the generator reaches {found.per_second:,.0f} requests/s on "
        f"{CEILING_CONNECTIONS} connections, at {found.load_us:.0f} µs of processor each, the server beside it on the same two cores."
    )


async def _answering(port: int) -> None:
    for _ in range(200):
        try:
            (await connect(f"http://127.0.0.1:{port}")).close()
        except OSError:
            await asyncio.sleep(0.05)
        else:
            return
    raise TimeoutError("the empty application does not answer")
