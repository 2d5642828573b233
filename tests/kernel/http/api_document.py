"""An OpenAPI document as the tests read it."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from jsonschema import Draft202012Validator

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One documented operation; `document` is the whole, for its references."""

    id: str
    method: str
    path: str
    found: dict[str, Any]
    document: dict[str, Any]

    @property
    def success(self) -> int:
        """The documented 2xx."""
        return next(int(status) for status in self.found["responses"] if status.startswith("2"))

    @property
    def public(self) -> bool:
        """Does it need no token?"""
        return not self.found["security"]

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """All parameters, references followed."""
        return [self.followed(each) for each in self.found.get("parameters", [])]

    @property
    def path_names(self) -> list[str]:
        """Names in the path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def keyed(self) -> bool:
        """Does it take an Idempotency-Key?"""
        return any(each["name"] == "Idempotency-Key" for each in self.parameters)

    @property
    def changes(self) -> bool:
        """Does it take If-Match?"""
        return any(each["name"] == "If-Match" for each in self.parameters)

    @property
    def body_type(self) -> str | None:
        """The media type of its body."""
        return next(iter(self.found.get("requestBody", {}).get("content", {})), None)

    @property
    def body_schema(self) -> dict[str, Any]:
        """The schema of its body, references followed."""
        return self.followed(self.found["requestBody"]["content"][self.body_type]["schema"])

    @property
    def example(self) -> Any:
        """The documented request."""
        return copy.deepcopy(self.found["requestBody"]["content"][self.body_type].get("example")) if self.body_type else None

    @property
    def answer_example(self) -> Any:
        """The documented answer."""
        return self._answer.get("example")

    @property
    def _answer(self) -> dict[str, Any]:
        content: dict[str, dict[str, Any]] = self.found["responses"][str(self.success)]["content"]
        return next(iter(content.values()))

    @property
    def answer_types(self) -> set[str]:
        """The content types it is documented to answer in."""
        return set(self.found["responses"][str(self.success)]["content"])

    @property
    def versioned(self) -> bool:
        """Does its answer name a version?"""
        return "ETag" in self.found["responses"][str(self.success)]["headers"]

    def address(self, values: Mapping[str, Any]) -> str:
        """The path with its names filled in."""
        missing = [name for name in self.path_names if name not in values]
        assert not missing, f"{self.id}: give every_endpoint(values=…) the path's {missing}"
        return re.sub(r"{(\w+)}", lambda name: str(values[name[1]]), self.path)

    def required_query(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Required query parameters, from `values`."""
        return {each["name"]: str(values[each["name"]]) for each in self.parameters if each["in"] == "query" and each.get("required")}

    def content(self, body: Any) -> bytes | None:
        """A body as it is sent."""
        if self.body_type is None or body is None:
            return None
        return body.encode() if isinstance(body, str) and self.body_type != "application/json" else json.dumps(body).encode()

    def other_bodies(self) -> Iterator[dict[str, Any]]:
        """The example with one field changed, in ways of which one fits the schema."""
        example = self.example
        if not isinstance(example, dict) or self.body_type != "application/json":
            return
        required = self.body_schema.get("required", [])
        for name, value in example.items():
            if name not in required:
                yield {other: kept for other, kept in example.items() if other != name}
            yield from ({**example, name: changed} for changed in _changed(value))

    def followed(self, value: dict[str, Any]) -> dict[str, Any]:
        """The value behind a reference."""
        while "$ref" in value:
            found: Any = self.document
            for step in value["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            value = found
        return value


def operations_of(document: dict[str, Any]) -> list[Operation]:
    """All operations in the document's order."""
    return [
        Operation(found["operationId"], method.upper(), path, found, document)
        for path, methods in document["paths"].items()
        for method, found in methods.items()
        if method in METHODS
    ]


def conforms(operation: Operation, value: Any, what: str) -> None:
    """Checks a value against the documented schema of the operation's answer."""
    schema = {**operation._answer["schema"], "components": operation.document["components"]}
    faults = [f"{fault.json_path}: {fault.message}" for fault in Draft202012Validator(schema).iter_errors(value)]
    assert not faults, f"{operation.id}: {what} does not fit its schema: {faults[:3]}"


def _changed(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1]
    if not isinstance(value, str):
        return []
    changed = [value[:-1] + ("0" if value[-1:] != "0" else "1"), value + "x"]
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        changed.append(str(date.fromisoformat(value) - timedelta(days=1)))
    return changed
