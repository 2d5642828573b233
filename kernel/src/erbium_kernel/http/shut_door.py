"""What a port answers while nobody may be let in: health, and for all else 503."""

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from erbium_kernel.http.doorway import Doorway
from erbium_kernel.http.problem import Faulty, retry
from erbium_kernel.observing.health import Health


def shut_door(health: Health, because: str) -> ASGIApp:
    """`because`: for the caller, without data."""

    async def refuse(_: Scope, __: Receive, ___: Send) -> None:
        raise Faulty("unavailable", f"{because[0].upper()}{because[1:]}.", headers=retry())

    return Doorway(Router(health.routes(), default=refuse))
