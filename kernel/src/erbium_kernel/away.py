"""Tells an outage of the database or the network from a bug of ours: the one list, for the log, read tables and HTTP alike."""

import asyncpg
import sqlalchemy.exc

# Source: PostgreSQL appendix A. Nothing of these is the fault of the request or of the code, so trying again later can help.
AWAY_STATES = (
    "08",  # connection
    "28",  # the role is not let in: its password is being changed, or the server is being set up
    "40",  # lost races, deadlocks
    "53",  # out of connections, memory, disk
    "57P",  # shut down, starting up
    "57014",  # cancelled: a statement timeout
    "55P03",  # lock timeout
    "25P03", "25P04",  # transactions that took too long
    "25006",  # read-only: a standby that is about to become the primary
)  # fmt: skip
_AWAY = (
    OSError,
    TimeoutError,
    sqlalchemy.exc.TimeoutError,  # no connection of the pool became free in time
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a query on a connection that the server has just ended
)
_A_FILE = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)  # OSErrors of no network
# A value of the wrong type, a parameter nobody knows: the drivers call them InterfaceErrors too, and no waiting mends them.
_OURS = (ValueError, asyncpg.exceptions.UnsupportedClientFeatureError, asyncpg.exceptions.UnsupportedServerFeatureError)


def is_away(error: BaseException | None) -> bool:
    """True if trying again later can help. Our own errors (`Unavailable`, `LostLease`) say so themselves and are not asked here."""
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        return error.connection_invalidated or is_away(error.orig) or (error.orig is not None and is_away(error.orig.__cause__))
    if isinstance(error, _AWAY):
        return not isinstance(error, _A_FILE + _OURS)
    state = getattr(error, "sqlstate", None)
    return isinstance(state, str) and state.startswith(AWAY_STATES)


def database_is_away(error: BaseException) -> bool:
    """The same of what a database call raised: there a socket file that is missing is the server's, not ours."""
    return isinstance(error, OSError) or is_away(error)
