"""Every problem that a caller can meet is explained, in words that do not change under its code."""

import re

import pytest

from erbium_kernel.errors import Rejected
from erbium_kernel.http.problem import KINDS
from tests.contracts.problems_page import PAGE, SERVICES, problems_page, refusals_of
from tests.contracts.test_api_freeze import document, operations

WORDS_OF_OURS = ("rulebook", "stream", "projection", "decider", ".toml", "seed", "Rejected", "fold ")  # none of a clinic's integrator


def test_problems_page_is_current() -> None:
    """`docs/problems.md` has every kind of the kernel and every rule of each service, as the code has them now."""
    assert PAGE.read_text() == problems_page(), "run `make docs`"
    codes = set(re.findall(r"^(?:## |\| )`([a-z.-]+)`", PAGE.read_text(), re.MULTILINE))
    assert codes == KINDS.keys() | {kind.slug for service in SERVICES for kind in refusals_of(service)}


@pytest.mark.parametrize("service", SERVICES)
def test_a_rule_says_what_and_what_to_do(service: str) -> None:
    """A rule's title is short and is not its sentence; sentence and advice are sentences without the words of our workshop."""
    own = [kind for kind in Rejected.family() if kind.__module__.partition(".")[0] == service.replace("-", "_")]
    assert own
    for kind in own:
        assert len(kind.heading()) <= 50, kind
        assert kind.heading() not in (kind.sentence(), kind.sentence().rstrip(".")), kind
        for told in (kind.sentence(), kind.do):
            assert re.fullmatch(r"[A-Z`].*\.", told), f"{kind.slug}: {told}"
            assert not [word for word in WORDS_OF_OURS if word in told], f"{kind.slug}: {told}"


@pytest.mark.parametrize("service", SERVICES)
def test_refusals_are_documented_under_the_status_they_are_answered_with(service: str) -> None:
    """The examples of refusals in the OpenAPI document stand under their own status."""
    found = 0
    for name, operation in operations(document(service)):
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                for code, example in content.get("examples", {}).items():
                    found += 1
                    assert str(example["value"]["status"]) == status, f"{name}: {code}"
    assert found
