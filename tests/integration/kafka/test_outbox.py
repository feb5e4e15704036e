"""An outbox says where each of its records is: the offsets in the order of adding, on both brokers, with transactions too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError, UnknownError, UnknownTopicOrPartitionError
from aiokafka.producer import message_accumulator as accumulator
from kafka.admin import ConfigResource, ConfigResourceType

from stream_app.errors import RecordRefused
from stream_app.failures import classify
from stream_app.kafka.batches.header_names import BatchBuilder
from stream_app.kafka.outbox import NO_OFFSET, Outbox, Receipt, Row
from stream_app.kafka.producer import close, sender_silent
from stream_app.kafka.refusals import Limits
from stream_app.names import NULL_KEY, SOURCE, TIMESTAMP, TRUNCATED
from stream_app.settings import Settings
from tests.support.brokers import Broker
from tests.support.crew import changed

NOW = 1_700_000_000_000


@pytest.fixture(autouse=True)
def our_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accumulator, "BatchBuilder", BatchBuilder)


def row(value: bytes, key: bytes = b"k") -> Row:
    return key, value, NOW, [("h", b"1")]


def sent_by(broker: Broker, fill: Callable[[Outbox], None], *, transactional: bool = False) -> Receipt:
    (receipt,) = asyncio.run(_send(broker, [fill], None, frozenset(), transactional=transactional))
    return receipt


def sent_in_order(
    broker: Broker, topics: list[tuple[str, list[Row]]], limits: Limits | None, may_cut: frozenset[str], *, transactional: bool
) -> list[Receipt]:
    """Receipts of rows for partition 0 of topics, one outbox after the other, of one producer."""

    def filling(topic: str, rows: list[Row]) -> Callable[[Outbox], None]:
        def fill(outbox: Outbox) -> None:
            for row in rows:
                outbox.add(topic, 0, row, foreign=True)

        return fill

    return asyncio.run(_send(broker, [filling(*one) for one in topics], limits, may_cut, transactional=transactional))


async def _send(
    broker: Broker,
    fills: list[Callable[[Outbox], None]],
    limits: Limits | None,
    may_cut: frozenset[str],
    *,
    transactional: bool,
) -> list[Receipt]:
    if transactional:
        producer = await _started(broker, transactional_id=broker.create_topic(), acks="all")
        await producer.begin_transaction()
    else:
        producer = await _started(broker)
    receipts = []
    try:
        for fill in fills:
            outbox = Outbox(producer, limits, may_cut)
            fill(outbox)
            receipts.append(await outbox.send())
        if transactional:
            await producer.commit_transaction()
    finally:
        await producer.stop()
    return receipts


async def _started(broker: Broker, **options: object) -> AIOKafkaProducer:
    """A started producer, idempotent where the broker supports it."""
    for idempotent in (True, False):
        more = options or {"enable_idempotence": idempotent}
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=8_000_000, **more)
        with sender_silent():
            try:
                await producer.start()
            except UnknownError:
                await close(producer)
            else:
                return producer
    raise AssertionError("no producer starts")


def test_each_record_of_each_topic_has_the_offset_that_is_said(broker: Broker) -> None:
    clean, pending = broker.create_topic(2), broker.create_topic(2)
    with closing(broker.producer()) as producer:
        producer.send(clean, b"before", partition=1).get(20)
    values = [b"%d" % number * 40 for number in range(2_000)]

    def fill(outbox: Outbox) -> None:
        outbox.add_all(clean, 1, [row(value) for value in values[:1_500]])
        for value in values[1_500:]:
            outbox.add(pending, 1, row(value), foreign=True)
        outbox.add_all(clean, 0, [])

    receipt = sent_by(broker, fill)
    assert len([one for one in receipt.sent if one.topic == clean]) > 1, "more than one log batch"
    assert receipt.ends() == {(clean, 1): 1_501, (pending, 1): 500}
    assert receipt.offsets(clean, 1) == list(range(1, 1_501))
    assert receipt.offsets(pending, 1) == list(range(500))
    assert receipt.offsets(pending, 0) == []
    assert [one.value for one in broker.read(clean, 1_501, [1])] == [b"before", *values[:1_500]]


def test_a_large_record_keeps_its_position(broker: Broker) -> None:
    topic = broker.create_topic()
    values = [b"1", b"2" * 900_000, b"3", b"4" * 200_000, b"5" * 200_000, b"6"]
    receipt = sent_by(broker, lambda outbox: outbox.add_all(topic, 0, [row(value) for value in values]))
    assert receipt.offsets(topic, 0) == list(range(6))
    assert [one.value for one in broker.read(topic, 6)] == values


@pytest.mark.kafka
def test_offsets_of_a_transaction_leave_its_markers_out(kafka: str) -> None:
    broker = Broker("kafka", kafka)
    topic = broker.create_topic()
    for begin in (0, 3):  # after the two records of each transaction comes its marker
        receipt = sent_by(broker, lambda outbox: outbox.add_all(topic, 0, [row(b"1"), row(b"2")]), transactional=True)
        assert receipt.offsets(topic, 0) == [begin, begin + 1]
        assert receipt.ends() == {(topic, 0): begin + 2}


def test_the_first_error_is_raised_when_all_have_ended(broker: Broker) -> None:
    topic = broker.create_topic()

    def fill(outbox: Outbox) -> None:
        for partition in (7, 0):
            outbox.add(topic, partition, row(b"1"))

    with pytest.raises(AssertionError, match="Unrecognized partition"):
        sent_by(broker, fill)
    assert [one.value for one in broker.read(topic, 1)] == [b"1"]


@pytest.mark.kafka
@pytest.mark.slow
def test_a_topic_that_was_deleted_is_named(kafka: str) -> None:
    broker = Broker("kafka", kafka)
    topic = broker.create_topic()

    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, request_timeout_ms=2_000)
        await producer.start()
        try:
            outbox = Outbox(producer)
            outbox.add(topic, 0, row(b"1"))
            await outbox.send()
            with closing(broker.admin()) as admin:
                admin.delete_topics([topic])
            outbox.add(topic, 0, row(b"2"))
            await outbox.send()
        finally:
            await producer.stop()

    with pytest.raises(UnknownTopicOrPartitionError) as raised:
        asyncio.run(run())
    assert f"a topic does not exist: it is being created, or was deleted ({topic})" in classify(raised.value).text


# --- topics that refuse records ---------------------------------------------------------------------------------------


def refusing_topic(broker: Broker, **config: str) -> str:
    topic = broker.create_topic()
    admin = broker.admin()
    try:
        configs = {name.replace("_", "."): value for name, value in config.items()}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])
    finally:
        admin.close()
    return topic


def sourced(number: int, *, key: bytes | None = b"k", value: bytes = b"value", timestamp: int | None = None) -> Row:
    at = int(time.time() * 1000) if timestamp is None else timestamp
    return key, value, at, [("foreign", b"f"), (SOURCE, b"orders:0:%d" % number)]


MODES = pytest.mark.parametrize("transactional", [False, True], ids=["idempotent", "in a transaction"])
KNOWING = pytest.mark.parametrize("knowing", [True, False], ids=["may read configurations", "may not"])


@pytest.mark.kafka
@MODES
@KNOWING
class TestRefusals:
    def sent(
        self,
        kafka: str,
        settings: Settings,
        topic: str,
        rows: list[Row],
        *,
        transactional: bool,
        knowing: bool,
        may_cut: bool = False,
    ) -> tuple[Receipt, list[Any]]:
        """Send rows twice: the second time, the producer and what is known of the topic are those of the first."""
        limits = Limits(changed(settings, kafka=kafka)) if knowing else None
        broker = Broker("kafka", kafka)
        cuttable = frozenset({topic}) if may_cut else frozenset[str]()
        receipts = sent_in_order(broker, [(topic, rows)] * 2, limits, cuttable, transactional=transactional)
        count = 2 * len(rows) - sum(len(receipt.refused) for receipt in receipts)
        records = broker.read(topic, count, isolation_level="read_committed")
        assert len(records) == count
        offsets = [offset for receipt in receipts for offset in receipt.offsets(topic, 0) if offset != NO_OFFSET]
        assert offsets == [record.offset for record in records]
        first = receipts[0]
        return first, records[: count // 2]

    def test_a_timestamp_that_the_topic_does_not_take(
        self, kafka: str, settings: Settings, transactional: bool, knowing: bool
    ) -> None:
        topic = refusing_topic(Broker("kafka", kafka), message_timestamp_before_max_ms="86400000")
        rows = [sourced(number) for number in range(9)]
        rows[4] = sourced(4, timestamp=NOW)
        _, records = self.sent(kafka, settings, topic, rows, transactional=transactional, knowing=knowing)
        assert [dict(record.headers)[SOURCE] for record in records] == [b"orders:0:%d" % number for number in range(9)]
        assert [dict(record.headers).get(TIMESTAMP) for record in records] == [None] * 4 + [b"%d" % NOW] + [None] * 4
        assert abs(records[4].timestamp - time.time() * 1000) < 60_000

    def test_no_key_for_a_compacted_topic(self, kafka: str, settings: Settings, transactional: bool, knowing: bool) -> None:
        topic = refusing_topic(Broker("kafka", kafka), cleanup_policy="compact")
        rows = [sourced(number, key=None if number in (2, 3) else b"k%d" % number) for number in range(6)]
        _, records = self.sent(kafka, settings, topic, rows, transactional=transactional, knowing=knowing)
        assert [record.key for record in records] == [b"k0", b"k1", b"orders:0:2", b"orders:0:3", b"k4", b"k5"]
        assert [NULL_KEY in dict(record.headers) for record in records] == [False, False, True, True, False, False]

    def test_a_dead_letter_that_is_too_large_is_cut(
        self, kafka: str, settings: Settings, transactional: bool, knowing: bool
    ) -> None:
        topic = refusing_topic(Broker("kafka", kafka), max_message_bytes="20000")
        rows = [sourced(number, value=b"%d" % number * 300) for number in range(100, 200)]  # together more than the topic takes
        rows[50] = sourced(150, value=b"x" * 30_000)
        _, records = self.sent(kafka, settings, topic, rows, transactional=transactional, knowing=knowing, may_cut=True)
        assert [record.value for record in records if record.offset != 50] == [row[1] for row in rows[:50] + rows[51:]]
        cut = records[50]
        assert dict(cut.headers) == {"foreign": b"f", SOURCE: b"orders:0:150", TRUNCATED: b"30000"}
        assert rows[50][1].startswith(cut.value)  # type: ignore[union-attr]
        assert len(cut.value) > 10_000

    def test_another_record_that_is_too_large_is_named_and_the_others_are_sent(
        self, kafka: str, settings: Settings, transactional: bool, knowing: bool
    ) -> None:
        topic = refusing_topic(Broker("kafka", kafka), max_message_bytes="20000")
        rows = [sourced(number, value=b"%d" % number * 300) for number in range(100, 200)]
        rows[50] = sourced(150, value=b"x" * 30_000)
        receipt, records = self.sent(kafka, settings, topic, rows, transactional=transactional, knowing=knowing)
        (refused,) = receipt.refused
        assert (refused.topic, refused.partition, refused.row) == (topic, 0, rows[50])
        assert "max.message.bytes" in refused.reason
        assert receipt.offsets(topic, 0) == [*range(50), NO_OFFSET, *range(50, 99)]
        assert [record.value for record in records] == [row[1] for row in rows[:50] + rows[51:]]

    def test_a_dead_letter_topic_that_takes_nothing_is_named_with_the_record(
        self, kafka: str, settings: Settings, transactional: bool, knowing: bool
    ) -> None:
        topic = refusing_topic(Broker("kafka", kafka), max_message_bytes="100")
        with pytest.raises(RecordRefused, match=f"topic {topic} takes the record orders:0:7 in no form .*max.message.bytes"):
            self.sent(kafka, settings, topic, [sourced(7)], transactional=transactional, knowing=knowing, may_cut=True)


def test_a_batch_that_was_never_sent_leaves_the_sequence_as_it_is(broker: Broker) -> None:
    """The client itself refuses to send: there is no number to take back."""
    topic = broker.create_topic()

    class Unready:
        """A producer that may not look at a topic, the first time."""

        def __init__(self, producer: AIOKafkaProducer) -> None:
            self._inner, self._refuse = producer, True

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        async def send_batch(self, *args: Any, **kwargs: Any) -> Any:
            if self._refuse:
                self._refuse = False
                raise TopicAuthorizationFailedError(topic)
            return await self._inner.send_batch(*args, **kwargs)

    async def run() -> None:
        producer = await _started(broker)
        try:
            outbox = Outbox(Unready(producer))
            outbox.add(topic, 0, row(b"1"))
            with pytest.raises(TopicAuthorizationFailedError):
                await outbox.send()
            outbox.add(topic, 0, row(b"2"))
            assert (await outbox.send()).offsets(topic, 0) == [0]
        finally:
            await producer.stop()

    asyncio.run(run())
