"""The watch of topics, with a broker that does not let the worker mend them, or answers with what is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from stream_app.errors import DeliveryError
from stream_app.kafka.admin import TopicAdmin, TopicState, few_partitions, no_topic
from stream_app.kafka.batches.alarms import FetchAlarms
from stream_app.kafka.outbox import Receipt, Refused
from stream_app.names import SOURCE, Topics
from stream_app.settings import Settings
from stream_app.worker import topics as room
from stream_app.worker.health import Health
from stream_app.worker.topics import TopicWatch

OLD, NEW = "id-1", "id-2"


class Broker(TopicAdmin):
    """An admin client whose topics a test sets, and whose user may do what ``allowed`` says."""

    def __init__(self) -> None:
        self.states = {name: TopicState(f"{name}-{OLD}", 2) for name in Topics("orders").all}
        self.states["orders"] = TopicState(OLD, 2)
        self.allowed = True

    def describe(self, names: Any) -> dict[str, TopicState]:
        return {name: self.states[name] for name in names if name in self.states}

    def grow(self, name: str, count: int) -> None:
        if not self.allowed:
            raise DeliveryError(few_partitions(name, count, "this user must not", f"grant ALTER on {name}"))
        self.states[name] = TopicState(self.states[name].id, count)

    def create(self, name: str, count: int) -> None:
        if not self.allowed:
            raise DeliveryError(no_topic(name, count))
        self.states[name] = TopicState("new", count)

    def close(self) -> None:
        """Nothing is open."""


class Consumer:
    """A consumer that notes that it was asked to join again."""

    joined = is_sought = True

    def __init__(self) -> None:
        self.rejoined, self.client = 0, self

    async def rejoin(self) -> None:
        self.rejoined += 1

    def assignment(self) -> set[TP]:
        return {TP("orders", 0)}

    async def begin_anew(self, partitions: set[TP]) -> None:
        assert partitions == {TP("orders", 0)}

    def knows_other(self, _: Any) -> bool:
        return False


class Lanes:
    """Lanes that are idle, after a while."""

    async def idle(self, _: float) -> bool:
        await asyncio.sleep(0.02)
        return True

    def partitions(self) -> set[int]:
        return {0}


class Room:
    """A watch and what is around it."""

    def __init__(self) -> None:
        self.alarms, self.consumer, self.broker = FetchAlarms(), Consumer(), Broker()
        #: Copies of waiting records: partition and record.
        self.waiting: list[Any] = []
        self.watch = TopicWatch(Settings(), self.alarms, lambda: self.consumer, self.broker)
        self.entity: Any = SimpleNamespace(name="orders", topics=Topics("orders"), topic_id=OLD, forget=lambda _: None)
        self.entity.reached, self.entity.services = {0: 9}, SimpleNamespace(health=Health())

    def act(self, *steps: Callable[[], Any]) -> None:
        async def body() -> None:
            waiting: Any = SimpleNamespace(copies=lambda: list(self.waiting))
            restored: list[Any] = []
            lanes: Any = {"orders": Lanes()}
            owner: Any = SimpleNamespace(assigned=restored.append, tells_offsets_apart=True)
            self.watch.begin({"orders": self.entity}, lanes, {"orders": waiting}, owner)
            for step in steps:
                result = step()
                if asyncio.iscoroutine(result):
                    await result

        asyncio.run(body())
        self.watch.close()


@pytest.fixture
def one() -> Room:
    return Room()


def test_new_partitions_are_not_read_without_the_right_to_add_those_that_they_need(one: Room) -> None:
    one.broker.allowed = False
    one.broker.states["orders"] = TopicState(OLD, 4)
    one.act(one.watch.check)
    assert one.watch.stopped() == {TP("orders", 2), TP("orders", 3)}
    assert "orders.clean has fewer partitions than its raw topic" in one.watch.problems["orders"]
    assert "give it 4 partitions, or grant ALTER on orders.clean" in one.entity.services.health.error


def test_they_are_read_once_the_other_topics_have_as_many(one: Room) -> None:
    one.broker.states["orders"] = TopicState(OLD, 4)
    one.act(one.watch.check, one.watch.check)
    assert (one.watch.stopped(), one.watch.problems) == (set(), {})
    assert {state.partitions for state in one.broker.states.values()} == {4}


def test_a_topic_that_is_missing_is_left_alone_for_a_moment_and_then_created(
    one: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.broker.states["orders.clean"] = TopicState("", 0)
    one.act(one.watch.check)
    assert one.broker.states["orders.clean"].partitions == 0
    assert one.watch.stopped() == {TP("orders", 0), TP("orders", 1)}
    monkeypatch.setattr(room, "MISSING", 0.0)
    again = Room()
    again.broker.states["orders.clean"] = TopicState("", 0)
    again.act(again.watch.check, again.watch.check)
    assert again.broker.states["orders.clean"].partitions == 2
    assert again.watch.problems == {}


def test_a_raw_topic_that_was_created_again_is_in_doubt_until_the_worker_seeks(one: Room) -> None:
    def create_again() -> None:
        one.broker.states["orders"] = TopicState(NEW, 2)

    def still_old() -> None:
        assert (one.alarms.doubted(), one.entity.topic_id, one.consumer.rejoined) == ({"orders"}, OLD, 1)

    async def seek() -> None:
        assert await one.watch.prepare() == {"orders"}
        assert (one.alarms.doubted(), one.entity.topic_id, one.entity.reached) == (set(), NEW, {})
        assert await one.watch.prepare() == set()

    one.act(one.watch.check, create_again, one.watch.check, still_old, seek)


@pytest.mark.parametrize("ended_after", [0.0, 0.01, 0.03])
def test_a_rebalance_in_the_middle_loses_no_topic_that_was_created_again(one: Room, ended_after: float) -> None:
    """Faust ends what the rebalance before was doing, or leaves it running, and begins anew."""

    async def slow(partitions: set[TP]) -> None:
        await asyncio.sleep(0.02)
        assert partitions == {TP("orders", 0)}

    async def seek() -> None:
        first = asyncio.create_task(one.watch.prepare())
        await asyncio.sleep(ended_after)
        first.cancel()
        assert await one.watch.prepare() == {"orders"}
        assert (one.alarms.doubted(), one.entity.topic_id) == (set(), NEW)

    async def side_by_side() -> None:
        one.broker.states["orders"] = TopicState("id-3", 2)
        found = await asyncio.gather(one.watch.prepare(), one.watch.prepare())
        assert sorted(map(len, found)) == [0, 1]

    one.consumer.begin_anew = slow  # type: ignore[method-assign]
    one.broker.states["orders"] = TopicState(NEW, 2)
    one.act(seek, side_by_side)


def test_a_broker_that_lags_behind_does_not_bring_an_old_topic_back(one: Room) -> None:
    def answer(topic_id: str) -> Callable[[], None]:
        def set_id() -> None:
            one.broker.states["orders"] = TopicState(topic_id, 2)

        return set_id

    one.act(answer(NEW), one.watch.prepare, answer(OLD), one.watch.check)
    assert (one.entity.topic_id, one.consumer.rejoined, one.alarms.doubted()) == (NEW, 0, set())


def test_a_doubt_that_comes_to_nothing_ends_with_the_next_answer(one: Room) -> None:
    one.alarms.doubt("orders")
    one.act(one.watch.check)
    assert one.alarms.doubted() == set()


def test_waiting_records_that_the_new_topic_does_not_take_are_kept_and_said(one: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no other copy of them."""
    taken: list[bytes] = []
    most = 5

    class Narrow:
        """An outbox of a topic that takes only small records."""

        def __init__(self, *_: Any) -> None:
            self.rows: list[Any] = []

        def add(self, topic: str, partition: int, row: Any, **_: Any) -> None:
            self.rows.append(Refused(topic, partition, row, "too large"))

        async def send(self) -> Receipt:
            taken.extend(one.row[1] for one in self.rows if len(one.row[1]) <= most)
            return Receipt((), tuple(one for one in self.rows if len(one.row[1]) > most))

    async def using(action: Callable[[Any], Any]) -> Any:
        return await action(None)

    def waits(source: bytes, value: bytes) -> Any:
        return SimpleNamespace(key=None, value=value, timestamp=0, headers=((SOURCE, source),))

    def lost() -> None:
        one.waiting.append((0, waits(b"orders:0:1", b"small")))
        one.waiting.append((0, waits(b"orders:0:2", b"large one")))
        one.alarms.doubt("orders.pending")
        one.watch.revoked("orders")
        one.waiting.clear()

    def said() -> None:
        assert "does not take 1 waiting records again (too large)" in one.entity.services.health.error

    def widen() -> None:
        nonlocal most
        most = 100

    monkeypatch.setattr(room, "Outbox", Narrow)
    one.entity.services.producer, one.entity.services.limits = SimpleNamespace(using=using), None
    one.act(lost, one.watch.check, said, widen, one.watch.check, one.watch.check)
    assert (taken, one.entity.services.health.error) == ([b"small", b"large one"], None)


def test_offsets_that_are_fetched_before_partitions_are_sought_are_no_losses(one: Room) -> None:
    """Until then a fetch asks for an offset of the topic that was there before."""

    async def bounds(*_: Any) -> dict[TP, tuple[int, int]]:
        raise AssertionError("it looks for what is lost")

    def seek() -> None:
        one.consumer.is_sought = False

    one.consumer.bounds = bounds  # type: ignore[attr-defined]
    request = SimpleNamespace(topics=[("orders", [(0, 50)])])
    one.alarms.look_at(request, SimpleNamespace(topics=[("orders", [(0, 1, -1)])]))
    one.act(seek, one.watch.check, one.watch.check)
    assert one.alarms.doubted() == {"orders"}, "nothing of it is handed on"
