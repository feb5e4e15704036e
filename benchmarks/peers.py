"""Bare loops that only validate and route, with the same validators: ``python -m benchmarks.peers confluent|aiokafka …``.

They have no references, uniqueness, counts or headers: a lower bound of the work, at the full speed of each client.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

from benchmarks.usage import own_cpu
from stream_app.contract import load_shop
from stream_app.judge.models import build_models


def validator() -> Callable[[bytes], tuple[bool, bytes]]:
    """Return a function from bytes to (valid, bytes to send), with the pydantic validators of the built-in orders contract."""
    models = build_models(load_shop().contracts["orders"])
    validate, dump = models.exact, models.dump

    def process(raw: bytes) -> tuple[bool, bytes]:
        try:
            return True, dump(validate(raw))
        except ValueError:
            return False, raw

    return process


def confluent(bootstrap: str, source: str, count: int, good: str, bad: str) -> tuple[float, float]:
    """Run confluent-kafka: ``consume`` in batches, ``produce`` per record.

    Return seconds and CPU seconds from first record to last commit.
    """
    import confluent_kafka as ck

    process = validator()
    consumer = ck.Consumer(
        {
            "bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "fetch.wait.max.ms": 100, "queued.min.messages": 200_000,
        }
    )  # fmt: skip
    producer = ck.Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 5, "acks": "all", "queue.buffering.max.messages": 1_000_000}
    )
    consumer.subscribe([source])
    done, began, cpu, committed = 0, 0.0, 0.0, 0.0
    while done < count:
        messages = consumer.consume(5000, 0.5)
        if not messages:
            producer.poll(0)
            continue
        if not began:
            began, cpu = time.perf_counter(), own_cpu()
        for message in messages:
            valid, value = process(message.value() or b"")
            producer.produce(good if valid else bad, value, message.key(), message.partition() or 0)
        done += len(messages)
        producer.poll(0)
        if time.perf_counter() - committed > 1:
            producer.flush()
            consumer.commit(asynchronous=False)
            committed = time.perf_counter()
    producer.flush()
    consumer.commit(asynchronous=False)
    found = time.perf_counter() - began, own_cpu() - cpu
    consumer.close()
    return found


async def aiokafka(bootstrap: str, source: str, count: int, good: str, bad: str) -> tuple[float, float]:
    """Run aiokafka: ``getmany`` and one batch builder per topic and partition. Return seconds and CPU seconds."""
    import aiokafka as ak

    process = validator()
    consumer = ak.AIOKafkaConsumer(
        source, bootstrap_servers=bootstrap, group_id=uuid.uuid4().hex, auto_offset_reset="earliest",
        enable_auto_commit=False, max_poll_records=2000, fetch_max_wait_ms=100, max_partition_fetch_bytes=4 * 1024 * 1024,
    )  # fmt: skip
    producer = ak.AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=131_072)
    await producer.start()
    await consumer.start()
    done, began, cpu, committed = 0, 0.0, 0.0, 0.0
    pending: list[Any] = []
    while done < count:
        fetched = await consumer.getmany(timeout_ms=500, max_records=2000)
        if not fetched:
            continue
        if not began:
            began, cpu = time.perf_counter(), own_cpu()
        for tp, records in fetched.items():
            builders: dict[str, Any] = {}
            for record in records:
                valid, value = process(record.value)
                topic = good if valid else bad
                builder = builders.get(topic) or builders.setdefault(topic, producer.create_batch())
                if builder.append(timestamp=record.timestamp, key=record.key, value=value) is None:
                    pending.append(await producer.send_batch(builder, topic, partition=tp.partition))
                    builder = builders[topic] = producer.create_batch()
                    builder.append(timestamp=record.timestamp, key=record.key, value=value)
            for topic, builder in builders.items():
                pending.append(await producer.send_batch(builder, topic, partition=tp.partition))
            done += len(records)
        if time.perf_counter() - committed > 1:
            await asyncio.gather(*pending)
            pending.clear()
            await consumer.commit()
            committed = time.perf_counter()
    await asyncio.gather(*pending)
    await consumer.commit()
    found = time.perf_counter() - began, own_cpu() - cpu
    await consumer.stop()
    await producer.stop()
    return found


def main() -> None:
    """Run one peer; print its seconds and CPU seconds as JSON."""
    name, bootstrap, source, count, good, bad = sys.argv[1:7]
    if name == "confluent":
        seconds, cpu = confluent(bootstrap, source, int(count), good, bad)
    else:
        seconds, cpu = asyncio.run(aiokafka(bootstrap, source, int(count), good, bad))
    print(json.dumps({"seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main()
