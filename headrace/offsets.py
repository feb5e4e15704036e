"""Where a partition ends, on any broker."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from stream_app.errors import DeliveryError

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
