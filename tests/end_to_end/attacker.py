"""An attacker with copies of everything and with whatever masters exist: what can such a person read?

The copies are a dump (COPY) of every table of the four databases, and the files of PostgreSQL and of Kafka as they lie on the disk,
write-ahead log and topic segments among them. The attacker knows how keys and values are sealed, and who is meant.
"""

import asyncio
import base64
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from erbium.provision import database_of
from erbium.stack import Stack
from erbium.stack_files import secrets_of
from erbium_kernel.masters import read_masters
from erbium_kernel.wrapping import bound_to, unwrap

WRAPPED_BYTES = 8 + 12 + 32 + 16  # master id, nonce, key, tag
SEALED = re.compile(rb'\{[^{}]{0,40}"v" ?: ?1[^{}]{0,400}"ciphertext"[^{}]{0,8000}\}')  # in any order of its fields but the first
HEXADECIMAL = re.compile(rb"\\\\x((?:[0-9a-f]{2}){16,})")  # bytea in a dump


@dataclass(frozen=True, slots=True)
class Copies:
    """Files in a folder of the attacker's own."""

    folder: Path

    @classmethod
    def taken(cls, stack: Stack, folder: Path) -> "Copies":
        """Everything as it is now."""
        asyncio.run(_flushed(stack))
        shutil.copytree(stack.state / "postgres", folder / "postgres", ignore=shutil.ignore_patterns("*.pid", ".s.*"), dirs_exist_ok=True)
        for segment in (stack.state / "kafka").rglob("*.log"):  # what lies beside them is tables of offsets, sparse and large
            kept = folder / "kafka" / segment.relative_to(stack.state / "kafka")
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(segment, kept)
        asyncio.run(_dumped(stack, folder))
        return cls(folder)

    def texts(self) -> Iterator[tuple[Path, bytes]]:
        """Each file, and each dump once more with its bytea spelled out."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                yield path, content
                if path.suffix == ".dump":
                    yield path, b"\n".join(bytes.fromhex(found.decode()) for found in HEXADECIMAL.findall(content))


def masters_of(stack: Stack) -> dict[str, bytes]:
    """Every master that exists in any service's folder."""
    return {master.id: master.key for service in stack.services for master in read_masters(secrets_of(stack.state, service))}


def opened(copies: Copies, masters: Mapping[str, bytes], chain: UUID, person: UUID) -> dict[str, set[str]]:
    """What can be read of this person, and in which of the copies it stood: text -> places."""
    bound = bound_to(chain, person)
    texts = list(copies.texts())
    keys = {key for _, content in texts for key in _keys(content, masters, bound)}
    found: dict[str, set[str]] = {}
    for path, content in texts:
        for nonce, ciphertext in _sealed(content, person):
            for key in keys:
                try:
                    text = AESGCM(key).decrypt(nonce, ciphertext, bound).decode()
                except (InvalidTag, ValueError):
                    continue
                found.setdefault(text, set()).add(path.relative_to(copies.folder).parts[0])
    return found


def _keys(content: bytes, masters: Mapping[str, bytes], bound: bytes) -> Iterator[bytes]:
    """Wherever a master's id stands, what follows may be a key that it wraps; the tag tells."""
    for id_ in masters:
        for place in re.finditer(re.escape(id_.encode()), content):
            try:
                yield unwrap(masters, content[place.start() : place.start() + WRAPPED_BYTES], bound)
            except (InvalidTag, ValueError):
                continue


def _sealed(content: bytes, person: UUID) -> Iterator[tuple[bytes, bytes]]:
    if b"ciphertext" not in content:
        return
    for found in SEALED.findall(content.replace(b"\\\\", b"\\").replace(b'\\"', b'"')):
        try:
            value = json.loads(found)
            if value["subject_id"] == str(person):
                yield base64.b64decode(value["nonce"]), base64.b64decode(value["ciphertext"])
        except (ValueError, KeyError, TypeError):
            continue


async def _flushed(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.servers.postgres_url, timeout=10)
    await connection.execute("CHECKPOINT")
    await connection.close()


async def _dumped(stack: Stack, folder: Path) -> None:
    for service in stack.services:
        url = stack.servers.postgres_url.rsplit("/", 1)[0] + "/" + database_of(service)
        connection = await asyncpg.connect(url, timeout=10)
        try:
            tables = await connection.fetch(
                "SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            )
            assert tables, f"{service} has no tables"
            (folder / "dumps").mkdir(exist_ok=True)
            for table in tables:
                path = folder / "dumps" / f"{service}.{table['name'].replace('/', '_')}.dump"
                await connection.copy_from_query(f"SELECT * FROM {table['name']}", output=str(path))
        finally:
            await connection.close()
