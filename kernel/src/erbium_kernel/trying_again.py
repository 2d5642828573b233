"""When to try again what cannot be done yet: ever more rarely, and who has waited longest first."""

from collections.abc import Collection, Hashable
from datetime import UTC, datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

TRY_AGAIN_SECONDS_MIN = 0.25
TRY_AGAIN_SECONDS_MAX = 10.0  # so long after the key of a patient has come, his rows may still wait

AT_ONCE = datetime.min.replace(tzinfo=UTC)
K = TypeVar("K", bound=Hashable)


class _Next(NamedTuple):
    attempts: int
    at: datetime


class TryingAgain(Generic[K]):
    """Remembers for each key that is in trouble when its next try is (machine time); a key it does not know is due at once."""

    def __init__(self) -> None:
        """Nothing is in trouble."""
        self._next: dict[K, _Next] = {}

    def due(self, keys: Collection[K], now: datetime, limit: int) -> list[K]:
        """At most `limit` of these keys that may be tried now."""
        ready = [key for key in keys if self._at(key) <= now]
        return sorted(ready, key=self._at)[:limit]

    def later(self, key: K, now: datetime) -> None:
        """It could not be done now either."""
        attempts = self._next[key].attempts + 1 if key in self._next else 1
        pause = min(TRY_AGAIN_SECONDS_MAX, TRY_AGAIN_SECONDS_MIN * 2 ** min(attempts - 1, 16))
        self._next[key] = _Next(attempts, now + timedelta(seconds=pause))

    def forget(self, key: K) -> None:
        """It is in trouble no longer."""
        self._next.pop(key, None)

    def keep(self, keys: Collection[K]) -> None:
        """Forgets all others."""
        if self._next:
            self._next = {key: self._next[key] for key in keys if key in self._next}

    def _at(self, key: K) -> datetime:
        return self._next[key].at if key in self._next else AT_ONCE
