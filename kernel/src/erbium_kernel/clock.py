"""Domain time, machine time and ids of a running service."""

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

from erbium_kernel.event import made_uuid
from erbium_kernel.ports import Store


class SystemClock:
    """Both times are the machine's."""

    def now(self) -> datetime:
        """Domain time, UTC."""
        return datetime.now(UTC)

    def machine(self) -> datetime:
        """Machine time, UTC."""
        return datetime.now(UTC)


class ShiftedClock:
    """Development: domain time runs beside the machine's, at an offset that the service's database keeps.

    Why: a journey of weeks must fit into a minute; tokens, leases, deadlines and lag stay on machine time.
    """

    def __init__(self) -> None:
        """Starts unshifted; `refresh` fetches the stored offset."""
        self._offset = timedelta()

    def now(self) -> datetime:
        """Domain time, UTC."""
        return datetime.now(UTC) + self._offset

    def machine(self) -> datetime:
        """Machine time, UTC."""
        return datetime.now(UTC)

    @property
    def offset(self) -> timedelta:
        """Domain time minus machine time."""
        return self._offset

    async def shift(self, store: Store, offset: timedelta) -> None:
        """Stores the offset and uses it from now on. Raises: Unavailable."""
        await store.set_clock_offset(offset)
        self._offset = offset

    async def refresh(self, store: Store) -> None:
        """Takes over what another process of the service has stored. Raises: Unavailable."""
        self._offset = await store.clock_offset()


def uuid7(at: datetime, random: bytes) -> UUID:
    """A version 7 id: 48 bits of UTC milliseconds, then 74 random bits. Source: RFC 9562 section 5.7."""
    return made_uuid(int(at.timestamp() * 1000) << 80 | int.from_bytes(random[:10], "big"), version=7)


class SystemIds:
    """Ids and tokens from the operating system's randomness."""

    def new(self) -> UUID:
        """A UUIDv7 of machine time."""
        return uuid7(datetime.now(UTC), os.urandom(10))

    def token(self, n: int) -> bytes:
        """`n` unpredictable bytes."""
        return os.urandom(n)
