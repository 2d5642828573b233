"""A service as its `wiring.py` declares it: one page of names; the kernel does the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import MetaData

from erbium_kernel.decider import Decider
from erbium_kernel.event import Envelope, EventTable, Message
from erbium_kernel.schema import package_of
from erbium_kernel.subscribing import Projection, Publishes, Reaction, TimerTable

if TYPE_CHECKING:
    from erbium_kernel.driver import Role
    from erbium_kernel.http import Routes
    from erbium_kernel.running import Running

ExtraRole = Callable[["Running"], "Role"]


def publishes_nothing(_: Envelope, __: Any) -> Sequence[Message]:
    """A service nobody listens to."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """All parts of one service by name.

    `name` has dashes (`device-telemetry`), its package underscores. `listens_to`: the services whose topics intake reads.
    `erased_by`: the facts after which a person's key is destroyed here. `heartbeat`: the relay vouches for the topic every 10 s.
    `extra_roles`: background work of this service only; each builds its role from what runs. `needs`: the settings that its `api` and its
    `work` need beyond those that every service needs.
    """

    name: str
    deciders: tuple[Decider[Any, Any, Any], ...]
    publishes: Publishes = publishes_nothing
    heard: EventTable = field(default_factory=EventTable)
    listens_to: tuple[str, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    projections: tuple[Projection, ...] = ()
    timers: TimerTable = field(default_factory=dict)
    erased_by: tuple[str, ...] = ()
    heartbeat: bool = False
    routes: "tuple[Routes, ...]" = ()
    extra_roles: tuple[ExtraRole, ...] = ()
    needs: Mapping[Literal["api", "work"], tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a declaration that would go wrong later: double names, facts nobody can decode, tables with two owners."""
        subscribers = [self.erasure, *(reaction.name for reaction in self.reactions), *(projection.name for projection in self.projections)]
        assert len(set(subscribers)) == len(subscribers), f"two subscribers under one name: {subscribers}"
        known = self.types
        for reaction in self.reactions:
            unknown = reaction.hears - known.keys()
            assert not unknown, f"{reaction.name} hears what no table names: {sorted(unknown)}"
        for projection in self.projections:
            unknown = projection.hears - known.keys()
            assert not unknown, f"{projection.name} hears what no table names: {sorted(unknown)}"
        owned = [table.name for projection in self.projections for table in projection.tables]
        assert len(set(owned)) == len(owned), f"a read table with two owners: {owned}"

    @property
    def package(self) -> str:
        """The Python package, and the prefix of the database roles."""
        return package_of(self.name)

    @property
    def types(self) -> Mapping[str, type]:
        """Stored name -> record, own events and heard facts."""
        tables = [*(decider.events for decider in self.deciders), self.heard]
        return {name: stored.record for table in tables for name, stored in table.items()}

    @property
    def metadata(self) -> MetaData:
        """The read tables, for migrations and their check."""
        found = {id(table.metadata): table.metadata for projection in self.projections for table in projection.tables}
        assert len(found) <= 1, f"{self.name}: read tables in more than one MetaData"
        return next(iter(found.values()), MetaData())

    def subscribers_of(self, type_: str) -> frozenset[str]:
        """The reactions, projections and the erasure that hear this type, by name."""
        reactions = {reaction.name for reaction in self.reactions if type_ in reaction.hears}
        projections = {projection.name for projection in self.projections if type_ in projection.hears}
        return frozenset(reactions | projections | ({self.erasure} if type_ in self.erased_by else set()))

    def needed_by(self, kind: Literal["api", "work", "all"]) -> tuple[str, ...]:
        """The settings that this kind of process needs for this service in particular."""
        return tuple(name for of, names in self.needs.items() if kind in (of, "all") for name in names)

    @property
    def owns_keys(self) -> bool:
        """Does this service make the persons' keys? The one that itself decides about erasures does; all others hear of both."""
        return any(name in decider.events for decider in self.deciders for name in self.erased_by)

    @property
    def erasure(self) -> str:
        """The stored name of the subscriber that destroys the keys of erased persons."""
        return f"{self.name}.erasure"


def main(service: Service) -> None:
    """`python -m <package> api|work|all|migrate|rebuild|parked|keys`: parses, runs, and exits with a documented code."""
    from erbium_kernel.command_line import run

    run(service)
