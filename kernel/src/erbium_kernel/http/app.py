"""The application of one service: its routes behind the edge, its documentation, nothing else."""

from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from erbium_kernel import after
from erbium_kernel.http import documents, our_routes
from erbium_kernel.http.addresses import Addresses
from erbium_kernel.http.doorway import Doorway
from erbium_kernel.http.edge import Bearers, Edge, Followed, Guarded
from erbium_kernel.http.endpoint import Endpoint
from erbium_kernel.http.openapi import openapi_document
from erbium_kernel.http.routes import Operation
from erbium_kernel.observing.tracing import telemetry
from erbium_kernel.runtime import Runtime
from erbium_kernel.service import Service

BASE = "/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the documentation and /v1/meta say about this process. `token_url` is where tokens come from."""

    build: str = "development"
    token_url: str = "/token"  # noqa: S105  # an address
    development: bool = False


def create_app(
    service: Service,
    runtime: Runtime,
    engine: AsyncEngine | None,
    verifier: Bearers,
    *,
    followed: Followed | None = None,
    about: About | None = None,
) -> FastAPI:
    """The service's ASGI application.

    `engine` reads the read tables (None: there are none); `followed(chain_id, id, seconds)` waits for an event or message: if None,
    until the subscribers of the service have followed it (`after.py`).
    Raises: AssertionError on two operations of one name or one address.
    """
    about = about or About()
    operations = _operations(service, about)
    app = FastAPI(
        title=f"Erbium {service.name}",
        version="1.0.0",
        openapi_url=None,  # served by `documents`
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=telemetry(),
    )
    waits: Followed = followed or partial(after.followed, runtime, service)
    app.state.edge = Edge(runtime=runtime, bearers=verifier, engine=engine, followed=waits)
    app.state.about = about
    app.state.event_versions = {name: stored.version for decider in service.deciders for name, stored in decider.events.items()}
    for operation in operations:
        app.router.add_api_route(
            BASE + operation.path, Endpoint(operation), methods=[operation.method], operation_id=operation.name, tags=[operation.tag],
            response_model=None, status_code=operation.status, summary=operation.summary, description=operation.description,
            include_in_schema=operation.documented, route_class_override=Guarded,
        )  # fmt: skip
    document = openapi_document(app, service.name, [operation for operation in operations if operation.documented], about.token_url)
    app.openapi = lambda: document  # type: ignore[method-assign]
    documents.mount(app, document)
    # Nothing between the doorway and the router: FastAPI's own layers close what we do not open, and answer errors that we answer.
    app.build_middleware_stack = lambda: Doorway(Addresses(app.router))  # type: ignore[method-assign]
    return app


def _operations(service: Service, about: About) -> list[Operation]:
    own = [operation for routes in service.routes for operation in routes.operations]
    found = [*own, our_routes.META, *([our_routes.SHIFT_CLOCK] if about.development else [])]
    for what in ("name", "route"):
        seen = [getattr(operation, what) for operation in found]
        twice = {value for value in seen if seen.count(value) > 1}
        assert not twice, f"declared twice: {sorted(twice)}"
    return found
