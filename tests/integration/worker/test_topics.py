"""Topics that change while workers run: created again, deleted, with more partitions, cut by retention. On a real Kafka."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import MemberToRemove, NewTopic
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from stream_app.kafka.transactions import NOTES
from stream_app.names import Topics, anomalies_topic
from stream_app.settings import Settings
from stream_app.store.queries import open_queries
from stream_app.views.pulse import read_status
from tests.support.crew import REFERENCES, changed, crew_at_work
from tests.support.rebuilt import contents, restored, state
from tests.support.recount import assert_exact
from tests.support.redis_servers import RedisServer
from tests.support.stream import (
    Books,
    Raw,
    Worker,
    await_settled,
    await_workers,
    customer,
    make_topics,
    on_partition,
    order,
    produce,
    product,
    read_topic,
    workers,
)  # fmt: skip
from tests.support.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
#: Within seconds, also on a busy machine; the clients ask for topics every five minutes by themselves.
SOON = 20.0


@pytest.fixture
def settings(settings: Settings, kafka: str) -> Settings:
    """A real Kafka, where a worker leaves its group within seconds, and an order does not wait for long."""
    return changed(settings, kafka=kafka, partitions=2, session_timeout=6.0, grace=30.0)


@contextmanager
def administration(settings: Settings) -> Iterator[Any]:
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    yield admin
    admin.close()


def some(begin: int, end: int, **changes: Any) -> list[Raw]:
    """Good orders of one customer."""
    return [order(number, **changes) for number in range(begin, end)]


def delete(admin: Any, *names: str) -> None:
    """Delete topics, and wait until they are gone."""
    admin.delete_topics(list(names))
    eventually(lambda: not {*names} & {*admin.list_topics()}, "the topics are gone")


def create(admin: Any, name: str, partitions: int) -> None:
    """Create a topic as soon as the broker allows it."""

    def created() -> bool:
        try:
            admin.create_topics([NewTopic(name, partitions, 1)])
        except KafkaError:
            return False
        return True

    eventually(created, "the topic is created")


def raw_of(settings: Settings) -> str:
    return Topics("orders", settings.topic_prefix).raw


def counted(settings: Settings, count: int, crew: list[Worker]) -> None:
    """Wait until ``count`` orders have come in and are settled, and no more."""
    await_settled(settings, {"orders": count}, crew, timeout=SOON)
    assert Books(settings).total("orders")["in"] == count


def status(settings: Settings) -> dict[str, Any]:
    return read_status(open_queries(settings))


def said(settings: Settings) -> str:
    """Everything that workers say of the topics of orders."""
    found = [one for worker in open_queries(settings).workers() for one in worker.problems if one.subject == "orders"]
    notes = [text for worker in open_queries(settings).workers() for text in worker.notes.values()]
    return "\n".join([*(one.text for one in found), *notes])


# --- created again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [10, 50])
def test_every_record_of_a_topic_that_is_created_again_is_judged_once(settings: Settings, tmp_path: Path, before: int) -> None:
    """The new topic is shorter or longer than the old one when it is read first."""
    with crew_at_work(settings, tmp_path, 2, REFERENCES) as crew, administration(settings) as admin:
        produce(settings, on_partition(0, some(1, before + 1)))
        counted(settings, before, crew)
        for number, first in enumerate((1_001, 2_001, 3_001)):
            admin.delete_topics([raw_of(settings)])
            create(admin, raw_of(settings), 2)
            records = on_partition(0, some(first, first + 30))
            eventually(partial(_sent, settings, records), "records are sent")
            counted(settings, before + 30 * (number + 1), crew)
        eventually(lambda: said(settings) == "", "there is nothing to say any more", SOON)
        assert all(worker.running for worker in crew)


def _sent(settings: Settings, records: list[Raw]) -> bool:
    """Send records to a topic that has just been created, once all clients can see it."""
    with administration(settings) as admin:
        (found,) = admin.describe_topics([raw_of(settings)])
    if found["error_code"] or any(one["error_code"] or one["leader_id"] < 0 for one in found["partitions"]):
        return False
    return produce(settings, records) > 0


def test_a_store_that_is_emptied_after_a_topic_was_created_again_gets_back_both(
    settings: Settings, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Outcomes of both stand mixed in the other topics: orders of the old one settle after some of the new one."""
    settings = changed(settings, redis=redis_server.url, grace=6.0)
    with crew_at_work(settings, tmp_path, 1, REFERENCES) as crew, administration(settings) as admin:
        produce(settings, some(1, 41) + some(901, 911, customer_id=77) + some(911, 921, customer_id=78))
        eventually(lambda: Books(settings).waiting("orders") == 20, "orders wait", SOON)
        admin.delete_topics([raw_of(settings)])
        create(admin, raw_of(settings), 2)
        renewed = some(1_001, 1_041) + some(1_901, 1_911, customer_id=77) + some(1_911, 1_921, customer_id=79)
        eventually(partial(_sent, settings, renewed), "records are sent")
        eventually(lambda: Books(settings).total("orders")["in"] == 120, "they are counted", SOON)
        produce(settings, [customer(77)])
        counted(settings, 120, crew)
        kept, before, topics = contents(settings), state(settings), Topics("orders", settings.topic_prefix)
        delivered = [len(read_topic(settings, name)) for name in (topics.clean, topics.dead_letter, topics.pending)]
        Books(settings).client.flushall()
        eventually(restored(settings, before), "the store is restored", SOON)
        counted(settings, 120, crew)
        assert contents(settings) == kept
        assert [len(read_topic(settings, name)) for name in (topics.clean, topics.dead_letter, topics.pending)] == delivered


def test_a_deleted_topic_is_waited_for_and_said_while_other_entities_go_on(settings: Settings, tmp_path: Path) -> None:
    with crew_at_work(settings, tmp_path, 1, REFERENCES) as crew, administration(settings) as admin:
        produce(settings, some(1, 11))
        counted(settings, 10, crew)
        delete(admin, raw_of(settings))
        eventually(lambda: "does not exist" in said(settings), "status says so", SOON)
        produce(settings, [customer(number) for number in range(100, 110)])
        await_settled(settings, {"customers": 60}, crew, timeout=SOON)
        make_topics(settings)
        produce(settings, some(101, 111))
        counted(settings, 20, crew)
        eventually(lambda: said(settings) == "", "all is well again", SOON)


def test_topics_that_were_created_again_while_no_worker_ran_are_read_from_the_beginning(
    settings: Settings, tmp_path: Path
) -> None:
    with administration(settings) as admin:
        with crew_at_work(settings, tmp_path, 1, REFERENCES) as crew:
            produce(settings, some(1, 41))
            counted(settings, 40, crew)
        delete(admin, raw_of(settings))
        make_topics(settings)
        produce(settings, some(101, 131))
        with workers(settings, tmp_path) as crew:
            counted(settings, 70, crew)


@pytest.mark.parametrize("exactly_once", [False, True])
def test_output_topics_that_are_deleted_are_created_again_and_delivered_to(
    settings: Settings, tmp_path: Path, *, exactly_once: bool
) -> None:
    settings = changed(settings, exactly_once=exactly_once)
    topics = Topics("orders", settings.topic_prefix)
    with crew_at_work(settings, tmp_path, 1, [customer(1), product(1)]) as crew, administration(settings) as admin:
        produce(settings, some(1, 21) + some(901, 911, customer_id=77))
        eventually(lambda: Books(settings).waiting("orders") == 10, "ten orders wait for their customer", SOON)
        delete(admin, topics.clean, topics.dead_letter, topics.pending)
        produce(settings, some(101, 121) + some(201, 206, quantity=0))
        produce(settings, [customer(77)])
        counted(settings, 55, crew)
        # What was delivered before they were deleted is gone; what waited was not.
        clean = {json.loads(record.value or b"")["order_id"] for record in read_topic(settings, topics.clean)}
        assert clean == {*range(101, 121), *range(901, 911)}
        assert len(read_topic(settings, topics.dead_letter)) == 5
        assert len(admin.describe_topics([topics.pending])[0]["partitions"]) == 2


# --- more partitions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["raw", "all", "references"])
def test_partitions_that_are_added_are_read_within_seconds(settings: Settings, tmp_path: Path, which: str) -> None:
    topics = Topics("customers" if which == "references" else "orders", settings.topic_prefix)
    with crew_at_work(settings, tmp_path, 2, REFERENCES) as crew, administration(settings) as admin:
        produce(settings, some(1, 11))
        counted(settings, 10, crew)
        for name in topics.all if which == "all" else [topics.raw]:
            admin.create_partitions({name: 4})
        eventually(lambda: len(admin.describe_topics([topics.raw])[0]["partitions"]) == 4, "there are four")
        records = (
            on_partition(3, [customer(77)]) + some(901, 911, customer_id=77)
            if which == "references"
            else on_partition(3, some(901, 911))
        )
        eventually(lambda: produce(settings, records) if _leaders(admin, topics.raw) else 0, "records are sent")
        counted(settings, 20, crew)
        assert {len(one["partitions"]) for one in admin.describe_topics(list(topics.all))} == {4}
        assert_exact(settings)


def _leaders(admin: Any, topic: str) -> bool:
    return all(one["leader_id"] >= 0 for one in admin.describe_topics([topic])[0]["partitions"])


def test_a_worker_gives_topics_the_partitions_that_they_lack_at_its_start(settings: Settings, tmp_path: Path) -> None:
    topics = Topics("orders", settings.topic_prefix)
    make_topics(settings)
    with administration(settings) as admin:
        admin.create_partitions({topics.raw: 3})
        produce(settings, [*REFERENCES, *some(1, 11)])
        eventually(lambda: _leaders(admin, topics.raw), "it has leaders")
        produce(settings, on_partition(2, some(101, 111)))
        with workers(settings, tmp_path) as crew:
            counted(settings, 20, crew)
            assert_exact(settings)


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
        assert found["lost"] == {"orders": 43, "customers": 0, "products": 0}
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


def reset(settings: Settings, offset: int, partition: int = 0) -> None:
    """Set the group's offset of a partition of orders, as ``kafka-consumer-groups --reset-offsets`` does."""

    def done() -> bool:
        with administration(settings) as admin:
            try:
                admin.alter_group_offsets(
                    settings.group, {TopicPartition(raw_of(settings), partition): OffsetAndMetadata(offset, "", -1)}
                )
            except KafkaError:
                return False  # it has a member still
        return True

    eventually(done, "the group has no member any more, and its offset is set")


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
