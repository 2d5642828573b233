"""Living keys wrapped anew by the youngest master. The state is the data: what an older master wraps is still to be done."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from cryptography.exceptions import InvalidTag

from erbium_kernel.errors import Unavailable
from erbium_kernel.log.doors import set_chain, told
from erbium_kernel.wrapping import MASTER_ID_BYTES, NONCE_BYTES, bound_to, unwrap, wrap

BATCH_KEYS_MAX = 500  # in one transaction, so that an erasure waits for milliseconds
_MASTER = f"encode(substr(wrapped, 1, {MASTER_ID_BYTES}), 'escape')"
_STANDING = f"SELECT {_MASTER} AS master, shared, count(*) AS keys FROM keys WHERE NOT erased GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: S608
# A page in the order of the primary key, so that one pass sees each row once. `shared` rows belong to the service that makes them.
_PAGE = (
    "SELECT chain_id, subject_id, wrapped FROM keys WHERE (chain_id, subject_id) > ($1, $2) AND NOT erased "  # noqa: S608  # constants
    f"AND {_MASTER} <> $3 AND ($4 OR NOT shared) ORDER BY chain_id, subject_id LIMIT $5"
)
# Compare and set: an erasure, or another who rotates, was first; then this one has nothing to do.
_AGAIN = (
    "UPDATE keys k SET wrapped = n.fresh, epoch = i.epoch, tx = pg_current_xact_id(), position = nextval('log_position'), "
    "changed_at = clock_timestamp() FROM installation i, unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS n(subject_id, stale, fresh) "
    "WHERE k.chain_id = $1 AND k.subject_id = n.subject_id AND NOT k.erased AND k.wrapped = n.stale"
)
_NIL = UUID(int=0)


class Standing(NamedTuple):
    """How many living keys of one service a master wraps. `received`: copies of another service's; the topic brings them anew."""

    master: str
    own: int
    received: int

    @property
    def keys(self) -> int:
        """All of them: while there is one, the master must not go."""
        return self.own + self.received


class Wrapped(NamedTuple):
    """How far it is: keys wrapped anew, and keys that nobody can (their master is gone, or they are damaged), in this call."""

    done: int
    lost: int


async def standing(connection: "asyncpg.Connection[Any]", *, owns_keys: bool) -> Sequence[Standing]:
    """The living keys of a service by master; `connection` as its role `work`. Raises: Unavailable."""
    found: dict[str, list[int]] = {}
    async with told():
        records = await connection.fetch(_STANDING)
    for record in records:
        counts = found.setdefault(record["master"], [0, 0])
        counts[record["shared"] and not owns_keys] += record["keys"]
    return [Standing(master, *counts) for master, counts in found.items()]


async def rotate(
    connection: "asyncpg.Connection[Any]", masters: Mapping[str, bytes], current: str, *, owns_keys: bool
) -> AsyncIterator[Wrapped]:
    """One pass over the keys that this service makes; tells after each batch. Cut off anywhere, the next call does the rest.

    Why not the copies of another service's keys: they come over the key topic, and a second hand would only hide a topic that stands.
    Raises: Unavailable.
    """
    after, sofar = (_NIL, _NIL), Wrapped(0, 0)
    while True:
        async with told():
            page = await connection.fetch(_PAGE, *after, current, owns_keys, BATCH_KEYS_MAX)
        for chain_id, records in groupby(page, lambda record: record["chain_id"]):
            fresh = _fresh(chain_id, list(records), masters, current)
            done = await _replace(connection, chain_id, [one for one in fresh if one[2]])
            sofar = Wrapped(sofar.done + done, sofar.lost + sum(not one[2] for one in fresh))
        if page:
            yield sofar
        if len(page) < BATCH_KEYS_MAX:
            return
        after = page[-1]["chain_id"], page[-1]["subject_id"]


def _fresh(chain_id: UUID, records: Sequence[Any], masters: Mapping[str, bytes], current: str) -> list[tuple[UUID, bytes, bytes]]:
    """(person, as it is wrapped, as it will be; empty = nobody can open it)."""
    found = []
    for record in records:
        subject_id, stale = record["subject_id"], record["wrapped"]
        bound = bound_to(chain_id, subject_id)
        try:
            key = unwrap(masters, stale, bound)
            found.append((subject_id, stale, wrap(current, masters[current], secrets.token_bytes(NONCE_BYTES), key, bound)))
        except (Unavailable, InvalidTag, ValueError):
            found.append((subject_id, stale, b""))
    return found


async def _replace(connection: "asyncpg.Connection[Any]", chain_id: UUID, fresh: Sequence[tuple[UUID, bytes, bytes]]) -> int:
    if not fresh:
        return 0
    async with told(), connection.transaction():
        await set_chain(connection, chain_id)
        done = await connection.execute(_AGAIN, chain_id, *map(list, zip(*fresh, strict=True)))
    return int(done.rpartition(" ")[2])
