"""A cluster of Kafka nodes on one machine goes on without one of them, and takes it back."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from headrace.embedded.cluster import KafkaCluster
from tests.support.paths import CACHE
from tests.support.services import skip_without_kafka
from tests.support.waiting import eventually


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_three_nodes_acknowledge_without_one_of_them_and_it_catches_up(tmp_path: Path) -> None:
    skip_without_kafka()
    cluster = KafkaCluster(CACHE, tmp_path)
    try:
        cluster.start()
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
        admin.create_topics([NewTopic("topic", 3, 3)])["topic"].result(20)
        send(cluster, b"before")
        cluster.nodes[0].kill()
        send(cluster, b"without")
        cluster.nodes[0].start()
        eventually(lambda: in_sync(admin), "all replicas are in sync", 60, 0.5)
        assert read(cluster, 6) == [b"before"] * 3 + [b"without"] * 3
    finally:
        cluster.stop()


def send(cluster: KafkaCluster, value: bytes) -> None:
    """Send one record to each partition, acknowledged by all replicas that must."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all", "log_level": 0})
    for partition in range(3):
        producer.produce("topic", value, partition=partition)
    assert producer.flush(60) == 0


def in_sync(admin: AdminClient) -> bool:
    return all(len(one.isrs) == 3 for one in admin.list_topics("topic", timeout=10).topics["topic"].partitions.values())


def read(cluster: KafkaCluster, count: int) -> list[bytes]:
    """Return the values of ``count`` records by the advertised ports, sorted."""
    consumer = Consumer(
        {"bootstrap.servers": cluster.clients, "group.id": "g", "auto.offset.reset": "earliest", "log_level": 0}
    )
    try:
        consumer.subscribe(["topic"])
        found: list[bytes] = []

        def enough() -> bool:
            message = consumer.poll(1)
            if message is not None and message.error() is None:
                found.append(message.value() or b"")
            return len(found) == count

        eventually(enough, "all records are read", 60, 0)
        return sorted(found)
    finally:
        consumer.close()
