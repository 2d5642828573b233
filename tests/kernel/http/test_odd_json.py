"""Bodies that are JSON and that readers understand differently: refused, with the place."""

import json
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erbium_kernel.http.odd_json import INTEGER_MAX, TOO_GREAT, TWICE, odd_places
from erbium_kernel.http.validation import under
from tests.kernel.http.conftest import Door

PATIENT, ROOM = str(uuid4()), str(uuid4())
NUMBERS = st.integers(-INTEGER_MAX, INTEGER_MAX) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


async def sent(door: Door, raw: str) -> httpx.Response:
    """The answer to a body as it is written here."""
    headers = {**door.headers(), "Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
    return await door.client.post("/v1/beds", content=raw.encode(), headers=headers)


def places(raw: str) -> list[str]:
    """The pointers of what is odd."""
    return [place["pointer"] for place in odd_places(raw.encode(), orjson.dumps(orjson.loads(raw)))]


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (f'{{"patient_id": "{PATIENT}", "room_id": "{ROOM}", "name": "Ann", "name": "Bob"}}', "/name"),
        (f'{{"patient_id": "{PATIENT}", "room_id": "{ROOM}", "name": "Ann", "name": "Ann"}}', "/name"),
        (f'{{"patient_id": "{PATIENT}", "room_id": "{ROOM}", "name": "Ann", "na\\u006de": "Bob"}}', "/name"),
        (f'{{"patient_id": "{PATIENT}", "room_id": "{ROOM}", "pillows": [{{"height_cm": 1}}, {{"height_cm": 1, "height_cm": 2}}]}}',
         "/pillows/1/height_cm"),
    ],
)  # fmt: skip
async def test_a_name_twice(door: Door, raw: str, pointer: str) -> None:
    """A name that stands twice in an object is refused with its place, whatever its values and its spelling; nothing is taken."""
    answer = await sent(door, raw)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert answer.json()["errors"] == [{"pointer": pointer, "reason": TWICE}]
    assert "Bob" not in answer.text


async def test_an_empty_body_twice(door: Door) -> None:
    """A command that has no body does not take one in which something stands twice."""
    headers = {**door.headers(), "Idempotency-Key": "k", "If-Match": '"1"', "Content-Type": "application/json"}
    answer = await door.client.post(f"/v1/beds/{uuid4()}/leaving", content=b'{"a":1,"a":1}', headers=headers)
    assert answer.json()["errors"] == [{"pointer": "/a", "reason": TWICE}]


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9007199254740992", "-9007199254740992", "1" * 5_000])
async def test_too_great(door: Door, number: str) -> None:
    """A number that a double cannot keep is refused with its place; it is JSON all the same, so nobody is told that it is none."""
    answer = await sent(door, f'{{"patient_id": "{PATIENT}", "room_id": "{ROOM}", "pillows": [{{"height_cm": {number}}}]}}')
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert answer.json()["errors"] == [{"pointer": "/pillows/0/height_cm", "reason": TOO_GREAT}]


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
async def test_no_number(door: Door, word: str) -> None:
    """NaN and Infinity are no JSON; the caller is told so, and where they stand."""
    answer = await sent(door, f'{{"patient_id": "{PATIENT}",\n"pillows": [{{"height_cm": {word}}}]}}')
    assert (answer.status_code, answer.json()["code"]) == (422, "json-malformed")
    assert answer.json()["detail"].startswith("Reading stopped at line 2, column ")
    assert "NaN and Infinity are no numbers in JSON" in answer.json()["detail"]


@pytest.mark.parametrize("depth", [150, 254, 300, 900, 2_000])
async def test_too_deep(door: Door, depth: int) -> None:
    """However deep a body is nested, it is refused in words, also when something odd stands in its depth."""
    for inside in ("", '{"a":1,"a":2}', "1e999"):
        answer = await sent(door, f'{{"pillows": {"[" * depth}{inside}{"]" * depth}}}')
        assert answer.status_code == 422
        assert "json_invalid" not in answer.text


@given(VALUES)
def test_usual_bodies_are_not_odd(value: Any) -> None:
    """Whatever a usual writer writes is taken, however it is spelled."""
    assert places(json.dumps(value)) == []
    assert places(json.dumps(value, ensure_ascii=False, indent=3)) == []
    assert places(orjson.dumps(value).decode()) == []


@pytest.mark.slow
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES, min_size=1), VALUES, st.data())
def test_every_lost_name_is_noticed(value: dict[str, Any], other: Any, data: st.DataObject) -> None:
    """Whatever stands around it: one name written a second time is found, and only it."""
    name = data.draw(st.sampled_from(sorted(value)))
    raw = json.dumps(value)[:-1] + f", {json.dumps(name)}: {json.dumps(other)}}}"
    (pointer,) = places(f'[{{"deep": {raw}}}]')
    assert pointer == under("/0/deep", name)
