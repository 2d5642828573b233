"""Is this process alive, started, ready? Each check answers with a reason; no check asks another service."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from erbium_kernel.deadline import within
from erbium_kernel.errors import Unavailable

CHECK_SECONDS_MAX = 1.0
READY, NOT_READY = 200, 503

Check = Callable[[], Coroutine[Any, Any, str | None]]
"""None = fine; else a sentence for people, without data."""


class Health:
    """What the three endpoints answer from."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        """`checks`: name -> check, all of which must be fine for the process to be ready."""
        self._checks = dict(checks)
        self._started = False
        self._draining = False

    def started(self) -> None:
        """Everything has been set up; before, the process is neither started nor ready."""
        self._started = True

    def drain(self) -> None:
        """SIGTERM came: not ready any more, so that nobody sends new work, while the old is finished."""
        self._draining = True

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """(ready, reason per check)."""
        reasons = await asyncio.gather(*(_reason(check) for check in self._checks.values()))
        found: dict[str, str | None] = dict(zip(self._checks, reasons, strict=True))
        found["started"] = None if self._started else "still starting"
        found["accepting"] = "shutting down" if self._draining else None
        checks = {name: {"ok": reason is None, "reason": reason or "fine"} for name, reason in found.items()}
        ready = all(check["ok"] for check in checks.values())
        return ready, {"ready": ready, "checks": checks}

    def routes(self) -> list[Route]:
        """The endpoints, for any Starlette application."""
        return [Route("/livez", self._livez), Route("/readyz", self._readyz), Route("/startupz", self._startupz)]

    async def _livez(self, _: Request) -> Response:
        """The event loop answers: that is all that a restart could mend."""
        return _json(READY, {"alive": True})

    async def _readyz(self, _: Request) -> Response:
        ready, report = await self.report()
        return _json(READY if ready else NOT_READY, report)

    async def _startupz(self, _: Request) -> Response:
        return _json(READY if self._started else NOT_READY, {"started": self._started})


async def _reason(check: Check) -> str | None:
    try:
        return await within(CHECK_SECONDS_MAX, check())
    except Unavailable:
        return f"no answer within {CHECK_SECONDS_MAX:g} s"
    except Exception as error:  # noqa: BLE001  # a check that fails is a reason, whatever it fails with
        return type(error).__name__


def _json(status: int, body: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json", headers={"Cache-Control": "no-store"})
