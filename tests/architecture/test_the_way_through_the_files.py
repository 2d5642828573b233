"""docs/architecture.md leads through the files: every file and name on the way is there, and no module of the kernel is left out."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
KERNEL = ROOT / "kernel" / "src" / "erbium_kernel"
PLACES = (KERNEL, *sorted((ROOT / "services").glob("*/src")))
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FILE = re.compile(r"[\w/]+\.(?:py|sql)")


def section(heading: str) -> str:
    """What stands under a heading that begins so."""
    return next(part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if part.startswith(heading))


def missing(text: str) -> Iterator[str]:
    """Files in the last cell of each row that are nowhere, and names that the file before them does not define."""
    for row in re.findall(r"^\| \d+ \|.*\| (.+) \|$", text, flags=re.MULTILINE):
        source = ""
        for word in re.findall(r"`([^`]+)`", row):
            if FILE.fullmatch(word):
                found = [place / word for place in PLACES if (place / word).is_file()]
                source = found[0].read_text(encoding="utf-8") if len(found) == 1 else ""
                if not source:
                    yield word
            elif not re.search(rf"^\s*(?:async def|def|class|CREATE FUNCTION) {word}\b", source, flags=re.MULTILINE):
                yield f"{word} in: {row}"


def test_the_way_of_a_command_leads_through_files_that_are_there() -> None:
    """Each step names files of the kernel or of a service, and what in them is run."""
    assert not list(missing(section("The way of a command")))


def test_the_look_is_no_blind_one() -> None:
    """The steps are found, and a file or a name that is not there is told."""
    assert len(re.findall(r"^\| \d+ \|", section("The way of a command"), flags=re.MULTILINE)) == 16
    rows = "| 1 | a | `execute.py` `execute` |\n| 2 | b | `execute.py` `perform` |\n| 3 | c | `no_such.py` |"
    assert list(missing(rows)) == ["perform in: `execute.py` `perform`", "no_such.py"]


def test_every_module_of_the_kernel_is_on_the_page() -> None:
    """Whoever looks for something finds the module that does it; a package whose work is in its `__init__` goes by its own name."""
    named = re.findall(r"`([\w/]+)`", section("Which module for what"))
    there = {str(path.relative_to(KERNEL).with_suffix("")) for path in KERNEL.rglob("*.py") if path.name != "__init__.py"}
    assert sorted(named) == sorted({*there, "schema"})
