"""A record with a key and no value deletes: it is passed on, what it names becomes unknown, and it counts as deleted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stream_app.contract.read import DEFAULT_SHOP
from stream_app.names import CONTRACT, FINDINGS, SOURCE, Topics
from stream_app.settings import Settings
from tests.support.crew import changed, crew_at_work, stocked_crew
from tests.support.processes import printed_status
from tests.support.recount import assert_exact, rules_of
from tests.support.stream import (
    Books,
    Raw,
    Worker,
    await_settled,
    await_workers,
    customer,
    order,
    produce,
    product,
    read_topic,
    tombstone,
)  # fmt: skip
from tests.support.waiting import eventually


def test_a_deleted_customer_is_unknown_to_every_worker_until_it_comes_again(settings: Settings, tmp_path: Path) -> None:
    settings = changed(settings, grace=1.0, partitions=2)
    topics = Topics("customers", settings.topic_prefix)
    with crew_at_work(settings, tmp_path, 2, [*(customer(number) for number in range(1, 9)), product(1)]) as crew:
        await_settled(settings, {"customers": 8, "products": 1}, crew)
        produce(settings, [order(number, number % 8 + 1) for number in range(1, 33)])
        await_settled(settings, {"orders": 32}, crew)
        # A customer that comes, goes and comes again in one fetch is there; one that only goes is not.
        produce(
            settings,
            [tombstone("customers", 2), tombstone("customers", 3), customer(3, name="Ada II"), tombstone("customers", 99)],
        )
        await_settled(settings, {"customers": 12}, crew)
        produce(settings, [order(100 + number, number % 8 + 1) for number in range(1, 17)])
        await_settled(settings, {"orders": 48}, crew)
        counted = assert_exact(settings)
        assert {json.loads(one.value or b"")["customer_id"] for one in counted["orders"].dead.values()} == {2}
        assert [rules_of(one, FINDINGS) for one in counted["orders"].dead.values()] == [["customer_id.reference"]] * 2
        produce(settings, [customer(2)])
        await_settled(settings, {"customers": 13}, crew)
        produce(settings, [order(200, 2)])
        await_settled(settings, {"orders": 49}, crew)
        assert_exact(settings)
        row = printed_status(settings)["entities"]["customers"]
        assert (row["in"], row["clean"], row["rejected"], row["pending"], row["deleted"]) == (13, 10, 0, 0, 3)
        assert row["quality"]["valid"] == 1
        assert [worker.terminate() for worker in crew] == [0, 0]
    passed_on = [one for one in read_topic(settings, topics.clean) if one.value is None]
    assert sorted(one.key or b"" for one in passed_on) == [b"2", b"3", b"99"]
    assert all({name for name, _ in one.headers} == {SOURCE, CONTRACT} for one in passed_on)


def test_an_order_that_waits_for_a_customer_that_is_deleted_waits_on(settings: Settings, tmp_path: Path) -> None:
    settings = changed(settings, grace=3_000.0, partitions=1)
    with stocked_crew(settings, tmp_path) as crew:
        produce(settings, [order(1, 5), tombstone("customers", 5)])
        books = Books(settings)
        eventually(lambda: books.total("customers").get("deleted") == 1 and books.waiting("orders") == 1, "it waits", 20)
        produce(settings, [customer(5), order(2, 5)])
        await_settled(settings, {"orders": 2, "customers": 3}, crew)
        assert len(assert_exact(settings)["orders"].clean) == 2


def keyed_by_order(folder: Path) -> Path:
    """The built-in shop, whose orders are keyed by their customer: here by their own number, which is unique."""
    shop: Path = shutil.copytree(DEFAULT_SHOP, folder / "shop")
    file = shop / "orders.odcs.yaml"
    head, tail = file.read_text().split("property: recordKey")
    file.write_text(head + "property: recordKey" + tail.replace("customer_id", "order_id", 1))
    return shop


def keyed(number: int, **changes: Any) -> Raw:
    return Raw("orders", b"%d" % number, order(number, **changes).value)


def test_the_id_of_a_deleted_record_may_be_used_again(settings: Settings, tmp_path: Path) -> None:
    settings = changed(settings, partitions=1, shop=keyed_by_order(tmp_path))
    (tmp_path / "logs").mkdir()
    with stocked_crew(settings, tmp_path / "logs") as crew:
        again = [keyed(1, quantity=4), keyed(2, quantity=9)]
        produce(settings, [keyed(1), keyed(2), keyed(1, quantity=3), tombstone("orders", 1), *again])
        await_settled(settings, {"orders": 6}, crew)
        counted = assert_exact(settings)["orders"]
        quantities = [json.loads(one.value)["quantity"] for one in counted.clean.values() if one.value is not None]
        assert sorted(quantities) == [2, 2, 4]
        assert sorted(json.loads(one.value or b"")["quantity"] for one in counted.dead.values()) == [3, 9]


def test_an_order_that_is_deleted_while_it_waits_does_not_come_after_its_tombstone(settings: Settings, tmp_path: Path) -> None:
    settings = changed(settings, grace=3_000.0, partitions=1, shop=keyed_by_order(tmp_path))
    (tmp_path / "logs").mkdir()
    with stocked_crew(settings, tmp_path / "logs") as crew:
        produce(settings, [keyed(1, customer_id=5), keyed(2, customer_id=5), tombstone("orders", 1), keyed(1)])
        books = Books(settings)
        eventually(lambda: books.waiting("orders") == 1 and books.total("orders").get("deleted") == 1, "it is rejected", 20)
        produce(settings, [customer(5)])
        await_settled(settings, {"orders": 4, "customers": 2}, crew)
        counted = assert_exact(settings)["orders"]
        (dead,) = counted.dead.values()
        assert (rules_of(dead, FINDINGS), dead.key) == (["record.deleted"], b"1")
        assert [json.loads(one.value)["customer_id"] for one in counted.clean.values() if one.value and one.key == b"1"] == [1]


def test_a_contract_can_reject_tombstones(settings: Settings, tmp_path: Path) -> None:
    shop = shutil.copytree(DEFAULT_SHOP, tmp_path / "shop")
    file = shop / "customers.odcs.yaml"
    file.write_text(
        file.read_text().replace(
            "      - property: recordKey", "      - {property: tombstones, value: reject}\n      - property: recordKey", 1
        )
    )
    assert "tombstones" in file.read_text()
    settings = changed(settings, partitions=1, shop=shop)
    (tmp_path / "logs").mkdir()
    with stocked_crew(settings, tmp_path / "logs") as crew:
        produce(settings, [tombstone("customers", 1), order(1)])
        await_settled(settings, {"customers": 2, "orders": 1}, crew)
        counted = assert_exact(settings)
        (dead,) = counted["customers"].dead.values()
        assert (rules_of(dead, FINDINGS), dead.value, dead.key) == (["record.tombstone"], None, b"1")


@pytest.mark.parametrize("point", ["before.apply", "after.apply"])
def test_a_worker_that_is_killed_deletes_once(settings: Settings, tmp_path: Path, point: str) -> None:
    settings = changed(settings, grace=1.0, partitions=1)
    with crew_at_work(settings, tmp_path, records=[*(customer(n) for n in range(1, 40)), product(1)]) as crew:
        await_settled(settings, {"customers": 39, "products": 1}, crew)
        crew[0].terminate()
        crew[0] = Worker(settings, tmp_path / "fragile.log", fragile=(point, 2))
        await_workers(settings, crew)
        produce(settings, [one for n in range(1, 40) for one in (tombstone("customers", n), *([customer(n)] if n % 2 else []))])
        produce(settings, [order(n, n) for n in range(1, 40)])
        crew[0].process.wait(30)
        crew[0] = Worker(settings, tmp_path / "again.log")
        await_settled(settings, {"customers": 39 + 39 + 20, "orders": 39}, crew)
        assert_exact(settings)
        assert Books(settings).total("customers")["deleted"] == 39
