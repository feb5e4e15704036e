"""Read the records of a shop's topics: raw ones by source, and how each of them ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stream_app.contract import Shop
from stream_app.errors import DeliveryError
from stream_app.kafka.admin import TIMEOUT, end_offsets
from stream_app.kafka.options import sync_options
from stream_app.kafka.reading import poll
from stream_app.names import SOURCE, Topics
from stream_app.settings import Settings


@dataclass(slots=True)
class Delivered:
    """The records of one entity, by ``topic:partition:offset`` of the raw record; a repeated delivery is there once."""

    raw: dict[str, Any] = field(default_factory=dict)
    clean: dict[str, Any] = field(default_factory=dict)
    dead: dict[str, Any] = field(default_factory=dict)


def read_topics(settings: Settings, shop: Shop) -> dict[str, Delivered]:
    """Read every topic of a shop from its beginning to its present end.

    Raises:
        DeliveryError: the broker does not answer.
    """
    found = {entity: Delivered() for entity in shop.contracts}
    targets: dict[str, tuple[dict[str, Any], bool]] = {}
    for entity, one in found.items():
        names = Topics(entity, settings.topic_prefix)
        targets |= {names.raw: (one.raw, True), names.clean: (one.clean, False), names.dead_letter: (one.dead, False)}
    for record in _records(settings, list(targets)):
        into, is_raw = targets[record.topic]
        source = f"{record.topic}:{record.partition}:{record.offset}" if is_raw else header(record, SOURCE).decode()
        into.setdefault(source, record)
    return found


def header(record: Any, name: str) -> bytes:
    """Return the last header of this name; empty if there is none."""
    value = dict(record.headers).get(name)
    return value if value is not None else b""


def _records(settings: Settings, topics: list[str]) -> Iterator[Any]:
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError

    level = "read_committed" if settings.exactly_once else "read_uncommitted"
    try:
        consumer = KafkaConsumer(
            **sync_options(settings), fetch_max_wait_ms=50, enable_auto_commit=False, isolation_level=level
        )
        try:
            partitions = [TopicPartition(topic, one) for topic in topics for one in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(partitions)
            ends = end_offsets(consumer, partitions)
            consumer.seek_to_beginning(*partitions)
            while any(consumer.position(one) < ends[one] for one in partitions):
                found = poll(consumer, int(TIMEOUT * 1000), 5_000)
                if not found:
                    raise DeliveryError(
                        f"Kafka at {settings.kafka} sent nothing for {TIMEOUT:.0f} s; check the broker, then try again"
                    )
                for records in found.values():
                    yield from records
        finally:
            consumer.close()
    except KafkaError as error:
        raise DeliveryError(
            f"Kafka at {settings.kafka} does not answer ({type(error).__name__}); check the broker and HEADRACE_KAFKA"
        ) from None
