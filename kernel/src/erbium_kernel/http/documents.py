"""What people read: /openapi.json, /docs as a plain page, /problems/<code>."""

import re
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from erbium_kernel.errors import Rejected
from erbium_kernel.http.doorway import passage
from erbium_kernel.http.field_tables import e, prose
from erbium_kernel.http.problem import KINDS, Kind, kind_of, problem
from erbium_kernel.http.reference_page import ADDRESS, plain_page, reference_page

_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def mount(app: FastAPI, document: dict[str, Any]) -> None:
    """Adds the three addresses; none of them needs a token, since none of them says anything about anybody."""
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    page = reference_page(document)

    async def openapi(request: Request) -> Response:
        passage(request).route = "GET /openapi.json"
        return Response(text, media_type="application/json")

    async def docs(request: Request) -> Response:
        passage(request).route = "GET /docs"
        return HTMLResponse(page.replace(ADDRESS, e(_address(request))))

    async def explain(request: Request) -> Response:
        here = passage(request)
        here.route = "GET /problems/{code}"
        kind, told = _kind(request.path_params["code"])
        if kind is None:
            return problem("not-found", "There is no problem of this code in this service.").response(here.request_id.urn, here.trace_id)
        what = f"<h1>{e(kind.title)}</h1><p>Code <code>{e(kind.code)}</code>, status {kind.status}.</p>"
        return HTMLResponse(plain_page(kind.title, f"{what}<p>{prose(told)}</p><p><b>What to do:</b> {prose(kind.do)}</p>"))

    app.add_route("/openapi.json", openapi, include_in_schema=False)
    app.add_route("/docs", docs, include_in_schema=False)
    app.add_route("/problems/{code}", explain, include_in_schema=False)


def _kind(code: str) -> tuple[Kind | None, str]:
    """The kind, and what a rule of this code says."""
    refusal = next((kind for kind in Rejected.family() if kind.slug == code), None)
    if refusal is None:
        return KINDS.get(code), ""
    return kind_of(refusal), refusal.sentence()


def _address(request: Request) -> str:
    """Where the caller reads the page from; nothing where the host is none, since it comes from the caller."""
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host}" if _HOST.fullmatch(host) else ""
