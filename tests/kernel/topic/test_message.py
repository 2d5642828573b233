"""CloudEvents on Kafka: what we write the official SDK reads, and what anybody may write we can hear or keep."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from erbium_kernel.event import Actor, Envelope, Message, message_id
from erbium_kernel.log_records import Heard, Key, Unreadable
from erbium_kernel.message import (
    MESSAGE_BYTES_MAX,
    MessageTooLarge,
    heard,
    heartbeat,
    heartbeat_at,
    key_heard,
    key_record,
    ordering_key,
    outgoing,
)
from erbium_kernel.topic_port import Outgoing, Received

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CLEARED = Message("clearance-granted", 1, None)
BODY = json.dumps({"modality": "nafl_1550", "zones": ["cheeks"]}).encode()


def an_envelope(**but: Any) -> Envelope:
    """An own event of screening."""
    patient_id = uuid4()
    fields: dict[str, Any] = {
        "chain_id": uuid4(),
        "ordering_id": patient_id,
        "event_id": uuid4(),
        "type": "clearance-granted",
        "schema_version": 1,
        "origin": None,
        "stream": f"patient-{patient_id}",
        "version": 3,
        "clinic_id": uuid4(),
        "subject_id": patient_id,
        "occurred_at": datetime(2026, 5, 4, 9, 30, 0, 123456, UTC),
        "recorded_at": datetime(2026, 5, 4, 9, 30, 1, 0, UTC),
        "command_id": uuid4(),
        "correlation_id": uuid4(),
        "causation_id": uuid4(),
        "actor": Actor(kind="staff", id="doctor-4"),
        "traceparent": TRACE,
    }
    return Envelope(**fields | but)


def received(record: Outgoing, offset: int = 0) -> Received:
    """The record as it is read back."""
    return Received(topic="erbium.screening.v1", partition=0, offset=offset, key=record.key, value=record.value, headers=record.headers)


def test_the_official_sdk_reads_what_we_write() -> None:
    """Every attribute is a CloudEvents 1.0 attribute, and the body is JSON data."""
    envelope = an_envelope()
    record = outgoing("screening", envelope, CLEARED, BODY)
    event = from_binary(KafkaMessage(headers=dict(record.headers), key=record.key.decode(), value=record.value or b""), JSONFormat())
    assert event.get_specversion() == "1.0"
    assert event.get_id() == str(message_id(envelope.event_id, "clearance-granted"))
    assert event.get_type() == "erbium.screening.clearance-granted.v1"
    assert event.get_source() == f"/chains/{envelope.chain_id}/screening"
    assert event.get_subject() == envelope.stream
    assert event.get_time() == envelope.occurred_at
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == json.loads(BODY)
    extensions = {
        name: event.get_extension(name) for name in ("chainid", "clinicid", "subjectid", "orderingid", "correlationid", "causationid")
    }
    assert extensions == {
        "chainid": str(envelope.chain_id),
        "clinicid": str(envelope.clinic_id),
        "subjectid": str(envelope.subject_id),
        "orderingid": str(envelope.ordering_id),
        "correlationid": str(envelope.correlation_id),
        "causationid": str(envelope.causation_id),
    }
    assert (event.get_extension("actor"), event.get_extension("traceparent")) == ("staff:doctor-4", TRACE)
    assert (event.get_extension("eventid"), event.get_extension("streamversion")) == (str(envelope.event_id), "3")
    assert event.get_extension("recordedtime") == "2026-05-04T09:30:01.000000Z"


def test_the_official_sdk_reads_a_heartbeat() -> None:
    """A heartbeat is a CloudEvent like any other."""
    record = heartbeat("screening", uuid4(), datetime(2026, 5, 4, tzinfo=UTC))
    event = from_binary(KafkaMessage(headers=dict(record.headers), key=record.key.decode(), value=record.value or b""), JSONFormat())
    assert event.get_type() == "erbium.screening.screening-heartbeat.v1"
    assert heartbeat_at(received(record)) == datetime(2026, 5, 4, tzinfo=UTC)


def test_what_is_told_is_heard() -> None:
    """The envelope arrives whole, save what belongs to the sender's log; the body arrives byte by byte."""
    envelope = an_envelope()
    found = heard(received(outgoing("screening", envelope, CLEARED, BODY)))
    assert isinstance(found, Heard)
    same = ("chain_id", "ordering_id", "clinic_id", "subject_id", "occurred_at", "correlation_id", "causation_id", "actor", "traceparent")
    assert {name: getattr(found, name) for name in same} == {name: getattr(envelope, name) for name in same}
    assert (found.event_id, found.raw) == (message_id(envelope.event_id, "clearance-granted"), BODY)
    assert (found.type, found.schema_version, found.origin) == ("erbium.screening.clearance-granted", 1, "screening")
    assert dict(found.headers)["traceparent"] == TRACE


def test_a_bare_envelope_is_enough() -> None:
    """Without clinic, person, cause and trace there are no such headers, and it is heard all the same."""
    envelope = an_envelope(clinic_id=None, subject_id=None, causation_id=None, traceparent=None)
    record = outgoing("screening", envelope, CLEARED, BODY)
    names = {name for name, _ in record.headers}
    assert not names & {"ce_clinicid", "ce_subjectid", "ce_causationid", "ce_traceparent", "traceparent"}
    found = heard(received(record))
    assert isinstance(found, Heard)
    assert (found.clinic_id, found.subject_id, found.causation_id, found.traceparent) == (None, None, None, None)


def test_the_id_does_not_depend_on_the_version() -> None:
    """A resend by newer code, in a newer version, is the same message."""
    envelope = an_envelope()
    old, new = (dict(outgoing("screening", envelope, Message("said", n, None), b"{}").headers)["ce_id"] for n in (1, 2))
    assert old == new


def test_the_origin_of_a_trace_is_not_overwritten() -> None:
    """A hop may replace `traceparent`; `ce_traceparent` stays, and of a header written twice the first counts."""
    record = outgoing("screening", an_envelope(), CLEARED, BODY)
    hop = TRACE.replace("b7ad6b7169203331", "00f067aa0ba902b7").encode()
    found = heard(received(replace(record, headers=(*record.headers, ("traceparent", hop), ("ce_traceparent", hop)))))
    assert isinstance(found, Heard)
    assert found.traceparent == TRACE


def test_too_much_is_refused_before_it_is_sent() -> None:
    """A message that no topic takes is an error where it is made, naming fact and size only."""
    with pytest.raises(MessageTooLarge, match=f"clearance-granted: {MESSAGE_BYTES_MAX + 1} bytes"):
        outgoing("screening", an_envelope(), CLEARED, b"x" * (MESSAGE_BYTES_MAX + 1))


@pytest.mark.parametrize(
    "message", [Message("ClearanceGranted", 1, None), Message("clearance granted", 1, None), Message("said", -1, None)]
)
def test_a_fact_that_nobody_could_read_back_is_refused(message: Message) -> None:
    """The sender's own mistake shows at the sender."""
    with pytest.raises(ValueError, match="no type of a message"):
        outgoing("screening", an_envelope(), message, b"{}")


def test_broken_side_matters_do_not_make_a_message_unreadable() -> None:
    """Time, actor, trace, clinic may be missing or garbage: the fact is heard in its place."""
    record = outgoing("screening", an_envelope(), CLEARED, BODY)
    broken = {"ce_time": b"yesterday", "ce_recordedtime": b"2026-05-04T09:30:01", "ce_actor": b"somebody", "ce_clinicid": b"7"}
    headers = tuple((name, broken.get(name, value)) for name, value in record.headers if name not in ("ce_traceparent", "ce_correlationid"))
    found = heard(received(replace(record, headers=(*headers, ("x-nul\x00", b"a\x00b\xff")))))
    assert isinstance(found, Heard)
    assert (found.clinic_id, found.actor.kind, found.correlation_id) == (None, "unknown", found.event_id)
    assert found.occurred_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert ("x-nul\\x00", "a\\x00b\\xff") in found.headers


def test_an_unreadable_header_name_can_be_stored() -> None:
    """A name with U+0000, which PostgreSQL's JSON cannot hold, does not stop the partition for ever."""
    found = heard(Received(topic="t", partition=0, offset=9, key=b"\x00", value=b"\x00", headers=(("x\x00", b"\x00\xff"),)))
    assert isinstance(found, Unreadable)
    assert (found.key, found.raw, found.headers) == (b"\x00", b"\x00", (("x\\x00", b"\x00\xff"),))


@given(
    key=st.none() | st.binary(max_size=80),
    value=st.none() | st.binary(max_size=20),
    headers=st.lists(
        st.tuples(st.sampled_from(["ce_id", "ce_type", "ce_chainid", "ce_time", "ce_actor", "traceparent"]), st.binary(max_size=40)),
        max_size=8,
    ),
)
def test_hearing_is_total(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    """No record, whatever is in it, makes the reader fail; none is dropped."""
    record = Received(topic="t", partition=0, offset=9, key=key, value=value, headers=tuple(headers))
    found = heard(record)
    assert isinstance(found, Unreadable)
    assert (found.offset, found.key, found.raw, found.headers) == (9, key, value, tuple(headers))
    assert key_heard(record) is not None
    assert heartbeat_at(record) is None


@given(junk=st.binary(max_size=60), name=st.sampled_from(["ce_time", "ce_actor", "ce_clinicid", "ce_traceparent", "ce_correlationid", "x"]))
def test_hearing_survives_any_side_matter(junk: bytes, name: str) -> None:
    """Any bytes in any header that is not needed: the message is heard, and its texts can be stored as JSON."""
    record = outgoing("screening", an_envelope(), CLEARED, BODY)
    found = heard(received(replace(record, headers=((name, junk), *record.headers))))
    assert isinstance(found, Heard)
    assert "\x00" not in json.dumps([found.headers, found.actor.id, found.actor.kind], ensure_ascii=False)


def test_keys_travel_and_die() -> None:
    """A wrapped key arrives as it is; an erased one is a tombstone, and is heard as erased."""
    living = Key(chain_id=uuid4(), subject_id=uuid4(), wrapped=b"\x00wrapped", erased=False, shared=True)
    dead = replace(living, wrapped=None, erased=True)
    assert key_record(dead) == Outgoing(key=ordering_key(living.chain_id, living.subject_id), value=None)
    assert key_heard(received(key_record(living))) == living
    assert key_heard(received(key_record(dead))) == dead


@pytest.mark.parametrize(
    "key", [None, b"", b"anna", b"a/b", b"{00000000-0000-7000-8000-00000000c4a1}/00000000-0000-7000-8000-00000000c4a1"]
)
def test_a_key_of_another_form_is_unreadable(key: bytes | None) -> None:
    """Only two plain UUIDs name a person of a chain."""
    found = key_heard(Received(topic="k", partition=0, offset=3, key=key, value=b"wrapped", headers=()))
    assert isinstance(found, Unreadable)
    assert found.offset == 3


def test_the_kafka_key_holds_ids_only() -> None:
    """Chain and ordering id, nothing else."""
    envelope = an_envelope()
    chain_id, ordering_id = outgoing("screening", envelope, CLEARED, BODY).key.decode().split("/")
    assert (UUID(chain_id), UUID(ordering_id)) == (envelope.chain_id, envelope.ordering_id)
