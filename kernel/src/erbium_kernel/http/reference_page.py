"""The reference of one service as one page: it needs no script, nothing from elsewhere, and no token."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from erbium_kernel.http.field_tables import e, field_table, named_tables, prose, type_of
from erbium_kernel.identity.rights import RIGHTS

ADDRESS = "\0address\0"  # stands for the scheme and host that the page is read from
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:0 1.5rem 4rem;max-width:82rem;color:#1c1c1c;background:#fff}"
    "a{color:#0b57a4}h2{margin-top:3rem;border-bottom:1px solid #ccc}h3{margin-top:2.5rem}h4{margin:1.2rem 0 .3rem}"
    "section{scroll-margin-top:1rem}code{font-size:.92em}pre{background:#f4f4f2;padding:.8rem;overflow-x:auto;font-size:13px}"
    "table{border-collapse:collapse;font-size:14.5px;display:block;overflow-x:auto}td,th{text-align:left;padding:.2rem 1rem .2rem 0;"
    "vertical-align:top;border-top:1px solid #e4e4e0}th{font-weight:600;border-top:0}td:first-child{white-space:nowrap}"
    "td:last-child{min-width:16rem}.m{display:inline-block;min-width:3.6rem;font-weight:600}summary{cursor:pointer;padding:.2rem 0}"
    "nav{font-size:14px;line-height:1.45}nav b{display:block;margin-top:.9rem}nav a{display:block;text-decoration:none;padding:.1rem 0}"
    "@media(min-width:64rem){body.r{display:grid;grid-template-columns:19rem minmax(0,1fr);column-gap:2.5rem}"
    "nav{position:sticky;top:0;max-height:100vh;overflow-y:auto;padding:1rem 0}}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#e6e6e6}pre{background:#222}a{color:#8ab4f8}td,th{border-color:#333}"
    "h2{border-color:#444}}"
)
EXAMPLE_DATE = "2026-05-04"
EXAMPLE_COLUMNS_MAX = 100
Json = dict[str, Any]


def plain_page(title: str, content: str, *, columns: bool = False) -> str:
    """A whole HTML page. `content` is HTML already."""
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{e(title)}</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body{' class=r' if columns else ''}>{content}</body></html>"


def reference_page(document: Json) -> str:
    """The page of an OpenAPI document; `ADDRESS` in it is still to be replaced."""
    tags = [tag["name"] for tag in document.get("tags", [])]
    operations = [(path, method, found) for path, methods in document["paths"].items() for method, found in methods.items()]
    of_tag = {tag: [each for each in operations if tag in each[2].get("tags", [])] for tag in tags}
    main = "".join([_head(document), *_operations(of_tag, document), *_types(document)])
    return plain_page(document["info"]["title"], f"{_contents(of_tag)}<main>{main}</main>", columns=True)


def _contents(of_tag: Mapping[str, list[tuple[str, str, Json]]]) -> str:
    links = "".join(
        f"<b>{e(tag)}</b>"
        + "".join(
            f"<a href=#{e(each['operationId'])} title='{e(method.upper())} {e(path)}'>{e(each['summary'])}</a>"
            for path, method, each in found
        )
        for tag, found in of_tag.items()
    )
    return f"<nav><b><a href=#types>Types</a><a href=#headers>Headers</a></b>{links}</nav>"


def _head(document: Json) -> str:
    info = document["info"]
    return (
        f"<h1>{e(info['title'])}</h1><p>{prose(info.get('description', ''))}</p>"
        "<p>The same for machines: <a href=/openapi.json>/openapi.json</a>. The commands below are ready to be pasted once "
        "<code>$TOKEN</code> holds an access token and each <code>$NAME</code> in an address its value.</p>"
    )


def _operations(of_tag: Mapping[str, list[tuple[str, str, Json]]], document: Json) -> Iterator[str]:
    for tag, found in of_tag.items():
        yield f"<h2>{e(tag)}</h2>"
        for path, method, operation in found:
            others = [(where, how, each) for where, how, each in found if each is not operation]
            yield _operation(path, method.upper(), operation, document) + _see_also(path, others) + "</section>"


def _operation(path: str, method: str, operation: Json, document: Json) -> str:
    title = f"<section id={e(operation['operationId'])}><h3><span class=m>{method}</span> <code>{e(path)}</code></h3>"
    told = "</p><p>".join(prose(paragraph) for paragraph in operation.get("description", "").split("\n\n"))
    parts = [title, f"<p><b>{e(operation['summary'])}.</b> {told}</p>", _scope(operation)]
    parts.append(_parameters([followed(each, document) for each in operation.get("parameters", [])]))
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(_content(f"Body ({kind})", content["schema"], document))
    parts.append(f"<h4>Try it</h4><pre>{e(curl(path, method, operation, document))}</pre>")
    answers = {status: followed(answer, document) for status, answer in operation["responses"].items()}
    parts += [_success(status, answer, document) for status, answer in answers.items() if status.startswith("2")]
    parts.append(_problems({status: answer for status, answer in answers.items() if not status.startswith("2")}))
    return "".join(parts)


def _scope(operation: Json) -> str:
    scopes = [scope for way in operation["security"] for scope in way.get("oauth2", [])]
    if not scopes:
        return "<p>Public: no token.</p>"
    roles = ", ".join(role for role, granted in RIGHTS.items() if set(scopes) <= granted)
    return f"<p>Scope <code>{e(' '.join(scopes))}</code>, which these roles have: {e(roles)}.</p>"


def _parameters(parameters: list[Json]) -> str:
    rows = "".join(
        f"<tr><td><code>{e(each['name'])}</code><td>{e(each['in'])}<td>{type_of(each['schema'])}"
        f"<td>{'yes' if each.get('required') else 'no'}<td>{_meaning(each)}"
        for each in parameters
    )
    head = "<h4>Parameters</h4><table><tr><th>name<th>in<th>type<th>required<th>meaning"
    return f"{head}{rows}</table>" if rows else ""


def _meaning(parameter: Json) -> str:
    """What a parameter is for; of a header, which stands with many operations, the first sentence and the way to the rest."""
    told = parameter.get("description") or parameter["schema"].get("description", "")
    first, _, rest = told.partition(". ")
    if parameter["in"] != "header" or not rest:
        return prose(told)
    return f"{prose(first)}. <a href='#request-{e(parameter['name'])}'>More</a>"


def _content(title: str, schema: Json, document: Json) -> str:
    whole = followed(schema, document)
    described = prose(whole.get("description", ""))
    return f"<h4>{e(title)}</h4><p>{described}</p>{field_table(whole)}"


def _success(status: str, answer: Json, document: Json) -> str:
    parts = []
    for kind, content in answer.get("content", {}).items():
        parts.append(_content(f"Answer {status} ({kind})", content["schema"], document))
        if "example" in content:
            shown = content["example"] if isinstance(content["example"], str) else _json(content["example"])
            parts.append(f"<details><summary>Example</summary><pre>{e(shown)}</pre></details>")
    names = ", ".join(f"<a href=#header-{e(name)}>{e(name)}</a>" for name in answer.get("headers", {}))
    return "".join(parts) + (f"<p>Headers: {names}</p>" if names else "")


def _problems(answers: Mapping[str, Json]) -> str:
    rows = []
    for status, answer in answers.items():
        examples = [code for content in answer.get("content", {}).values() for code in content.get("examples", {})]
        codes = ", ".join(f"<a href='/problems/{e(code)}'><code>{e(code)}</code></a>" for code in examples)
        rows.append(f"<tr><td>{e(status)}<td>{prose(answer.get('description', '').partition('. Here:')[0])}<td>{codes}")
    return f"<details><summary>Other answers</summary><table><tr><th>status<th>meaning<th>codes{''.join(rows)}</table></details>"


def _see_also(path: str, others: list[tuple[str, str, Json]]) -> str:
    near = [(where, how, each) for where, how, each in others if where.startswith(path) or path.startswith(where)]
    links = ", ".join(f"<a href=#{e(each['operationId'])}>{e(how.upper())} {e(where)}</a>" for where, how, each in near)
    return f"<p>See also: {links}</p>" if links else ""


def _types(document: Json) -> Iterator[str]:
    yield "<h2 id=types>Types</h2>"
    yield from named_tables(document["components"]["schemas"])
    yield "<h2 id=headers>Headers of requests</h2><table><tr><th>name<th>meaning"
    for each in document["components"]["parameters"].values():
        yield f"<tr id='request-{e(each['name'])}'><td><code>{e(each['name'])}</code><td>{prose(each['description'])}"
    yield "</table><h2>Headers of answers</h2><table><tr><th>name<th>meaning"
    known = {name: each for methods in document["paths"].values() for found in methods.values() for name, each in _headers_of(found)}
    for name, each in sorted(known.items()):
        yield f"<tr id='header-{e(name)}'><td><code>{e(name)}</code><td>{prose(followed(each, document).get('description', ''))}"
    yield "</table>"


def _headers_of(operation: Json) -> Iterator[tuple[str, Json]]:
    for answer in operation["responses"].values():
        yield from answer.get("headers", {}).items()


def curl(path: str, method: str, operation: Json, document: Json) -> str:
    """The documented example as a command line; what stands in the address comes from shell variables."""
    parameters = [followed(each, document) for each in operation.get("parameters", [])]
    query = "&".join(f"{each['name']}={_sample(each)}" for each in parameters if each["in"] == "query" and each.get("required"))
    address = path
    for each in parameters:
        if each["in"] == "path":
            address = address.replace(f"{{{each['name']}}}", f"${each['name'].upper()}")
    parts = [f'curl -X {method} "{ADDRESS}{address}{"?" if query else ""}{query}"']
    if operation["security"]:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    parts += [f"-H '{each['name']}: {each.get('example', '')}'" for each in parameters if each["in"] == "header" and each.get("required")]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        example = content.get("example")
        text = example if isinstance(example, str) else _json(example)
        quoted = text.replace("'", "'\\''")
        parts += [f"-H 'Content-Type: {kind}'", f"--data-binary '{quoted}'"]
    return " \\\n  ".join(parts)


def _sample(parameter: Json) -> str:
    schema = parameter["schema"]
    schema = schema.get("items", schema)
    if "enum" in schema:
        return str(schema["enum"][0])
    return EXAMPLE_DATE if schema.get("format") == "date" else f"${parameter['name'].upper()}"


def followed(value: Json, document: Json) -> Json:
    """The value behind a reference."""
    if "$ref" not in value:
        return value
    found: Any = document
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _json(value: Any, depth: int = 0) -> str:
    """JSON for people: what fits on a line stands on one."""
    short = json.dumps(value, ensure_ascii=False)
    if len(short) + 2 * depth <= EXAMPLE_COLUMNS_MAX or not isinstance(value, dict | list):
        return short
    indent, end = "  " * (depth + 1), "  " * depth
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"{indent}{_json(one, depth + 1)}" for one in value) + f"\n{end}]"
    parts = [f"{indent}{json.dumps(name, ensure_ascii=False)}: {_json(one, depth + 1)}" for name, one in value.items()]
    return "{\n" + ",\n".join(parts) + f"\n{end}}}"
