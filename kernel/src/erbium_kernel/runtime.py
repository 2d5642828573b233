"""What a role of one service works with, built once in its main."""

from dataclasses import dataclass, field
from uuid import UUID

from erbium_kernel.codec import Codec
from erbium_kernel.folded_before import FoldedBefore
from erbium_kernel.ports import Clock, Ids, Store
from erbium_kernel.subscribing import Publishes
from erbium_kernel.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One service's log, time, ids, codec and keys. `publishes`: own event -> contract messages."""

    service: str
    store: Store
    clock: Clock
    ids: Ids
    codec: Codec
    vault: Vault
    publishes: Publishes
    folded_before: FoldedBefore = field(default_factory=FoldedBefore)

    def forget(self, chain_id: UUID, person_id: UUID) -> None:
        """Drops a person's opened key and every state that holds what it opened, at once; other processes do within OPEN_KEY_SECONDS."""
        self.vault.forget(chain_id, person_id)
        self.folded_before.forget(chain_id, person_id)
