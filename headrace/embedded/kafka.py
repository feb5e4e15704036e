"""Apache Kafka without Docker, for tests and development: jars from Maven Central, one Java process, loopback only.

``python -m headrace.embedded.kafka`` runs one until it is stopped.
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
#: One broker for one machine: no replicas, no delay for further members, no automatic topics.
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


class ApacheKafka:
    """One broker with its data in ``folder``; it can be stopped and started again, and keeps its port."""

    def __init__(self, cache: Path, folder: Path, *, port: int | None = None, version: str = VERSION) -> None:
        """Format the storage.

        Args:
            cache: folder for the jars (about 45 MB), which are downloaded once.
            folder: an empty folder for data and log.
            port: port of the loopback interface; default: a free one.

        Raises:
            EmbeddedError: Java or Maven is missing or too old, Maven could not download the jars, or formatting failed.
        """
        java = java_runtime()
        jars = assemble(cache, version)
        self.port = port or free_port()
        self.child: Child | None = None
        self._log = folder / "kafka.log"
        self._cluster_id = new_cluster_id()
        self._properties = folder / "server.properties"
        self._properties.write_text(PROPERTIES.format(port=self.port, controller=free_port(), folder=folder))
        logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        self._java = [java, "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{jars}/*", logging]
        storage = ["kafka.tools.StorageTool", "format", f"--cluster-id={self._cluster_id}", "-c", str(self._properties)]
        formatting = Child.start(NAME, [*self._java, *storage], self._log)
        if formatting.wait(60) != 0:
            formatting.stop()
            raise formatting.failure("could not format its storage")

    @property
    def bootstrap(self) -> str:
        """``host:port``, as clients expect it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the broker with its present data, and wait until it answers.

        Raises:
            EmbeddedError: the broker did not start.
        """
        self.child = child = Child.start(NAME, [*self._java, "kafka.Kafka", self._properties], self._log)
        wait_until(child, lambda: kafka_answers(self.port, self._cluster_id) and _groups_answer(self.port))

    def stop(self) -> None:
        """Stop the broker and keep its data. A second call does nothing."""
        if self.child is not None:
            self.child.stop(timeout=15)
            self.child = None


@contextmanager
def apache_kafka(cache: Path, *, port: int | None = None) -> Iterator[str]:
    """Run Apache Kafka and yield its bootstrap servers, ``host:port``; remove its data afterwards.

    Args and raised errors are those of ``ApacheKafka``.
    """
    folder = Path(tempfile.mkdtemp(prefix="headrace-kafka-"))
    try:
        kafka = ApacheKafka(cache, folder, port=port)
        try:
            kafka.start()
            yield kafka.bootstrap
        finally:
            kafka.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_cluster_id() -> str:
    """Return a random cluster id in Kafka's form."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def assemble(cache: Path, version: str = VERSION) -> Path:
    """Return the folder with Kafka's jars; Maven downloads them the first time.

    Raises:
        EmbeddedError: Maven is missing or failed; the message ends with its output.
    """
    home = cache / f"kafka-{version}"
    jars = home / "libs"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may need the jars at the same time
        if jars.is_dir():
            return jars
        maven = _program("mvn", "Maven")
        (home / "pom.xml").write_text(POM.format(version=version))
        partial = home / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            [maven, "-q", "-B", f"{PLUGIN}:copy-dependencies", f"-DoutputDirectory={partial.absolute()}"],
            cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise EmbeddedError(f"Maven could not download Apache Kafka {version}: {(done.stdout + done.stderr)[-2000:]}")
        partial.rename(jars)
    return jars


def java_runtime() -> str:
    """Return the path of ``java``.

    Raises:
        EmbeddedError: Java is missing or older than 17.
    """
    java = _program("java", "Java 17 or newer")
    output = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = re.search(r'version "(\d+)', output)
    if version is None or int(version[1]) < 17:
        raise EmbeddedError(f"Apache Kafka needs Java 17 or newer; {java} is {output.splitlines()[0] if output else 'broken'}")
    return java


def _program(name: str, what: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise EmbeddedError(f"Apache Kafka needs {what}, and `{name}` is not on PATH; install it")
    return path


def _groups_answer(port: int) -> bool:
    """True if the group coordinator works; a new cluster creates its topic on the first request."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}")
    try:
        admin.list_group_offsets("headrace-readiness")
    except KafkaError:
        return False
    finally:
        admin.close()
    return True


@click.command()
@click.option(
    "--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True, help="Folder for the jars."
)
@click.option("--port", type=int, default=9092, show_default=True, help="Port on the loopback interface.")
def main(cache: Path, port: int) -> None:
    """Run Apache Kafka until Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with apache_kafka(cache, port=port) as bootstrap:
        click.echo(f"Apache Kafka {VERSION} on {bootstrap}; Ctrl-C stops it and removes its data")
        signal.pause()


if __name__ == "__main__":
    main()
