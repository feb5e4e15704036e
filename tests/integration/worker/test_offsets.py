"""Offsets that change while workers run: taken by retention, set by somebody, of frozen or fenced members. On a real Kafka."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition
from kafka.admin import MemberToRemove

from stream_app.kafka.transactions import NOTES
from stream_app.names import anomalies_topic
from stream_app.settings import Settings
from stream_app.store.queries import open_queries
from tests.support.crew import REFERENCES, changed, crew_at_work
from tests.support.recount import assert_exact
from tests.support.stream import (
    Books,
    Worker,
    await_settled,
    await_workers,
    make_topics,
    on_partition,
    produce,
    read_topic,
    workers,
)  # fmt: skip
from tests.support.topics import SOON, administration, counted, on_kafka, raw_of, reset, said, some, status
from tests.support.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


@pytest.fixture
def settings(settings: Settings, kafka: str) -> Settings:
    return on_kafka(settings, kafka)


# --- retention -------------------------------------------------------------------------------------------------------


def cut(admin: Any, topic: str, partition: int, before: int) -> None:
    """Delete the records of a partition before an offset, as retention does."""
    admin.delete_records({TopicPartition(topic, partition): before})


@pytest.mark.parametrize("frozen", [False, True])
def test_records_that_retention_took_unread_are_counted_as_lost(settings: Settings, tmp_path: Path, *, frozen: bool) -> None:
    """The worker was stopped meanwhile, or could not read on."""
    raw, books = raw_of(settings), Books(settings)
    with administration(settings) as admin:
        with crew_at_work(settings, tmp_path, 1, REFERENCES) as crew:
            produce(settings, on_partition(0, some(1, 21)))
            counted(settings, 20, crew)
            if frozen:
                crew[0].signal(signal.SIGSTOP)
                time.sleep(0.2)  # the answer to a fetch under way would bring the first of the records
            else:
                crew[0].terminate()
                crew.clear()
            produce(settings, on_partition(0, some(101, 151)) + on_partition(1, some(201, 206)))
            cut(admin, raw, 0, 60)
            cut(admin, raw, 1, 3)
            if frozen:
                crew[0].signal(signal.SIGCONT)
            else:
                crew.append(Worker(settings, tmp_path / "again.log"))
            counted(settings, 32, crew)
            eventually(lambda: status(settings)["lost"]["orders"] == 43, "both gaps are counted", SOON)
            assert "at most 40 records are lost" in crew[0].output()
            eventually(lambda: not books.client.llen(books.keys.unsent("topic")), "the incidents are published", SOON)
        found = status(settings)
        assert found["lost"] == {"orders": 43, "customers": 0, "products": 0, "visits": 0}
        assert [(one["partition"], one["records"], one["last_offsets"]) for one in found["losses"]] == [
            (0, 40, [20, 59]), (1, 3, [0, 2]),
        ]  # fmt: skip
        opened = [one for one in open_queries(settings).incidents() if one.metric.startswith("lost:")]
        assert sorted((one.entity, one.metric, one.observed, one.severity) for one in opened) == [
            ("orders", "lost:0", 40.0, "error"), ("orders", "lost:1", 3.0, "error"),
        ]  # fmt: skip
        # Read again, it is the same loss.
        with workers(settings, tmp_path) as crew:
            await_workers(settings, crew)
            produce(settings, on_partition(0, some(301, 311)))
            counted(settings, 42, crew)
        assert status(settings)["lost"]["orders"] == 43
        sent = [json.loads(record.value or b"") for record in read_topic(settings, anomalies_topic(settings.topic_prefix))]
        assert sorted(one["observed"] for one in sent if one["metric"].startswith("lost:")) == [3, 40]


def test_records_that_were_gone_before_the_first_worker_came_are_not_lost(settings: Settings, tmp_path: Path) -> None:
    make_topics(settings)
    produce(settings, [*REFERENCES, *on_partition(0, some(1, 51))])
    with administration(settings) as admin:
        cut(admin, raw_of(settings), 0, 30)
    with workers(settings, tmp_path) as crew:
        counted(settings, 20, crew)
    assert status(settings)["lost"]["orders"] == 0


# --- members and offsets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exactly_once", [False, True])
def test_a_worker_that_was_frozen_longer_than_its_session_joins_again(
    settings: Settings, tmp_path: Path, *, exactly_once: bool
) -> None:
    settings = changed(settings, session_timeout=3.0, exactly_once=exactly_once)
    with crew_at_work(settings, tmp_path, 2, REFERENCES) as crew:
        produce(settings, some(1, 101))
        counted(settings, 100, crew)
        for begin in (1_001, 2_001):
            crew[0].signal(signal.SIGSTOP)
            produce(settings, on_partition(0, some(begin, begin + 50)) + on_partition(1, some(begin + 50, begin + 100)))
            await_settled(settings, {"orders": 100 + begin // 10}, crew, timeout=SOON)
            crew[0].signal(signal.SIGCONT)
            eventually(lambda: len(open_queries(settings).workers()) == 2, "both report", SOON)
        eventually(lambda: min(one.assigned for one in open_queries(settings).workers()) > 0, "both have work", SOON)
        produce(settings, some(3_001, 3_101))
        counted(settings, 400, crew)
        assert all(worker.running for worker in crew)
        assert "Traceback" not in "".join(worker.output() for worker in crew)
    assert_exact(settings)


@pytest.mark.parametrize(
    ("offset", "says"), [(5, "15 records are read again and skipped"), (30, "from 20 on are not judged yet")]
)
def test_offsets_that_somebody_sets_neither_count_twice_nor_skip(
    settings: Settings, tmp_path: Path, offset: int, says: str
) -> None:
    with crew_at_work(settings, tmp_path, 1, REFERENCES) as crew:
        produce(settings, on_partition(0, some(1, 21)))
        counted(settings, 20, crew)
    produce(settings, on_partition(0, some(101, 121)))
    reset(settings, offset)
    with workers(settings, tmp_path) as crew:
        counted(settings, 40, crew)
        eventually(lambda: says in said(settings), "status says so", SOON)
        assert says in crew[0].output()
    assert_exact(settings)
    assert status(settings)["lost"]["orders"] == 0


def test_a_producer_that_is_fenced_is_replaced_and_every_record_delivered_once(settings: Settings, tmp_path: Path) -> None:
    """Another instance starts with the transactional id of each partition, as a zombie's successor does."""
    settings = changed(settings, exactly_once=True)

    async def fence() -> None:
        for partition in range(2):
            name = f"{settings.group}{NOTES}-{raw_of(settings)}-{partition}"
            producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, transactional_id=name)
            await producer.start()
            await producer.stop()

    with crew_at_work(settings, tmp_path, 1, REFERENCES) as crew:
        for number in range(3):
            produce(
                settings,
                on_partition(0, some(1 + 100 * number, 41 + 100 * number))
                + on_partition(1, some(41 + 100 * number, 81 + 100 * number)),
            )
            counted(settings, 80 * (number + 1), crew)
            asyncio.run(fence())
        produce(settings, some(1_001, 1_021))
        counted(settings, 260, crew)
        assert "Traceback" not in crew[0].output()
    assert {one.repeated for one in assert_exact(settings).values()} == {0}


def test_a_member_that_the_group_forgets_joins_again(settings: Settings, tmp_path: Path) -> None:
    with crew_at_work(settings, tmp_path, 1, REFERENCES) as crew, administration(settings) as admin:
        for number in range(3):
            produce(settings, some(1 + 100 * number, 41 + 100 * number))
            counted(settings, 40 * (number + 1), crew)
            admin.remove_group_members(settings.group, [MemberToRemove(one) for one in member_ids(admin, settings.group)])
        produce(settings, some(1_001, 1_021))
        counted(settings, 140, crew)
        assert "Traceback" not in crew[0].output()
    assert_exact(settings)


def member_ids(admin: Any, group: str) -> list[str]:
    """The members of a consumer group."""
    described = admin.describe_groups([group])
    (found,) = described.values() if isinstance(described, dict) else described
    members = found["members"] if isinstance(found, dict) else found.members
    return [one["member_id"] if isinstance(one, dict) else one.member_id for one in members]
