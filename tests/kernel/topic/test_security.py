"""Kafka behind passwords and certificates: one set of settings, used by every client that we make."""

import ast
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from erbium_kernel.errors import Unavailable
from erbium_kernel.settings import Settings, SettingsUnfit
from erbium_kernel.topic.declared import ensure
from erbium_kernel.topic.kafka import KafkaInlet, KafkaOutlet
from tests.kernel.observing.tls import Authority
from tests.kernel.topic.brokers import letter, place, read, texts
from tests.kernel.topic.secured_broker import PASSWORD, USER, secured_broker

ROOT = Path(__file__).parents[3]
CLIENTS = frozenset({"KafkaInlet", "KafkaOutlet", "ensure"})
TOPIC = '[topics."erbium.secured.v1"]\npartitions = 2\nconfig = { "retention.ms" = "-1" }\n'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the broker's certificate is from."""
    return Authority.made(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> AsyncIterator[str]:
    """A real broker that lets in nobody but one user, over TLS."""
    async with secured_broker(tmp_path_factory.mktemp("broker"), authority.server_file, authority.ca_file) as address:
        yield address


def settings(folder: Path, authority: Authority, **given: Any) -> Settings:
    """Those of the broker, but for `given`. The password's file ends in a newline, as editors leave it."""
    (folder / "password").write_text(f"{given.pop('password', PASSWORD)}\n")
    usual = {"kafka_security_protocol": "SASL_SSL", "kafka_user": USER, "kafka_ca_file": authority.ca_file}
    return Settings(**usual | {"kafka_password_file": folder / "password"} | given)


@pytest.mark.servers
async def test_every_client_is_let_in(broker: str, authority: Authority, tmp_path: Path) -> None:
    """With the right password and authority topics are made, records are sent and read back, and the cluster is asked for its id."""
    (tmp_path / "topics.toml").write_text(TOPIC)
    security = settings(tmp_path, authority).kafka_security
    assert await ensure(broker, tmp_path / "topics.toml", replication=1, security=security) == ["erbium.secured.v1"]
    outlet = KafkaOutlet(broker, security=security)
    await outlet.publish("erbium.secured.v1", [letter("anna", "hello")])
    await outlet.close()
    inlet = KafkaInlet(broker, "suite.secured", ["erbium.secured.v1"], security=security)
    await place(inlet, count=2)
    assert texts(await read(inlet, lambda found: len(found) == 1)) == ["hello"]
    assert len(await inlet.cluster_id()) > 0
    await inlet.close()


@pytest.mark.servers
@pytest.mark.parametrize("wrong", ["password", "authority", "protocol"])
async def test_nobody_else_is(broker: str, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: str) -> None:
    """With a wrong password, another authority or no TLS nothing is sent, and the password stands in no line and no error."""
    cases: dict[str, dict[str, Any]] = {
        "password": {"password": f"not-{PASSWORD}"},
        "authority": {"kafka_ca_file": Authority.made(tmp_path / "other").ca_file},
        "protocol": {"kafka_security_protocol": "SASL_PLAINTEXT"},
    }
    outlet = KafkaOutlet(broker, security=settings(tmp_path, authority, **cases[wrong]).kafka_security)
    with pytest.raises(Unavailable) as refused:
        await outlet.publish("erbium.secured.v1", [letter("anna", "hello")])
    await outlet.close()
    assert PASSWORD not in str(refused.value) + caplog.text


def test_words_of_the_library(tmp_path: Path, authority: Authority) -> None:
    """The settings become the library's own options, and the library takes them; without any word it is plain text."""
    found = dict(settings(tmp_path, authority, kafka_sasl_mechanism="SCRAM-SHA-256").kafka_security)
    context = found.pop("ssl_context")
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert found == {
        "security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-256", "sasl_plain_username": USER, "sasl_plain_password": PASSWORD,
    }  # fmt: skip
    assert Settings().kafka_security == {"security_protocol": "PLAINTEXT"}
    assert set(Settings(kafka_security_protocol="SSL").kafka_security) == {"security_protocol", "ssl_context"}


async def test_the_library_takes_them(tmp_path: Path, authority: Authority) -> None:
    """Every client of the library knows every one of these options."""
    AIOKafkaAdminClient(bootstrap_servers="127.0.0.1:1", **settings(tmp_path, authority).kafka_security)


def test_the_password_is_read_anew(tmp_path: Path, authority: Authority) -> None:
    """A password that has changed in its file is the next client's."""
    given = settings(tmp_path, authority)
    (tmp_path / "password").write_text("newer")
    assert given.kafka_security["sasl_plain_password"] == "newer"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kafka_user": ""}, "ERBIUM_KAFKA_USER"),
        ({"kafka_password_file": None}, "ERBIUM_KAFKA_PASSWORD_FILE"),
        ({"kafka_password_file": Path("/nowhere")}, "ERBIUM_KAFKA_PASSWORD_FILE"),
        ({"password": ""}, "ERBIUM_KAFKA_PASSWORD_FILE"),
        ({"kafka_ca_file": Path("/nowhere")}, "ERBIUM_KAFKA_CA_FILE"),
        ({"kafka_ca_file": Path(__file__)}, "ERBIUM_KAFKA_CA_FILE"),
    ],
)
def test_unfit(tmp_path: Path, authority: Authority, given: dict[str, Any], named: str) -> None:
    """What is missing or cannot be read is told by the name of its setting."""
    with pytest.raises(SettingsUnfit, match=named):
        _ = settings(tmp_path, authority, **given).kafka_security


def test_no_client_without_them() -> None:
    """In kernel and services every client of Kafka is made with the settings' security."""
    sources = {path: path.read_text("utf-8") for folder in ("kernel", "services") for path in (ROOT / folder).rglob("src/**/*.py")}
    made = [
        (path, call)
        for path, source in sources.items()
        if any(f"{name}(" in source for name in CLIENTS)
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in CLIENTS
    ]
    assert len(made) >= 6, "the search finds what is there"
    assert not [f"{path}:{call.lineno}" for path, call in made if "security" not in {keyword.arg for keyword in call.keywords}]
