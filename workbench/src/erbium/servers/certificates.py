"""Whose certificates are believed when jars are fetched: everybody's whom the person or the system of this machine names.

Why all of them together: a jar is used only if its hash is the one in the lock, so a certificate more can let nothing false in, while a
company's proxy, whose certificate is known in one of these places only, would shut everybody out.
"""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi

from erbium.servers.errors import LocalServerError

NAMED_BY = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_UNDERSTOOD = "REQUESTS_CA_BUNDLE"
# Where systems keep one file with all their authorities: Debian, Fedora, SUSE, macOS.
_SYSTEM_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem")
_BEGINS = b"-----BEGIN CERTIFICATE-----"


def refused_a_certificate(error: BaseException) -> bool:
    """Did a connection fail since nobody believed the other side's certificate? Trying again would change nothing."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def what_to_do() -> str:
    """The end of the sentence about a certificate that is not believed."""
    named = [f"{name}={os.environ[name]}" for name in NAMED_BY if os.environ.get(name)]
    so_far = f"{' and '.join(named)} does not hold it" if named else "neither is set now"
    return f"name the file with your company's root certificate in SSL_CERT_FILE or REQUESTS_CA_BUNDLE ({so_far}), and start again"


@contextlib.contextmanager
def believed() -> Iterator[None]:
    """Inside, `requests` believes whom REQUESTS_CA_BUNDLE, SSL_CERT_FILE, the system, or its own list names.

    Raises: LocalServerError when a variable names what is not there.
    """
    before = os.environ.get(_UNDERSTOOD)
    with tempfile.NamedTemporaryFile(prefix="erbium-authorities-", suffix=".pem") as together:
        together.write(b"\n".join(_every_authority()))
        together.flush()
        os.environ[_UNDERSTOOD] = together.name
        try:
            yield
        finally:
            if before is None:
                del os.environ[_UNDERSTOOD]
            else:
                os.environ[_UNDERSTOOD] = before


def system_store() -> list[Path]:
    """The files in which this system keeps its authorities."""
    where = ssl.get_default_verify_paths()
    return [path for path in (Path(where.openssl_cafile), *map(Path, _SYSTEM_FILES)) if path.is_file()]


def _every_authority() -> list[bytes]:
    named = [_named(name) for name in NAMED_BY if os.environ.get(name)]
    files = [*(file for files in named for file in files), *system_store(), Path(certifi.where())]
    return list(dict.fromkeys(content for file in files if _BEGINS in (content := file.read_bytes())))


def _named(name: str) -> list[Path]:
    path = Path(os.environ[name])
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
    if not path.is_file():
        raise LocalServerError(f"{name} names {path}, and there is no such file: correct it, or unset it.")
    return [path]
