"""May a master go? Only when nobody who lives needs it, everybody uses a younger one, and the backups made under it have expired."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from erbium_kernel.errors import NotFound, Rejected
from erbium_kernel.masters import Master, read_masters
from erbium_kernel.message import KEYS_TOPIC
from erbium_kernel.rotating import Standing
from erbium_kernel.topic.kafka_past import past_of
from erbium_kernel.vault import SECRETS_SECONDS
from erbium_kernel.wrapping import master_of

ROTATION_DAYS = 1  # for the living keys to be wrapped anew, from when the successor was made
BACKUP_DAYS = 30  # a backup expires after this
SETTLED_SECONDS = 3 * SECRETS_SECONDS  # after which no process wraps a new key by the one before


def check_age(master_id: str, folders: Sequence[Path], now: datetime, *, backups_expired: bool) -> None:
    """Raises: NotFound, Rejected with a sentence that says since when it might go."""
    found = [masters for masters in map(read_masters, folders) if any(master.id == master_id for master in masters)]
    if not found:
        raise NotFound(f"There is no master {master_id}: `keys list` shows those that exist.")
    for masters in found:
        _check_successor(master_id, masters, now, backups_expired=backups_expired)


def _check_successor(master_id: str, masters: Sequence[Master], now: datetime, *, backups_expired: bool) -> None:
    place = [master.id for master in masters].index(master_id)
    if place == len(masters) - 1:
        raise Rejected(f"{master_id} is the youngest: it wraps all new keys. `keys rotate-master` makes its successor.")
    since = masters[place + 1].made_at
    if now - since < timedelta(seconds=SETTLED_SECONDS):
        raise Rejected(f"The successor of {master_id} was made less than {SETTLED_SECONDS} s ago: a process may not have seen it yet.")
    expired = since + timedelta(days=ROTATION_DAYS + BACKUP_DAYS)
    if now < expired and not backups_expired:
        raise Rejected(
            f"Backups made under {master_id} may be needed until {expired:%Y-%m-%d}: without it, nobody's personal data in them can be "
            "read. If none of them is left, say --backups-expired."
        )


def check_unused(master_id: str, service: str, stands: Sequence[Standing]) -> None:
    """Raises: Rejected while a living key of this service needs it."""
    needed = sum(each.keys for each in stands if each.master == master_id)
    if needed:
        received = sum(each.received for each in stands if each.master == master_id)
        how = "`keys rotate-master` wraps them anew" if received < needed else "they come anew over the key topic, from screening"
        raise Rejected(f"{needed} living keys in {service} are still wrapped by {master_id}: {how}.")


async def check_topic(master_id: str, kafka: str, security: Mapping[str, Any] | None = None) -> None:
    """Raises: Rejected while the newest record of anybody on the key topic needs it; Unavailable."""
    newest: dict[bytes | None, bytes | None] = {}
    async with past_of(kafka, KEYS_TOPIC, security=security) as past:
        async for records in past.records():
            newest.update({record.key: record.value for record in records})
    needed = sum(value is not None and master_of(value) == master_id for value in newest.values())
    if needed:
        raise Rejected(
            f"{needed} persons' newest keys on {KEYS_TOPIC} are still wrapped by {master_id}: the relay has yet to send the new ones."
        )


def what_dies(master_id: str) -> str:
    """For people, after it is done."""
    return (
        f"{master_id} is destroyed. With it dies what was left of persons who were erased while it wrapped keys: in dumps, base backups, "
        "write-ahead log, freed blocks, old topic segments. A backup from before the last rotation's end yields nobody's personal data "
        "any more. Destroy what a secret store, a snapshot or a backup of the secrets keeps of it too."
    )
