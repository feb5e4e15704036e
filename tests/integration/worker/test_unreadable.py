"""A batch that cannot be read stops its partition and says so, or is kept in the dead-letter topic; the others go on."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from headrace.embedded import EmbeddedStack
from headrace.embedded.kafka import ApacheKafka
from stream_app.names import FINDINGS, SOURCE, UNREADABLE, Topics
from stream_app.settings import Settings, load_settings
from tests.support.crew import changed, stocked_crew
from tests.support.processes import printed_status
from tests.support.rebuilt import contents, restored, state
from tests.support.recount import rules_of
from tests.support.redis_servers import RedisServer
from tests.support.stream import (
    Books,
    Worker,
    await_settled,
    await_workers,
    on_partition,
    order,
    produce,
    read_topic,
    workers,
)  # fmt: skip
from tests.support.waiting import eventually


def damaged_batch(size: int, value: bytes = b"x") -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 22)
    for number in range(size):
        builder.append(number, int(time.time() * 1000), b"k", value, [])
    data = bytearray(builder.build())
    data[-1] ^= 1
    return bytes(data)


def send_batch(settings: Settings, topic: str, partition: int, data: bytes, size: int) -> int:
    """Send the bytes of a batch as they are; the embedded broker checks nothing. Returns the first offset."""

    async def send() -> Any:
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, enable_idempotence=False, max_request_size=4 << 20)
        await producer.start()
        try:
            batch = producer.create_batch()
            for _ in range(size):
                batch.append(key=b"k", value=b"v", timestamp=1)
            batch.close()
            batch._build = MethodType(lambda _: data, batch)  # noqa: SLF001 - no client sends a damaged batch
            return await (await producer.send_batch(batch, topic, partition=partition))
        finally:
            await producer.stop()

    return int(asyncio.run(send()).offset)


def await_stop(settings: Settings, crew: list[Worker]) -> dict[str, Any]:
    eventually(lambda: bool(printed_status(settings)["stopped"]), "a partition has stopped", 20)
    assert all(worker.running for worker in crew)
    (one,) = printed_status(settings)["stopped"]
    return dict(one)


def test_the_partition_stops_and_says_so_and_the_others_go_on_also_after_a_restart(settings: Settings, tmp_path: Path) -> None:
    settings = changed(settings, partitions=2)
    raw = Topics("orders", settings.topic_prefix).raw
    with stocked_crew(settings, tmp_path) as crew:
        produce(settings, on_partition(0, [order(1)]))
        base = send_batch(settings, raw, 0, damaged_batch(3), 3)
        produce(settings, on_partition(0, [order(2)]) + on_partition(1, [order(3)]))
        await_settled(settings, {"orders": 2}, crew)
        stopped = await_stop(settings, crew)
        assert (stopped["topic"], stopped["partition"], stopped["base"], stopped["last"]) == (raw, 0, base, base + 2)
        assert stopped["reason"] == "its checksum does not match"
        said = [line for line in crew[0].output().splitlines() if "cannot be read" in line]
        assert len(said) == 1
        assert "HEADRACE_UNREADABLE_BATCHES=skip" in said[0]
        crew[0].terminate()
    (tmp_path / "again").mkdir()
    with workers(settings, tmp_path / "again") as crew:
        await_workers(settings, crew)
        produce(settings, on_partition(1, [order(4)]))
        await_settled(settings, {"orders": 3}, crew)
        assert await_stop(settings, crew)["base"] == base
        assert Books(settings).total("orders")["in"] == 3


@pytest.mark.parametrize("large", [False, True])
def test_with_skip_the_bytes_are_kept_and_counted_and_the_partition_goes_on(
    settings: Settings, tmp_path: Path, large: bool
) -> None:
    settings = changed(settings, partitions=1, unreadable_batches="skip")
    topics = Topics("orders", settings.topic_prefix)
    data = damaged_batch(3, b"x" * 300_000) if large else damaged_batch(3)
    with stocked_crew(settings, tmp_path) as crew:
        produce(settings, [order(1)])
        base = send_batch(settings, topics.raw, 0, data, 3)
        produce(settings, [order(2)])
        await_settled(settings, {"orders": 3}, crew)
        assert [worker.terminate() for worker in crew] == [0]
    dead = read_topic(settings, topics.dead_letter)
    assert len(dead) == (2 if large else 1)
    kept = b"".join(one.value or b"" for one in dead)
    assert kept[8:12] + kept[16:] == data[8:12] + data[16:], "the broker sets the offset and its epoch"
    for number, one in enumerate(dead, 1):
        assert rules_of(one, FINDINGS) == ["record.unreadable"]
        assert one.header(SOURCE) == f"{topics.raw}:0:{base + 2}".encode()
        about = json.loads(one.header(UNREADABLE) or b"")
        assert (about["base"], about["last"], about["part"], about["parts"]) == (base, base + 2, number, len(dead))
        assert about["reason"] == "its checksum does not match"
    assert len(read_topic(settings, topics.clean)) == 2
    total = Books(settings).total("orders")
    assert {name: total.get(name) for name in ("in", "clean", "rejected", "unreadable", "f:record.unreadable")} == {
        "in": 3, "clean": 2, "rejected": 1, "unreadable": 3, "f:record.unreadable": 1,
    }  # fmt: skip


@pytest.mark.parametrize("large", [False, True])
def test_a_rebuild_counts_what_was_skipped_as_before(
    settings: Settings, redis_server: RedisServer, tmp_path: Path, large: bool
) -> None:
    settings = changed(settings, redis=redis_server.url, partitions=1, unreadable_batches="skip")
    topics = Topics("orders", settings.topic_prefix)
    with stocked_crew(settings, tmp_path) as crew:
        produce(settings, [order(1)])
        send_batch(settings, topics.raw, 0, damaged_batch(3, b"x" * (300_000 if large else 1)), 3)
        produce(settings, [order(2)])
        await_settled(settings, {"orders": 3}, crew)
        kept, before = contents(settings), state(settings)
        redis_server.empty()
        eventually(restored(settings, before), "the store is restored", 30)
        assert contents(settings) == kept
        produce(settings, [order(3)])
        await_settled(settings, {"orders": 4}, crew)
        total = Books(settings).total("orders")
        assert (total["in"], total["clean"], total["rejected"], total["unreadable"]) == (4, 3, 1, 3)
    assert len(read_topic(settings, topics.dead_letter)) == (2 if large else 1)


@pytest.mark.kafka
def test_a_batch_that_the_disk_damaged_is_named_and_then_passed_over(
    own_kafka: ApacheKafka, stack: EmbeddedStack, tmp_path: Path
) -> None:
    name = uuid.uuid4().hex[:8]
    settings = load_settings(
        kafka=own_kafka.bootstrap, redis=stack.redis_url, redis_prefix=name, topic_prefix=f"{name}-", group=name, partitions=1,
        session_timeout=3.0, unreadable_batches="skip",
    )  # fmt: skip
    topics = Topics("orders", settings.topic_prefix)
    with stocked_crew(settings, tmp_path) as crew:
        crew[0].terminate()
    for number in (1, 2, 3):
        produce(settings, [order(number, note="x" * 40)])
    own_kafka.stop()
    folder = own_kafka._properties.parent  # noqa: SLF001 - its data is beside its properties
    (segment,) = folder.glob(f"data/{topics.raw}-0/*.log")
    damaged = bytearray(segment.read_bytes())
    damaged[damaged.index(b'"order_id":2') + 3] ^= 1
    segment.write_bytes(damaged)
    os.sync()
    own_kafka.start()
    (tmp_path / "again").mkdir()
    with workers(settings, tmp_path / "again") as crew:
        await_settled(settings, {"orders": 3}, crew)
        assert "cannot be read: its checksum does not match" in crew[0].output()
    (dead,) = read_topic(settings, topics.dead_letter)
    assert json.loads(dead.header(UNREADABLE) or b"")["base"] == 1
    assert b'order_id":2'[:5] in (dead.value or b"") or b"x" * 40 in (dead.value or b"")
    assert len(read_topic(settings, topics.clean)) == 2
