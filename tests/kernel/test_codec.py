"""Stored types: what goes in comes out, old versions come up, unknown ones are told, open names never leave."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from erbium_kernel.codec import Codec, never_seal, opened
from erbium_kernel.errors import Undecodable
from erbium_kernel.event import EventTable, Stored
from erbium_kernel.personal import Personal, PersonalData, Redacted, Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A nested record with a personal value."""

    text: PersonalData
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """An event with every kind of field."""

    patient_id: UUID
    gap_days: int
    notes: tuple[Note, ...] = ()
    contact: PersonalData | None = None


UP: dict[int, Any] = {1: lambda old: {**old, "gap_days": old["gap_weeks"] * 7}}
CODEC = Codec([EventTable({"noted": Stored(record=Noted, version=2, upcasts=UP)})], EventTable())


def seal(value: Personal) -> Sealed:
    return Sealed(1, value.subject_id, "nonce", value.text[::-1])


def test_round_trip_seals_and_opens() -> None:
    """Personal values are sealed wherever they stand in the event, and open again."""
    person = uuid4()
    event = Noted(
        patient_id=person,
        gap_days=14,
        notes=(Note(text=Personal(person, "itches"), day=date(2026, 3, 1)),),
        contact=Personal(person, "+49"),
    )
    name, version, data, subject = CODEC.encode(event, seal)
    assert (name, version, subject) == ("noted", 2, person)
    assert b"itches" not in data
    sealed = CODEC.decode_data(name, version, data)
    assert isinstance(sealed.notes[0].text, Sealed)
    assert opened(sealed, lambda value: Personal(value.subject_id, value.ciphertext[::-1])) == event
    assert opened(sealed, lambda value: Redacted(value.subject_id)).contact == Redacted(person)


def test_upcast() -> None:
    """A version 1 event reads as a current one."""
    old = b'{"patient_id":"00000000-0000-7000-8000-000000000001","gap_weeks":2}'
    assert CODEC.decode_data("noted", 1, old).gap_days == 14


@pytest.mark.parametrize(
    ("name", "version", "data"),
    [
        ("noted", 3, b"{}"),
        ("noted", 0, b"{}"),
        ("nothing", 1, b"{}"),
        ("noted", 2, b"{"),
        ("noted", 2, b'{"gap_days":"x"}'),
        ("noted", 1, b"{}"),
    ],
)
def test_undecodable(name: str, version: int, data: bytes) -> None:
    """A version from the future, an unknown name, broken data: one error, so that the key can be parked."""
    with pytest.raises(Undecodable):
        CODEC.decode_data(name, version, data)


def test_two_persons_in_one_event() -> None:
    """One key seals one event: values of two persons are refused."""
    event = Noted(
        patient_id=uuid4(), gap_days=1, contact=Personal(uuid4(), "a"), notes=(Note(text=Personal(uuid4(), "b"), day=date(2026, 1, 1)),)
    )
    with pytest.raises(ValueError, match="2 persons"):
        CODEC.encode(event, seal)


def test_open_values_never_leave() -> None:
    """A message with an open name, or an event sealed without a key, is our bug and raises."""
    event = Noted(patient_id=uuid4(), gap_days=1, contact=Personal(uuid4(), "a"))
    with pytest.raises(TypeError):
        CODEC.to_json(event)
    with pytest.raises(TypeError):
        CODEC.encode(event, never_seal)
    assert "+49" not in repr(Personal(uuid4(), "+49"))


def test_a_missing_upcast_is_refused() -> None:
    """A table that cannot bring up every older version does not load."""
    with pytest.raises(AssertionError, match="no upcast"):
        Stored(record=Noted, version=3, upcasts=UP)
