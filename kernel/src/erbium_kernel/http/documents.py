"""What people read: /openapi.json, /docs as a plain page that needs nothing from elsewhere, /problems/<code>."""

import html
import json
from collections.abc import Iterator
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from erbium_kernel.errors import Rejected
from erbium_kernel.http.doorway import passage
from erbium_kernel.http.problem import KINDS, Kind, problem

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}"
    "pre{background:#f4f4f2;padding:.8rem;overflow-x:auto;font-size:13px}code{font-size:.95em}h2{margin-top:2.5rem}"
    "summary{cursor:pointer;padding:.3rem 0}b.m{display:inline-block;min-width:4.5rem}table{border-collapse:collapse}"
    "td,th{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#eaeaea}pre{background:#222}a{color:#8ab4f8}}"
)


def mount(app: FastAPI, document: dict[str, Any]) -> None:
    """Adds the three addresses; none of them needs a token, since none of them says anything about anybody."""
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    page = _page(document["info"]["title"], "".join(_reference(document)))

    async def openapi(request: Request) -> Response:
        passage(request).route = "GET /openapi.json"
        return Response(text, media_type="application/json")

    async def docs(request: Request) -> Response:
        passage(request).route = "GET /docs"
        return HTMLResponse(page)

    async def explain(request: Request) -> Response:
        passage(request).route = "GET /problems/{code}"
        kind = _kind(request.path_params["code"])
        if kind is None:
            here = passage(request)
            return problem("not-found", "There is no such kind of problem here.").response(here.request_id.urn, here.trace_id)
        return HTMLResponse(_page(kind.title, f"<p>Code <code>{_e(kind.code)}</code>, status {kind.status}.</p><p>{_e(kind.do)}</p>"))

    app.add_route("/openapi.json", openapi, include_in_schema=False)
    app.add_route("/docs", docs, include_in_schema=False)
    app.add_route("/problems/{code}", explain, include_in_schema=False)


def _kind(code: str) -> Kind | None:
    if code in KINDS:
        return KINDS[code]
    refusal = next((kind for kind in Rejected.family() if kind.slug == code), None)
    return Kind(refusal.slug, 409, " ".join((refusal.__doc__ or "").split()), refusal.do) if refusal else None


def _page(title: str, content: str) -> str:
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>{_e(title)}</title><style>{STYLE}</style><h1>{_e(title)}</h1>{content}"


def _reference(document: dict[str, Any]) -> Iterator[str]:
    yield f"<p>{_e(document['info'].get('description', ''))} The same for machines: <a href=/openapi.json>/openapi.json</a>.</p>"
    tags = [tag["name"] for tag in document.get("tags", [])]
    for tag in tags:
        yield f"<h2>{_e(tag)}</h2>"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag in operation.get("tags", []):
                    yield _operation(path, method.upper(), operation, document)


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    scopes = [scope for way in operation["security"] for scope in way.get("oauth2", [])]
    parts = [f"<p>{_e(operation.get('description', ''))}</p>", f"<p>Scope: <code>{_e(' '.join(scopes) or 'none, public')}</code></p>"]
    parts.append(_parameters([_followed(each, document) for each in operation.get("parameters", [])]))
    parts.append(f"<p>Try it</p><pre>{_e(_curl(path, method, operation, document))}</pre>")
    for status, answer in operation["responses"].items():
        parts.append(_answer(status, _followed(answer, document)))
    title = (
        f"<summary id={_e(operation['operationId'])}><b class=m>{method}</b> <code>{_e(path)}</code> {_e(operation['summary'])}</summary>"
    )
    return f"<details>{title}{''.join(parts)}</details>"


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td><code>{_e(each['name'])}</code><td>{_e(each['in'])}{', required' if each.get('required') else ''}"
        f"<td>{_e(each.get('description', ''))}"
        for each in parameters
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _answer(status: str, answer: dict[str, Any]) -> str:
    content: dict[str, Any] = next(iter(answer.get("content", {}).values()), {})
    shown = f"<pre>{_e(_json(content['example']))}</pre>" if "example" in content and status.startswith("2") else ""
    return f"<p><code>{_e(status)}</code> {_e(answer.get('description', ''))}</p>{shown}"


def _curl(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [f"curl -X {method} http://127.0.0.1:PORT{path}"]
    if operation["security"]:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    for each in (_followed(parameter, document) for parameter in operation.get("parameters", [])):
        if each["in"] == "header" and each.get("required"):
            parts.append(f"-H '{each['name']}: {each.get('example', '')}'")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        example = content.get("example")
        parts.append(f"-H 'Content-Type: {kind}'")
        parts.append(f"--data-binary '{example if isinstance(example, str) else _json(example)}'")
    return " \\\n  ".join(parts)


def _followed(value: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = document
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _e(text: object) -> str:
    return html.escape(str(text))
