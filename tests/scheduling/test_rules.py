"""The numbers are data: each has a source and a version, and a service without them does not start."""

import json
import tomllib
from pathlib import Path

import pytest

from scheduling.deciders import RULES
from scheduling.rule_book import load, rules_folder
from scheduling.rules import MODALITIES, VISIT_KINDS, ZONES, read_rules
from tests.stored_events import CONTRACTS


def read(name: str) -> dict[str, object]:
    return tomllib.loads((rules_folder() / name).read_text())


def test_every_interval_has_a_source_and_a_version() -> None:
    """A refusal names its rule and version, and the rule says where it comes from."""
    assert all(rule.source and rule.version >= 1 and rule.gap_days_min > 0 for rule in RULES.intervals.values())
    assert len({rule.id for rule in RULES.intervals.values()}) == len(RULES.intervals)


def test_every_pair_that_can_meet_has_a_rule() -> None:
    """Every procedure a visit can be for, and every laser, has a rule with every laser in both orders."""
    procedures = set(VISIT_KINDS) - {"consultation", "laser", "follow_up", "test_spot_reading"}
    for modality in MODALITIES:
        assert all(RULES.interval(kind, modality) for kind in (*procedures, *MODALITIES, "never heard of"))
        assert all(RULES.interval(modality, kind) for kind in (*procedures, *MODALITIES, "never heard of"))


def test_every_kind_that_screening_reports_has_a_row() -> None:
    """A kind without one would count as the longest of the table."""
    contract = json.loads((CONTRACTS / "screening" / "procedure-reported.v1.json").read_text())
    assert set(contract["schema"]["properties"]["kind"]["enum"]) <= RULES.act_kinds


def test_zones_form_a_tree() -> None:
    """Every zone of the face leads up to the face, and a zone covers what lies in it, not the other way round."""
    assert [zone for zone in ZONES if RULES.covers(("face",), zone)] == [
        "face", "forehead", "cheeks", "nose", "perioral", "periorbital", "eyelid",
    ]  # fmt: skip
    assert not RULES.covers(("eyelid",), "periorbital")


def test_a_missing_rule_stops_the_start(tmp_path: Path) -> None:
    """A folder without the files, or a kind of visit without a rule, is an error at start, not a guess later."""
    with pytest.raises(FileNotFoundError):
        load(tmp_path)
    visits = read("visits.toml")
    with pytest.raises(AssertionError):
        read_rules(read("intervals.toml"), read("zones.toml"), {**visits, "visit": visits["visit"][1:]})  # type: ignore[index]
