"""Partitions may be taken away while records are being settled."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from stream_app.judge import Judge
from stream_app.names import SOURCE, Topics
from stream_app.store.writer import WaitingState
from stream_app.worker.waiting import WaitingRecords
from tests.support.records import shop

CONTRACT = shop("built-in").contracts["orders"]


class Entity:
    """An entity whose store says of each record what ``states`` says, after ``meanwhile`` has happened."""

    name, contract, topics = "orders", CONTRACT, Topics("orders")
    judge = Judge(CONTRACT, 10_000)

    def __init__(self, states: dict[int, WaitingState], meanwhile: Any) -> None:
        self._states, self._meanwhile = states, meanwhile
        settings = SimpleNamespace(grace=60.0)
        guardian = SimpleNamespace(levels=SimpleNamespace(is_level=lambda _entity, _partition: True))
        self.services = SimpleNamespace(settings=settings, store=SimpleNamespace(decide=self.decide), guardian=guardian)

    async def retry(self, what: str, action: Any) -> Any:
        return await action()

    async def decide(self, name: str, rows: list[Any], before: int) -> list[Any]:
        self._meanwhile()
        return [(self._states[offset], [], []) for _, _, offset, _ in rows]

    def waiting_field(self, partition: int, offset: int, topic_id: str) -> str:
        return f"{partition}:{offset}"

    def applied_field(self, partition: int, topic_id: str) -> str:
        return f"orders//{partition}"


class Event:
    """A fetched batch of the pending topic: raw records with these offsets."""

    def __init__(self, partition: int, *offsets: int) -> None:
        records = [SimpleNamespace(value=b"{}", headers=[(SOURCE, b"orders:0:%d" % offset)], timestamp=1) for offset in offsets]
        self.message = SimpleNamespace(partition=partition, value=records)
        self.acked = 0

    def ack(self) -> None:
        self.acked += 1


def test_a_batch_is_acknowledged_when_the_last_of_its_records_is_settled() -> None:
    states = {1: WaitingState.GONE, 2: WaitingState.WAITS}
    waiting = WaitingRecords(Entity(states, lambda: None))  # type: ignore[arg-type]
    event = Event(0, 1, 2)
    waiting.add(event)
    assert asyncio.run(waiting.settle(closed=False, caught_up=True)) == 1
    assert (len(waiting), event.acked) == (1, 0)
    states[2] = WaitingState.GONE
    assert asyncio.run(waiting.settle(closed=False, caught_up=True)) == 1
    assert (len(waiting), event.acked) == (0, 1)


def test_partitions_may_be_taken_away_and_read_again_while_records_are_being_settled() -> None:
    anew = Event(0, 1)

    def rebalance() -> None:
        waiting.forget({0})
        waiting.add(anew)

    waiting = WaitingRecords(Entity({1: WaitingState.GONE, 2: WaitingState.WAITS}, rebalance))  # type: ignore[arg-type]
    first, other = Event(0, 1), Event(1, 2)
    waiting.add(first)
    waiting.add(other)
    asyncio.run(waiting.settle(closed=False, caught_up=True))
    assert first.acked == 1
    assert (len(waiting), anew.acked, other.acked) == (2, 0, 0), "what was read again is settled by itself"
