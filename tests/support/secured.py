"""Apache Kafka with users, passwords and rights, for tests of what happens without them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.admin import ACLResourcePatternType as PatternType

from headrace.embedded.child import free_port
from headrace.embedded.kafka import ApacheKafka
from stream_app.settings import Settings
from tests.support.crew import changed
from tests.support.paths import CACHE

PASSWORD = "worker-secret"
#: A second listener, on which clients log in; on the first, nobody does, and may do everything. Later lines win.
_SECURITY = """
listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{secured},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{secured}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_worker="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


class SecuredKafka:
    """One broker: who uses ``bootstrap`` may do everything; the user ``worker`` of ``secured`` may do what it is granted."""

    def __init__(self, bootstrap: str, secured: str) -> None:
        self.bootstrap, self.secured = bootstrap, secured

    def settings(self, settings: Settings, password: str = PASSWORD, **changes: Any) -> Settings:
        """The settings of a process that logs in as ``worker``."""
        return changed(
            settings, kafka=self.secured, kafka_security_protocol="SASL_PLAINTEXT", kafka_sasl_mechanism="PLAIN",
            kafka_username="worker", kafka_password=password, **changes,
        )  # fmt: skip

    def grant(self, *operations: ACLOperation, topic: str = "", group: str = "", prefix: bool = False) -> None:
        """Grant ``worker`` operations on a topic or a group, or on all that begin so."""
        with self._admin() as admin:
            admin.create_acls([_acl(operation, topic, group, prefix=prefix) for operation in operations])

    def grant_transactions(self, prefix: str) -> None:
        """Grant ``worker`` the transactional ids that begin so."""
        pattern = ResourcePattern(ResourceType.TRANSACTIONAL_ID, prefix, PatternType.PREFIXED)
        with self._admin() as admin:
            admin.create_acls(
                [
                    ACL("User:worker", "*", operation, ACLPermissionType.ALLOW, pattern)
                    for operation in (ACLOperation.WRITE, ACLOperation.DESCRIBE)
                ]
            )

    def revoke(self, *operations: ACLOperation, topic: str = "", group: str = "", prefix: bool = False) -> None:
        """Take granted operations away."""
        with self._admin() as admin:
            admin.delete_acls([_acl(operation, topic, group, prefix=prefix) for operation in operations])

    @contextmanager
    def _admin(self) -> Iterator[KafkaAdminClient]:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            yield admin
        finally:
            admin.close()


def _acl(operation: ACLOperation, topic: str, group: str, *, prefix: bool) -> ACL:
    kind = ResourceType.TOPIC if topic else ResourceType.GROUP
    pattern = ResourcePattern(kind, topic or group, PatternType.PREFIXED if prefix else PatternType.LITERAL)
    return ACL("User:worker", "*", operation, ACLPermissionType.ALLOW, pattern)


@contextmanager
def secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """Run the broker."""
    broker = ApacheKafka(CACHE, folder)
    properties = folder / "server.properties"
    written = properties.read_text()
    controller = written.split("CONTROLLER://127.0.0.1:")[1].split("\n")[0]
    secured = free_port()
    more = _SECURITY.format(port=broker.port, secured=secured, controller=controller, password=PASSWORD)
    properties.write_text(written + more)
    broker.start()
    try:
        yield SecuredKafka(broker.bootstrap, f"127.0.0.1:{secured}")
    finally:
        broker.stop()
