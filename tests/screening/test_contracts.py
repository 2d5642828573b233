"""What screening publishes is what its contracts say, word by word; and it decodes what the contracts of the others say."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from screening.heard import HEARD
from screening.patient.events import EVENTS
from screening.published import PUBLISHED_AS, messages
from tests.screening.recorded import PATIENT, RECORDED, envelope
from tests.screening.story import rulebook

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
OURS = sorted((CONTRACTS / "screening").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    """A contract."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def published() -> dict[str, Any]:
    """Fact -> the data of the message that the example event leads to."""
    found: dict[str, Any] = {}
    for name, event in RECORDED.items():
        for message in messages(envelope(name), event):
            found.setdefault(message.fact, json.loads(msgspec.json.encode(message.data)))
    return found


def test_every_published_fact_has_its_contract() -> None:
    """No fact without a contract, no contract without a fact."""
    assert {f"{fact}.v1.json" for fact in published()} == {path.name for path in OURS}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_published_output_is_the_golden_example(path: Path) -> None:
    """The message of the example event is the contract's example, and fits its schema with formats checked."""
    contract = read(path)
    assert published()[contract["fact"]] == contract["example"]
    Draft202012Validator.check_schema(contract["schema"])
    faults = Draft202012Validator(contract["schema"], format_checker=FormatChecker()).iter_errors(contract["example"])
    assert [fault.message for fault in faults] == []
    assert contract["owner"] == "screening"
    assert set(contract["schema"]["required"]) == set(contract["schema"]["properties"])


@pytest.mark.parametrize("type_", sorted(HEARD))
def test_what_others_promise_is_what_we_read(type_: str) -> None:
    """Every fact we hear decodes from its owner's golden example, as soon as that contract is there."""
    _, service, fact = type_.split(".")
    path = CONTRACTS / service / f"{fact}.v1.json"
    if not path.exists():
        pytest.skip(f"{service} has no contract for {fact} yet")
    record: Any = msgspec.convert(read(path)["example"], HEARD[type_].record, strict=False)
    assert record is not None


def test_a_correction_replaces_the_report() -> None:
    """It is published under the same fact and the same procedure id."""
    (first,) = messages(envelope("procedure-reported"), RECORDED["procedure-reported"])
    (second,) = messages(envelope("procedure-corrected"), RECORDED["procedure-corrected"])
    assert first.fact == second.fact == "procedure-reported"
    assert first.data.procedure_id == second.data.procedure_id
    assert second.data.on.isoformat() == "2026-03-10"
    assert second.data.patient_id == PATIENT


def test_words_of_the_contract() -> None:
    """Every kind of procedure has a word in the contract, except waxing, which is ours alone."""
    kinds = read(CONTRACTS / "screening" / "procedure-reported.v1.json")["schema"]["properties"]["kind"]["enum"]
    assert set(PUBLISHED_AS.values()) == set(kinds)
    assert rulebook().procedure_kinds() - set(PUBLISHED_AS) == {"waxing"}


def test_what_stays_inside() -> None:
    """Answers, examinations, overrides and what was heard are nobody else's."""
    silent = {name for name, event in RECORDED.items() if not messages(envelope(name), event)}
    assert silent == set(EVENTS) - {path.name.removesuffix(".v1.json") for path in OURS} - {"procedure-corrected"} | {"clinic-noted"}
