"""What FastAPI calls: a handler with `call`, `paging` and `body` filled in by the edge."""

import inspect
import typing
from typing import Annotated, Any

from fastapi import Depends
from pydantic import TypeAdapter
from starlette.responses import Response

from erbium_kernel.http import as_recorded
from erbium_kernel.http.answering import answer_of, public_answer_of
from erbium_kernel.http.arguments import call_of
from erbium_kernel.http.call import Call
from erbium_kernel.http.paging import Paging, paging_of
from erbium_kernel.http.routes import COMMAND, Operation

BODY = "body"  # the name that a handler gives it


_DEPENDENCIES = {Call: Annotated[Call, Depends(call_of)], Paging: Annotated[Paging, Depends(paging_of)]}


class Endpoint:
    """One operation as FastAPI sees it: its signature has the path and query parameters, and not the body."""

    def __init__(self, operation: Operation) -> None:
        """Refuses a handler whose parameters cannot be filled in."""
        self.operation = operation
        self.__name__ = operation.name
        self.__doc__ = operation.description
        hints = typing.get_type_hints(operation.handler, include_extras=True)
        parameters = inspect.signature(operation.handler).parameters.values()
        self._call = next((parameter.name for parameter in parameters if hints.get(parameter.name) is Call), None)
        self._takes_body = BODY in hints
        assert not self._takes_body or operation.kind == COMMAND, f"{operation.name}: only a command has a body"
        assert self._call or operation.scope is None, f"{operation.name}: the handler takes `call: Call`"
        self.body: TypeAdapter[Any] | None = TypeAdapter(hints[BODY]) if self._takes_body else None
        self.__signature__ = inspect.Signature(
            [
                parameter.replace(annotation=_DEPENDENCIES.get(hints[parameter.name], hints[parameter.name]), kind=parameter.KEYWORD_ONLY)
                for parameter in parameters
                if parameter.name != BODY
            ]
            + ([as_recorded.PARAMETER] if operation.as_recorded else [])
        )

    async def __call__(self, **values: Any) -> Response:
        """Calls the handler and turns its result into the response."""
        call: Call | None = values.get(self._call) if self._call else None
        if self._takes_body and call is not None:
            values[BODY] = call.body
        if call is not None and self.operation.as_recorded:
            as_recorded.looking_back(call, self.operation, values.pop(as_recorded.NAME), values)
        result = await self.operation.handler(**values)
        return public_answer_of(self.operation, result) if call is None else answer_of(call, self.operation, result)
