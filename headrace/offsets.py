"""Where partitions end, on any broker, and how many records are still to be judged."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from stream_app.contract import Shop
from stream_app.errors import DeliveryError
from stream_app.names import Topics
from stream_app.settings import Settings
from stream_app.topics import kafka_options

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


def lag(settings: Settings, shop: Shop) -> int:
    """How many records of the raw topics the workers' group has not committed yet.

    Asked of Kafka alone: it knows the topics that are there now, whatever an older run has left in Redis.

    Raises:
        DeliveryError: the broker did not answer in time.
    """
    from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
    from kafka.errors import KafkaError  # type: ignore[import-untyped]

    consumer = KafkaConsumer(**kafka_options(settings), fetch_max_wait_ms=50)
    try:
        raw = [Topics(entity, settings.topic_prefix).raw for entity in shop.contracts]
        places = [TopicPartition(topic, number) for topic in raw for number in consumer.partitions_for_topic(topic) or ()]
        ends, begins = end_offsets(consumer, places), consumer.beginning_offsets(places)
    finally:
        consumer.close()
    admin = KafkaAdminClient(**kafka_options(settings))
    try:
        committed = {place: row.offset for place, row in admin.list_group_offsets(settings.group)[settings.group].items()}
    except KafkaError:  # a new cluster has no group coordinator until somebody joins
        committed = {}
    finally:
        admin.close()
    return sum(max(0, ends[place] - max(committed.get(place, 0), begins[place])) for place in places)
