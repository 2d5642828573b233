"""What screening publishes is what its contracts say, word by word; and it decodes what the contracts of the others say."""

import json
from pathlib import Path

import pytest

from screening.patient.events import EVENTS
from screening.published import PUBLISHED_AS, messages
from screening.wiring import SERVICE
from tests import stored_events
from tests.screening.recorded import PATIENT, RECORDED, envelope
from tests.screening.story import rulebook

OURS = stored_events.contracts_of(SERVICE)
SAID = stored_events.by_fact(message for name, event in RECORDED.items() for message in messages(envelope(name), event))


def test_every_published_fact_has_its_contract() -> None:
    """No fact without a contract, no contract without a fact."""
    stored_events.check_every_fact_has_a_contract(SERVICE, SAID)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_published_output_is_the_golden_example(path: Path) -> None:
    """The message of the example event is the contract's example, and fits its schema with formats checked."""
    stored_events.check_contract(SERVICE, path, SAID)


@pytest.mark.parametrize("type_", sorted(SERVICE.heard))
def test_what_others_promise_is_what_we_read(type_: str) -> None:
    """Every fact we hear decodes from its owner's golden example."""
    stored_events.check_promise_is_read(SERVICE, type_)


def test_a_correction_replaces_the_report() -> None:
    """It is published under the same fact and the same procedure id."""
    (first,) = messages(envelope("procedure-reported"), RECORDED["procedure-reported"])
    (second,) = messages(envelope("procedure-corrected"), RECORDED["procedure-corrected"])
    assert first.fact == second.fact == "procedure-reported"
    assert first.data.procedure_id == second.data.procedure_id
    assert second.data.on.isoformat() == "2026-03-10"
    assert second.data.patient_id == PATIENT


def test_words_of_the_contract() -> None:
    """Every kind of procedure has a word in the contract. Why every: a correction to a kind without one would leave the old word."""
    contract = json.loads((stored_events.CONTRACTS / "screening" / "procedure-reported.v1.json").read_text())
    kinds = contract["schema"]["properties"]["kind"]["enum"]
    assert set(PUBLISHED_AS.values()) == set(kinds)
    assert rulebook().procedure_kinds == set(PUBLISHED_AS)


def test_what_stays_inside() -> None:
    """Answers, examinations, overrides and what was heard are nobody else's."""
    silent = {name for name, event in RECORDED.items() if not messages(envelope(name), event)}
    assert silent == set(EVENTS) - {path.name.removesuffix(".v1.json") for path in OURS} - {"procedure-corrected"} | {"clinic-noted"}
