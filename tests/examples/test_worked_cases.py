"""The worked cases of the clinical reference, run as they stand in `worked_cases.md`: a table that a physician can read and sign."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.examples import sentences
from tests.examples.telling import ASKED, GIVEN, Telling, understood

PAGE = (Path(__file__).parent / "worked_cases.md").read_text(encoding="utf-8")
CASES = range(1, 31)
FIRST_WORDS = {"policy": "consensus_2017", "born": "1986-05-05"}


@dataclass(frozen=True)
class Row:
    """One row. `told` are all sentences from the beginning, the questions of the rows above included."""

    number: int
    told: tuple[str, ...]
    asked: str
    answer: str
    rules: tuple[str, ...]


def rows(page: str = PAGE) -> Iterator[Row]:
    """The rows of the first table."""
    above: tuple[str, ...] = ()
    for cells in _cells(page):
        if len(cells) == 5 and cells[0].isdigit():
            number, story, asked, answer, rules = cells
            told = tuple(sentence.strip() for sentence in story.split(";"))
            if told[0] == "as above":
                told = (*above, *told[1:])
            above = (*told, asked)
            yield Row(int(number), told, asked, answer, () if rules == "-" else tuple(rules.split(", ")))


def _cells(page: str) -> Iterator[list[str]]:
    return ([cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|"))


def told(row: Row) -> Telling:
    """Everything that happened, done."""
    opening = dict(FIRST_WORDS)
    sentences_left = [sentence for sentence in row.told if not _opens(sentence, opening)]
    telling = Telling(**opening)
    for sentence in sentences_left:
        step, words = understood([*GIVEN, *ASKED], sentence)
        step(telling, *words)
    return telling


def _opens(sentence: str, opening: dict[str, str]) -> bool:
    """What must be known before the patient is registered."""
    first, _, rest = sentence.partition(" ")
    if first not in opening:
        return False
    opening[first] = rest
    return True


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: f"{row.number}: {row.told[-1]} - {row.asked}")
def test_worked_case(row: Row) -> None:
    """The services answer as the reference does: the verdict, its day, and the rules it rests on."""
    step, words = understood(ASKED, row.asked)
    answer, rules = step(told(row), *words)
    assert answer == row.answer
    if "..." in row.rules:
        assert set(row.rules) - {"..."} < set(rules)
    else:
        assert tuple(rules) == row.rules


def test_every_case_of_the_reference_has_its_place() -> None:
    """Cases 1 to 30: each is decided here, or stands in the list of those that are not, with the reason."""
    decided = {row.number for row in rows()}
    waiting = {int(cells[0]) for cells in _cells(PAGE) if len(cells) == 2 and cells[0].isdigit() and cells[1]}
    assert decided | waiting == set(CASES)
    assert not decided & waiting


def test_a_wrong_row_would_be_seen() -> None:
    """A day, a rule or a verdict changed in a row is told; so is a sentence that nobody understands."""
    row = next(rows())
    for was, is_ in (("2026-03-15 |", "2026-03-16 |"), ("BOTOX until", "PEEL until"), ("DEFERRED until", "CLEARED until")):
        wrong = next(rows(PAGE.replace(was, is_, 1)))
        with pytest.raises(AssertionError):
            test_worked_case(wrong)
    with pytest.raises(AssertionError, match="0 patterns know"):
        understood(GIVEN, row.told[0].replace("Botox", "Bothox"))


def test_every_sentence_is_used() -> None:
    """No pattern waits for a case that does not exist."""
    said = [sentence for row in rows() for sentence in (*row.told, row.asked)]
    idle = [known.pattern for known, _ in (*GIVEN, *ASKED) if not any(known.fullmatch(sentence) for sentence in said)]
    assert not idle
    assert sentences.PROCEDURES
    assert all(re.search(word, PAGE) for word in sentences.PROCEDURES)
