"""A key per person: seals personal values, opens them while the person may be read, forgets them for good."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from erbium_kernel.errors import KeyNotHere, PersonErased, Unavailable
from erbium_kernel.log_records import Key
from erbium_kernel.personal import Personal, PersonalData, Redacted, Sealed
from erbium_kernel.ports import Clock, Ids, Store

log = structlog.get_logger(__name__)

SEAL_VERSION = 1
NONCE_BYTES = 12
KEY_BYTES = 32
MASTER_ID_BYTES = 8
OPEN_KEY_SECONDS = 30  # how long an opened key may outlive an erasure in this process
OPEN_KEYS_MAX = 10_000


class SecretsMissing(RuntimeError):
    """A secret file is missing or is not what it should be."""


class Secrets(NamedTuple):
    """What lives outside databases and backups. `masters`: id (8 hex digits) -> 32 bytes; `current` wraps new keys."""

    masters: Mapping[str, bytes]
    current: str
    fingerprint: bytes

    @classmethod
    def read(cls, folder: Path) -> "Secrets":
        """From `master-<8 hex>.key` files (the youngest is current) and `fingerprint.key`, base64 of 32 bytes each.

        Raises: SecretsMissing with a sentence that names the file.
        """
        files = sorted(folder.glob("master-*.key"), key=lambda path: (path.stat().st_mtime, path.name))
        if not files:
            raise SecretsMissing(f"no master-<8 hex digits>.key in {folder}: create one with 32 random bytes in base64, mode 0600")
        masters = {path.stem.removeprefix("master-"): _secret(path) for path in files}
        return cls(masters, files[-1].stem.removeprefix("master-"), _secret(folder / "fingerprint.key"))


def _secret(path: Path) -> bytes:
    try:
        value = base64.b64decode(path.read_text().strip(), validate=True)
    except (OSError, ValueError) as error:
        raise SecretsMissing(f"{path.name} in {path.parent} cannot be read ({type(error).__name__}): it holds 32 bytes in base64") from None
    if len(value) != KEY_BYTES:
        raise SecretsMissing(f"{path.name} in {path.parent} holds {len(value)} bytes, not {KEY_BYTES}")
    return value


class _OpenKey(NamedTuple):
    aead: AESGCM | None  # None = erased
    until: datetime


class Vault:
    """Opens and seals for one service. `owns_keys`: screening makes the patients' keys, all others wait for them."""

    def __init__(self, store: Store, secrets: Secrets, *, clock: Clock, ids: Ids, owns_keys: bool) -> None:
        """Nothing is read yet."""
        self._store, self._secrets, self._clock, self._ids, self._owns_keys = store, secrets, clock, ids, owns_keys
        self._open: dict[tuple[UUID, UUID], _OpenKey] = {}

    async def sealer(self, chain_id: UUID, subject_id: UUID, *, patient: bool) -> Callable[[Personal], Sealed]:
        """Seals values of this one person. `patient` False = staff, whose key stays in this service.

        Raises: PersonErased; KeyNotHere when a patient's key has not arrived here yet; Unavailable.
        """
        known = (await self._keys(chain_id, [subject_id])).get(subject_id)
        if known is None:
            if patient and not self._owns_keys:
                raise KeyNotHere("this patient's key has not arrived here yet")
            known = self._remember(await self._store.ensure_key(self._new_key(chain_id, subject_id, shared=patient)))
        if known.aead is None:
            raise PersonErased
        aead = known.aead

        def seal(value: Personal) -> Sealed:
            nonce = self._ids.token(NONCE_BYTES)
            ciphertext = aead.encrypt(nonce, value.text.encode(), _aad(chain_id, subject_id))
            return Sealed(SEAL_VERSION, subject_id, base64.b64encode(nonce).decode(), base64.b64encode(ciphertext).decode())

        return seal

    async def opener(self, chain_id: UUID, subject_ids: Sequence[UUID]) -> Callable[[Sealed], PersonalData]:
        """Personal where the key is here, Redacted where the person is erased, the Sealed itself where the key has yet to arrive."""
        keys = await self._keys(chain_id, list(dict.fromkeys(subject_ids)))

        def open_(value: Sealed) -> PersonalData:
            key = keys.get(value.subject_id)
            if key is None:
                return value
            if key.aead is None:
                return Redacted(value.subject_id)
            try:
                nonce, ciphertext = base64.b64decode(value.nonce), base64.b64decode(value.ciphertext)
                return Personal(value.subject_id, key.aead.decrypt(nonce, ciphertext, _aad(chain_id, value.subject_id)).decode())
            except (InvalidTag, ValueError):
                log.error("a value is sealed under another key than its person has")  # noqa: TRY400
                return Redacted(value.subject_id)  # unreadable is the safe reading

        return open_

    def fingerprint(self, body: bytes) -> bytes:
        """Tells whether two request bodies are the same, without keeping either."""
        return hmac.digest(self._secrets.fingerprint, b"body|" + body, hashlib.sha256)

    def forget(self, chain_id: UUID, subject_id: UUID) -> None:
        """Drops an opened key at once; other processes drop theirs within OPEN_KEY_SECONDS."""
        self._open.pop((chain_id, subject_id), None)

    def _new_key(self, chain_id: UUID, subject_id: UUID, *, shared: bool) -> Key:
        nonce = self._ids.token(NONCE_BYTES)
        master = AESGCM(self._secrets.masters[self._secrets.current])
        wrapped = master.encrypt(nonce, self._ids.token(KEY_BYTES), _aad(chain_id, subject_id))
        return Key(
            chain_id=chain_id, subject_id=subject_id, wrapped=self._secrets.current.encode() + nonce + wrapped, erased=False, shared=shared
        )

    async def _keys(self, chain_id: UUID, subject_ids: Sequence[UUID]) -> dict[UUID, _OpenKey]:
        now = self._clock.machine()
        found = {subject: key for subject in subject_ids if (key := self._open.get((chain_id, subject))) and key.until > now}
        missing = [subject for subject in subject_ids if subject not in found]
        if missing:
            stored = await self._store.keys(chain_id, missing)
            found.update({subject: known for subject, key in stored.items() if (known := self._remembered(key))})
        return found

    def _remembered(self, key: Key) -> _OpenKey | None:
        """Why: one key that cannot be unwrapped must not take a whole page of others with it; its values stay sealed, and we say so."""
        try:
            return self._remember(key)
        except (Unavailable, InvalidTag, ValueError) as error:
            log.error("a key cannot be unwrapped", reason=type(error).__name__)  # noqa: TRY400
            return None

    def _remember(self, key: Key) -> _OpenKey:
        aead = None if key.erased or key.wrapped is None else AESGCM(self._unwrap(key, key.wrapped))
        known = _OpenKey(aead, self._clock.machine() + timedelta(seconds=OPEN_KEY_SECONDS))
        while len(self._open) >= OPEN_KEYS_MAX:
            self._open.pop(next(iter(self._open)))
        self._open[key.chain_id, key.subject_id] = known
        return known

    def _unwrap(self, key: Key, wrapped: bytes) -> bytes:
        master_id, nonce, ciphertext = _split(wrapped)
        master = self._secrets.masters.get(master_id)
        if master is None:
            raise Unavailable(f"the master key {master_id} is not among this service's secrets")
        return AESGCM(master).decrypt(nonce, ciphertext, _aad(key.chain_id, key.subject_id))


def _split(wrapped: bytes) -> tuple[str, bytes, bytes]:
    nonce_end = MASTER_ID_BYTES + NONCE_BYTES
    return wrapped[:MASTER_ID_BYTES].decode(), wrapped[MASTER_ID_BYTES:nonce_end], wrapped[nonce_end:]


def _aad(chain_id: UUID, subject_id: UUID) -> bytes:
    return chain_id.bytes + b"|" + subject_id.bytes + b"|" + str(SEAL_VERSION).encode()
