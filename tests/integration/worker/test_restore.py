"""The store is made of the log: what it loses is restored, what is not its own is refused, and nothing is judged before."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaAdminClient, TopicPartition

from stream_app.kafka.epochs import EPOCHS
from stream_app.names import FINDINGS, Topics
from stream_app.settings import Settings
from stream_app.store.keys import Keys
from stream_app.store.writer import close_input, open_input
from tests.support.crew import REFERENCES, changed, crew_at_work, orders
from tests.support.paths import RETAIL
from tests.support.processes import as_environment, printed_status, run_headrace
from tests.support.rebuilt import contents, restored, state
from tests.support.recount import assert_exact, recount, rules_of
from tests.support.redis_servers import RedisServer
from tests.support.stream import (
    Books,
    Shopping,
    Worker,
    await_settled,
    customer,
    make_topics,
    order,
    produce,
    product,
    tombstone,
    workers,
)  # fmt: skip
from tests.support.waiting import eventually


@pytest.fixture
def own(settings: Settings, redis_server: RedisServer) -> Settings:
    """Settings with a Redis of the test's own."""
    return changed(settings, redis=redis_server.url, give_up_after=60.0, grace=30.0)


def settled(settings: Settings) -> int:
    total = Books(settings).total("orders")
    return total.get("clean", 0) + total.get("rejected", 0)


#: Records of every kind: repaired, unknown fields, rejected, repeated, waiting for a customer who comes, or does not.
ODD = [
    order(5001, note="unknown field"),
    order(5002, quantity=" 3 "),
    order(5003, quantity=-1),
    replace(order(5004), value=b"{broken"),
    order(5005),
    order(5005),
    order(5006, customer_id=900),
    order(5007, customer_id=901),
]


@pytest.fixture
def at_work(own: Settings, tmp_path: Path) -> Iterator[list[Worker]]:
    with crew_at_work(own, tmp_path, records=REFERENCES) as crew:
        await_settled(own, {"customers": 50, "products": 1}, crew)
        produce(own, [*orders(1, 1001), *ODD])
        # One waits for a customer who comes, the other until nothing can come any more.
        eventually(lambda: settled(own) == 1006, "orders are settled")
        produce(own, [customer(900)])
        eventually(lambda: settled(own) == 1007, "the customer has come")
        close_input(own.redis.get_secret_value(), own.redis_prefix)
        await_settled(own, {"orders": 1008, "customers": 51}, crew)
        open_input(own.redis.get_secret_value(), own.redis_prefix)
        yield crew


def test_a_store_that_was_emptied_is_rebuilt_as_it_was(own: Settings, at_work: list[Worker]) -> None:
    before, kept = state(own), contents(own)
    Books(own).client.flushall()
    eventually(restored(own, before), "the store is restored", 30)
    now = contents(own)
    assert {k: (kept.get(k), now.get(k)) for k in kept.keys() | now.keys() if kept.get(k) != now.get(k)} == {}
    # Keys and references are there again before anything new is judged.
    produce(own, [order(7, 8), order(6001, customer_id=900)])
    await_settled(own, {"orders": 1010}, at_work)
    counted = assert_exact(own)["orders"]
    (repeated,) = [record for source, record in counted.dead.items() if b'"order_id":7,' in (record.value or b"")]
    assert rules_of(repeated, FINDINGS) == ["order_id.unique"]
    assert "is empty" in at_work[0].output()


def test_a_store_that_comes_back_old_counts_what_it_lost(
    own: Settings, redis_server: RedisServer, at_work: list[Worker]
) -> None:
    old = redis_server.snapshot()
    produce(own, [*orders(2001, 2501), customer(60), order(3001, customer_id=77)])
    eventually(lambda: settled(own) == 1508, "orders are settled")
    eventually(lambda: Books(own).waiting("orders") == 1, "an order waits")
    delivered = len(recount(own, "orders").clean)
    before = state(own)
    redis_server.restore(old)
    produce(own, [order(4001, customer_id=60), customer(77), order(2002, 2002 % 50 + 1)])
    eventually(restored(own, before), "the store is restored", 30)
    await_settled(own, {"orders": 1511, "customers": 53}, at_work)
    counts = assert_exact(own)
    assert counts["orders"].repeated == 0
    assert len(counts["orders"].clean) == delivered + 2


def test_a_rebuild_goes_on_after_a_kill(own: Settings, at_work: list[Worker], tmp_path: Path) -> None:
    kept, before = contents(own), state(own)
    at_work.pop().kill()
    Books(own).client.flushall()
    # The first dies in the middle of the second script that restores, the next ones before any, and after the fourth.
    for number, (moment, calls) in enumerate((("after.apply", 2), ("before.apply", 1), ("after.apply", 2))):
        worker = Worker(own, tmp_path / f"dies-{number}.log", (moment, calls))
        worker.process.wait(30)
        assert worker.process.returncode == -signal.SIGKILL, worker.output()[-2000:]
    (tmp_path / "last").mkdir()
    with workers(own, tmp_path / "last") as crew:
        at_work += crew
        eventually(restored(own, before), "the store is restored", 40)
        assert contents(own) == kept
        assert_exact(own)


def test_what_was_deleted_stays_deleted_after_a_rebuild(own: Settings, tmp_path: Path) -> None:
    settings = changed(own, grace=1.0, partitions=2)
    with crew_at_work(settings, tmp_path, records=[*(customer(number) for number in range(1, 9)), product(1)]) as crew:
        await_settled(settings, {"customers": 8, "products": 1}, crew)
        produce(settings, [tombstone("customers", 2), tombstone("customers", 3), customer(3), tombstone("customers", 99)])
        await_settled(settings, {"customers": 12}, crew)
        kept, before = contents(settings), state(settings)
        Books(settings).client.flushall()
        eventually(restored(settings, before), "the store is restored", 30)
        assert contents(settings) == kept
        assert Books(settings).total("customers")["deleted"] == 3
        produce(settings, [order(number, number % 8 + 1) for number in range(1, 17)])
        await_settled(settings, {"orders": 16}, crew)
    dead = assert_exact(settings)["orders"].dead.values()
    assert [rules_of(one, FINDINGS) for one in dead] == [["customer_id.reference"]] * 2
    assert {json.loads(one.value or b"")["customer_id"] for one in dead} == {2}


def test_two_workers_restore_each_their_partitions(own: Settings, redis_server: RedisServer, tmp_path: Path) -> None:
    shop = Shopping(seed=9, orders=4_000)
    with crew_at_work(own, tmp_path, 2) as crew:
        produce(own, [*shop.early, *shop.stream[:2000]])
        old = redis_server.snapshot()
        produce(own, [*shop.stream[2000:], *shop.late])
        await_settled(own, {"orders": len(shop.stream)}, crew)
        kept, before = contents(own), state(own)
        redis_server.restore(old)
        eventually(restored(own, before), "the store is restored", 40)
        await_settled(own, {"orders": len(shop.stream)}, crew)
        assert_exact(own)
        # What a rejected order refers to may be known by now; that of a clean one was.
        later = re.compile(r"\|\w+\.\w+\|(?!clean|rev)")
        now = contents(own)
        assert {k: v for k, v in now.items() if not later.search(k)} == {k: v for k, v in kept.items() if not later.search(k)}


def test_another_shop_on_the_same_prefix_is_refused_by_name(own: Settings, at_work: list[Worker], tmp_path: Path) -> None:
    other = changed(own, group="other-group", topic_prefix="other-")
    make_topics(other)
    (tmp_path / "other").mkdir()
    with workers(other, tmp_path / "other") as crew:
        assert crew[0].process.wait(20) == 1
        assert f"the Redis prefix {own.redis_prefix} belongs to another shop (group {own.group}" in crew[0].output()
        assert "HEADRACE_REDIS_PREFIX" in crew[0].output()


def test_the_contracts_of_another_shop_are_refused_under_the_same_names(
    own: Settings, at_work: list[Worker], tmp_path: Path
) -> None:
    other = changed(own, shop=RETAIL)
    (tmp_path / "other").mkdir()
    with workers(other, tmp_path / "other") as crew:
        assert crew[0].process.wait(20) == 1
        assert f"the Redis prefix {own.redis_prefix} belongs to another shop (contracts " in crew[0].output()
        assert "HEADRACE_TOPIC_PREFIX" in crew[0].output()


def test_a_rebuild_that_is_switched_off_ends_the_worker(own: Settings, at_work: list[Worker], tmp_path: Path) -> None:
    at_work.pop().kill()
    Books(own).client.flushall()
    (tmp_path / "off").mkdir()
    with workers(changed(own, rebuild=False), tmp_path / "off") as crew:
        assert crew[0].process.wait(20) == 1
        assert "headrace rebuild" in crew[0].output()
    assert not Books(own).client.exists(Keys(own.redis_prefix).applied())


def test_a_rebuild_that_is_asked_for_is_shown_and_changes_nothing(own: Settings, at_work: list[Worker]) -> None:
    kept = contents(own)
    Books(own).client.set(f"{own.redis_prefix}:total:strange", "somebody wrote here")
    run = run_headrace("rebuild", "--yes", settings=as_environment(own))
    assert run.returncode == 0, run.stderr
    assert "the store is emptied and rebuilt by the workers" in run.stderr
    assert "the store is level with the topics" in run.stderr
    assert contents(own) == kept
    produce(own, [order(9001)])
    await_settled(own, {"orders": 1009}, at_work)
    assert_exact(own)


def test_outcomes_that_no_topic_has_are_made_again(own: Settings, at_work: list[Worker]) -> None:
    before = state(own)
    topics = Topics("customers", own.topic_prefix)
    admin = KafkaAdminClient(bootstrap_servers=own.kafka)
    try:
        # As if its retention had taken the whole clean topic.
        admin.delete_topics([topics.clean])
        eventually(lambda: topics.clean not in admin.list_topics(), "the topic is gone")
    finally:
        admin.close()
    make_topics(own)
    Books(own).client.flushall()
    eventually(restored(own, before), "the store is restored", 40)
    # What no topic has any more is read again from the raw topic, where that still has it.
    await_settled(own, {"customers": 51, "orders": 1008}, at_work)


def test_a_store_of_another_layout_is_rebuilt(own: Settings, at_work: list[Worker], tmp_path: Path) -> None:
    kept, before = contents(own), state(own)
    at_work.pop().terminate()
    store = Keys(own.redis_prefix).store()
    # Keys of orders counted for another time when this was written.
    owner = msgspec.structs.replace(before.owner, within=dict(before.owner.within) | {"orders order_id.unique": 1})
    Books(own).client.hset(store, "owner", owner.to_json())
    (tmp_path / "next").mkdir()
    with workers(own, tmp_path / "next") as crew:
        at_work += crew
        eventually(restored(own, before), "the store is restored", 40)
        assert "another `within`" in crew[0].output()
        assert contents(own) == kept
        assert state(own).owner == before.owner


@pytest.fixture
def counted(kafka: str, own: Settings, tmp_path: Path) -> Settings:
    """Settings of a real Kafka, with 300 orders counted, and no worker."""
    own = changed(own, kafka=kafka, session_timeout=6.0)
    with crew_at_work(own, tmp_path, records=REFERENCES) as crew:
        await_settled(own, {"customers": 50, "products": 1}, crew)
        produce(own, orders(1, 301))
        await_settled(own, {"orders": 300}, crew)
        assert crew[0].terminate() == 0
    return own


def test_a_group_that_counts_under_another_prefix_is_refused(counted: Settings, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with workers(changed(counted, redis_prefix="another"), tmp_path / "other") as crew:
        assert crew[0].process.wait(30) == 1
        assert f"counts under the Redis prefix {counted.redis_prefix}, not another" in crew[0].output()
        assert "HEADRACE_GROUP" in crew[0].output()


def test_a_group_whose_offsets_have_expired_is_no_new_shop(counted: Settings, tmp_path: Path) -> None:
    """The raw topics are short, too: what only the topics made of them have is counted and known."""
    kept, before = contents(counted), state(counted)
    Books(counted).client.flushall()
    raw = [Topics(name, counted.topic_prefix).raw for name in ("customers", "products", "orders")]
    partitions = [TopicPartition(topic, number) for topic in raw for number in range(counted.partitions)]
    admin = KafkaAdminClient(bootstrap_servers=counted.kafka)
    try:
        admin.delete_groups([counted.group, counted.group + EPOCHS])
        assert not admin.list_group_offsets(counted.group).get(counted.group)
        admin.delete_records(dict.fromkeys(partitions, -1))
    finally:
        admin.close()
    (tmp_path / "again").mkdir()
    with workers(counted, tmp_path / "again") as crew:
        eventually(restored(counted, before), "the store is restored", 40)
        assert contents(counted) == kept
        produce(counted, [order(9001, customer_id=7), order(7, 8)])
        eventually(lambda: settled(counted) == 302, "orders are settled")
        assert Books(counted).total("orders")["clean"] == int(str(kept["total:orders/clean"])) + 1
        assert "is empty, and the topics are not" in crew[0].output()


def test_what_retention_has_taken_of_all_topics_is_named_as_missing(counted: Settings, tmp_path: Path) -> None:
    before = state(counted)
    topics = Topics("orders", counted.topic_prefix)
    partitions = [TopicPartition(topic, number) for topic in topics.all for number in range(counted.partitions)]
    admin = KafkaAdminClient(bootstrap_servers=counted.kafka)
    try:
        admin.delete_records(dict.fromkeys(partitions, -1))
    finally:
        admin.close()
    Books(counted).client.flushall()
    (tmp_path / "again").mkdir()
    with workers(counted, tmp_path / "again") as crew:
        eventually(restored(counted, before), "the store is restored", 40)
        produce(counted, orders(1_001, 1_011))
        await_settled(counted, {"customers": 50, "orders": 10}, crew)
        assert Books(counted).total("orders")["in"] == 10
        said = re.compile(r"counts are incomplete: retention has taken the outcomes of at most (\d+) records")

        def missing() -> list[int]:
            notes = printed_status(counted)["notes"]
            return [int(found[1]) for subject, text in notes.items() if (found := said.match(text)) and topics.raw in subject]

        eventually(lambda: sum(missing()) == 300, "status names what is missing", 20)
        assert "retention has taken the outcomes of at most" in crew[0].output()
