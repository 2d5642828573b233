"""The endpoints that every service has: what it is, and in development what time it believes it is."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from erbium_kernel.clock import ShiftedClock
from erbium_kernel.http.body import Body, View
from erbium_kernel.http.call import Call
from erbium_kernel.http.json_body import BODY_SECONDS_MAX
from erbium_kernel.http.paging import LIMIT_DEFAULT, LIMIT_MAX
from erbium_kernel.http.request_headers import KEY_CHARACTERS_MAX
from erbium_kernel.http.routes import AFTER_SECONDS_MAX, ANSWER_SECONDS_MAX, BODY_BYTES_MAX, COMMAND, QUERY, Operation

OFFSET_SECONDS_MAX = 3_650 * 86_400  # ten years, either way
TAG = "service"


class Limits(View):
    """What a request may take."""

    body_bytes_max: int = BODY_BYTES_MAX
    body_seconds_max: float = BODY_SECONDS_MAX
    answer_seconds_max: float = ANSWER_SECONDS_MAX
    after_seconds_max: float = AFTER_SECONDS_MAX
    items_per_page: int = LIMIT_DEFAULT
    items_per_page_max: int = LIMIT_MAX
    idempotency_key_characters_max: int = KEY_CHARACTERS_MAX


class Meta(View):
    """Which service answers, and its limits."""

    service: str
    build: str
    api_version: str
    event_versions: dict[str, int]
    limits: Limits


class ShiftClock(Body):
    """Domain time minus machine time."""

    offset_seconds: Annotated[int, Field(ge=-OFFSET_SECONDS_MAX, le=OFFSET_SECONDS_MAX)]


class DomainTime(View):
    """Domain time now, and its offset from the machine's."""

    now: datetime
    offset_seconds: int


async def _meta(request: Request) -> Meta:
    state = request.app.state
    return Meta(
        service=state.edge.runtime.service,
        build=state.about.build,
        api_version="v1",
        event_versions=dict(state.event_versions),
        limits=Limits(),
    )


async def _shift(call: Call, body: ShiftClock) -> DomainTime:
    clock = call.runtime.clock
    assert isinstance(clock, ShiftedClock), "development runs on the clock that can be shifted"
    await clock.shift(call.runtime.store, timedelta(seconds=body.offset_seconds))
    return DomainTime(now=clock.now(), offset_seconds=body.offset_seconds)


META = Operation(
    kind=QUERY, method="GET", path="/meta", name="getMeta", scope=None, tag=TAG, status=200,
    summary="What this service is: build, versions of its events, limits",
    description="", handler=_meta, response=Meta,
    response_example={
        "service": "screening", "build": "0.1.0", "api_version": "v1", "event_versions": {"patient-registered": 1},
        "limits": Limits().model_dump(),
    },
)  # fmt: skip
SHIFT_CLOCK = Operation(
    kind=COMMAND, method="PUT", path="/development/clock", name="shiftClock", scope="ops:operate", tag=TAG, status=200,
    summary="Development only: run domain time at an offset from the machine's",
    description="", handler=_shift, response=DomainTime, documented=False,
    request_example={"offset_seconds": 86_400},
    response_example={"now": "2026-05-02T09:30:00Z", "offset_seconds": 86_400},
)  # fmt: skip
