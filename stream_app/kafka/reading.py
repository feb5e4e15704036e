"""Poll a kafka-python consumer, whose parser and codecs raise errors of many kinds at a batch that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError

from stream_app.errors import DeliveryError


class UnreadableRecordsError(DeliveryError):
    """A batch of records cannot be read."""


class Chunk(NamedTuple):
    """The records of one poll of a partition, and the offset to go on with, which markers of transactions move, too."""

    records: list[Any]
    next: int


def chunks(consumer: Any, partition: Any, begin: int, end: int, most: int) -> Iterator[Chunk]:
    """Yield the records of a partition from ``begin`` up to and without ``end``, poll by poll; also polls that gave nothing.

    The consumer is assigned this partition alone. It ends when all is read, else only when its caller stops: a broker that
    gives nothing yields empty chunks for ever.

    Raises:
        UnreadableRecordsError: a batch cannot be read.
        KafkaError: any other error of the broker.
    """
    if begin >= end:
        return
    consumer.assign([partition])
    consumer.seek(partition, begin)
    at = begin
    while at < end:
        rows = poll(consumer, 100, most).get(partition, [])
        # The position may be behind a marker that follows the last record, and before records that are fetched already.
        at = max(at, consumer.position(partition))
        # A batch may go on after the end.
        yield Chunk([row for row in rows if begin <= row.offset < end], min(at, end))


def poll(consumer: Any, timeout_ms: int, max_records: int | None = None) -> dict[Any, list[Any]]:
    """Return partition → records, as ``KafkaConsumer.poll``.

    Raises:
        UnreadableRecordsError: a batch cannot be read; the message names the partitions that are read, and their offsets.
        KafkaError: any other error of the broker.
    """
    try:
        found: dict[Any, list[Any]] = consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
    except (CorruptRecordError, UnsupportedCodecError) as error:
        raise _unreadable(consumer, error) from None
    except KafkaError:
        raise
    except Exception as error:  # noqa: BLE001 - lz4, snappy, zstd and gzip each have their own, without a common base
        raise _unreadable(consumer, error) from None
    return found


def _unreadable(consumer: Any, error: Exception) -> UnreadableRecordsError:
    at = ", ".join(
        f"{one.topic}[{one.partition}] at offset {consumer.position(one)}" for one in sorted(consumer.assignment())[:5]
    )
    return UnreadableRecordsError(
        f"a batch of records cannot be read ({type(error).__name__}): {at}. Is the log damaged? See the broker's log"
    )
