"""What an integrator reads: each service's OpenAPI document is valid and explains what is to be sent."""

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator import validate as validate_openapi

from erbium_kernel.http.reference_page import reference_page
from erbium_kernel.identity.rights import SCOPES
from tests.contracts.test_api_freeze import SERVICES, document, operations


def bodies(api: dict[str, Any]) -> dict[str, Any]:
    """The named schemas of request bodies, those inside them included."""
    found: dict[str, Any] = {}
    waiting = [content["schema"] for _, one in operations(api) for content in one.get("requestBody", {}).get("content", {}).values()]
    while waiting:
        for name in references(waiting.pop()):
            if name not in found:
                found[name] = api["components"]["schemas"][name]
                waiting.append(found[name])
    return found


def references(value: Any) -> Iterator[str]:
    """The names of all schemas that are referred to."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for inner in value.values():
            yield from references(inner)
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


@pytest.mark.parametrize("service", SERVICES)
def test_the_document_is_valid(service: str) -> None:
    """OpenAPI 3.1, with scopes that exist and an explanation of each."""
    api = document(service)
    validate_openapi(api, cls=OpenAPIV31SpecValidator)
    told = api["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"]
    assert told == {scope: SCOPES[scope] for scope in told}


@pytest.mark.parametrize("service", SERVICES)
def test_every_field_that_is_sent_is_explained(service: str) -> None:
    """Each field of each body says what it means, not only what type it has."""
    silent = {
        f"{name}.{field}"
        for name, schema in bodies(document(service)).items()
        for field, told in schema.get("properties", {}).items()
        if not told.get("description")
    }
    assert not silent, sorted(silent)


@pytest.mark.parametrize("service", SERVICES)
def test_summaries_fit_a_list(service: str) -> None:
    """An operation's summary says in a few words what it does."""
    for name, operation in operations(document(service)):
        assert 5 < len(operation["summary"]) <= 90, f"{name}: {operation['summary']}"


def test_the_report_is_a_page_or_a_picture() -> None:
    """A treatment's report is documented as what it is: HTML, or SVG; never JSON."""
    answer = document("device-telemetry")["paths"]["/v1/treatments/{treatment_id}/report"]["get"]["responses"]["200"]
    assert set(answer["content"]) == {"text/html", "image/svg+xml"}


def test_who_may_what_is_on_the_page() -> None:
    """The page of a service says with each operation whose roles may do it."""
    page = reference_page(document("scheduling"))
    assert "<code>scheduling:approve</code>, which these roles have: doctor, medical_director." in page
    assert "<code>screening:erase</code>, which these roles have: privacy_officer." in reference_page(document("screening"))
