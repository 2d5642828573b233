"""Planted names are nowhere: not in a file, a log line, a metric, a header, a problem, a record, whatever clients send and wherever."""

import base64
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from erbium.journey.clinic import Clinic
from erbium.journey.people import Person
from erbium.journey.play import play
from erbium.journey.scene import MADRID
from erbium.journey.story import Story
from erbium.stack import Stack
from tests.end_to_end.planting import refused
from tests.end_to_end.scanner import Scanner
from tests.end_to_end.scanning import until
from tests.workbench.calling import erbium

PLAIN = f"Qzv{uuid.uuid4().hex[:10]}"  # where nothing but ASCII can stand
MARKED = f"Zÿx{uuid.uuid4().hex[:10]}"
NOTE = f"Über {MARKED}, Knötchen"
BORN = "1907-02-17"
SAID_IN_THE_JOURNEY = ("Two small blisters.", "Fine lines, both cheeks.")


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """One for all that is planted here."""
    return Scanner([PLAIN, MARKED, MARKED[3:], BORN, *SAID_IN_THE_JOURNEY])


@pytest.fixture(scope="module")
def clinic(stack: Stack, scanner: Scanner) -> Iterator[Clinic]:
    """A chain of its own, all of whose answers are looked at."""
    urls = {name: endpoint.url for name, endpoint in stack.services.items()}

    def mint(role: str, chain: uuid.UUID, clinics: list[uuid.UUID], subject: uuid.UUID) -> str:
        return stack.token(role, chain=chain, clinics=clinics, subject=subject)

    with Clinic(urls, mint, uuid.uuid4(), [uuid.uuid4(), uuid.uuid4()]) as made:
        made._http.event_hooks = {"response": [scanner.look_at_answer]}
        yield made


@pytest.fixture(scope="module")
def planted(stack: Stack, scanner: Scanner, clinic: Clinic, tmp_path_factory: pytest.TempPathFactory) -> list[httpx.Response]:
    """The whole journey with marked names, free text of every kind, and every request that is refused with a name in it."""
    reports = tmp_path_factory.mktemp("reports")
    try:
        play(clinic, Story(lambda _: None, clinic.now, MADRID), reports, (f"{MARKED} {PLAIN}", f"{PLAIN} {MARKED}"))
    finally:
        clinic.set_time(timedelta())  # the journey has moved it by days, and others use this Erbium too
    person = Person(clinic, clinic.clinics[0], f"{MARKED} {PLAIN}")
    person.register(BORN)
    person.record("consultations", {"skin_type": "II", "findings": [], "note": NOTE})

    def document(service: str) -> object:
        return httpx.get(f"{stack.services[service].url}/openapi.json", trust_env=False, timeout=30).json()

    answers = list(refused(clinic, PLAIN, MARKED, document))
    for answer in answers:
        scanner.look_at_answer(answer)
    erased = person.record("erasure", role="privacy_officer", expect=200)
    clinic.get("scheduling", f"/v1/patients/{person.patient_id}/itinerary", after=erased.message, expect=404)
    return answers


def test_requests_were_refused(planted: list[httpx.Response]) -> None:
    """Names were sent to every operation of all four services, and the servers said what is wrong with it; none of it was our bug (500)."""
    statuses = [answer.status_code for answer in planted]
    assert len(statuses) > 200
    assert {400, 401, 403, 404, 415, 422} <= set(statuses)
    assert [f"{answer.request.method} {answer.request.url.path}" for answer in planted if answer.status_code == 500] == []


def test_names_are_nowhere(stack: Stack, scanner: Scanner, planted: list[httpx.Response]) -> None:
    """Every file of the state folder, every table, record and metric, every header and problem, every word of the operators' commands."""
    for arguments in (
        ("status",),
        ("reconcile",),
        ("keys", "list"),
        *((("parked", name.replace("_", "-"), "list")) for name in stack.services),
    ):
        code, out, err = erbium(*arguments, "--json", state=stack.state)
        assert code in (0, 1), err
        scanner.look(f"erbium {' '.join(arguments)}", f"{out}\n{err}".encode())
    scanner.look_at_servers(stack)
    read = scanner.look_into(stack.state)
    assert read > 20_000_000, "files of PostgreSQL are larger than that"
    assert scanner.looked_at > 2_000
    assert sorted(set(scanner.found)) == []


def test_the_scanner_finds_what_is_there(tmp_path: Path) -> None:
    """A file with the name in any spelling, at the end of a sparse file too, in a header, in a problem, in a file's name."""
    word = f"Zÿx{uuid.uuid4().hex[:10]}"
    texts = [
        word.encode(), word.upper().encode(), word.encode("utf-16"), word.encode("utf-16-be"), word.encode("latin-1"),
        word.replace("ÿ", "\\u00ff").encode(), word.replace("ÿ", "%C3%BF").encode(), word.replace("ÿ", "%c3%bf").encode(),
        word.encode().hex().upper().encode(), *(base64.b64encode(b"x" * n + word.encode() + b"yy") for n in range(4)),
        base64.urlsafe_b64encode(b"??>" + word.casefold().encode()),
    ]  # fmt: skip
    for n, text in enumerate(texts):
        folder = tmp_path / str(n)
        folder.mkdir()
        with (folder / "sparse").open("wb") as file:
            file.seek(5_000_000)
            file.write(b"before " + text + b" after")
        scanner = Scanner([word])
        assert scanner.look_into(folder) < 1_000_000, "holes are not read"
        assert scanner.found, text
    named = Scanner([word])
    (tmp_path / word).write_bytes(b"")
    named.look_into(tmp_path)
    assert any(place.startswith("the names of files") for place in named.found)
    answered = Scanner(["Qzvab12cd34"])
    request = httpx.Request("GET", "http://x")
    answered.look_at_answer(httpx.Response(404, request=request, headers={"x-a": "qzvAB12cd34"}, content=b'{"detail": "Qzvab12cd34"}'))
    places = {place.rpartition(":")[0] for place in answered.found}
    assert len(places) == 2, "the header, and the body"


def test_nothing_is_still_parked(stack: Stack, planted: list[httpx.Response]) -> None:
    """What was planted was worked off everywhere, so the scan has seen all that comes of it."""

    def worked_off() -> bool:
        return erbium("parked", "screening", "list", "--json", state=stack.state)[1] == ""

    until(60.0, worked_off)
