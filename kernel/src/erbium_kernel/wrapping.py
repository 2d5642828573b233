"""A person's key, wrapped by a master: master id (8 hex digits) | nonce (12 bytes) | AES-256-GCM of the key. This form is for ever."""

from collections.abc import Mapping
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from erbium_kernel.errors import Unavailable

MASTER_ID_BYTES = 8
NONCE_BYTES = 12
SEAL_VERSION = 1


def bound_to(chain_id: UUID, subject_id: UUID) -> bytes:
    """What is authenticated with a key and with all that it seals: of this person, in this chain."""
    return chain_id.bytes + b"|" + subject_id.bytes + b"|" + str(SEAL_VERSION).encode()


def wrap(master_id: str, master: bytes, nonce: bytes, key: bytes, bound: bytes) -> bytes:
    """`nonce` is new every time."""
    return master_id.encode() + nonce + AESGCM(master).encrypt(nonce, key, bound)


def unwrap(masters: Mapping[str, bytes], wrapped: bytes, bound: bytes) -> bytes:
    """The key. Raises: Unavailable if its master is not among these; InvalidTag if it is another person's, or damaged."""
    nonce_end = MASTER_ID_BYTES + NONCE_BYTES
    master = masters.get(master_of(wrapped))
    if master is None:
        raise Unavailable(f"the master key {master_of(wrapped)} is not among this service's secrets")
    return AESGCM(master).decrypt(wrapped[MASTER_ID_BYTES:nonce_end], wrapped[nonce_end:], bound)


def master_of(wrapped: bytes) -> str:
    """The id of the master that opens it."""
    return wrapped[:MASTER_ID_BYTES].decode("latin-1")
