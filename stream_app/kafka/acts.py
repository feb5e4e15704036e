"""The topic of acts on incidents: one record an act, kept for ever."""

from __future__ import annotations

import contextlib

from kafka import KafkaProducer, errors
from kafka.admin import NewTopic

from stream_app.errors import DeliveryError
from stream_app.failures import Kind, classify
from stream_app.kafka.admin import admin_client
from stream_app.kafka.diagnosis import connection_problem
from stream_app.kafka.options import CONNECT_SECONDS, sync_producer_options
from stream_app.names import acts_topic
from stream_app.settings import Settings

#: The partition that has all acts, in order.
PARTITION = 0
#: Maximum seconds until Kafka acknowledges an act.
SEND_SECONDS = 10.0


def send(settings: Settings, key: str, value: str) -> None:
    """Write an act, and create the topic if it is missing.

    Raises:
        DeliveryError: no broker acknowledged it.
    """
    topic = acts_topic(settings.topic_prefix)
    try:
        _ensure(settings, topic)
        producer = KafkaProducer(**sync_producer_options(settings, SEND_SECONDS, CONNECT_SECONDS))
    except errors.KafkaError as error:
        raise connection_problem(settings, error) from None
    try:
        # Whoever has made the topic may have given it more partitions; readers read the first.
        producer.send(topic, value.encode(), key.encode(), partition=PARTITION).get(timeout=SEND_SECONDS)
    except errors.KafkaError as error:
        found = classify(error)
        cure = f": {found.text}" if found.kind is not Kind.PASSING else ""
        raise DeliveryError(
            f"topic {topic} at {settings.kafka} did not acknowledge the act ({type(error).__name__}{cure}); try again"
        ) from None
    finally:
        producer.close(timeout=2)


def exists(settings: Settings) -> bool:
    """True if anybody has acted yet.

    Raises:
        DeliveryError: no broker answers.
    """
    with admin_client(settings, CONNECT_SECONDS) as admin:
        return acts_topic(settings.topic_prefix) in admin.list_topics()


def _ensure(settings: Settings, topic: str) -> None:
    with admin_client(settings, CONNECT_SECONDS) as admin, contextlib.suppress(errors.TopicAlreadyExistsError):
        if topic not in admin.list_topics():
            admin.create_topics([NewTopic(topic, 1, settings.replication, topic_configs={"retention.ms": "-1"})])
            admin.wait_for_topics([topic])
