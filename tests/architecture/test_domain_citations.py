"""Every citation of the clinical reference leads to a place on docs/domain.md, and what stands there is what the rules say."""

import re
from collections.abc import Iterator
from pathlib import Path

from scheduling.deciders import RULES
from scheduling.rules import MODALITIES
from screening.deciders import RULEBOOK

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "domain.md"
PLACES = ("kernel", "services", "workbench", "bench", "contracts", "deploy", "docs", "tests")
CITED = re.compile(r"\bdomain(?:\.md|(?= reference, section))")
NUMBERED = re.compile(r"(?: reference)?,? section (\d+[a-z]?)")
ROW = re.compile(r",? row (\w+)")


def test_every_citation_leads_somewhere() -> None:
    """`domain.md section N` names a numbered section, `domain.md, Name` a heading, `row X` a row of that section."""
    found = [fault for path in sources() for fault in faults(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))]
    assert not found


def test_there_is_something_to_check() -> None:
    """The look is no blind one: the places are found, and a citation of a section or row that is not there is told."""
    assert sum(len(CITED.findall(path.read_text(encoding="utf-8"))) for path in sources()) > 40
    wrong = [
        "domain.md section 44",
        "domain.md section 3 row NO_SUCH",
        "domain.md, Nowhere",
        "domain reference, section 99",
        "domain.md 3c",
    ]
    assert [len(list(faults(text, "here"))) for text in wrong] == [1] * len(wrong)
    assert not list(faults("Source: domain.md section 3 row BOTOX and section 3c; domain.md, day arithmetic.", "here"))


def sources() -> Iterator[Path]:
    """Everything that may cite, but the page itself and this file."""
    for folder in PLACES:
        for path in sorted((ROOT / folder).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(ROOT).parts)
            if path.suffix in (".py", ".toml", ".md") and not hidden and path not in (PAGE, Path(__file__)):
                yield path
    yield from sorted(ROOT.glob("*.md"))


def faults(text: str, where: str) -> Iterator[str]:
    """What leads nowhere in a text."""
    page = sections()
    for cited in CITED.finditer(text):
        before, line = text[: cited.start()], text[cited.end() :].partition("\n")[0]
        place = f"{where}:{before.count(chr(10)) + 1}"
        if line.startswith((")", "`", "]")) or before.endswith("/"):
            continue  # the page itself is named or linked, no place on it
        if (numbered := NUMBERED.match(line)) is None:
            named = line.removeprefix(",").strip().lower()
            if not (line.startswith(",") and any(named.startswith(heading) for heading in page)):
                yield f"{place}: domain.md{line[:60]}"
            continue
        section, rest = numbered[1], line[numbered.end() :]
        if section not in page:
            yield f"{place}: docs/domain.md has no section {section}"
        elif (row := ROW.match(rest)) is not None and f"\n| {row[1]} |" not in page[section]:
            yield f"{place}: section {section} has no row {row[1]}"


def sections() -> dict[str, str]:
    """The page by section: "3c" for a numbered one, its heading in small letters for another."""
    found: dict[str, str] = {}
    for part in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        number = re.match(r"(\d+[a-z]?) ", heading)
        found[number[1] if number else heading.lower()] = "\n" + body
    return found


def table(section: str, first: str) -> list[list[str]]:
    """The rows of the table whose first cell of the header is this."""
    lines = iter(sections()[section].splitlines())
    for line in lines:
        if line.startswith("|") and cells(line)[0] == first:
            next(lines)
            rows = []
            for row in lines:
                if not row.startswith("|"):
                    return rows
                rows.append(cells(row))
            return rows
    raise AssertionError(f"section {section} has no table headed {first!r}")


def cells(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def days(cell: str) -> int:
    """The number that a cell begins with."""
    return int(cell.split()[0])


def test_the_page_names_the_rules_there_are() -> None:
    """Section 3 has a row for every rule about a patient, and none for a rule that is not there."""
    course = {"CONSULTATION_GAP", "CLEARANCE_AGE", "ADVERSE_EVENT_OPEN", "CHANGES_ATTESTED"}
    assert {row[0] for row in table("3", "row")} == set(RULEBOOK.rules) - course


def test_the_pages_intervals_are_the_rules() -> None:
    """Section 4 says the days that scheduling counts, of procedures and lasers and of lasers among themselves."""
    said = [(kind, row[1:]) for row in table("4", "procedure") for kind in re.findall(r"`(\w+)`", row[0])]
    assert {kind for kind, _ in said} == {kind for kind in RULES.act_kinds if "unknown" not in kind} - set(MODALITIES)
    for kind, row in said:
        for modality in MODALITIES:
            before, after = (row[1], row[3]) if modality.startswith("afl") else (row[0], row[2])
            found = RULES.interval(kind, modality), RULES.interval(modality, kind)
            assert [rule and rule.gap_days_min for rule in found] == [days(before), days(after)], (kind, modality)
    lasers = {modality.partition("_")[2]: modality for modality in MODALITIES}
    for earlier, *row in table("4", ""):
        for later, cell in zip(lasers.values(), row, strict=True):
            rule = RULES.interval(lasers[earlier], later)
            assert rule is not None
            assert rule.gap_days_min == days(cell)


def test_the_pages_limits_are_the_rules() -> None:
    """Section 5 says the hard limits that go with a clearance."""
    rows = {row[0]: row[1:] for row in table("5", "")}
    for column, modality in enumerate(("nafl_1550", "nafl_1927")):
        limit = RULEBOOK.limits[modality]
        energy, density, coverage, passes = (rows[name][column] for name in rows)
        assert energy == f"{limit.energy_mj_per_mtz_min:g} to {limit.energy_mj_per_mtz_max:g}"
        assert [int(cell) for cell in (density, coverage, passes)] == [
            limit.density_mtz_per_cm2_max, limit.coverage_percent_max, limit.passes_max,
        ]  # fmt: skip
    caps = dict(re.findall(r"\b(I|II|III|IV|V|VI) (\d+)", re.search(r"Caps on NAFL[^(]+", sections()["5"])[0]))  # type: ignore[index]
    expected = {skin: str(cap) for skin, cap in RULEBOOK.limits["nafl_1550"].coverage_percent_max_by_skin_type.items() if skin in caps}
    assert caps == expected
    assert len(caps) == 5
