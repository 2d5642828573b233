"""Addresses: the short way to an endpoint leads where the router leads."""

import re
from importlib import import_module

import pytest
from fastapi import FastAPI
from starlette.routing import Match

from erbium_kernel.http.addresses import Addresses
from erbium_kernel.http.app import create_app
from erbium_kernel.http.edge import Guarded
from erbium_kernel.service import Service
from tests.kernel.http.conftest import Door
from tests.kernel.http.ward_app import ODD_WARD

SERVICES = ("screening", "scheduling", "device_telemetry", "aftercare")


def routes(app: FastAPI) -> list[Guarded]:
    """All addresses of ours."""
    return [route for route in app.router.routes if isinstance(route, Guarded)]


@pytest.mark.parametrize("service", SERVICES)
def test_the_short_way_is_the_routers(door: Door, service: str) -> None:
    """Every address of a service is found, with its parameters, and it is the first that the router would find."""
    declared: Service = import_module(f"{service}.wiring").SERVICE
    app = create_app(declared, door.runtime, None, door.bearers.verifier)
    addresses = Addresses(app.router)
    assert len(routes(app)) > 5
    for route in routes(app):
        (method,) = route.methods or ()
        path = re.sub(r"\{(\w+)\}", r"a-\1", route.path)
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        first, told = next((one, told) for one in app.router.routes for told in [one.matches(dict(scope))] if told[0] is Match.FULL)
        assert first is route, f"{method} {path} is shadowed"
        assert addresses.found(method, path) == (route.app, told[1]["path_params"])


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1"), ("POST", "/v1/"), ("POST", "/v1/beds/"), ("POST", "/v1/beds//discharge"), ("HEAD", "/v1/meta"), ("BREW", "/v1/meta"),
     ("GET", "v1/meta"), ("GET", ""), ("GET", "/v1/meta/more"), ("GET", "//v1/meta")],
)  # fmt: skip
async def test_what_is_no_address(door: Door, method: str, path: str) -> None:
    """What does not fit exactly is the router's to answer: 404, 405."""
    app = create_app(ODD_WARD, door.runtime, None, door.bearers.verifier)
    assert Addresses(app.router).found(method, path) is None
    if path.startswith("/"):
        assert (await door.client.request(method, path)).status_code in (404, 405)
