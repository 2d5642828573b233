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
from erbium_kernel.masters import KEY_BYTES, SecretsMissing, read_masters, secret
from erbium_kernel.personal import Personal, PersonalData, Redacted, Sealed
from erbium_kernel.ports import Clock, Ids, Store
from erbium_kernel.wrapping import NONCE_BYTES, SEAL_VERSION, bound_to, master_of, unwrap, wrap

log = structlog.get_logger(__name__)

OPEN_KEY_SECONDS = 30  # how long an opened key may outlive an erasure in this process
SECRETS_SECONDS = 10  # how old what is known of the masters may be: a new one is used, a destroyed one forgotten after this
UNKNOWN_MASTER_SECONDS = 1  # between two looks for a master that is not here yet
OPEN_KEYS_MAX = 10_000


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
        masters = read_masters(folder)
        return cls({master.id: master.key for master in masters}, masters[-1].id, secret(folder / "fingerprint.key"))


class _OpenKey(NamedTuple):
    aead: AESGCM | None  # None = erased
    bound: bytes  # what each of the person's values is bound to
    until: datetime


class Vault:
    """Opens and seals for one service. `owns_keys`: screening makes the patients' keys, all others wait for them."""

    def __init__(
        self, store: Store, secrets: Secrets, *, clock: Clock, ids: Ids, owns_keys: bool, reread: Callable[[], Secrets] | None = None
    ) -> None:
        """Nothing is read yet. `reread`: the secrets as they are now; masters come and go while the process runs."""
        self._store, self._secrets, self._clock, self._ids, self._owns_keys = store, secrets, clock, ids, owns_keys
        self._reread, self._read_at = reread, clock.machine()
        self._open: dict[tuple[UUID, UUID], _OpenKey] = {}

    async def sealer(self, chain_id: UUID, subject_id: UUID, *, patient: bool) -> Callable[[Personal], Sealed]:
        """Seals values of this one person. `patient` False = staff, whose key stays in this service.

        Raises: PersonErased; KeyNotHere when a patient's key has not arrived here yet; Unavailable.
        """
        known: _OpenKey | None
        if patient and not self._owns_keys:
            known = (await self._keys(chain_id, [subject_id])).get(subject_id)
            if known is None:
                raise KeyNotHere("this patient's key has not arrived here yet")
        else:
            known = self.at_hand(chain_id, subject_id)
            if known is None:  # the one that stands, or a new one: asked for and made in one round trip
                known = self._remember(await self._store.ensure_key(self._new_key(chain_id, subject_id, shared=patient)))
        if known.aead is None:
            raise PersonErased
        aead, bound = known.aead, known.bound

        def seal(value: Personal) -> Sealed:
            nonce = self._ids.token(NONCE_BYTES)
            ciphertext = aead.encrypt(nonce, value.text.encode(), bound)
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
                return Personal(value.subject_id, key.aead.decrypt(nonce, ciphertext, key.bound).decode())
            except (InvalidTag, ValueError):
                log.error("a value is sealed under another key than its person has")  # noqa: TRY400
                return Redacted(value.subject_id)  # unreadable is the safe reading

        return open_

    def at_hand(self, chain_id: UUID, subject_id: UUID) -> _OpenKey | None:
        """This person's opened key, if it is known here at this moment: another object each time that it is read again."""
        known = self._open.get((chain_id, subject_id))
        return known if known and known.until > self._clock.machine() else None

    def fingerprint(self, body: bytes) -> bytes:
        """Tells whether two request bodies are the same, without keeping either."""
        return hmac.digest(self._secrets.fingerprint, b"body|" + body, hashlib.sha256)

    def forget(self, chain_id: UUID, subject_id: UUID) -> None:
        """Drops an opened key at once; other processes drop theirs within OPEN_KEY_SECONDS."""
        self._open.pop((chain_id, subject_id), None)

    def _new_key(self, chain_id: UUID, subject_id: UUID, *, shared: bool) -> Key:
        known = self._masters(SECRETS_SECONDS)
        nonce, key = self._ids.token(NONCE_BYTES), self._ids.token(KEY_BYTES)
        wrapped = wrap(known.current, known.masters[known.current], nonce, key, bound_to(chain_id, subject_id))
        return Key(chain_id=chain_id, subject_id=subject_id, wrapped=wrapped, erased=False, shared=shared)

    def _masters(self, age_seconds_max: float) -> Secrets:
        """Read again when they are older than this. What cannot be read now (half mounted, say) leaves them as they were."""
        now = self._clock.machine()
        if self._reread is not None and now - self._read_at >= timedelta(seconds=age_seconds_max):
            self._read_at = now
            try:
                self._secrets = self._reread()
            except SecretsMissing as error:
                log.error("the secrets cannot be read again", reason=type(error).__name__)  # noqa: TRY400
        return self._secrets

    async def _keys(self, chain_id: UUID, subject_ids: Sequence[UUID]) -> dict[UUID, _OpenKey]:
        found = {subject: key for subject in subject_ids if (key := self.at_hand(chain_id, subject))}
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
        known = _OpenKey(aead, bound_to(key.chain_id, key.subject_id), self._clock.machine() + timedelta(seconds=OPEN_KEY_SECONDS))
        while len(self._open) >= OPEN_KEYS_MAX:
            self._open.pop(next(iter(self._open)))
        self._open[key.chain_id, key.subject_id] = known
        return known

    def _unwrap(self, key: Key, wrapped: bytes) -> bytes:
        known = self._masters(SECRETS_SECONDS)
        if master_of(wrapped) not in known.masters:
            known = self._masters(UNKNOWN_MASTER_SECONDS)
        return unwrap(known.masters, wrapped, bound_to(key.chain_id, key.subject_id))
