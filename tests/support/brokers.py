"""A Kafka broker as tests see it: topics with unique names, clients with sensible defaults."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic


@dataclass(frozen=True)
class Broker:
    """One running broker."""

    kind: Literal["embedded", "kafka"]
    bootstrap: str

    @property
    def session(self) -> float:
        """Session timeout of group members, in seconds: Kafka allows no less than 6 by default."""
        return 2.0 if self.kind == "embedded" else 6.0

    def admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self.bootstrap)

    def producer(self, **settings: Any) -> KafkaProducer:
        """A producer as Headrace's are: idempotent, acknowledged by all."""
        return KafkaProducer(bootstrap_servers=self.bootstrap, **{"acks": "all", "enable_idempotence": True} | settings)

    def consumer(self, **settings: Any) -> KafkaConsumer:
        """A consumer that starts at the beginning and commits only on demand."""
        defaults = {
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "fetch_max_wait_ms": 50,
            "metadata_max_age_ms": 1_000,  # a member that joins before it has heard of a new topic looks again
            "session_timeout_ms": int(self.session * 1000),
            "heartbeat_interval_ms": int(self.session * 1000 / 3),
        }
        return KafkaConsumer(bootstrap_servers=self.bootstrap, **defaults | settings)

    def create_topic(self, partitions: int = 1, name: str | None = None) -> str:
        """Create a topic with a name that no other test uses."""
        topic = name or f"test-{uuid.uuid4().hex[:12]}"
        admin = self.admin()
        try:
            admin.create_topics([NewTopic(name=topic, num_partitions=partitions, replication_factor=1)])
            admin.wait_for_topics([topic])
        finally:
            admin.close()
        return topic

    def topic_id(self, topic: str) -> str:
        """The id that the broker gave the topic when it was created."""
        admin = self.admin()
        try:
            return str(admin.describe_topics([topic])[0]["topic_id"])
        finally:
            admin.close()

    def read(self, topic: str, count: int, partitions: Sequence[int] = (0,), offset: int = 0, **settings: Any) -> list[Any]:
        """The first ``count`` records of the partitions from ``offset`` on, fewer if there are none for 20 s."""
        consumer = self.consumer(consumer_timeout_ms=20_000, **settings)
        try:
            assigned = [TopicPartition(topic, partition) for partition in partitions]
            consumer.assign(assigned)
            for one in assigned:
                consumer.seek(one, offset)
            records: list[Any] = []
            for record in consumer if count else ():
                records.append(record)
                if len(records) == count:
                    break
            return records
        finally:
            consumer.close()
