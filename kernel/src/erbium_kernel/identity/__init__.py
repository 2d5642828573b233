"""Tokens, and what their roles may do."""

from erbium_kernel.identity.key_set import KeySet, over_http
from erbium_kernel.identity.principal import Principal
from erbium_kernel.identity.rights import RIGHTS, ROLES, SCOPES
from erbium_kernel.identity.tokens import TokenRefused, Verifier

__all__ = ["RIGHTS", "ROLES", "SCOPES", "KeySet", "Principal", "TokenRefused", "Verifier", "over_http"]
