"""Producers compress with what is usual; every record gets a verdict, and every reader finds it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from headrace.embedded import EmbeddedStack
from stream_app.kafka.admin import lag
from stream_app.kafka.search import find
from stream_app.names import Topics
from stream_app.settings import Settings, load_settings
from tests.support import java_producer
from tests.support.brokers import Broker
from tests.support.crew import stocked_crew
from tests.support.recount import assert_exact
from tests.support.stream import Worker, await_settled, order

CODECS = ["gzip", "snappy", "lz4", "zstd"]


@pytest.fixture
def settings_of(broker: Broker, stack: EmbeddedStack) -> Settings:
    name = uuid.uuid4().hex[:8]
    return load_settings(
        kafka=broker.bootstrap, redis=stack.redis_url, redis_prefix=name, topic_prefix=f"{name}-", group=name, partitions=2,
        session_timeout=3.0,
    )  # fmt: skip


@pytest.fixture
def at_work(settings_of: Settings, tmp_path: Path) -> Iterator[list[Worker]]:
    with stocked_crew(settings_of, tmp_path) as crew:
        yield crew


def test_orders_of_librdkafka_in_every_codec_get_their_verdicts(settings_of: Settings, at_work: list[Worker]) -> None:
    raw = Topics("orders", settings_of.topic_prefix).raw
    for number, codec in enumerate(CODECS):
        producer = Producer({
            "bootstrap.servers": settings_of.kafka, "compression.type": codec, "linger.ms": 50, "log_level": 0,
        })  # fmt: skip
        for one in range(100):
            record = order(100 * number + one + 1, quantity=0 if one == 50 else 2)
            producer.produce(raw, record.value, record.key)
        assert producer.flush(20) == 0
    await_settled(settings_of, {"orders": 400}, at_work)
    assert len(assert_exact(settings_of)["orders"].dead) == 4
    assert all(worker.running for worker in at_work)


@pytest.mark.kafka
@pytest.mark.parametrize("codec", CODECS)
def test_orders_of_a_java_client_get_their_verdicts_and_are_found(
    kafka: str, stack: EmbeddedStack, tmp_path: Path, codec: str
) -> None:
    name = uuid.uuid4().hex[:8]
    settings = load_settings(
        kafka=kafka, redis=stack.redis_url, redis_prefix=name, topic_prefix=f"{name}-", group=name, partitions=1,
        session_timeout=3.0,
    )  # fmt: skip
    raw = Topics("orders", settings.topic_prefix).raw
    # More than a frame of 32 KiB, and than 1 MiB when decompressed.
    records = [order(number + 1, quantity=0 if number == 77 else 2) for number in range(12_000)]
    with stocked_crew(settings, tmp_path) as crew:
        java_producer.send(
            tmp_path,
            kafka,
            raw,
            codec,
            ((str(one.key, "utf-8"), str(one.value, "utf-8")) for one in records),  # type: ignore[arg-type]
        )
        await_settled(settings, {"orders": len(records)}, crew)
        (source,) = assert_exact(settings)["orders"].dead
        assert find(settings, "orders", source).outcome == "dead letter"
        assert lag(settings, ["orders"]) >= 0
