"""The patient's journey over HTTP on real servers, twice on the same state, and what must not be found afterwards."""

import re
from pathlib import Path

import httpx
import pytest

from erbium import demo
from erbium.journey.play import Outcome
from erbium.stack import Stack
from tests.end_to_end.scanning import a_name, everywhere, keys_of, newest_values, until

ERASED_SECONDS_MAX = 60.0  # the promise
FIRST_NAMES = (f"{a_name()} {a_name()}", f"{a_name()} {a_name()}")


@pytest.fixture(scope="session")
def told() -> list[str]:
    """The lines that the journey tells."""
    return []


@pytest.fixture(scope="session")
def journey(stack: Stack, told: list[str]) -> Outcome:
    """The journey, played once. It checks itself: any other outcome than the expected one ends it with a sentence."""
    return demo.run(stack, told.append, names=FIRST_NAMES)


def test_the_journey_is_played_and_told(journey: Outcome, told: list[str]) -> None:
    """Deferred, cleared, treated, completed, planned, hurt, frozen, refused, accepted, erased, vetoed: all eleven chapters are told."""
    text = "\n".join(told)
    for words in (
        "deferred until",
        "clears her face",
        "back-fills the gap: complete",
        "AMBER",
        "freezes the next visit",
        "refused",
        "erases",
    ):
        assert words in text, words
    assert "11. The treatment report" in text
    assert journey.frames_sent == 8_000
    assert journey.hops_ms


def test_the_report_is_a_page_with_a_picture(journey: Outcome) -> None:
    """The treatment report is one HTML page with an SVG map, without any address of elsewhere in it."""
    page = journey.report.read_text()
    assert "<svg" in page
    assert "136,800" in page or "136800" in page
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
