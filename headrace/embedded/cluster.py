"""A cluster of Apache Kafka nodes on one machine, for tests: each is broker and controller, and can be killed and restarted.

Three nodes keep working without any one of them: topics have as many replicas as there are nodes, and all but one must
acknowledge. Every node takes about 350 MB of memory.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headrace.embedded.child import Child, free_port
from headrace.embedded.kafka import VERSION, assemble, java_runtime, new_cluster_id
from headrace.embedded.readiness import kafka_answers, quiet, wait_until

#: Small heaps and few threads: nodes share two cores with what is tested. A short-lived broker is best compiled by C1 alone.
JAVA_OPTIONS = ("-Xms64m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
PROPERTIES = """\
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=DIRECT
listeners=DIRECT://127.0.0.1:{port},CLIENTS://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=DIRECT://127.0.0.1:{port},CLIENTS://127.0.0.1:{advertised}
listener.security.protocol.map=DIRECT:PLAINTEXT,CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
default.replication.factor={nodes}
min.insync.replicas={in_sync}
unclean.leader.election.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.replication.factor={nodes}
offsets.topic.num.partitions=3
transaction.state.log.replication.factor={nodes}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=3
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=4194304
file.delete.delay.ms=1000
"""


@dataclass(frozen=True, slots=True)
class Address:
    """Ports of a node on the loopback interface.

    Attributes:
        port: of the listener for its fellows and for whoever wants no detour.
        clients: of the second listener.
        advertised: port that clients of the second listener are sent to; another than ``clients`` if a proxy is between.
        controller: of the quorum.
    """

    port: int
    clients: int
    advertised: int
    controller: int


class Node:
    """One broker and controller; its data stay when it is killed."""

    def __init__(self, number: int, address: Address, folder: Path, java: Sequence[str], cluster_id: str) -> None:
        self.number, self.address = number, address
        self.name = f"Apache Kafka, node {number}"
        self.child: Child | None = None
        self._folder, self._java, self._cluster_id = folder, java, cluster_id
        self._log = folder / "kafka.log"

    def format(self, properties: str) -> Child:
        """Write the configuration, and start the program that formats the storage."""
        file = self._folder / "server.properties"
        file.write_text(properties)
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={self._cluster_id}", "-c", str(file)]
        return Child.start(self.name, [*self._java, *tool], self._log)

    def launch(self) -> None:
        """Start the process and return at once."""
        self.child = Child.start(self.name, [*self._java, "kafka.Kafka", str(self._folder / "server.properties")], self._log)

    def wait(self) -> None:
        """Wait until the node answers clients.

        Raises:
            EmbeddedError: it has ended, or does not answer.
        """
        if self.child is not None:
            wait_until(self.child, lambda: kafka_answers(self.address.port, self._cluster_id))

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self.launch()
        self.wait()

    def kill(self) -> None:
        """End the process by SIGKILL. A second call does nothing."""
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.kill(self.child.pid, signal.SIGKILL)
            self.child.wait()
            self.child = None


class KafkaCluster:
    """Nodes with their data in ``folder``; ``bootstrap`` goes to them directly, ``clients`` by the advertised ports."""

    def __init__(
        self, cache: Path, folder: Path, *, nodes: int = 3, advertised: Sequence[int] = (), version: str = VERSION
    ) -> None:
        """Format the storage of all nodes.

        Args:
            cache: folder for the jars, which are downloaded once.
            folder: an empty folder for data and logs.
            nodes: their number; three survive the end of one.
            advertised: a port of a proxy per node, through which clients of ``clients`` get to the node's second listener.
            version: of Kafka.

        Raises:
            EmbeddedError: Java or Maven is missing or too old, Maven could not download the jars, or formatting failed.
        """
        java = java_runtime()
        jars = assemble(cache, version)
        command = [java, *JAVA_OPTIONS, "-cp", f"{jars}/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        self.cluster_id = new_cluster_id()
        ports = free_ports(3 * nodes)
        self.nodes: list[Node] = []
        for number in range(1, nodes + 1):
            port, clients, controller = ports[3 * number - 3 : 3 * number]
            address = Address(port, clients, advertised[number - 1] if advertised else clients, controller)
            home = folder / f"node-{number}"
            home.mkdir()
            self.nodes.append(Node(number, address, home, command, self.cluster_id))
        voters = ",".join(f"{node.number}@127.0.0.1:{node.address.controller}" for node in self.nodes)
        formatting = [
            node.format(
                PROPERTIES.format(
                    id=node.number, voters=voters, nodes=nodes, in_sync=max(1, nodes - 1),
                    folder=folder / f"node-{node.number}",
                    port=node.address.port, clients=node.address.clients, advertised=node.address.advertised,
                    controller=node.address.controller,
                )
            )
            for node in self.nodes
        ]  # fmt: skip
        for child in formatting:
            if child.wait(60) != 0:
                child.stop()
                raise child.failure("could not format its storage")

    @property
    def bootstrap(self) -> str:
        """``host:port`` of every node, as clients expect it."""
        return ",".join(f"127.0.0.1:{node.address.port}" for node in self.nodes)

    @property
    def clients(self) -> str:
        """``host:port`` of every node by its advertised port, behind a proxy if there is one."""
        return ",".join(f"127.0.0.1:{node.address.advertised}" for node in self.nodes)

    def start(self) -> None:
        """Start all nodes, and wait until each knows all the others.

        Raises:
            EmbeddedError: a node did not start.
        """
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait()
        first = self.nodes[0].child
        if first is not None:
            wait_until(first, self._joined)

    def _joined(self) -> bool:
        """Return whether the first node knows all the others."""
        from kafka import KafkaAdminClient
        from kafka.errors import KafkaError

        with quiet("kafka"), suppress(KafkaError):
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap.split(",")[0], request_timeout_ms=5_000)
            try:
                return len(admin.describe_cluster()["brokers"]) == len(self.nodes)
            finally:
                admin.close()
        return False

    def stop(self) -> None:
        """End all nodes; their data are for tests only. A second call does nothing."""
        for node in self.nodes:
            node.kill()


def free_ports(count: int) -> list[int]:
    """Return different free ports of the loopback interface."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)
