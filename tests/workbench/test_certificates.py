"""A Maven repository behind a certificate that nobody knows, as a company's proxy has one: a real HTTPS server on this machine."""

import datetime
import hashlib
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from erbium.servers import LocalServerError, certificates, jars

CONTENT = b"a whole jar"
JAR_LINE = f"org.example:thing:1.0 sha256={hashlib.sha256(CONTENT).hexdigest()}\n"


class Repository(http.server.ThreadingHTTPServer):
    """Serves one jar, and counts the handshakes that failed."""

    handshakes_failed = 0

    def finish_request(self, request: object, client_address: object) -> None:
        """A handshake is made here, in the request's own thread."""
        try:
            request.do_handshake()  # type: ignore[attr-defined]
        except (ssl.SSLError, OSError):
            self.handshakes_failed += 1
            return
        super().finish_request(request, client_address)  # type: ignore[arg-type]


class OneJar(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """The jar and nothing else."""
        found = self.path == "/maven/org/example/thing/1.0/thing-1.0.jar"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(CONTENT) if found else 0))
        self.end_headers()
        self.wfile.write(CONTENT if found else b"")

    def log_message(self, *_: object) -> None:
        """Silent."""


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Certificate and key of 127.0.0.1, signed by itself, good for an hour."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "proxy.pem", folder / "proxy.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return cert_file, key_file


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, Path]:
    return self_signed(tmp_path / "company")


@pytest.fixture
def repository(authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    for name in (*certificates.NAMED_BY, "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)
    with Repository(("127.0.0.1", 0), OneJar) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("ERBIUM_MAVEN_REPO", f"https://127.0.0.1:{server.server_address[1]}/maven/")
        yield server
        server.shutdown()
        thread.join()


def fetch(folder: Path) -> bytes:
    """Bring the one jar of a lock."""
    lock = folder / "jars.lock"
    lock.write_text(JAR_LINE)
    [jar] = jars.ensure(lock, folder / "jars", progress=lambda _: None)
    return jar.read_bytes()


def test_a_certificate_that_nobody_knows_is_one_sentence_at_once(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One try, no more: the sentence names both variables, and what they hold by now."""
    with pytest.raises(LocalServerError) as refused:
        fetch(tmp_path)
    assert str(refused.value) == (
        "org.example:thing:1.0 was not fetched, since nobody whom this machine believes has signed the repository's certificate: name the "
        "file with your company's root certificate in SSL_CERT_FILE or REQUESTS_CA_BUNDLE (neither is set now), and start again."
    )
    assert repository.handshakes_failed == 1

    monkeypatch.setenv("SSL_CERT_FILE", str(self_signed(tmp_path / "stranger")[0]))
    with pytest.raises(LocalServerError, match=r"SSL_CERT_FILE=.*proxy\.pem does not hold it"):
        fetch(tmp_path)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_named_certificate_is_believed(
    variable: str, repository: Repository, authority: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either variable is enough."""
    monkeypatch.setenv(variable, str(authority[0]))
    assert fetch(tmp_path) == CONTENT
    assert repository.handshakes_failed == 0


def test_the_systems_own_store_is_believed(
    repository: Repository, authority: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator who has told the system need not tell Erbium; a variable that names another does not undo that."""
    monkeypatch.setattr(certificates, "_SYSTEM_FILES", (str(authority[0]),))
    monkeypatch.setenv("SSL_CERT_FILE", str(self_signed(tmp_path / "stranger")[0]))
    assert fetch(tmp_path) == CONTENT
    assert repository.handshakes_failed == 0


def test_a_variable_that_names_nothing_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped file is said before anything is asked of the network."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(
        LocalServerError, match=r"^REQUESTS_CA_BUNDLE names .*nowhere\.pem, and there is no such file: correct it, or unset it"
    ):
        fetch(tmp_path)
