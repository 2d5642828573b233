"""Two hundred clients want what only one can have: one gets it, everybody else is told so, and the logs agree."""

import asyncio
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import httpx
import pytest

from erbium.journey.clinic import Clinic
from erbium.journey.people import Person
from tests.faults.compared import rows_of
from tests.faults.load import EVERY_DAY, a_clinic
from tests.faults.site import Site
from tests.faults.telling import Figures, tell

CLIENTS = 200
DAYS_AHEAD = 30
PAIR_DAYS_AHEAD, PAIR_DAYS = (
    10,
    3,
)  # while a clearance of today is valid: a laser visit and biorevitalisation three days later: fourteen are asked for
ANSWER_SECONDS_MAX = 60.0
AGAIN_SECONDS = 0.2
AT_ONCE = 8
HEARD_SECONDS_MAX = 120.0
ROUNDS_MAX = 300
FOR_NOW = ("version-conflict",)  # 409 that says: the same again
OVERLAPS = (
    "SELECT count(*) FROM claims a JOIN claims b ON a.chain_id = b.chain_id AND a.resource = b.resource AND a.during && b.during "
    "AND a.ctid < b.ctid WHERE a.chain_id = $1"
)
BOOKED = "SELECT count(*) FROM log WHERE chain_id = $1 AND stream = $2 AND type = 'visit-booked'"


class Place(NamedTuple):
    """Where visits can be held: one practitioner, one room, one laser."""

    clinic_id: uuid.UUID
    practitioner_id: uuid.UUID
    room_id: uuid.UUID
    device_id: uuid.UUID

    def hold(self, kind: str, starts_at: datetime) -> dict[str, Any]:
        """The body of a hold here."""
        laser = {"device_id": str(self.device_id), "modality": "nafl_1550", "zones": ["face"]} if kind == "laser" else {}
        there = {"clinic_id": str(self.clinic_id), "practitioner_id": str(self.practitioner_id), "room_id": str(self.room_id)}
        return {"hold_id": str(uuid.uuid4()), "kind": kind, **there, **laser, "starts_at": starts_at.isoformat()}


@pytest.fixture(scope="module")
def places(site: Site) -> list[Place]:
    """Two clinics that know nothing of each other but the chain."""
    return [_opened(site) for _ in range(2)]


@pytest.fixture(scope="module")
def patients(site: Site) -> list[uuid.UUID]:
    """As many as there are clients, each known to scheduling."""
    found = [uuid.uuid4() for _ in range(CLIENTS)]
    asyncio.run(_registered(site, found))
    until = time.monotonic() + HEARD_SECONDS_MAX
    known = "SELECT count(DISTINCT stream) FROM log WHERE chain_id = $1 AND stream = ANY($2)"
    while rows_of(site, "scheduling", known, site.chain, [f"itinerary-{patient}" for patient in found])[0][0] < CLIENTS:
        assert time.monotonic() < until, "scheduling has not heard of all patients"
        time.sleep(AGAIN_SECONDS)
    return found


async def _registered(site: Site, patients: list[uuid.UUID]) -> None:
    turns, token = asyncio.Semaphore(AT_ONCE), site.token("front_desk")
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, trust_env=False) as http:

        async def one(patient: uuid.UUID) -> None:
            body = {"patient_id": str(patient), "clinic_id": str(site.clinics[0]), "name": "Ada Sample", "birth_date": "1986-05-05"}
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(patient)}
            async with turns:
                for _ in range(ROUNDS_MAX):
                    answer = await http.post(f"{site.url('screening')}/v1/patients", json=body, headers=headers)
                    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                        break
                    await asyncio.sleep(AGAIN_SECONDS)
            assert answer.status_code == httpx.codes.CREATED, answer.text

        await asyncio.gather(*(one(patient) for patient in patients))


def _opened(site: Site) -> Place:
    place = Place(*(uuid.uuid4() for _ in range(4)))
    clinic, device = f"/v1/clinics/{place.clinic_id}", f"/v1/devices/{place.device_id}"
    made = _post(site, "scheduling", "/v1/clinics", a_clinic(place.clinic_id), "medical_director")
    room = {"room_id": str(place.room_id), "label": "Laser 1", "laser_ready": True}
    _post(site, "scheduling", f"{clinic}/rooms", room, "medical_director", made.headers["etag"])
    licence = {"visit_kinds": ["consultation", "laser", "biorevitalisation"], "modalities": ["nafl_1550"], "licensed_until": None}
    person = {"practitioner_id": str(place.practitioner_id), "clinic_id": str(place.clinic_id), **licence, "working_hours": EVERY_DAY}
    _post(site, "scheduling", "/v1/practitioners", person, "medical_director")
    serial = {"device_id": str(place.device_id), "serial": place.device_id.hex[:12], "model": "ef-1550"}
    device_made = _post(site, "device_telemetry", "/v1/devices", serial, "laser_safety_officer")
    claim = {"clinic_id": str(place.clinic_id)}
    claimed = _post(site, "device_telemetry", f"{device}/claim", claim, "laser_safety_officer", device_made.headers["etag"])
    headers = {"Authorization": f"Bearer {site.token('front_desk')}", "Erbium-After": claimed.headers["erbium-message"]}
    for _ in range(ROUNDS_MAX):
        answer = httpx.get(f"{site.url('scheduling')}/v1/lasers/{place.device_id}", headers=headers, timeout=30, trust_env=False)
        if answer.is_success and "erbium-after" not in answer.headers:
            return place
    raise AssertionError(f"scheduling does not know the laser: {answer.text}")


def _post(site: Site, service: str, path: str, body: Any, role: str, etag: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {site.token(role)}", "Idempotency-Key": str(uuid.uuid4())}
    headers |= {"If-Match": etag} if etag else {}
    answer = httpx.post(site.url(service) + path, json=body, headers=headers, timeout=30, trust_env=False)
    assert answer.is_success, answer.text
    return answer


class Wish(NamedTuple):
    """What one client asks for: a hold, or that a hold becomes a visit."""

    patient_id: uuid.UUID
    body: dict[str, Any]
    what: str = "holds"


def race(site: Site, wishes: list[Wish]) -> list[tuple[Wish, int, str]]:
    """All at once; (wish, status, problem's code) of each client's last answer."""
    return asyncio.run(_race(site, wishes))


async def _race(site: Site, wishes: list[Wish]) -> list[tuple[Wish, int, str]]:
    limits = httpx.Limits(max_connections=len(wishes))
    token = site.token("front_desk")
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, trust_env=False, limits=limits) as http:

        async def one(wish: Wish) -> tuple[Wish, int, str]:
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
            url = f"{site.url('scheduling')}/v1/patients/{wish.patient_id}/{wish.what}"
            for _ in range(ROUNDS_MAX):
                answer = await http.post(url, json=wish.body, headers=headers)
                code = "" if answer.is_success else str(answer.json()["code"])
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE and code not in FOR_NOW:
                    return wish, answer.status_code, code
                await asyncio.sleep(AGAIN_SECONDS)
            raise AssertionError(f"still {answer.text} after {ROUNDS_MAX} tries")

        return await asyncio.gather(*(one(wish) for wish in wishes))


def noon(days: int) -> datetime:
    """12:00 UTC of a day to come: open in Madrid in summer and in winter."""
    return (datetime.now(UTC) + timedelta(days=days)).replace(hour=12, minute=0, second=0, microsecond=0)


def told(what: str, figures: Figures, answers: list[tuple[Wish, int, str]]) -> Counter[str]:
    """For people and for the figures."""
    found = Counter(code or str(status) for _, status, code in answers)
    tell(f"{what}: {dict(found)}")
    figures[what] = {"clients": len(answers), **found}
    return found


def test_one_slot(site: Site, figures: Figures, places: list[Place], patients: list[uuid.UUID]) -> None:
    """Two hundred patients want the same slot: one has it, 199 are told that it is taken."""
    starts_at = noon(DAYS_AHEAD)
    answers = race(site, [Wish(patient, places[0].hold("consultation", starts_at)) for patient in patients])
    assert told("200 clients on one slot", figures, answers) == {"201": 1, "scheduling.slot-taken": CLIENTS - 1}
    assert rows_of(site, "scheduling", OVERLAPS, site.chain)[0][0] == 0


def test_overlapping_slots(site: Site, figures: Figures, places: list[Place], patients: list[uuid.UUID]) -> None:
    """Slots that begin every minute for over three hours: who has one overlaps nobody, and no more were refused than had to be."""
    first = noon(DAYS_AHEAD + 1) - timedelta(hours=2)
    wishes = [Wish(patient, places[0].hold("consultation", first + timedelta(minutes=n))) for n, patient in enumerate(patients)]
    answers = race(site, wishes)
    found = told("200 clients on overlapping slots", figures, answers)
    assert set(found) == {"201", "scheduling.slot-taken"}, found
    had = sorted(datetime.fromisoformat(wish.body["starts_at"]) for wish, status, _ in answers if status == httpx.codes.CREATED)
    gaps = [later - earlier for earlier, later in pairwise(had)]
    assert all(timedelta(minutes=35) <= gap < timedelta(minutes=70) for gap in gaps), (
        gaps
    )  # 30 minutes and 5 after; twice that would fit one more
    assert rows_of(site, "scheduling", OVERLAPS, site.chain)[0][0] == 0


@pytest.fixture
def cleared(site: Site) -> uuid.UUID:
    """A patient whom screening clears for the laser, as scheduling has heard."""
    with Clinic(urls=site.urls, mint=lambda role, *_: site.token(role), chain=site.chain, clinics=site.clinics) as clinic:
        person = Person(clinic, site.clinics[0], "Ada Sample")
        person.register("1986-05-05")
        person.answer()
        person.record("consultations", {"skin_type": "II", "findings": []})
        decided = person.record("clearances", {"modality": "nafl_1550", "zones": ["face"], "indication": "PHOTO_FACE"})
    assert decided.body["outcome"] == "CLEARED", decided.body
    until = time.monotonic() + HEARD_SECONDS_MAX
    heard = "SELECT count(*) FROM log WHERE chain_id = $1 AND stream = $2 AND type = 'clearance-heard'"
    while not rows_of(site, "scheduling", heard, site.chain, f"itinerary-{person.patient_id}")[0][0]:
        assert time.monotonic() < until, "scheduling has not heard of the clearance"
        time.sleep(AGAIN_SECONDS)
    return person.patient_id


def test_a_forbidden_pair(site: Site, figures: Figures, places: list[Place], cleared: uuid.UUID) -> None:
    """One patient, two clinics: laser here or biorevitalisation three days later there, never both, whoever of 200 clients is first.

    Both are held before: a hold promises its slot alone, a booking the distance too.
    """
    laser = places[0].hold("laser", noon(PAIR_DAYS_AHEAD))
    other = places[1].hold("biorevitalisation", noon(PAIR_DAYS_AHEAD + PAIR_DAYS))
    for hold in (laser, other):
        _post(site, "scheduling", f"/v1/patients/{cleared}/holds", hold, "front_desk")
    halves = [{"hold_id": hold["hold_id"]} for hold in (laser, other)]
    answers = race(site, [Wish(cleared, halves[n % 2], "visits") for n in range(CLIENTS)])
    found = told("200 clients on the halves of a forbidden pair", figures, answers)
    assert found == {"201": CLIENTS // 2, "scheduling.interval-too-short": CLIENTS // 2}
    assert len({wish.body["hold_id"] for wish, status, _ in answers if status == httpx.codes.CREATED}) == 1
    assert rows_of(site, "scheduling", BOOKED, site.chain, f"itinerary-{cleared}")[0][0] == 1
