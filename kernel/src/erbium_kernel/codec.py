"""Events to JSON and back: literal names, strict types, upcasts at the door, personal values sealed on the way in."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from erbium_kernel.errors import Undecodable
from erbium_kernel.event import EventTable, Stored
from erbium_kernel.log_records import Row
from erbium_kernel.personal import Personal, PersonalData, Redacted, Sealed

seal_one = Callable[[Personal], Sealed]
open_one = Callable[[Sealed], PersonalData]


def _as_personal(kind: type, value: Any) -> PersonalData:
    if kind is not PersonalData:
        raise NotImplementedError(f"no JSON form for {kind}")
    if set(value) == {"subject_id"}:
        return Redacted(UUID(value["subject_id"]))
    return msgspec.convert(value, Sealed)


def never_seal(value: Personal) -> Sealed:
    """For events without personal values. Raises: TypeError if there is one after all."""
    raise TypeError(f"no key was asked for to seal a value of {value.subject_id}")


def _never_open(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} must not leave the service open")


def personal_values(record: Any) -> Iterator[PersonalData]:
    """Every personal value in a record, nested ones too."""
    if isinstance(record, PersonalData):
        yield record
    elif isinstance(record, tuple | list):
        for item in record:
            yield from personal_values(item)
    elif is_dataclass(record) and not isinstance(record, type):
        for name in _personal_fields(type(record)):
            yield from personal_values(getattr(record, name))


def opened(record: Any, open_: open_one) -> Any:
    """The same record with every sealed value opened, as far as its key allows."""
    if isinstance(record, Sealed):
        return open_(record)
    if isinstance(record, tuple):
        return tuple(opened(item, open_) for item in record)
    if is_dataclass(record) and not isinstance(record, PersonalData | type):
        old = {name: getattr(record, name) for name in _personal_fields(type(record))}
        changed = {name: new for name, value in old.items() if (new := opened(value, open_)) is not value}
        return replace(record, **changed) if changed else record
    return record


@cache
def _personal_fields(kind: type) -> tuple[str, ...]:
    """The fields of a record whose declared types let a personal value in: most records have none, and are looked at on every command."""
    declared = get_type_hints(kind)
    return tuple(field.name for field in fields(kind) if _lets_in(declared[field.name]))


def _lets_in(declared: Any) -> bool:
    if declared in (Any, object):
        return True
    parts = get_args(declared)
    if parts and get_origin(declared) is not Literal:
        return any(_lets_in(part) for part in parts)
    if not isinstance(declared, type):
        return False
    return issubclass(declared, PersonalData) or (is_dataclass(declared) and bool(_personal_fields(declared)))


class Codec:
    """All stored types of one service, its own and those it hears."""

    def __init__(self, own: Sequence[EventTable], heard: EventTable) -> None:
        """Refuses two tables that share a name: a stored name means one thing in a service."""
        self._stored: dict[str, Stored] = dict(heard)
        for table in own:
            twice = self._stored.keys() & table.keys()
            assert not twice, f"stored names used twice: {sorted(twice)}"
            self._stored.update(table)
        self._names = {stored.record: name for table in own for name, stored in table.items()}
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            name: msgspec.json.Decoder(stored.record, dec_hook=_as_personal) for name, stored in self._stored.items()
        }

    def encode(self, event: Any, seal: seal_one) -> tuple[str, int, bytes, UUID | None]:
        """(stored name, schema version, JSON, the one person whose values it holds).

        Raises: ValueError if it holds values of two persons (one key seals one event).
        """
        name = self._names[type(event)]
        subjects = {value.subject_id for value in personal_values(event)}  # type: ignore[attr-defined]
        if len(subjects) > 1:
            raise ValueError(f"{name} holds personal values of {len(subjects)} persons")
        data = msgspec.json.encode(event, enc_hook=lambda value: seal(value) if isinstance(value, Personal) else _never_open(value))
        return name, self._stored[name].version, data, next(iter(subjects), None)

    def decode(self, row: Row) -> Any:
        """The record of a row, personal values sealed as they stand.

        Raises: Undecodable on a name or version that this code does not know, and on data that breaks its type.
        """
        payload = row.data if row.envelope.origin is None else row.raw
        return self.decode_data(row.envelope.type, row.envelope.schema_version, payload or b"")

    def decode_data(self, name: str, version: int, data: bytes) -> Any:
        """The record that this JSON once was written as, brought up to the current version. Raises: Undecodable."""
        stored = self._stored.get(name)
        if stored is None or not 1 <= version <= stored.version:
            raise Undecodable(f"{name} version {version} is not known here")
        try:
            if version == stored.version:
                return self._decoders[name].decode(data)
            value = msgspec.json.decode(data)
            for step in range(version, stored.version):
                value = stored.upcasts[step](value)
            return msgspec.convert(value, stored.record, dec_hook=_as_personal)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            raise Undecodable(f"{name} version {version}: {type(error).__name__}") from error

    def to_json(self, record: Any) -> bytes:
        """A message's body. Raises: TypeError if an open personal value is in it."""
        return msgspec.json.encode(record, enc_hook=_never_open)
