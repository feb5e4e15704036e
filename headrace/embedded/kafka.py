"""Apache Kafka without Docker: its jars from Maven Central, one Java process in KRaft mode, loopback only.

For tests and development; ``python -m headrace.embedded.kafka`` runs one until it is stopped.
"""

from __future__ import annotations

import base64
import fcntl
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from headrace.embedded.child import Child, free_port
from headrace.embedded.readiness import kafka_answers, wait_until
from stream_app.errors import EmbeddedError

VERSION = "4.1.0"
NAME = "Apache Kafka"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headrace</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{version}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""
#: One broker for one machine: nothing to replicate to, no waiting for further members, no topic that nobody asked for.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
"""


@contextmanager
def apache_kafka(cache: Path, *, port: int | None = None, version: str = VERSION) -> Iterator[str]:
    """Run Apache Kafka and yield its bootstrap servers, ``host:port``; its data is gone afterwards.

    Args:
        cache: folder that keeps the jars (about 45 MB) for the next time.
        port: where it listens on the loopback interface; default: a free port.

    Raises:
        EmbeddedError: Java or Maven is missing or too old, Maven could not bring the jars, or Kafka did not start.
    """
    java = java_runtime()
    jars = assemble(cache, version)
    folder = Path(tempfile.mkdtemp(prefix="headrace-kafka-"))
    try:
        port = port or free_port()
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        properties = folder / "server.properties"
        properties.write_text(PROPERTIES.format(port=port, controller=free_port(), folder=folder))
        run = [java, "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{jars}/*"]
        logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        log = folder / "kafka.log"
        formatting = Child.start(
            NAME, [*run, logging, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", properties], log
        )
        if formatting.wait(60) != 0:
            formatting.stop()
            raise formatting.failure("could not format its storage")
        broker = Child.start(NAME, [*run, logging, "kafka.Kafka", properties], log)
        try:
            wait_until(broker, lambda: kafka_answers(port, cluster_id) and _groups_answer(port))
            yield f"127.0.0.1:{port}"
        finally:
            broker.stop(timeout=15)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def assemble(cache: Path, version: str = VERSION) -> Path:
    """The folder with Kafka's jars, brought by Maven the first time.

    Raises:
        EmbeddedError: Maven is missing or failed; the message ends with its output.
    """
    home = cache / f"kafka-{version}"
    jars = home / "libs"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it at the same time
        if jars.is_dir():
            return jars
        maven = _program("mvn", "Maven")
        (home / "pom.xml").write_text(POM.format(version=version))
        partial = home / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            [maven, "-q", "-B", f"{PLUGIN}:copy-dependencies", f"-DoutputDirectory={partial.absolute()}"],
            cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise EmbeddedError(f"Maven could not bring Apache Kafka {version}: {(done.stdout + done.stderr)[-2000:]}")
        partial.rename(jars)
    return jars


def java_runtime() -> str:
    """The path of ``java``.

    Raises:
        EmbeddedError: there is none, or it is older than 17.
    """
    java = _program("java", "Java 17 or newer")
    told = subprocess.run([java, "-version"], capture_output=True, text=True).stderr  # noqa: S603
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < 17:
        raise EmbeddedError(f"Apache Kafka needs Java 17 or newer; {java} is {told.splitlines()[0] if told else 'broken'}")
    return java


def _program(name: str, what: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise EmbeddedError(f"Apache Kafka needs {what}: there is no `{name}` on PATH")
    return path


def _groups_answer(port: int) -> bool:
    """Whether the group coordinator works: a new cluster makes its topic when it is first asked."""
    from kafka import KafkaAdminClient  # type: ignore[import-untyped]
    from kafka.errors import KafkaError  # type: ignore[import-untyped]

    admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}")
    try:
        admin.list_group_offsets("headrace-readiness")
    except KafkaError:
        return False
    finally:
        admin.close()
    return True


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True, help="Jars.")
@click.option("--port", type=int, default=9092, show_default=True, help="Port on the loopback interface.")
def main(cache: Path, port: int) -> None:
    """Run Apache Kafka until Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with apache_kafka(cache, port=port) as bootstrap:
        click.echo(f"Apache Kafka {VERSION} on {bootstrap}; Ctrl-C stops it and removes its data")
        signal.pause()


if __name__ == "__main__":
    main()
