"""Tells an outage of the database or the broker from a bug of ours."""

import asyncpg
import sqlalchemy.exc

from erbium_kernel.errors import LostLease, Unavailable

# Source: PostgreSQL appendix A. 08 connection, 53 resources, 57P shutdown, 57014 cancelled, 55P03 lock timeout, 25P03 and 25P04 timeouts
AWAY_STATES = ("08", "53", "57P", "57014", "55P03", "25P03", "25P04")
_AWAY = (Unavailable, LostLease, OSError, TimeoutError, asyncpg.InterfaceError, sqlalchemy.exc.TimeoutError, sqlalchemy.exc.InterfaceError)
_A_FILE = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)  # OSErrors of no network


def is_away(error: BaseException) -> bool:
    """True if trying again later can help, since nothing is wrong with the request or the code."""
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        return error.connection_invalidated or isinstance(error, _AWAY) or _state_says_so(error.orig)
    return (isinstance(error, _AWAY) and not isinstance(error, _A_FILE)) or _state_says_so(error)


def _state_says_so(error: BaseException | None) -> bool:
    state = getattr(error, "sqlstate", None)
    return isinstance(state, str) and state.startswith(AWAY_STATES)
