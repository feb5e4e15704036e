"""A search finds each committed record once on a real broker: batches, markers, aborted transactions and any timestamps."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition

from stream_app.contract import load_shop
from stream_app.errors import DeliveryError
from stream_app.judge import Judge
from stream_app.judge.verdict import findings_json
from stream_app.kafka import older as room
from stream_app.kafka.headers import dead_letter_headers
from stream_app.kafka.older import Limits, Outcome, look
from stream_app.names import AS_OF, CONTRACT, SOURCE, WARNINGS, Topics
from stream_app.settings import Settings, load_settings
from stream_app.views.older import Wanted, search
from tests.support.brokers import Broker
from tests.support.records import encoded, order

HOUR = 3_600_000
#: Within the time for which a topic keeps records by default: it deletes older ones while a test runs.
BEGIN = (int(time.time()) // 3_600 - 120) * HOUR
RECORDS = 1_700


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions that end within batches."""
    monkeypatch.setattr(room, "_LEAST", 37)
    monkeypatch.setattr(room, "_MOST", 53)


@pytest.fixture(params=[None, "gzip"])
def topic(broker: Broker, request: pytest.FixtureRequest) -> str:
    """1,700 records in batches of all sizes, no order in their timestamps; on Kafka in transactions, every third aborted."""
    name, chance = broker.create_topic(3), random.Random(7)
    stamps = [BEGIN + chance.randrange(100) * HOUR for _ in range(RECORDS)]
    transactions = broker.kind == "kafka"
    more = {"transactional_id": name} if transactions else {}
    producer = broker.producer(linger_ms=100, compression_type=request.param, **more)
    if transactions:
        producer.init_transactions()
    sent = turn = 0
    while sent < RECORDS:
        size = min(chance.choice([1, 2, 30, 120]), RECORDS - sent)
        aborted = transactions and turn % 3 == 1
        if transactions:
            producer.begin_transaction()
        for index in range(sent, sent + size):
            value = b"aborted" if aborted else b"%d" % index
            producer.send(name, value, partition=index % 3, timestamp_ms=stamps[index])
        producer.flush()
        if aborted:
            producer.abort_transaction()
        elif transactions:
            producer.commit_transaction()
        sent, turn = sent + (0 if aborted else size), turn + 1
    producer.close()
    return name


def settings_of(broker: Broker, **more: Any) -> Settings:
    return load_settings(kafka=broker.bootstrap, **more)


def committed(broker: Broker, topic: str, count: int) -> list[Any]:
    """The first records that the topic still has, as a consumer reads them."""
    return broker.read(topic, count, partitions=(0, 1, 2), offset=200, isolation_level="read_committed")


def searched(settings: Settings, topic: str, span: tuple[int | None, int | None], **more: Any) -> tuple[list[int], Outcome]:
    seen: list[int] = []

    def see(rows: Sequence[Any]) -> int:
        seen.extend(int(row.value) for row in rows)
        return len(rows)

    return seen, look(settings, [topic], span, see, **more)


@pytest.mark.parametrize("span", [(None, None), (BEGIN + 30 * HOUR, BEGIN + 31 * HOUR), (BEGIN + 500 * HOUR, None), (None, 5)])
def test_each_committed_record_is_seen_once(
    broker: Broker, topic: str, small: None, span: tuple[int | None, int | None]
) -> None:
    for exactly_once in (False, True) if broker.kind == "kafka" else (False,):
        seen, outcome = searched(settings_of(broker, exactly_once=exactly_once), topic, span, limits=Limits(10**6, 60.0, 10**6))

        assert sorted(seen) == list(range(RECORDS))
        assert (outcome.records, outcome.rest, outcome.problems) == (RECORDS, (), ())


def test_a_search_goes_on_where_it_stopped(broker: Broker, topic: str, small: None) -> None:
    settings, span = settings_of(broker), (BEGIN + 30 * HOUR, BEGIN + 31 * HOUR)
    every, outcome = searched(settings, topic, span, limits=Limits(100, 60.0, 10**6))
    assert outcome.stopped == "records"
    while outcome.rest:
        seen, outcome = searched(settings, topic, span, limits=Limits(500, 60.0, 10**6), rest=outcome.rest)
        every += seen

    assert sorted(every) == list(range(RECORDS))


def test_what_retention_has_deleted_since_is_passed_over_and_nothing_else(broker: Broker, topic: str, small: None) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker keeps everything")
    settings = settings_of(broker)
    first, outcome = searched(settings, topic, (None, None), limits=Limits(1, 60.0, 10**6))
    admin = broker.admin()
    admin.delete_records(dict.fromkeys([TopicPartition(topic, number) for number in range(3)], 200))
    admin.close()
    second, outcome = searched(settings, topic, (None, None), limits=Limits(10**6, 60.0, 10**6), rest=outcome.rest)
    now, _ = searched(settings, topic, (None, None), limits=Limits(10**6, 60.0, 10**6))

    assert set(now) < set(range(RECORDS))
    assert set(now) <= {*first, *second}
    assert sorted(now) == sorted(int(row.value) for row in committed(broker, topic, len(now)))
    assert outcome.rest == ()
    assert outcome.problems == ()


def test_what_an_open_transaction_may_bring_is_not_waited_for(kafka: str, small: None) -> None:
    broker = Broker("kafka", kafka)
    name = broker.create_topic()
    producer = broker.producer(transactional_id=name)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(name, b"1")
    producer.flush()
    producer.commit_transaction()
    producer.begin_transaction()
    producer.send(name, b"2").get(20)
    try:
        seen, outcome = searched(settings_of(broker, exactly_once=True), name, (None, None), limits=Limits(100, 60.0, 100))
        assert (seen, outcome.rest, outcome.problems) == ([1], (), ())
        # Of a worker with other settings: said, and no more than that.
        seen, outcome = searched(settings_of(broker), name, (None, None), limits=Limits(100, 60.0, 100))
        assert (seen, outcome.rest) == ([1], ())
        assert len(outcome.problems) == 1
    finally:
        producer.abort_transaction()
        producer.close()


def test_a_topic_that_is_missing_or_empty_has_nothing(broker: Broker) -> None:
    settings = settings_of(broker)

    assert look(settings, ["no-such-topic"], (None, None), len) == Outcome()
    assert look(settings, [broker.create_topic(2)], (1, 2), len) == Outcome()


def test_without_a_broker_it_says_what_to_do() -> None:
    with pytest.raises(DeliveryError, match="HEADRACE_KAFKA"):
        look(load_settings(kafka="127.0.0.1:1"), ["orders.dlq"], (None, None), len)


def test_late_and_replayed_dead_letters_and_clean_warnings_of_a_time_are_found(broker: Broker, topic_prefix: str) -> None:
    judge = Judge(load_shop(None).contracts["orders"])
    topics, settings = Topics("orders", topic_prefix), settings_of(broker, topic_prefix=topic_prefix)
    for name in (topics.dead_letter, topics.clean):
        broker.create_topic(2, name)
    producer: KafkaProducer = broker.producer()
    day, wanted = BEGIN + 24 * HOUR, []
    #: When Kafka got the record: at its event time, later, and by a producer whose clock is slow.
    for index, delay in enumerate([0, 1, HOUR, 40 * HOUR, -HOUR, -20 * HOUR] * 20):
        at = BEGIN + (index * 37 % 72) * HOUR
        raw = encoded(order(order_id=index, order_date=_text(at), **({"quantity": 0} if index % 2 else {"odd": 1})))
        verdict = judge.judge(raw, at)
        source, reasons = f"{topics.raw}:{index % 2}:{index}".encode(), findings_json(verdict.findings)
        stamp = at + delay
        headers: Sequence[Any]
        value: bytes | None
        if verdict.rejected:
            record: Any = type("Raw", (), {"headers": [(AS_OF, b"%d" % at)], "timestamp": stamp})
            name, value, headers = topics.dead_letter, raw, dead_letter_headers(record, source, b"c:1", reasons, "g")
        else:
            name, value, headers = topics.clean, verdict.body, [(SOURCE, source), (CONTRACT, b"c:1"), (WARNINGS, reasons)]
        # Delivered twice, as without transactions a worker's end may do.
        for _ in range(1 + (index % 5 == 0)):
            producer.send(name, value, partition=index % 2, timestamp_ms=stamp, headers=list(headers))
        if BEGIN + 24 * HOUR <= at < BEGIN + 48 * HOUR:
            wanted.append((source.decode(), at))
    producer.close()

    def nobody(_: str, ids: Sequence[str]) -> Mapping[str, str]:
        return {}

    asked = Wanted("orders", day // 1_000, day // 1_000 + 86_400)
    found = search(settings, judge, asked, nobody)
    assert len(found.findings) == len(wanted)
    assert {(one.source, one.event_time) for one in found.findings} == set(wanted)
    times = [one.event_time or 0 for one in found.findings]
    assert times == sorted(times, reverse=True)
    assert found.outcome.rest == ()
    errors = search(settings, judge, Wanted("orders", asked.since, asked.until, frozenset({"quantity.minimum"})), nobody)
    assert errors.topics == (topics.dead_letter,)
    assert {one.source for one in errors.findings} == {one for one, _ in wanted if int(one.rpartition(":")[2]) % 2}


def _text(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
