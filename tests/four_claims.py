"""Four claims per command: done, refused, repeated, raced. A table of them for each service, and the look that no command is left out.

The table is run, not named: each row is a history, a command and its event, and what is claimed is done on a memory store through
`execute`. A command that ends in a fact heard, or in a timer, is never refused; its row says why, and in which histories it does nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args
from uuid import UUID

import pytest

from erbium_kernel.decider import Decider
from erbium_kernel.errors import Rejected
from erbium_kernel.execute import execute
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.service import Service
from tests.house import others_first, race, runtime_of
from tests.kernel.ward import WardClock, cause

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")
History = Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class Claims:
    """Of one command. `event`: the stored name of what is done. Either `refused`, or `never` with the reason and quiet histories."""

    command: Any
    event: str
    before: History = ()
    refused: Mapping[type[Rejected], tuple[History, Any]] = field(default_factory=dict)
    never: str = ""
    quiet: Sequence[History] = ()

    def __str__(self) -> str:
        """As a test is named."""
        return f"{type(self.command).__name__}: {self.event}"


class Ground:
    """One service on a memory store that lets others in wherever a database would."""

    def __init__(self, service: Service, decider: Decider[Any, Any, Any], stream_id: UUID) -> None:
        """Nothing has happened."""
        clock = WardClock()
        self.store = MemoryStore(clock=clock, pause=others_first)
        self.runtime = runtime_of(service, self.store, clock)
        self.decider, self.stream_id = decider, stream_id

    async def do(self, *commands: Any) -> None:
        """One after the other. Raises: Rejected."""
        for command in commands:
            await execute(self.runtime, CHAIN, self.decider, self.stream_id, command, cause=cause(self.runtime))

    async def names(self) -> list[str]:
        """What has happened, by stored names."""
        return [row.envelope.type for row in (await self.store.load(CHAIN, self.decider.stream(self.stream_id))).rows]


async def check_done_and_repeated(ground: Ground, claims: Claims) -> None:
    """The command leads to its event, once; the same command again leads to nothing."""
    await ground.do(*claims.before)
    before = await ground.names()
    await ground.do(claims.command)
    done = await ground.names()
    assert done[: len(before)] == before
    assert done[len(before) :].count(claims.event) == 1, done
    await ground.do(claims.command)
    assert await ground.names() == done


async def check_raced(ground: Ground, claims: Claims) -> None:
    """The same command twice at once has its effect once, and neither is an error."""
    await ground.do(*claims.before)
    before = await ground.names()
    assert await race([ground.do(claims.command) for _ in range(2)]) == ["done", "done"]
    assert (await ground.names())[len(before) :].count(claims.event) == 1


async def check_refused(make: Any, claims: Claims) -> None:
    """Each refusal comes by its name and records nothing; what is never refused does nothing in its quiet histories."""
    for refusal, (history, command) in claims.refused.items():
        ground = make()
        await ground.do(*history)
        before = await ground.names()
        with pytest.raises(refusal):
            await ground.do(command)
        assert await ground.names() == before
    for history in claims.quiet:
        ground = make()
        await ground.do(*history)
        before = await ground.names()
        await ground.do(claims.command)
        assert await ground.names() == before


def check_every_command(table: Sequence[Claims], *unions: Any) -> None:
    """Every command of these deciders stands in the table, and each is refused by name or says why it never is."""
    commands = {kind for union in unions for kind in get_args(union) or (union,)}
    assert {type(claims.command) for claims in table} == commands
    unclear = [str(claims) for claims in table if bool(claims.refused) is bool(claims.never)]
    assert not unclear
    silent = [str(claims) for claims in table if claims.never and not claims.quiet]
    assert not silent
