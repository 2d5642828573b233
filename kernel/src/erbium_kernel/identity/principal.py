"""Who asks: what a checked token says about its bearer."""

from dataclasses import dataclass
from uuid import UUID

from erbium_kernel.event import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The bearer of a checked token. `clinics` None = every clinic of the chain; `client` is the program that holds the token."""

    chain_id: UUID
    actor: Actor
    client: str
    roles: frozenset[str]
    scopes: frozenset[str]
    clinics: frozenset[UUID] | None

    def covers(self, clinic_id: UUID) -> bool:
        """May this bearer act at the clinic? Reading and deciding see the whole chain; this is about the place of the act."""
        return self.clinics is None or clinic_id in self.clinics
