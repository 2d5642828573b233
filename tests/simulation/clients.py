"""Who asks the services: a client knows its Idempotency-Key, loses answers, grows impatient and asks again until it is told."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from erbium_kernel.errors import Rejected, Stale, Unavailable, VersionConflict
from erbium_kernel.event import Actor
from erbium_kernel.http.call import Asked, Call
from erbium_kernel.identity.principal import Principal
from tests.simulation.people import CHAIN, DOCTOR
from tests.simulation.sites import Process
from tests.simulation.turns import Broken, wait

if TYPE_CHECKING:
    from tests.simulation.world import World

ROLES: Final = frozenset({"doctor", "nurse", "front_desk"})
PATIENCE_TURNS_MIN: Final = 200
PATIENCE_TURNS_MAX: Final = 3_000
ASKED_AGAIN: Final = 0.15  # how often a client repeats a request that it has the answer of
ATTEMPTS_MAX: Final = 200

Handle = Callable[[Call], Coroutine[Any, Any, Any]]
Answer = tuple[Any, ...]
AT_THE_DOOR: Final[Answer] = ("refused before anything was decided",)  # nobody promises that it is answered so again


@dataclass(slots=True, kw_only=True)
class Ask:
    """One request: its body is in `handle`. `if_match`: the version the client saw."""

    site: str
    name: str
    handle: Handle
    if_match: int | None = None


@dataclass(slots=True)
class Replies:
    """What a client has been answered under one key."""

    now: list[Answer] = field(default_factory=list)  # to the attempts that were made since he last looked
    first: Answer | None = None


async def client(world: "World", number: int, ask: Ask) -> None:
    """Asks until it is answered for good, and now and then once more. Raises: Broken if two answers differ."""
    replies, chance, again = Replies(), world.chance, world.chance.random() < ASKED_AGAIN
    for _ in range(ATTEMPTS_MAX):
        replies.now.clear()
        process = world.some_process(ask.site)
        patience_us = int(chance.uniform(PATIENCE_TURNS_MIN, PATIENCE_TURNS_MAX)) * world.turns.turn_us
        if process is not None:
            process.run(f"{ask.name}#{number}", _serve(world, number, ask, process, replies))
        await wait(f"reply/{number}", world.time.us + patience_us)
        if replies.now:
            if not again:
                return
            again = False
            await wait(None, world.time.us + patience_us)
    raise Broken(f"{ask.site}: {ask.name} has not been answered in {ATTEMPTS_MAX} attempts")


async def _serve(world: "World", number: int, ask: Ask, process: Process, replies: Replies) -> None:
    """One attempt, inside a process."""
    call = call_of(number, ask, process)
    answer = await _answered(ask, call)
    if answer is None:
        return  # not now: the client asks again
    if replies.first is None:
        replies.first = answer if answer != AT_THE_DOOR else None
        world.answered(ask, answer)
    elif replies.first != answer:
        raise Broken(f"R2: {ask.site}: {ask.name} was answered {replies.first} and then {answer}")
    replies.now.append(answer)
    world.turns.signal(f"reply/{number}")


async def _answered(ask: Ask, call: Call) -> Answer | None:
    try:
        await ask.handle(call)
    except (Unavailable, VersionConflict):
        return None
    except Stale:
        return AT_THE_DOOR
    except Rejected as refusal:
        if not call._executed:
            return AT_THE_DOOR
        return ("refused", refusal.slug, refusal.detail, sorted(refusal.facts.items(), key=str))
    return ("done", *sorted((name, value) for name, value in call.headers.items() if name != "Idempotent-Replayed"))


def call_of(number: int, ask: Ask, process: Process) -> Call:
    """What the edge would hand to the handler."""
    principal = Principal(
        chain_id=CHAIN, actor=Actor(kind="staff", id=str(DOCTOR)), client="simulation", roles=ROLES, scopes=frozenset(), clinics=None
    )
    asked = Asked(
        request_id=process.runtime.ids.new(), traceparent="00-" + "1" * 32 + "-" + "1" * 16 + "-01", route=f"POST {ask.name}", status=201,
        changes=ask.if_match is not None, key=f"key-{number}", fingerprint=b"%d" % number, if_match=ask.if_match,
    )  # fmt: skip
    return Call(runtime=process.runtime, principal=principal, asked=asked)
