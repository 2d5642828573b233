"""The parameter `as_recorded` of addresses that can look back: which instants it takes, and what it makes of the call."""

import inspect
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator

from erbium_kernel.http.call import Call
from erbium_kernel.http.problem import Faulty
from erbium_kernel.http.routes import Operation
from erbium_kernel.http.validation import parameter_fault
from erbium_kernel.looking_back import Past

NAME, HEADER = "as_recorded", "Erbium-As-Recorded"
REASON = "must be an instant like 2026-05-01T09:30:00Z"
DESCRIPTION = (
    "An instant (RFC 3339, with its offset): the answer is what was recorded by then, with what has been learned later left out. "
    f"It carries {HEADER} and no ETag; persons who are erased by now are not found."
)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


def _written(value: Any) -> Any:
    """Why: pydantic takes numbers for instants too, and a mistyped one would look back to 1970."""
    if isinstance(value, str) and not _RFC_3339.fullmatch(value):
        raise ValueError(REASON)
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
PARAMETER = inspect.Parameter(
    NAME, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Instant | None, Query(description=DESCRIPTION)]
)


def looking_back(call: Call, operation: Operation, at: datetime | None, values: Mapping[str, Any]) -> None:
    """The call reads the past from here on, if it was asked to. Raises: Faulty (422) on an instant to come."""
    if at is None or operation.as_recorded is None:
        return
    if at > call.now():
        told = [parameter_fault("query", NAME, "must not lie in the future: nothing has been recorded there")]
        raise Faulty("request-invalid", "A parameter does not fit.", errors=told)
    stream_id = values[operation.as_recorded.by]
    assert isinstance(stream_id, UUID), f"{operation.name}: {operation.as_recorded.by} names no stream"
    call.past = Past(declared=operation.as_recorded, stream_id=stream_id, at=at.astimezone(UTC))
    call.headers[HEADER] = call.past.at.isoformat().replace("+00:00", "Z")
