"""A consumer's share of its group's partitions: what the library tells about it, and whether that is a trouble."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from aiokafka import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

NONE_SECONDS_MAX: Final = 30.0  # without partitions, once there were some: longer than any ordinary sharing out


class Share(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """What happened to the assignment. Why only flags: errors here are swallowed, and a lock here deadlocks with the poll."""

    def __init__(self, now: Callable[[], float], *, has_read: bool = False) -> None:
        """`has_read`: a partition has had a position, with this consumer or an earlier one. Units: `now` in seconds, from any beginning."""
        self._now, self._since = now, now()
        self._partitions = 0
        self._shared_out: int | None = None  # partitions of all members, known to the one that shares out
        self.has_read = has_read
        self.changed = False
        self.sharing_out = True

    def on_partitions_revoked(self, _: Any) -> None:
        """The group begins to share out again."""
        self.changed = self.sharing_out = True
        if self._partitions:
            self._partitions, self._since = 0, self._now()

    def on_partitions_assigned(self, assigned: Any) -> None:
        """The group has shared out."""
        self.changed, self.sharing_out, self._partitions = True, False, len(assigned)

    def assignor(self) -> type[StickyPartitionAssignor]:
        """The sticky assignor, which also notes how many partitions the group has.

        Why a class of its own for each consumer: the library keeps the assignor's memory in class attributes. Why noted there: the one
        member that shares out sees the whole group, so a reader without partitions is told from a standby without asking the broker.
        """
        share = self

        class StickyOfOneConsumer(StickyPartitionAssignor):  # type: ignore[misc]  # aiokafka is untyped
            @classmethod
            def metadata(cls, topics: Iterable[str]) -> Any:
                share._shared_out = None  # asks to join: somebody else may share out this time
                return super().metadata(topics)

            @classmethod
            def assign(cls, cluster: Any, members: Mapping[str, Any]) -> Any:
                shares = super().assign(cluster, members)
                share._shared_out = sum(len(partitions) for one in shares.values() for _, partitions in one.assignment)
                return shares

        return StickyOfOneConsumer

    def trouble(self) -> str | None:
        """Why this consumer reads nothing although it should; None if it reads, or stands by beside others of its group."""
        if self._partitions:
            return None if self.has_read else "its partitions have no position yet"
        waited = self._now() - self._since
        if self.has_read and waited < NONE_SECONDS_MAX:
            return None
        if self.sharing_out:
            return f"its group has not shared out the partitions for {waited:.0f} s"
        if self._shared_out == 0:
            return f"there has been no partition to read for {waited:.0f} s: its topics are missing"
        return None
