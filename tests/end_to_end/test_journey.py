"""The patient's journey over HTTP on real servers, twice on the same state, and what must not be found afterwards."""

import re
from pathlib import Path

import httpx
import pytest

from erbium import demo
from erbium.journey.play import Outcome
from erbium.journey.story import WIDTH
from erbium.servers.folder import checkout
from erbium.stack import Stack
from tests.end_to_end.scanning import a_name, everywhere, keys_of, newest_values, until

ERASED_SECONDS_MAX = 60.0  # the promise
FIRST_NAMES = (f"{a_name()} {a_name()}", f"{a_name()} {a_name()}")


@pytest.fixture(scope="module")
def told() -> list[str]:
    """The lines that the journey tells."""
    return []


@pytest.fixture(scope="module")
def journey(stack: Stack, told: list[str]) -> Outcome:
    """The journey, played once. It checks itself: any other outcome than the expected one ends it with a sentence."""
    return demo.run(stack, told.append, names=FIRST_NAMES)


def test_the_journey_is_played_and_told(journey: Outcome, told: list[str]) -> None:
    """Deferred, cleared, treated, paused, completed, planned, hurt, frozen, refused, accepted, erased: eleven chapters."""
    text = plain("\n".join(told))
    for words in (
        "made of moved time",
        "deferred, not before",
        "clears her face",
        "suspends her clearance at once, and nobody had to ask",
        "is paused",
        "lets the laser go on",
        "in its memory: complete",
        "judges AMBER",
        "freezes her next session",
        "day 13 after the laser: refused, the first day allowed is",
        "day 14: booked, and firm",
        "asks to erase Berta Treated: refused",
        "erases Ana Deferred",
    ):
        assert words in text, words
    assert "11. The treatment report" in text
    assert journey.frames_sent == 8_000
    assert journey.hops_ms


def test_the_story_is_for_people(told: list[str], journey: Outcome) -> None:
    """No line is wider than a screen, no date is written the machine's way, and every code in it is explained before the story begins."""
    text = "\n".join(line for line in told if str(journey.report) not in line)
    assert not [line for line in text.splitlines() if len(line) > WIDTH]
    assert not re.search(r"\d{4}-\d{2}-\d{2}", text)
    before, _, story = text.partition("\n1. ")
    for code in ("nafl_1550", "MTZ", "coverage", "frame", "clearance"):
        assert code in story
        assert re.search(rf"^(Words)? +{code} ", before, re.MULTILINE), code


def test_the_readme_shows_what_the_demo_prints(told: list[str], journey: Outcome) -> None:
    """Each chapter that README.md shows is told so, but for days, measured times and ids."""
    shown = (checkout() / "README.md").read_text().partition("## The journey that `make demo` plays")[2].split("```")[1]
    chapters = {chapter.partition(".")[0].strip(): masked(chapter) for chapter in by_chapter("\n".join(told))}
    compared = [chapter.partition(".")[0].strip() for chapter in by_chapter(shown)]
    assert len(compared) >= 4
    for chapter in by_chapter(shown):
        assert masked(chapter) == chapters[chapter.partition(".")[0].strip()]


def by_chapter(text: str) -> list[str]:
    """The chapters, from their numbers on."""
    return [chapter for chapter in re.split(r"\n(?=\d+\. )", text) if re.match(r"\d+\. ", chapter)]


def plain(text: str) -> str:
    """In one line, with the demo's own names."""
    for name, usual in zip(FIRST_NAMES, demo.NAMES, strict=True):
        text = " ".join(text.split()).replace(name, usual)
    return text


def masked(text: str) -> str:
    """Without what differs from day to day and from run to run."""
    return re.sub(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ [A-Z][a-z]{2}( \d{4})?", "<day>", re.sub(r"\d+ ms", "<ms>", plain(text)))


def test_the_report_is_a_page_with_a_picture(journey: Outcome) -> None:
    """The treatment report is one HTML page with an SVG map, without any address of elsewhere in it."""
    page = journey.report.read_text()
    assert "<svg" in page
    assert "136\u202f800" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page


def test_names_are_nowhere(stack: Stack, journey: Outcome) -> None:
    """Neither the erased patient's name nor the treated one's stands readable in any table, topic, log file or metric."""
    words = [word for name in FIRST_NAMES for word in name.split()]
    assert everywhere(stack, words) == []


def test_the_scanner_would_find_a_name(stack: Stack, journey: Outcome) -> None:
    """The scan is no blind one: an id of the journey, which is no secret, is found in tables, topics and logs."""
    found = everywhere(stack, [str(journey.treated.patient_id)])
    places = {place.split(":")[0] for place in found}
    assert "screening.log" in places
    assert "scheduling.log" in places
    assert "erbium.screening.v1" in places


def test_the_erased_patient_is_unknown_everywhere(stack: Stack, journey: Outcome) -> None:
    """No interface of any service knows the erased patient any more."""
    erased = journey.erased.patient_id
    clinic = journey.erased.clinic
    with type(clinic)(clinic.urls, clinic.mint, clinic.chain, clinic.clinics) as again:
        again.get("screening", f"/v1/patients/{erased}", expect=404)
        again.get("scheduling", f"/v1/patients/{erased}/itinerary", expect=404)
        listed = again.get("screening", "/v1/patients").body["items"]
        assert str(erased) not in {item["patient_id"] for item in listed}
        assert str(journey.treated.patient_id) in {item["patient_id"] for item in listed}


async def test_the_erased_key_is_gone_everywhere(stack: Stack, journey: Outcome) -> None:
    """The erased patient's key is erased in all four services and a tombstone on the key topic; the treated patient's key still stands."""
    erased, treated = journey.erased.patient_id, journey.treated.patient_id
    for service in stack.services:
        until(ERASED_SECONDS_MAX, lambda service=service: keys_of(stack, service).get(erased) == (True, None))
        stands_erased, wrapped = keys_of(stack, service)[treated]
        assert (stands_erased, wrapped is not None) == (False, True), service
    newest = await newest_values(stack, "erbium.screening.keys.v1")
    assert newest[f"{journey.erased.clinic.chain}/{erased}".encode()] is None
    assert newest[f"{journey.erased.clinic.chain}/{treated}".encode()] is not None


def test_every_series_is_really_set(stack: Stack, journey: Outcome) -> None:
    """After a journey each series that operations must have has a sample somewhere."""
    text = "\n".join(httpx.get(endpoint.metrics, trust_env=False, timeout=10).text for endpoint in stack.services.values())
    sampled = {re.split(r"[{ ]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}
    wanted = {
        "http_request_seconds_count", "append_seconds_count", "append_conflicts_total", "relay_lag_events", "relay_lag_seconds",
        "intake_lag_records", "follow_lag_seconds", "timers_overdue", "consumer_last_progress_timestamp", "frames_total",
        "frame_gaps_open", "db_pool_in_use", "oldest_transaction_seconds",
    }  # fmt: skip
    assert wanted <= sampled, wanted - sampled


def test_a_second_journey_on_the_same_state(stack: Stack, journey: Outcome, tmp_path: Path) -> None:
    """What a first journey has left does not disturb a second one."""
    second = demo.run(stack, lambda _: None)
    assert second.treatment_id != journey.treatment_id
