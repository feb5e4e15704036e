"""Topics that change while workers run: created again, deleted, with more partitions. On a real Kafka."""

from __future__ import annotations

import json
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stream_app.names import Topics
from stream_app.settings import Settings
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
    produce,
    product,
    read_topic,
    workers,
)  # fmt: skip
from tests.support.topics import (
    SOON,
    administration,
    counted,
    create,
    delete,
    on_kafka,
    raw_of,
    reported,
    reset,
    said,
    some,
    stands_still,
)  # fmt: skip
from tests.support.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


@pytest.fixture
def settings(settings: Settings, kafka: str) -> Settings:
    return on_kafka(settings, kafka)


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
        assert said(settings) == ""
        assert all(worker.running and "lost its last writes" not in worker.output() for worker in crew)


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


def test_what_a_dead_worker_committed_of_an_earlier_topic_holds_nothing_up(settings: Settings, tmp_path: Path) -> None:
    """It had not heard that the topic was created again, and its successor knows the new one already."""
    with crew_at_work(settings, tmp_path, 1, REFERENCES) as crew:
        produce(settings, on_partition(0, some(1, 41)))
        counted(settings, 40, crew)
    reset(settings, 5_969, metadata="headrace an-earlier-topic")
    produce(settings, on_partition(0, some(101, 131)))
    with workers(settings, tmp_path) as crew:
        counted(settings, 70, crew)
        assert said(settings) == ""


def test_a_worker_that_stood_still_while_its_topic_was_created_again_counts_nothing_twice(
    settings: Settings, tmp_path: Path
) -> None:
    """It has delivered records of the old topic; another worker counts them before it goes on."""
    with crew_at_work(settings, tmp_path, 1, REFERENCES) as crew, administration(settings) as admin:
        await_settled(settings, {"customers": 50, "products": 1}, crew)
        slow = Worker(settings, tmp_path / "slow.log", ("after.send:stop", 1))
        crew.append(slow)
        await_workers(settings, crew)
        # Some of them wait for a customer.
        old = (
            on_partition(0, some(1, 16) + some(16, 21, customer_id=77)),
            on_partition(1, some(21, 36) + some(36, 41, customer_id=77)),
        )
        produce(settings, old[0] + old[1])
        eventually(lambda: stands_still(slow.pid), "it has delivered", SOON)
        admin.delete_topics([raw_of(settings)])
        create(admin, raw_of(settings), 2)
        renewed = on_partition(0, some(1_001, 1_016)) + on_partition(1, some(1_016, 1_031))
        eventually(partial(_sent, settings, renewed), "records are sent")
        eventually(lambda: Books(settings).total("orders").get("in") == 70, "the other worker has counted all", 40)
        slow.signal(signal.SIGCONT)
        since = time.time() * 1000
        eventually(lambda: reported(settings, slow.pid) > since, "it goes on", SOON)
        produce(settings, [*on_partition(0, some(2_001, 2_011)), *on_partition(1, some(2_011, 2_021)), customer(77)])
        counted(settings, 90, crew)
        assert slow.terminate() == 0
        counted(settings, 90, crew[:1])


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
