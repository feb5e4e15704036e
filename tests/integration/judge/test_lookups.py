"""Looking up a batch comes to the same in Redis and in memory, and to the same again when the batch is repeated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from stream_app.counts.tally import Tally
from stream_app.judge.baseline import Baseline
from stream_app.judge.batch import Batch, Settled, Verdicts
from stream_app.judge.keys import keys_of_id
from stream_app.judge.lookups import LookUps
from stream_app.judge.request import Found, Request
from stream_app.position import Position
from stream_app.store.changes import Changes
from stream_app.store.memory import MemoryStore
from stream_app.store.writer import Store
from tests.support.records import AS_OF, judge_of, order, shop

SHOP = shop("built-in")


class Room:
    """A store with its look-ups, and what applying a batch does to it."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], store: Any) -> None:
        self.run, self.store = run, store
        self.known: Any = {}
        self.applied = dict.fromkeys(SHOP.contracts, -1)

    def look_ups(self, entity: str) -> LookUps:
        return LookUps(SHOP, entity, self.known)

    def look_up(self, entity: str, request: Request, applied: tuple[str, Position] | None = None) -> Found:
        if not request:
            return Found()
        if isinstance(self.store, MemoryStore):
            return self.store.look_up(entity, request)
        found: Found = self.run(self.store.look_up(entity, applied, request.wanted, request.claims))
        return found

    def settle(
        self,
        entity: str,
        records: Sequence[dict[str, Any] | str],
        baseline: Baseline | None = None,
        apply: bool = True,
        as_of: int = AS_OF,
        meanwhile: Callable[[], None] | None = None,
        generation: int = 0,
    ) -> tuple[Verdicts, Settled]:
        first = self.applied[entity] + 1
        judge = judge_of("built-in", entity)
        values = [None if isinstance(record, str) else json.dumps(record).encode() for record in records]
        verdicts = judge.judge_all(values, [as_of] * len(records))
        for index, record in enumerate(records):
            if isinstance(record, str):  # the id that a tombstone deletes
                verdicts.put_deleted(index, record)
        offsets = list(range(first, first + len(records)))
        sources = [b"%b:0:%d" % (entity.encode(), offset) for offset in offsets]
        at = (f"{entity}/{generation or ''}/0", Position(self.applied[entity]))
        look_ups = self.look_ups(entity)
        look_ups.baseline = baseline
        batch = Batch(0, *at, records, offsets, sources, [as_of] * len(records), [True] * len(records), verdicts)
        batch = replace(batch, generation=generation)
        request = look_ups.plan(batch)
        found = self.look_up(entity, request, at)
        while look_ups.forget_deleted(request, found):
            request = look_ups.plan(batch)
            found = self.look_up(entity, request, at)
        if meanwhile is not None:
            meanwhile()
        settled = look_ups.settle(batch, request, found)
        if isinstance(self.store, MemoryStore):
            keys = partial(keys_of_id, SHOP.contracts[entity])
            self.store.apply(entity, settled.references, settled.releases, settled.deleted, settled.owned, keys)
            self.applied[entity] = offsets[-1]
            return settled.verdicts, settled
        if settled.note is not None:
            self.run(self.store.note(at, settled.note.seen, settled.note.upto, settled.note.content))
        if apply:
            changes = Changes(
                Tally(SHOP.contracts[entity]), 1, applied=(*at, Position(offsets[-1])), references=dict(settled.references)
            )
            changes.release = list(settled.releases)
            changes.deleted, changes.owned = list(settled.deleted), list(settled.owned)
            self.run(self.store.apply(changes))
            self.applied[entity] = offsets[-1]
        return settled.verdicts, settled


@pytest.fixture
def redis_room(redis_url: str) -> Iterator[Room]:
    with asyncio.Runner() as runner:
        store = Store(redis_url, "headrace")
        yield Room(runner.run, store)
        runner.run(store.close())


@pytest.fixture(params=["memory", "redis"])
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    if request.param == "redis":
        yield request.getfixturevalue("redis_room")
        return
    with asyncio.Runner() as runner:
        yield Room(runner.run, MemoryStore())


def rules(verdicts: Verdicts) -> list[list[str]]:
    return [[rule.id for rule in verdict.findings] for verdict in verdicts]


def customer(number: int, **changes: Any) -> dict[str, Any]:
    return {"customer_id": number, "name": "Ada", "email": "ada@example.org", "country": "France"} | changes


def product(number: int, price: float = 10.0) -> dict[str, Any]:
    return {"product_id": number, "category": "Toys", "unit_price": price}


def sale(number: int, **changes: Any) -> dict[str, Any]:
    return order(order_id=number, customer_id=1, product_id=1, price=10.0, quantity=2) | changes


def test_a_rejected_order_is_compared_with_those_before_it_only_whatever_the_batch(room: Room) -> None:
    room.settle("customers", [customer(1)])
    room.settle("products", [product(1)])
    bad = sale(1, quantity=-1)
    verdicts, _ = room.settle("orders", [bad, sale(1), bad, sale(2)])
    assert rules(verdicts) == [["quantity.minimum"], [], ["quantity.minimum", "order_id.contradiction"], []]
    apart = [room.settle("orders", [record])[0] for record in (sale(3, quantity=-1), sale(3), sale(3, quantity=-1))]
    assert [rules(one)[0] for one in apart] == [["quantity.minimum"], [], ["quantity.minimum", "order_id.contradiction"]]


def test_an_order_waits_for_what_is_not_known(room: Room) -> None:
    assert room.settle("orders", [sale(3)])[1].pending == {0}
    room.settle("customers", [customer(1)])
    assert room.settle("orders", [sale(4)])[1].pending == {0}
    room.settle("products", [product(1)])
    verdicts, settled = room.settle("orders", [sale(1), sale(2, customer_id=9)])
    assert settled.pending == {1}
    assert rules(verdicts) == [[], []]
    assert settled.segments == {"customer_id.country": ["France", None], "product_id.category": ["Toys", "Toys"]}


def stock(room: Room) -> None:
    room.settle("customers", [customer(1)])
    room.settle("products", [product(1)])


def test_a_repeat_and_a_contradiction_are_two_findings(room: Room) -> None:
    stock(room)
    verdicts, _ = room.settle("orders", [sale(1), sale(1), sale(1, quantity=3), sale(2)])
    assert rules(verdicts) == [[], ["order_id.unique"], ["order_id.contradiction"], []]
    verdicts, _ = room.settle("orders", [sale(2), sale(1, quantity=-1)])
    assert rules(verdicts) == [["order_id.unique"], ["quantity.minimum", "order_id.contradiction"]]


def test_a_topic_that_is_created_again_with_the_same_records_repeats_them(room: Room) -> None:
    stock(room)
    room.settle("orders", [sale(1), sale(2)])
    room.applied["orders"] = -1  # the new topic begins with the same offsets
    verdicts, _ = room.settle("orders", [sale(1), sale(3), sale(2, quantity=3)], apply=False, generation=1)
    assert rules(verdicts) == [["order_id.unique"], [], ["order_id.contradiction"]]


def test_prices_are_compared_with_the_list_price_of_now(room: Room) -> None:
    stock(room)
    assert rules(room.settle("orders", [sale(1, price=30.0)])[0]) == [["price_deviation"]]
    room.settle("products", [product(1, 30.0)], as_of=AS_OF + 1)
    assert rules(room.settle("orders", [sale(2, price=30.0), sale(3, price=10.0)])[0]) == [[], []]


def test_an_older_update_is_marked_and_does_not_count(room: Room) -> None:
    room.settle("products", [product(1, 30.0)], as_of=AS_OF)
    verdicts, _ = room.settle("products", [product(1, 10.0)], as_of=AS_OF - 1)
    assert rules(verdicts) == [["product_stale"]]
    room.settle("customers", [customer(1)])
    assert rules(room.settle("orders", [sale(1, price=30.0)])[0]) == [[]]


def test_outliers_follow_from_the_baseline(room: Room) -> None:
    stock(room)
    baseline = Baseline(1, {"quantity_outlier": {"1": (1.0, 20.0)}})
    assert rules(room.settle("orders", [sale(1, quantity=20), sale(2, quantity=21)], baseline)[0]) == [[], ["quantity_outlier"]]


def test_a_late_record_is_compared_when_what_it_waited_for_is_known(room: Room) -> None:
    room.settle("customers", [customer(1)])
    verdicts, settled = room.settle("orders", [sale(1, price=30.0)])
    assert settled.pending == {0}
    room.settle("products", [product(1)])
    look_ups = room.look_ups("orders")
    request = look_ups.plan_late(verdicts)
    found, segments = look_ups.settle_late(verdicts, request, room.look_up("orders", request))
    assert {index: [rule.id for rule in broken] for index, broken in found.items()} == {0: ["price_deviation"]}
    assert segments == {"customer_id.country": ["France"], "product_id.category": ["Toys"]}


# --- a batch that is repeated after a crash -------------------------------------------------------------------------


def test_a_repeated_batch_finds_the_same_whatever_has_changed_since(redis_room: Room) -> None:
    room = redis_room
    stock(room)
    baseline = Baseline(1, {"quantity_outlier": {"1": (1.0, 20.0)}})
    batch = [sale(1, price=30.0), sale(2, quantity=50), sale(3, price=10.0)]
    first, _ = room.settle("orders", batch, baseline, apply=False)
    assert rules(first) == [["price_deviation"], ["quantity_outlier"], []]
    # The worker dies after it has sent them. Another list price and another baseline are in force when they come again.
    room.settle("products", [product(1, 30.0)], as_of=AS_OF + 1)
    room.settle("products", [product(1, 300.0)], as_of=AS_OF + 2)
    other = Baseline(2, {"quantity_outlier": {"1": (100.0, 200.0)}})
    # ... in a larger batch: what follows is compared with what is in force now.
    again, _ = room.settle("orders", [*batch, sale(4, price=10.0)], other)
    assert rules(again) == [*rules(first), ["price_deviation", "quantity_outlier"]]


def test_an_order_that_waited_waits_again_when_its_batch_is_judged_again(redis_room: Room) -> None:
    room = redis_room
    room.settle("customers", [customer(1)])
    assert room.settle("orders", [sale(1)], apply=False)[1].pending == {0}
    room.settle("products", [product(1)])
    assert room.settle("orders", [sale(1), sale(2)])[1].pending == {0}, "it was delivered as one that waits"
    assert room.settle("orders", [sale(3)])[1].pending == set()


def test_what_was_noted_of_a_longer_batch_stands_for_a_shorter_one(redis_room: Room) -> None:
    room = redis_room
    stock(room)
    room.settle("orders", [sale(1), sale(2, price=30.0)], apply=False)
    room.settle("products", [product(1, 30.0)], as_of=AS_OF + 1)
    assert rules(room.settle("orders", [sale(1)])[0]) == [[]]
    assert rules(room.settle("orders", [sale(2, price=30.0), sale(3, price=30.0)])[0]) == [["price_deviation"], []]


# --- memory -------------------------------------------------------------------------------------------------------------


def test_a_batch_under_way_keeps_what_it_knows_when_the_memory_is_renewed() -> None:
    with asyncio.Runner() as runner:
        room = Room(runner.run, MemoryStore())
        stock(room)
        room.settle("orders", [sale(1)])
        _, settled = room.settle("orders", [sale(2)], meanwhile=room.look_ups("orders").refresh)
    assert settled.segments == {"customer_id.country": ["France"], "product_id.category": ["Toys"]}


def test_a_segment_follows_the_referenced_record_when_the_memory_is_renewed(room: Room) -> None:
    stock(room)
    room.settle("orders", [sale(1)])
    room.settle("customers", [customer(1, country="Spain")], as_of=AS_OF + 1)
    room.look_ups("orders").refresh()
    assert room.settle("orders", [sale(2)])[1].segments["customer_id.country"] == ["Spain"]


# --- tombstones ---------------------------------------------------------------------------------------------------------


def test_an_order_of_a_deleted_customer_waits_also_where_the_customer_is_remembered(room: Room) -> None:
    stock(room)
    assert room.settle("orders", [sale(1)])[1].pending == set()
    room.settle("customers", ["1"])
    assert room.settle("orders", [sale(2), sale(3, customer_id=2)])[1].pending == {0, 1}
    room.settle("customers", [customer(1)])
    assert room.settle("orders", [sale(4)])[1].pending == set()


def test_a_worker_forgets_what_another_one_deleted(room: Room) -> None:
    stock(room)
    room.settle("customers", [customer(number) for number in range(2, 6)])
    room.settle("orders", [sale(number, customer_id=number) for number in range(1, 6)])
    other, room.known = room.known, {}
    room.settle("customers", ["2"])
    room.settle("customers", ["3", "3", "999"])
    room.known = other
    some = [sale(10 + number, customer_id=number) for number in range(1, 6)]
    assert room.settle("orders", some)[1].pending == {1, 2}
    assert room.settle("orders", [sale(20, customer_id=2), sale(21, customer_id=4)])[1].pending == {0}


def test_a_batch_that_updates_and_deletes_leaves_nothing(room: Room) -> None:
    stock(room)
    _, settled = room.settle("customers", [customer(8), customer(1, country="Spain"), "8", "1"])
    assert (set(settled.references), list(settled.deleted)) == (set(), ["1", "8"])
    assert room.settle("orders", [sale(1), sale(2, customer_id=8)])[1].pending == {0, 1}


def test_a_batch_that_is_repeated_is_judged_as_before_the_customer_was_deleted(redis_room: Room) -> None:
    room = redis_room
    stock(room)
    room.settle("customers", [customer(2), customer(3)])
    room.settle("customers", ["3"])
    room.settle("orders", [sale(1), sale(2, customer_id=3)], apply=False)  # delivered, and the worker killed before it counted
    room.settle("customers", ["1"])
    room.known = {}
    assert room.settle("orders", [sale(1), sale(2, customer_id=3)])[1].pending == {1}
    assert room.settle("orders", [sale(3)])[1].pending == {0}
