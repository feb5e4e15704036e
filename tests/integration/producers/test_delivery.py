"""`headrace replay` delivers every record with its key, header and partition, or says how many it could not."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kafka.partitioner.default import murmur2

from producers.record import RawRecord
from producers.sending.delivery import Sender
from stream_app.contract import load_shop
from stream_app.errors import DeliveryError
from stream_app.kafka.admin import ensure_topics, topic_ids
from stream_app.names import AS_OF, Topics
from stream_app.settings import Settings, load_settings
from tests.support.brokers import Broker
from tests.support.order_files import orders
from tests.support.processes import as_environment, run_headrace
from tests.support.stream import read_topic
from tests.support.waiting import eventually


def topics_of(settings: Settings, broker: Broker) -> dict[str, int]:
    admin = broker.admin()
    try:
        described = admin.describe_topics()
    finally:
        admin.close()
    return {t["name"]: len(t["partitions"]) for t in described if t["name"].startswith(settings.topic_prefix)}


def test_every_record_arrives_with_key_partition_and_as_of(settings: Settings, tmp_path: Path) -> None:
    path = orders(tmp_path / "orders.csv", 3000)
    done = run_headrace("replay", str(path), settings=as_environment(settings) | {"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "3,000 records delivered" in done.stderr
    assert done.stdout == ""
    seen = read_topic(settings, f"{settings.topic_prefix}orders")
    assert len(seen) == 3000
    assert len({record.value for record in seen}) == 3000
    first = next(record for record in seen if record.value and b'"order_id":1,' in record.value)
    assert first.header(AS_OF) == b"1767571201000"
    for record in seen:
        assert record.key is not None
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % settings.partitions
    assert not list((tmp_path / ".cache").rglob("*.json")), "nothing is left of a completed run"


def test_quiet_says_nothing(settings: Settings, tmp_path: Path) -> None:
    path = orders(tmp_path / "orders.csv", 10)
    done = run_headrace("replay", "--quiet", str(path), settings=as_environment(settings) | {"HOME": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_missing_topics_are_created_by_any_number_of_processes_at_once(broker: Broker, topic_prefix: str) -> None:
    settings = load_settings(kafka=broker.bootstrap, topic_prefix=topic_prefix, partitions=3)
    shop = load_shop(None)
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(ensure_topics, settings, shop.contracts) for _ in range(4)]:
            future.result()
    expected = {name for entity in shop.contracts for name in Topics(entity, topic_prefix).all}
    assert topics_of(settings, broker) == dict.fromkeys(expected, 3) | {f"{topic_prefix}anomalies": 1}
    assert set(topic_ids(settings, shop.contracts)) == {f"{topic_prefix}{entity}" for entity in shop.contracts}


def test_an_entitys_topics_get_as_many_partitions_as_its_raw_topic_has(broker: Broker, topic_prefix: str) -> None:
    settings = load_settings(kafka=broker.bootstrap, topic_prefix=topic_prefix, partitions=3)
    broker.create_topic(5, f"{topic_prefix}orders")
    ensure_topics(settings, load_shop(None).contracts)
    counts = topics_of(settings, broker)
    assert {counts[name] for name in Topics("orders", topic_prefix).all} == {5}
    assert counts[f"{topic_prefix}customers"] == 3


def test_a_topic_with_fewer_partitions_than_its_raw_topic_gets_them_or_is_named(broker: Broker, topic_prefix: str) -> None:
    settings = load_settings(kafka=broker.bootstrap, topic_prefix=topic_prefix, partitions=3)
    name = f"{topic_prefix}orders.dlq"
    broker.create_topic(2, name)
    if broker.kind == "embedded":  # which cannot add partitions
        with pytest.raises(
            DeliveryError, match=rf"topic {re.escape(name)} has fewer partitions .* give it 3 partitions, or delete it"
        ):
            ensure_topics(settings, load_shop(None).contracts)
        return
    ensure_topics(settings, load_shop(None).contracts)
    eventually(lambda: topics_of(settings, broker)[name] == 3, "it has three partitions")


def test_a_broker_that_is_down_exits_with_1(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        done = run_headrace("replay", str(orders(tmp_path / "orders.csv", 3)), settings={"HEADRACE_KAFKA": address})
    assert done.returncode == 1
    assert address in done.stderr
    assert "HEADRACE_KAFKA" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_path_exits_with_2(tmp_path: Path) -> None:
    done = run_headrace("replay", str(tmp_path / "no.csv"), settings={})
    assert done.returncode == 2
    assert "no such file" in done.stderr


def test_acknowledgements_come_in_the_order_of_sending_with_their_offsets(settings: Settings) -> None:
    ensure_topics(settings, load_shop(None).contracts)
    heard: list[tuple[Any, Any, Any]] = []
    sender = Sender(settings, lambda *args: heard.append(args))
    try:
        for number in range(5000):
            sender.send(RawRecord("orders", b"%d" % (number % 50), b"%d" % number, None), number)
        sender.finish()
    finally:
        sender.close()
    assert [tag for tag, _, _ in heard] == list(range(5000))
    stored = {(r.partition, r.offset): r.value for r in read_topic(settings, f"{settings.topic_prefix}orders")}
    assert {(partition, offset): b"%d" % tag for tag, partition, offset in heard} == stored
