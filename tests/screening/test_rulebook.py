"""The rules are data: every number has a source; a broken file stops the service with a sentence that names file, row and field."""

import shutil
from pathlib import Path
from typing import get_args

import pytest

from screening.http import words
from screening.rulebook import BrokenRulebook, load
from tests.screening.story import RULES, rulebook


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the rules that a test may break."""
    return Path(shutil.copytree(RULES, tmp_path / "rules"))


BROKEN = [
    ("procedures.toml", "days = 90, overridable = false", 'days = "90", overridable = false',
     "rules/procedures.toml, rule PEEL, procedures, peel_deep, nafl, after[0], field days: expected a whole number"),
    ("procedures.toml", "days = 14, overridable = false", "days = 13, overridable = false", "rule PEEL, procedures peel_superficial nafl"),
    ("procedures.toml", "overridable_from_day = 14", "overridable_from_day = 7", "nobody overrides before day 14"),
    ("procedures.toml", 'provenance = "S"', 'provenance = "X"', "rule PEEL, field provenance: expected one of S, C, R, G, H, found 'X'"),
    ("procedures.toml", 'question = "filler"', 'question = "fillers"', "rule FILLER, field question: 'fillers' is not defined anywhere"),
    ("procedures.toml", 'unknown_kind = "peel_unknown"', 'unkown_kind = "peel_unknown"', "rule PEEL, field unknown_kind"),
    ("conditions.toml", 'verdict = "ABSOLUTE" }]', 'verdict = "ABSOLUT" }]', "rule PREGNANCY, cells, nafl, holds[0], field verdict"),
    ("conditions.toml", 'precondition = "antiviral", days = 0', 'precondition = "antiviral"',
     "rule HSV_HISTORY, cells, nafl, holds[0], field d"),
    ("conditions.toml", 'id = "HSV_ACTIVE"', 'id = "PREGNANCY"', "rule PREGNANCY, field id: expected an id that no other row has"),
    ("conditions.toml", "face_only = true", "face_onyl = true", "rule HSV_HISTORY, field face_onyl: nobody reads a field of this name"),
    ("conditions.toml", 'fact = "examination"', 'fact = "examinaton"', "rule HSV_ACTIVE, reads[1], field fact"),
    ("person.toml", "years_below = 18", "years_below = 1800", "rule AGE_MINOR, field years_below: expected a whole number from 1 to 150"),
    ("person.toml", '"guardian_consent"', '"consent"', "AGE_MINOR, cells, nafl, holds[0], field mitigation: expected one of"),
    ("person.toml", 'overridable = true, mitigation', 'overridable = false, mitigation', "mitigation: expected a cell that a doctor may"),
    ("person.toml", 'skin_types = ["IV"]', 'skin_types = ["4"]', "rule FITZ_IV, field skin_types"),
    ("course.toml", 'id = "CHANGES_ATTESTED"', 'id = "OTHER"', "field id: 'CHANGES_ATTESTED' is not defined"),
    ("settings.toml", "value = 30", "value = 0", "setting clearance_days_max, field value: expected a whole number from 1"),
    ("settings.toml", '"consensus_2017"', '"consensus"', "setting isotretinoin_policy, field value: expected one of label_180"),
    ("settings.toml", 'id = "override_days_max"', 'id = "override_days"', "setting override_days: no such setting"),
    ("limits.toml", "coverage_percent_max = 50", "coverage_percent_max = 500", "limit LIMITS_NAFL_1550, field coverage_percent_max"),
    ("limits.toml", "IV = 23, ", "", "field IV: expected a whole number from 1 to 100, it is missing"),
    ("vocabulary.toml", 'parent = "periorbital"', 'parent = "eyelid"', "zone eyelid, field parent"),
    ("vocabulary.toml", "offered = false   # domain.md section 5", "offered = true   # domain.md section 5", "afl_2940"),
    ("questionnaire.toml", 'taking = "ongoing"', 'taking = "sometimes"', "question isotretinoin, values, field taking"),
    ("questionnaire.toml", "[[question]]", "[[question]", "rules/questionnaire.toml: this is not TOML"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "sentence"), BROKEN, ids=[f"{row[0]}: {row[2][:50]}" for row in BROKEN])
def test_broken_file_is_a_sentence(folder: Path, file: str, old: str, new: str, sentence: str) -> None:
    """What is wrong, where, and what was expected."""
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(BrokenRulebook) as broken:
        load(folder)
    assert sentence in str(broken.value)


def test_missing_file(folder: Path) -> None:
    """It is named with its folder."""
    (folder / "person.toml").unlink()
    with pytest.raises(BrokenRulebook, match=r"rules/person\.toml: the file is missing"):
        load(folder)


def test_unknown_policy() -> None:
    """A chain's own setting is checked like the file's."""
    with pytest.raises(BrokenRulebook, match="isotretinoin_policy"):
        load(RULES, isotretinoin_policy="as_we_like")


def test_version_follows_the_content(folder: Path) -> None:
    """The digest changes with any byte and with the policy, and with nothing else."""
    before = load(folder).version
    assert before == load(folder).version
    (folder / "person.toml").write_text((folder / "person.toml").read_text() + "\n# looked at again\n")
    assert load(folder).version != before
    assert rulebook("label_180").version != rulebook("consensus_2017").version


def test_every_row_has_a_source() -> None:
    """No clinical number without provenance, source and a word on what ends it."""
    for rule in rulebook().rules.values():
        assert rule.source, rule.id
        assert rule.ends, rule.id
        assert rule.provenance in "SCRGH", rule.id


def test_api_words_are_those_of_the_rulebook() -> None:
    """The enumerations of the API description and the rulebook name the same things."""
    book = rulebook()
    assert set(get_args(words.Zone)) == set(book.zone_parent)
    assert set(get_args(words.Modality)) == set(book.modalities)
    assert set(get_args(words.ProcedureKind)) == book.procedure_kinds
    assert set(get_args(words.Question)) == set(book.questions)
    assert set(get_args(words.FindingWord)) == set(book.findings)
    assert set(get_args(words.AnswerValue)) == {value for question in book.questions.values() for value in question.values}
