"""A broker does what Headrace relies on: the embedded broker and Apache Kafka run the same tests.

Where the embedded broker differs, the test says how (``deviates``) and fails as soon as it does not any more.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import OffsetAndMetadata, TopicPartition

from headrace.embedded import Child
from stream_app.contract import Shop, load_shop
from stream_app.kafka.admin import end_offsets, lag
from stream_app.settings import load_settings
from tests.support import member
from tests.support.brokers import Broker
from tests.support.waiting import eventually


@pytest.fixture
def deviates(broker: Broker, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say that the embedded broker breaks this promise, and how."""

    def say(how: str) -> None:
        if broker.kind == "embedded":
            request.applymarker(pytest.mark.xfail(strict=True, reason=f"the embedded broker {how}"))

    return say


async def send_batch(broker: Broker, topic: str, *, idempotent: bool) -> None:
    """Send 100 records to partition 1 as the worker does: one batch, made by hand."""
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", enable_idempotence=idempotent)
    try:
        await producer.start()
        batch = producer.create_batch()
        for number in range(100):
            batch.append(key=b"%d" % number, value=b"v", timestamp=1_000 + number, headers=[("headrace.source", b"x:0:1")])
        batch.close()
        await (await producer.send_batch(batch, topic, partition=1))
    finally:
        await producer.stop()


def test_a_new_topic_has_the_partitions_that_were_asked_for(broker: Broker) -> None:
    topic = broker.create_topic(partitions=7)
    admin = broker.admin()
    partitions = admin.describe_topics([topic])[0]["partitions"]
    admin.close()
    assert sorted(partition["partition_index"] for partition in partitions) == list(range(7))
    assert all(partition["leader_id"] >= 0 for partition in partitions)


def test_creating_a_topic_twice_is_refused_by_name(broker: Broker) -> None:
    from kafka.admin import NewTopic
    from kafka.errors import TopicAlreadyExistsError

    topic = broker.create_topic()
    admin = broker.admin()
    with pytest.raises(TopicAlreadyExistsError):
        admin.create_topics([NewTopic(name=topic, num_partitions=1, replication_factor=1)])
    admin.close()


def test_a_topic_has_an_id_that_is_another_one_when_it_is_created_again(broker: Broker) -> None:
    topic = broker.create_topic()
    first = broker.topic_id(topic)
    admin = broker.admin()
    admin.delete_topics([topic])
    eventually(lambda: topic not in admin.list_topics(), "the topic is deleted")
    admin.close()
    broker.create_topic(name=topic)
    second = broker.topic_id(topic)
    assert len(first) == len(second) == 36
    assert first != second


def test_key_value_headers_and_time_come_back_as_they_were_sent(broker: Broker) -> None:
    topic = broker.create_topic()
    headers = [("headrace.source", b"orders:3:17"), ("a", b"\xff\x00"), ("a", b"twice"), ("empty", b"")]
    producer = broker.producer()
    producer.send(topic, key=b"\x00key", value=b'{"a":1}\xff', headers=headers, timestamp_ms=1_291_194_360_000)
    producer.close()
    (record,) = broker.read(topic, 1)
    assert (record.key, record.value) == (b"\x00key", b'{"a":1}\xff')
    assert record.headers == headers
    assert record.timestamp == 1_291_194_360_000


def test_a_batch_of_the_workers_client_comes_back_as_it_was_sent(broker: Broker) -> None:
    topic = broker.create_topic(partitions=2)

    asyncio.run(send_batch(broker, topic, idempotent=False))
    records = broker.read(topic, 100, partitions=[1])
    assert [(record.offset, record.key, record.timestamp) for record in records] == [
        (number, b"%d" % number, 1_000 + number) for number in range(100)
    ]
    assert records[0].headers == [("headrace.source", b"x:0:1")]


def test_the_workers_client_can_be_idempotent(broker: Broker, deviates: Callable[[str], None]) -> None:
    deviates("does not know the request by which aiokafka asks for a producer id")
    topic = broker.create_topic(partitions=2)
    asyncio.run(send_batch(broker, topic, idempotent=True))
    assert len(broker.read(topic, 100, partitions=[1])) == 100


@pytest.mark.parametrize(
    ("key", "value"),
    [(None, b"v"), (b"k", None), (b"k", b""), (b"", b"v")],
    ids=["no key", "tombstone", "empty", "empty key"],
)
def test_absent_and_empty_keys_and_values_stay_apart(broker: Broker, key: bytes | None, value: bytes | None) -> None:
    topic = broker.create_topic()
    producer = broker.producer()
    producer.send(topic, key=key, value=value)
    producer.close()
    (record,) = broker.read(topic, 1)
    assert (record.key, record.value) == (key, value)


def test_records_of_a_partition_keep_their_order_and_have_no_gaps(broker: Broker) -> None:
    topic = broker.create_topic(partitions=3)
    producer = broker.producer(linger_ms=2)
    for number in range(3_000):
        producer.send(topic, key=b"%d" % number, value=b"%d" % number, partition=number % 3)
    producer.close()
    for partition in range(3):
        records = broker.read(topic, 1_000, partitions=[partition])
        assert [record.offset for record in records] == list(range(1_000))
        assert [int(record.value) for record in records] == list(range(partition, 3_000, 3))


def test_reading_starts_at_the_offset_that_was_asked_for_even_inside_a_batch(broker: Broker) -> None:
    topic = broker.create_topic()
    producer = broker.producer(linger_ms=50)
    for number in range(500):
        producer.send(topic, value=b"%d" % number)
    producer.close()
    records = broker.read(topic, 3, offset=321)
    assert [record.offset for record in records] == [321, 322, 323]


def test_a_record_of_900_kb_passes(broker: Broker) -> None:
    topic = broker.create_topic()
    value = bytes(range(256)) * 3_516  # 900,096 bytes that no compression would hide
    producer = broker.producer()
    producer.send(topic, value=value).get(20)
    producer.close()
    (record,) = broker.read(topic, 1)
    assert record.value == value


def test_an_acknowledged_record_has_the_offset_where_it_can_be_read(broker: Broker) -> None:
    topic = broker.create_topic(partitions=2)
    producer = broker.producer()
    sent = [producer.send(topic, value=b"%d" % number, partition=number % 2) for number in range(200)]
    expected = {(future.get(20).partition, future.get(20).offset): b"%d" % number for number, future in enumerate(sent)}
    producer.close()
    assert {(r.partition, r.offset): r.value for r in broker.read(topic, 200, partitions=[0, 1])} == expected


def test_the_end_of_a_partition_counts_every_acknowledged_record(broker: Broker) -> None:
    topic = broker.create_topic(partitions=3)
    producer = broker.producer(linger_ms=20)
    for number in range(1_000):
        producer.send(topic, value=b"%d" % number, partition=number % 2)
    producer.flush()
    producer.close()
    consumer = broker.consumer()
    ends = end_offsets(consumer, [TopicPartition(topic, partition) for partition in range(3)])
    consumer.close()
    assert [ends[TopicPartition(topic, partition)] for partition in range(3)] == [500, 500, 0]


def test_list_offsets_gives_the_end_of_a_partition(broker: Broker, deviates: Callable[[str], None]) -> None:
    deviates("answers with the first offset of the last batch, plus one")
    topic = broker.create_topic(partitions=2)
    asyncio.run(send_batch(broker, topic, idempotent=False))
    consumer = broker.consumer()
    ends = consumer.end_offsets([TopicPartition(topic, 1)])
    consumer.close()
    assert ends[TopicPartition(topic, 1)] == 100


def test_a_group_goes_on_where_it_committed(broker: Broker) -> None:
    topic, group = broker.create_topic(), f"group-of-{time.time_ns()}"
    producer = broker.producer()
    for number in range(10):
        producer.send(topic, value=b"%d" % number)
    producer.close()
    partition = TopicPartition(topic, 0)
    first = broker.consumer(group_id=group)
    # kafka-python's member that joins before it knows the topic gets no partition, and may not join again.
    eventually(lambda: first.partitions_for_topic(topic), "the first member knows the topic")
    first.subscribe([topic])
    eventually(lambda: first.poll(200), "the first member reads")
    first.commit({partition: OffsetAndMetadata(4, "", -1)})
    first.close()
    second = broker.consumer(group_id=group)
    eventually(lambda: second.partitions_for_topic(topic), "the second member knows the topic")
    second.subscribe([topic])
    records = eventually(lambda: second.poll(200), "the second member reads")[partition]
    assert second.committed(partition) == 4
    second.close()
    assert records[0].offset == 4


def test_the_groups_offsets_can_be_read_from_outside(broker: Broker) -> None:
    topic, group = broker.create_topic(partitions=2), f"group-of-{time.time_ns()}"
    consumer = broker.consumer(group_id=group)
    consumer.assign([TopicPartition(topic, 0), TopicPartition(topic, 1)])
    consumer.commit({TopicPartition(topic, 1): OffsetAndMetadata(12, "", -1)})
    consumer.close()
    admin = broker.admin()
    offsets = admin.list_group_offsets(group)[group]
    admin.close()
    assert offsets[TopicPartition(topic, 1)].offset == 12


@pytest.fixture
def members(tmp_path: Path) -> Iterator[list[Child]]:
    """Group members that are ended after the test."""
    running: list[Child] = []
    yield running
    for one in running:
        one.stop(timeout=5)


def join(members: list[Child], broker: Broker, topic: str, group: str, folder: Path) -> Child:
    command = [sys.executable, member.__file__, broker.bootstrap, topic, group, str(broker.session)]
    members.append(Child.start("member", command, folder / f"member-{len(members)}.log"))
    return members[-1]


def holds(child: Child, partitions: int) -> bool:
    """True if the member's latest assignment has this many partitions."""
    logged = [line for line in child.log.read_text().splitlines() if line.startswith("assigned")]
    return logged[-1:] == [f"assigned {partitions}"]


def committed(*children: Child) -> set[tuple[int, int]]:
    """(partition, offset) of every record that the members committed."""
    lines = [line.split() for child in children for line in child.log.read_text().splitlines()]
    return {(int(words[1]), int(words[2])) for words in lines if len(words) == 3}


def fill(broker: Broker, topic: str, records: int, partitions: int) -> None:
    producer = broker.producer()
    for number in range(records):
        producer.send(topic, value=b"%d" % number, partition=number % partitions)
    producer.close()


def test_members_share_the_partitions_of_a_topic(broker: Broker, members: list[Child], tmp_path: Path) -> None:
    topic, group = broker.create_topic(partitions=4), f"group-of-{time.time_ns()}"
    first = join(members, broker, topic, group, tmp_path)
    eventually(lambda: holds(first, 4), "the first member has all partitions")
    second = join(members, broker, topic, group, tmp_path)
    eventually(lambda: holds(first, 2) and holds(second, 2), "both have two partitions")
    fill(broker, topic, 400, 4)
    everything = {(partition, offset) for partition in range(4) for offset in range(100)}
    eventually(lambda: committed(first, second) == everything, "both together read everything")


def test_the_others_take_over_from_a_killed_member(broker: Broker, members: list[Child], tmp_path: Path) -> None:
    topic, group = broker.create_topic(partitions=4), f"group-of-{time.time_ns()}"
    first = join(members, broker, topic, group, tmp_path)
    eventually(lambda: holds(first, 4), "the first member has all partitions")
    second = join(members, broker, topic, group, tmp_path)
    eventually(lambda: holds(first, 2) and holds(second, 2), "both have two partitions")
    kill(second)
    fill(broker, topic, 400, 4)
    eventually(lambda: holds(first, 4), "the survivor has all partitions", timeout=broker.session + 6)
    everything = {(partition, offset) for partition in range(4) for offset in range(100)}
    eventually(lambda: committed(first, second) == everything, "everything is read", timeout=10)


def test_a_killed_member_that_is_started_again_goes_on(broker: Broker, members: list[Child], tmp_path: Path) -> None:
    topic, group = broker.create_topic(partitions=4), f"group-of-{time.time_ns()}"
    first = join(members, broker, topic, group, tmp_path)
    fill(broker, topic, 400, 4)
    eventually(lambda: len(committed(first)) >= 40, "the first has begun")
    kill(first)
    fill(broker, topic, 400, 4)
    again = join(members, broker, topic, group, tmp_path)
    eventually(lambda: holds(again, 4), "the restarted member has all partitions", timeout=broker.session + 6)
    everything = {(partition, offset) for partition in range(4) for offset in range(200)}
    eventually(lambda: committed(first, again) == everything, "everything is read", timeout=10)


def test_a_member_that_leaves_hands_over(broker: Broker, members: list[Child], tmp_path: Path) -> None:
    topic, group = broker.create_topic(partitions=4), f"group-of-{time.time_ns()}"
    leaving = join(members, broker, topic, group, tmp_path)
    eventually(lambda: holds(leaving, 4), "the first member has all partitions")
    leaving.stop()
    began = time.monotonic()
    following = join(members, broker, topic, group, tmp_path)
    eventually(lambda: holds(following, 4), "the next member has all partitions")
    assert time.monotonic() - began < broker.session + 6


def kill(child: Child) -> None:
    """As kill -9 does."""
    os.kill(child.pid, signal.SIGKILL)
    child.wait(5)


def transaction(broker: Broker, topic: str) -> list[Any]:
    """Records that a read_committed subscriber sees of a committed and an aborted transaction."""
    producer = broker.producer(transactional_id=f"tx-{topic}")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, value=b"committed")
    producer.commit_transaction()
    producer.begin_transaction()
    producer.send(topic, value=b"aborted")
    producer.flush()
    producer.abort_transaction()
    producer.begin_transaction()
    producer.send(topic, value=b"last")
    producer.commit_transaction()
    producer.close()
    consumer = broker.consumer(isolation_level="read_committed")
    consumer.assign([TopicPartition(topic, 0)])
    values: list[Any] = []
    try:
        while b"last" not in values:
            values += [r.value for rs in eventually(lambda: consumer.poll(200), "more").values() for r in rs]
    finally:
        consumer.close()
    return values


def test_a_transaction_that_was_aborted_is_not_seen(broker: Broker, deviates: Callable[[str], None]) -> None:
    deviates("shows the records of aborted transactions")
    assert transaction(broker, broker.create_topic()) == [b"committed", b"last"]


def test_the_lag_is_what_the_group_has_not_committed(broker: Broker) -> None:
    topic = broker.create_topic(partitions=2)
    contract = replace(load_shop(None).contracts["products"], entity=topic)
    shop = Shop(folder=Path(), contracts={topic: contract})
    settings = load_settings(kafka=broker.bootstrap, group=f"group-of-{topic}")
    assert lag(settings, shop.contracts) == 0
    fill(broker, topic, 100, 2)
    assert lag(settings, shop.contracts) == 100
    consumer = broker.consumer(group_id=settings.group)
    partitions = TopicPartition(topic, 0), TopicPartition(topic, 1)
    consumer.assign(partitions)
    consumer.commit({partitions[0]: OffsetAndMetadata(50, "", -1), partitions[1]: OffsetAndMetadata(20, "", -1)})
    consumer.close()
    assert lag(settings, shop.contracts) == 30
