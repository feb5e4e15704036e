"""Creates a shop's topics where they are missing, and says how kafka-python connects."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

from kafka import KafkaConsumer, TopicPartition, errors  # type: ignore[import-untyped]
from kafka.admin import KafkaAdminClient, NewTopic  # type: ignore[import-untyped]

from stream_app.errors import DeliveryError
from stream_app.kafka.options import CONNECT_SECONDS, connection_problem, sync_options
from stream_app.names import Topics, anomalies_topic
from stream_app.settings import Settings


def ensure_topics(settings: Settings, entities: Collection[str]) -> None:
    """Create the raw, clean, dead-letter and pending topics of every entity, and the anomalies topic, where they are missing.

    Safe to call from several processes at once. An entity's topics get as many partitions as its raw topic has.

    Raises:
        DeliveryError: no broker answers, it refuses, or topics that exist differ in their partitions.
    """
    try:
        admin = KafkaAdminClient(**sync_options(settings), bootstrap_timeout_ms=int(CONNECT_SECONDS * 1000))
    except errors.KafkaError as error:
        raise connection_problem(settings, error) from None
    try:
        existing = _partitions(admin)
        missing: list[NewTopic] = []
        for entity in entities:
            topics = Topics(entity, settings.topic_prefix)
            count = existing.get(topics.raw, settings.partitions)
            missing += [NewTopic(name, count, settings.replication) for name in topics.all if name not in existing]
        if (anomalies := anomalies_topic(settings.topic_prefix)) not in existing:
            missing.append(NewTopic(anomalies, 1, settings.replication))
        for topic in missing:
            try:
                admin.create_topics([topic])
            except errors.TopicAlreadyExistsError:
                continue
        _await(admin, settings, entities, {topic.name for topic in missing})
    except errors.TopicAuthorizationFailedError:
        raise DeliveryError(
            f"{settings.kafka} does not let this user create topics; create them, or grant CREATE on "
            f"{settings.topic_prefix or 'every entity'}*"
        ) from None
    except errors.InvalidReplicationFactorError:
        raise DeliveryError(
            f"{settings.kafka} has fewer brokers than HEADRACE_REPLICATION={settings.replication}; set a smaller number"
        ) from None
    except errors.KafkaError as error:
        raise DeliveryError(f"{settings.kafka} does not create the topics ({type(error).__name__}: see its log)") from None
    finally:
        admin.close()


def _partitions(admin: KafkaAdminClient) -> dict[str, int]:
    described = admin.describe_topics()
    return {topic["name"]: len(topic["partitions"]) for topic in described if not topic.get("error_code")}


def _await(admin: KafkaAdminClient, settings: Settings, entities: Collection[str], created: set[str]) -> None:
    """Wait until new topics are known, then hold every entity's topics to one partition count."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        existing = _partitions(admin)
        if all(existing.get(name) for name in created):
            break
        if time.monotonic() > deadline:
            raise DeliveryError(f"{settings.kafka} has not created the topics in {CONNECT_SECONDS:.0f} s; see its log")
        time.sleep(0.05)
    for entity in entities:
        topics = Topics(entity, settings.topic_prefix)
        for name in topics.all:
            if existing[name] != existing[topics.raw]:
                raise DeliveryError(
                    f"topic {name} has {existing[name]} partitions, {topics.raw} has {existing[topics.raw]}: they must be "
                    f"the same; delete {name} or give both the same count"
                )


def topic_ids(settings: Settings, entities: Collection[str]) -> dict[str, str]:
    """Raw topic → its id (KIP-516); a topic that is deleted and created anew has another. Empty where a broker has none.

    Raises:
        DeliveryError: no broker answers.
    """
    names = [Topics(entity, settings.topic_prefix).raw for entity in entities]
    try:
        admin = KafkaAdminClient(**sync_options(settings), bootstrap_timeout_ms=int(CONNECT_SECONDS * 1000))
    except errors.KafkaError as error:
        raise connection_problem(settings, error) from None
    try:
        return {str(topic["name"]): str(topic.get("topic_id") or "") for topic in admin.describe_topics(names)}
    except errors.KafkaError as error:
        raise connection_problem(settings, error) from None
    finally:
        admin.close()


#: Seconds a broker may take to tell.
TIMEOUT = 10.0


def end_offsets(consumer: Any, partitions: Iterable[Any]) -> dict[Any, int]:
    """The high watermark of each partition: the offset that the next record will get.

    Asked of the broker by ListOffsets, and then by a fetch there, because the embedded broker's ListOffsets answers
    with an offset inside the last batch. The consumer's assignment is replaced.

    Args:
        consumer: a ``kafka.KafkaConsumer`` without a group, with a short ``fetch_max_wait_ms``.
        partitions: ``kafka.TopicPartition``.

    Raises:
        DeliveryError: the broker did not answer in time.
    """
    places = list(partitions)
    listed = consumer.end_offsets(places)
    consumer.assign(places)
    for place in places:
        consumer.seek(place, listed[place])
    deadline = time.monotonic() + TIMEOUT
    while (waiting := [place for place in places if consumer.highwater(place) is None]) and time.monotonic() < deadline:
        consumer.poll(timeout_ms=100)
    if waiting:
        raise DeliveryError(f"Kafka did not tell within {TIMEOUT:.0f} s where these partitions end: {waiting}")
    return {place: int(consumer.highwater(place)) for place in places}


def lag(settings: Settings, entities: Collection[str]) -> int:
    """How many records of the raw topics the workers' group has not committed yet.

    Asked of Kafka alone: it knows the topics that are there now, whatever an older run has left in Redis.

    Raises:
        DeliveryError: the broker did not answer in time.
    """
    consumer = KafkaConsumer(**sync_options(settings), fetch_max_wait_ms=50)
    try:
        raw = [Topics(entity, settings.topic_prefix).raw for entity in entities]
        places = [TopicPartition(topic, number) for topic in raw for number in consumer.partitions_for_topic(topic) or ()]
        ends, begins = end_offsets(consumer, places), consumer.beginning_offsets(places)
    finally:
        consumer.close()
    admin = KafkaAdminClient(**sync_options(settings))
    try:
        committed = {place: row.offset for place, row in admin.list_group_offsets(settings.group)[settings.group].items()}
    except errors.KafkaError:  # a new cluster has no group coordinator until somebody joins
        committed = {}
    finally:
        admin.close()
    return sum(max(0, ends[place] - max(committed.get(place, 0), begins[place])) for place in places)
