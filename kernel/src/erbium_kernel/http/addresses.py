"""The usual way to an endpoint: its address is looked up part by part. What is not found here the router tells of."""

from typing import Any

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from erbium_kernel.http.edge import Guarded

TRACED = "fastapi.telemetry"  # in the scope where spans are made: the router names them


class Addresses:
    """Why before the router: it tries one pattern after the other, of thirty addresses and more, on each request."""

    def __init__(self, router: Router) -> None:
        """`router` has all addresses, those of ours among others."""
        self._router = router
        self._methods: dict[str, _Part] = {}
        for route in router.routes:
            if isinstance(route, Guarded):
                for method in route.methods or ():
                    self._methods.setdefault(method, _Part()).add(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every request."""
        found = None if scope.get("root_path") or TRACED in scope else self.found(scope["method"], scope["path"])
        if found is None:
            await self._router(scope, receive, send)
            return
        app, scope["path_params"] = found
        await app(scope, receive, send)

    def found(self, method: str, path: str) -> tuple[ASGIApp, dict[str, Any]] | None:
        """Who answers, and the parameters of the path; None: ask the router."""
        part: _Part | None = self._methods.get(method)
        values: list[str] = []
        for word in path.split("/")[1:]:
            if part is None:
                return None
            named = part.named.get(word)
            if named is None and word:
                values.append(word)
                named = part.parameter
            part = named
        if part is None or part.app is None:
            return None
        return part.app, dict(zip(part.parameters, values, strict=True))


class _Part:
    """A place in addresses: what may follow there, a word or any value of a parameter, and who answers if nothing does."""

    __slots__ = ("app", "named", "parameter", "parameters")

    def __init__(self) -> None:
        self.named: dict[str, _Part] = {}
        self.parameter: _Part | None = None
        self.parameters: tuple[str, ...] = ()
        self.app: ASGIApp | None = None

    def add(self, route: Guarded) -> None:
        """One more address that begins here."""
        part, parameters = self, []
        for word in route.path.split("/")[1:]:
            assert word[:1] + word[-1:] == "{}" or "{" not in word, f"{route.path}: a parameter is a whole part of an address"
            if word.startswith("{"):
                parameters.append(word[1:-1])
                part.parameter = part.parameter or _Part()
                part = part.parameter
            else:
                part = part.named.setdefault(word, _Part())
        if part.app is None:  # of two that fit, the router's is the first
            part.app, part.parameters = route.app, tuple(parameters)
