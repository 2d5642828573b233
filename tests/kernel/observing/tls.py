"""Certificates of a test's own authority, and PostgreSQL's way into TLS in front of a server that was built without it."""

import asyncio
import contextlib
import ipaddress
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # Source: PostgreSQL manual, 54.7 "Message Formats"
CHUNK_BYTES = 64 * 1024
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """`ca_file`: whom to trust. `server_file`: key and certificate (PEM) of a server at 127.0.0.1, or at another address."""

    ca_file: Path
    server_file: Path

    @classmethod
    def made(cls, folder: Path, *, address: str = "127.0.0.1") -> "Authority":
        """An authority of its own, in `folder`."""
        folder.mkdir(parents=True)
        key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca = _certificate("test authority", key, "test authority", key, x509.BasicConstraints(ca=True, path_length=0))
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        server = _certificate("test server", server_key, "test authority", key, names)
        made = cls(folder / "ca.pem", folder / "server.pem")
        made.ca_file.write_bytes(ca.public_bytes(Encoding.PEM))
        secret = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        made.server_file.write_bytes(secret + server.public_bytes(Encoding.PEM))
        return made

    def context(self) -> ssl.SSLContext:
        """A server's."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server_file)
        return context


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
) -> x509.Certificate:
    now, signs = datetime.now(UTC), key is issuer_key
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=signs, crl_sign=signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(extension, critical=False)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


@dataclass
class Front:
    """Speaks TLS to the client and plainly to the real server behind."""

    authority: Authority
    behind: tuple[str, int]
    port: int = 0
    encrypted: int = 0  # connections that have come through

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), _closed(writer):
            assert await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self.authority.context())
            self.encrypted += 1
            server_reader, server_writer = await asyncio.open_connection(*self.behind)
            with _closed(server_writer):
                await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))


@contextlib.contextmanager
def _closed(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def in_front_of(host: str, port: int, authority: Authority) -> AsyncIterator[Front]:
    """Listens on 127.0.0.1 while the block runs."""
    front = Front(authority, (host, port))
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()
