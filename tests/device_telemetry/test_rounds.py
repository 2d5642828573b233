"""Many lasers, one producer: who comes while a round is on its way goes with the next one, and nobody shares another's fate for long."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from device_telemetry.frames import rounds
from device_telemetry.frames.rounds import Rounds
from erbium_kernel.errors import Unavailable
from erbium_kernel.topic_port import Outgoing

TURNS = 20


class Gate:
    """An outlet whose rounds end when the test says so. It takes `most` records, and refuses rounds with a key that is away."""

    def __init__(self, most: int = 1_000) -> None:
        self.most, self.away = most, b""
        self.rounds: list[list[bytes]] = []
        self.open = asyncio.Event()

    async def publish(self, _: str, records: Sequence[Outgoing]) -> int:
        self.rounds.append([record.key for record in records])
        await self.open.wait()
        if self.away in self.rounds[-1]:
            raise Unavailable("its partition is away")
        return min(len(records), self.most)


def sending(gate: Gate) -> Any:
    together = Rounds(gate, "frames")  # type: ignore[arg-type]  # it only publishes
    return lambda key: asyncio.create_task(together.send(Outgoing(key=key, value=b"v")))


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def test_together_and_in_order() -> None:
    """The first goes at once and alone; all who came meanwhile go together, as many as fit, and are answered once their round is."""
    gate = Gate(most=2)
    send = sending(gate)
    calls = [send(b"a")]
    await turns()
    calls += [send(key) for key in (b"b", b"c", b"d")]
    await turns()
    assert gate.rounds == [[b"a"]]
    assert not any(call.done() for call in calls)
    gate.open.set()
    await asyncio.gather(*calls)
    assert gate.rounds == [[b"a"], [b"b", b"c", b"d"], [b"d"]]


async def test_a_partition_that_is_away() -> None:
    """A round with a partition that is away fails for all in it; after that one goes alone, so that the others get through."""
    gate = Gate()
    gate.away = b"x"
    send = sending(gate)
    first = send(b"a")
    await turns()
    calls = [send(b"x"), send(b"b")]
    await turns()
    gate.open.set()
    await first
    assert [type(one) for one in await asyncio.gather(*calls, return_exceptions=True)] == [Unavailable, Unavailable]
    told = await asyncio.gather(*(send(key) for key in (b"b", b"x", b"c")), return_exceptions=True)
    assert told[0] is None
    assert gate.rounds[2] == [b"b"]


async def test_who_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that gives up takes its record back, and disturbs nobody; too many waiting are turned away."""
    monkeypatch.setattr(rounds, "WAITING_MAX", 2)
    gate = Gate()
    send = sending(gate)
    first = send(b"a")
    await turns()
    gone, stays = send(b"b"), send(b"c")
    await turns()
    with pytest.raises(Unavailable):
        await send(b"d")
    gone.cancel()
    await turns()
    gate.open.set()
    await asyncio.gather(first, stays)
    assert gate.rounds == [[b"a"], [b"c"]]
