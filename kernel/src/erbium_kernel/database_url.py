"""Addresses of PostgreSQL in libpq's spelling, the same for the log (asyncpg) and the read tables (SQLAlchemy on asyncpg).

`postgresql://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/run/secrets/postgres-ca.pem`
Source: PostgreSQL manual, 32.1.1 "Connection Strings" and 32.19 "SSL Support".
"""

import ssl
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import URL

VERIFYING = ("verify-ca", "verify-full")
SSL_MODES = ("disable", "allow", "prefer", "require", *VERIFYING)
# What asyncpg understands of libpq's options. It hands every other one to the server as a setting, which then refuses each connection.
OPTIONS = frozenset(
    {
        "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation", "ssl_min_protocol_version",
        "ssl_max_protocol_version", "host", "port", "target_session_attrs", "application_name", "options",
    }
)  # fmt: skip
NO_TLS = "rejected SSL upgrade"  # how asyncpg says it
CAUSES_MAX = 10


def fit(url: str) -> str:
    """`url` itself. Raises: ValueError with a sentence, which holds no value out of it, if it cannot be used."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("the address begins with postgresql://")
    if parts.netloc.count("@") > 1:
        raise ValueError("an @ inside the password is written %40")
    try:
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise ValueError("what follows the ? is option=value, joined by &") from None
    unknown = sorted(options.keys() - OPTIONS)
    if unknown:
        raise ValueError(f"there is no option {unknown[0][:40]} here, only {', '.join(sorted(OPTIONS))}")
    mode = options.get("sslmode", "prefer")
    if mode not in SSL_MODES:
        raise ValueError(f"sslmode is one of {', '.join(SSL_MODES)}")
    if mode in VERIFYING and "sslrootcert" not in options:
        raise ValueError(f"sslmode={mode} needs sslrootcert, the file of the authority that has signed the server's certificate")
    _load(options)
    return url


def _load(options: Mapping[str, str]) -> None:
    """Why now: a file that is not there would look like a server that is away, and be waited for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in ("sslrootcert", "sslcrl"):
        if name in options:
            try:
                context.load_verify_locations(cafile=options[name])
            except OSError:  # an SSLError is one
                raise ValueError(f"{name} names no file that can be read and holds certificates (PEM)") from None
    if "sslcert" in options:
        try:
            context.load_cert_chain(options["sslcert"], options.get("sslkey"), lambda: options.get("sslpassword", ""))
        except OSError:
            raise ValueError("sslcert and sslkey name no certificate (PEM) and its key") from None


def sqlalchemy_url(url: str) -> str:
    """The same address for SQLAlchemy on asyncpg.

    Why a `dsn` inside: SQLAlchemy knows neither libpq's options nor several hosts, asyncpg does, but only in an address of its own.
    User, password and database stay outside, where SQLAlchemy hides the password from whoever prints its URL.
    """
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return URL.create(
        "postgresql+asyncpg",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        database=unquote(parts.path.removeprefix("/")) or None,
        query={"dsn": f"postgresql://{where}/{'?' if parts.query else ''}{parts.query}"},
    ).render_as_string(hide_password=False)


def tls_refusal(error: BaseException | None) -> str | None:
    """Why TLS has come to nothing, if that is what `error` or one of its causes says: waiting does not mend it."""
    for _ in range(CAUSES_MAX):
        if error is None:
            return None
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the server's certificate is not accepted ({error.verify_message}): look at sslrootcert, at sslmode and at the host"
        if isinstance(error, ssl.SSLError):
            return f"no TLS with this server ({error.reason}): look at sslmode and the files of the certificates"
        if type(error) is ConnectionError and NO_TLS in str(error):
            return "the server speaks no TLS, and sslmode does not allow to go without"
        error = error.__cause__ or error.__context__
    return None
