"""A command over HTTP: answered, repeated, refused, conditional, raced."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from tests.kernel.http.conftest import CHAIN, OTHER_CHAIN, Door


def taking(**changed: Any) -> dict[str, Any]:
    """A body that takes a bed."""
    return {"patient_id": str(uuid4()), "room_id": str(uuid4()), **changed}


async def test_done(door: Door) -> None:
    """A command answers 201 with the record, where it is, its version, and the event and message that follow from it."""
    answer = await door.command("/v1/beds", taking(name="Ann"))
    assert answer.status_code == 201
    assert answer.json()["name"] == "Ann"
    assert answer.headers["location"] == f"/v1/beds/{answer.json()['bed_id']}"
    assert answer.headers["etag"] == '"1"'
    assert UUID(answer.headers["erbium-event"]) != UUID(answer.headers["erbium-message"])
    assert "idempotent-replayed" not in answer.headers


async def test_repeated(door: Door) -> None:
    """The same key gives the same answer, marked as repeated, though the server chose the id; nothing happens twice."""
    body = taking(name="Ann")
    first = await door.command("/v1/beds", body, key="k-1")
    again = await door.command("/v1/beds", dict(reversed(body.items())), key='"k-1"')
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("etag", "location", "erbium-event", "erbium-message"):
        assert again.headers[name] == first.headers[name], name


async def test_repeated_after_a_change(door: Door) -> None:
    """A repetition is answered as it was then, though the record has changed since."""
    body = taking(name="Ann")
    first = await door.command("/v1/beds", body, key="k-1")
    await door.command(f"{first.headers['location']}/leaving", if_match='"1"')
    again = await door.command("/v1/beds", body, key="k-1")
    assert (again.json()["taken"], again.headers["etag"]) == (True, '"1"')


async def test_key_reused(door: Door) -> None:
    """The same key with another body is refused with 422, whatever the body was meant to do."""
    await door.command("/v1/beds", taking(), key="k-1")
    other = await door.command("/v1/beds", taking(), key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")


async def test_key_reused_on_another_record(door: Door) -> None:
    """The same key and body for another record is another request: refused, never answered with the first one's record."""
    one, two = [(await door.command("/v1/beds", taking())).headers["location"] for _ in range(2)]
    await door.command(f"{one}/leaving", if_match='"1"', key="k-2")
    other = await door.command(f"{two}/leaving", if_match='"1"', key="k-2")
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")


async def test_keys_are_the_chains_own(door: Door) -> None:
    """Two chains that choose the same key do not meet, and the ids made for them differ."""
    body = taking()
    ours = await door.command("/v1/beds", body, key="k-1")
    theirs = await door.command("/v1/beds", body, key="k-1", chain=OTHER_CHAIN)
    assert theirs.status_code == 201
    assert "idempotent-replayed" not in theirs.headers
    assert ours.json()["bed_id"] != theirs.json()["bed_id"]


async def test_keys_are_the_clients_and_the_operations_own(door: Door) -> None:
    """Two programs of one chain, and two operations of one program, may choose the same key: neither meets the other."""
    mine = await door.command("/v1/beds", taking(), key="k-1")
    headers = {**door.headers(client_id="another program"), "Idempotency-Key": "k-1"}
    theirs = await door.client.post("/v1/beds", json=taking(), headers=headers)
    other = await door.command(f"{mine.headers['location']}/leaving", key="k-1", if_match='"1"')
    assert [answer.status_code for answer in (mine, theirs, other)] == [201, 201, 200]
    assert not [answer for answer in (theirs, other) if "idempotent-replayed" in answer.headers]


async def test_every_answer_names_the_version_for_the_next_change(door: Door) -> None:
    """What a command answers, first or repeated, is enough to change the record again: a version in the body, the same as ETag."""
    body = taking()
    made, again = [await door.command("/v1/beds", body, key="k-1") for _ in range(2)]
    assert (made.json()["version"], made.headers["etag"]) == (again.json()["version"], again.headers["etag"]) == (1, '"1"')
    left = await door.command(f"{made.headers['location']}/leaving", if_match=made.headers["etag"])
    assert (left.status_code, left.json()["version"], left.headers["etag"]) == (200, 2, '"2"')


async def test_refused_and_repeated(door: Door) -> None:
    """A refusal is a 409 with its code, facts and what to do; its repetition is the same, even after the reason for it is gone."""
    first = await door.command("/v1/beds", taking())
    bed_id = first.json()["bed_id"]
    body = taking(bed_id=bed_id)
    refused = await door.command("/v1/beds", body, key="k-3")
    assert (refused.status_code, refused.json()["code"]) == (409, "ward.bed-is-taken")
    assert refused.json()["facts"]["bed_since"]
    await door.command(f"/v1/beds/{bed_id}/leaving", if_match='"1"')
    again = await door.command("/v1/beds", body, key="k-3")
    assert again.status_code == 409
    assert again.headers["idempotent-replayed"] == "true"
    for member in ("code", "detail", "facts", "do"):
        assert again.json()[member] == refused.json()[member]


async def test_if_match(door: Door) -> None:
    """A change needs the version last seen: 428 without, 412 with an old one that names the current, 400 with nonsense, else done."""
    leaving = (await door.command("/v1/beds", taking())).headers["location"] + "/leaving"
    without = await door.command(leaving)
    assert (without.status_code, without.json()["code"]) == (428, "if-match-missing")
    stale = await door.command(leaving, if_match='"7"')
    assert (stale.status_code, stale.json()["facts"]) == (412, {"current_version": 1})
    assert (await door.command(leaving, if_match="*")).status_code == 400
    done = await door.command(leaving, if_match='"1"')
    assert (done.status_code, done.headers["etag"]) == (200, '"2"')


async def test_repetition_comes_before_if_match(door: Door) -> None:
    """A repeated change is answered again though its If-Match is old by then, or left out."""
    leaving = (await door.command("/v1/beds", taking())).headers["location"] + "/leaving"
    await door.command(leaving, if_match='"1"', key="k-4")
    for if_match in ('"1"', None):
        again = await door.command(leaving, if_match=if_match, key="k-4")
        assert (again.status_code, again.headers["etag"], again.headers["idempotent-replayed"]) == (200, '"2"', "true")


async def test_change_of_nothing(door: Door) -> None:
    """A change of a record that is not there is 404, with and without If-Match, also for another chain's record."""
    location = (await door.command("/v1/beds", taking())).headers["location"]
    for path, chain in ((f"/v1/beds/{uuid4()}", None), (location, OTHER_CHAIN)):
        for if_match in ('"1"', None):
            answer = await door.command(f"{path}/leaving", if_match=if_match, **({"chain": chain} if chain else {}))
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_clinic(door: Door) -> None:
    """A token acts at its own clinics only."""
    room = uuid4()
    key = {"Idempotency-Key": "k"}
    mine = await door.client.post(f"/v1/rooms/{room}/airing", headers={**door.headers(clinics=[str(room)]), **key})
    other = await door.client.post(f"/v1/rooms/{room}/airing", headers={**door.headers(clinics=[str(uuid4())]), **key})
    assert mine.status_code == 200
    assert (other.status_code, other.json()["code"]) == (403, "clinic-not-yours")


async def test_repeated_at_once(door: Door) -> None:
    """Ten copies of one request at once have one effect; all get its answer, nine of them marked as repeated."""
    body = taking(name="Ann")
    answers = await asyncio.gather(*(door.command("/v1/beds", body, key="k-5") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.headers["erbium-event"] for answer in answers}) == 1
    assert sum(answer.headers.get("idempotent-replayed") == "true" for answer in answers) == 9
    rows = (await door.runtime.store.load(CHAIN, f"bed-{answers[0].json()['bed_id']}")).rows
    assert len(rows) == 1


async def test_raced(door: Door) -> None:
    """Of ten who change the same version at once one wins; the others are told 412, or 409 with Retry-After."""
    leaving = (await door.command("/v1/beds", taking())).headers["location"] + "/leaving"
    answers = await asyncio.gather(*(door.command(leaving, if_match='"1"') for _ in range(10)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) == 1
    assert set(statuses[1:]) <= {409, 412}


async def test_erased_and_repeated(door: Door) -> None:
    """After a person's erasure the repeated answer has everything but the name."""
    body = taking(name="Ann")
    first = await door.command("/v1/beds", body, key="k-6")
    patient_id = UUID(body["patient_id"])
    await door.runtime.store.erase_key(CHAIN, patient_id)
    door.runtime.vault.forget(CHAIN, patient_id)
    again = await door.command("/v1/beds", body, key="k-6")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == {**first.json(), "name": None}
