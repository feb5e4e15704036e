"""The fast consumer and the batch builder against aiokafka's own, without a broker: ``python -m benchmarks.batches``."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import chain
from typing import Any

import aiokafka.producer.message_accumulator as accumulator
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from stream_app.kafka.batches.fetch import FetchResult, PartitionRecords
from stream_app.kafka.batches.header_names import BatchBuilder
from stream_app.kafka.batches.log import Records

RECORDS, BODY, BATCH_BYTES = 8_000, b"v" * 115, 128 << 10
PARTITION = TopicPartition("orders", 0)
HEADERS = [("headrace.source", b"orders:0:12345"), ("headrace.contract", b"orders:1.0.0")]


class State:
    """The position of an assigned partition."""

    paused, position = False, 0

    def consumed_to(self, position: int) -> None:
        """Move the position."""
        self.position = position


class Assignment:
    """An assignment of one partition."""

    active = True

    def __init__(self) -> None:
        self._state = State()

    def state_value(self, _partition: TopicPartition) -> State:
        """Return the state of the one partition."""
        return self._state


def log() -> bytes:
    """Return the log batches of one fetch."""
    data, offset = b"", 0
    while offset < RECORDS:
        builder, count = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, BATCH_BYTES), 0
        while offset + count < RECORDS and builder.append(count, 1_700_000_000_000, b"k", BODY, HEADERS[:1]) is not None:
            count += 1
        batch = bytearray(builder.build())
        batch[:8] = offset.to_bytes(8, "big")
        data += bytes(batch)
        offset += count
    return data


def fetch(records_type: Any, result_type: Any, memory_type: Any, data: bytes) -> None:
    """Take all records of one fetch."""
    records = records_type(PARTITION, memory_type(data), [], 0, None, None, True, fetcher.READ_COMMITTED)  # noqa: FBT003 - as aiokafka calls it
    result = result_type(PARTITION, assignment=Assignment(), partition_records=records, backoff=0)
    count = 0
    while result.has_more():
        count += len(result.getall(RECORDS))
    assert count == RECORDS


def build(make: Callable[[], Any], rows: list[Any]) -> None:
    """Write all rows into batches, a call per record."""
    builder = make()
    for key, value, timestamp, headers in rows:
        while builder.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
            builder = make()


def extend(rows: list[Any]) -> None:
    """Write all rows into batches, a call per batch."""
    left = iter(rows)
    while (row := BatchBuilder(BATCH_BYTES, 0).extend(left)) is not None:
        left = chain((row,), left)


def main() -> None:
    """Print the least CPU time per record of 15 runs."""
    data, rows = log(), [(b"k", BODY, 1_700_000_000_000, HEADERS)] * RECORDS
    runs: dict[str, Callable[[], None]] = {
        "fetch, aiokafka": lambda: fetch(fetcher.PartitionRecords, fetcher.FetchResult, MemoryRecords, data),
        "fetch, Headrace": lambda: fetch(PartitionRecords, FetchResult, Records, data),
        "build, aiokafka": lambda: build(lambda: accumulator.BatchBuilder(BATCH_BYTES, 0), rows),
        "build, Headrace": lambda: extend(rows),
    }
    for name, run in runs.items():
        times = []
        for _ in range(15):
            began = time.thread_time()
            run()
            times.append(time.thread_time() - began)
        print(f"{name}: {min(times) / RECORDS * 1e6:.2f} µs per record")


if __name__ == "__main__":
    main()
