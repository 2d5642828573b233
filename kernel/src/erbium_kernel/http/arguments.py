"""A handler's arguments out of a request. FastAPI has described the parameters and checks each; the rest of its machinery has no work here.

Why not its own solver: bodies, errors and answers are the edge's, and nothing that a handler is given has to be closed behind it.
"""

from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from starlette.requests import Request

from erbium_kernel.http.call import Call
from erbium_kernel.http.doorway import passage
from erbium_kernel.http.problem import Faulty
from erbium_kernel.http.validation import parameter_faults


async def call_of(request: Request) -> Call:
    """The dependency behind a handler's parameter of type `Call`."""
    call: Call = passage(request).call
    return call


async def arguments(dependant: Dependant, request: Request) -> dict[str, Any]:
    """Name -> value. Raises: Faulty (422), which names every parameter that does not fit."""
    errors: list[Any] = []
    values = await _solved(dependant, request, errors)
    if errors:
        raise Faulty("request-invalid", "A parameter does not fit.", errors=parameter_faults(errors))
    return values


async def _solved(dependant: Dependant, request: Request, errors: list[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in dependant.dependencies:
        if part.call is call_of and part.name:
            values[part.name] = passage(request).call
            continue
        assert part.call is not None, "a dependency is a function"
        before = len(errors)
        given = await _solved(part, request, errors)
        if part.name and len(errors) == before:
            values[part.name] = await part.call(**given)
    for field in dependant.path_params:  # each is there, once: else the address would not have fitted
        values[field.name], wrong = field.validate(request.path_params[field.alias], loc=("path", field.alias))
        errors.extend(wrong)
    if dependant.query_params:
        found, wrong = request_params_to_args(dependant.query_params, request.query_params)
        values.update(found)
        errors.extend(wrong)
    if dependant.request_param_name:
        values[dependant.request_param_name] = request
    return values
