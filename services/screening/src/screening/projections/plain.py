"""Records as JSON columns: sealed values verbatim, dates and ids as text."""

from typing import Any

import msgspec

from erbium_kernel.personal import PersonalData, Sealed


def plain(value: Any) -> Any:
    """Dataclasses, dates and ids as JSON-ready values; a sealed value in its stored form."""
    return msgspec.to_builtins(value)


def sealed(value: PersonalData | None) -> dict[str, Any] | None:
    """The stored form of a sealed value, copied verbatim; None when there is none or it was erased."""
    return plain(value) if isinstance(value, Sealed) else None
