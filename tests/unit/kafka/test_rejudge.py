"""A rejudge says nothing is sent that is not: neither what its topic does not take, nor what a silent broker keeps back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from stream_app.errors import DeliveryError
from stream_app.kafka import rejudge as room
from stream_app.kafka.outbox import Receipt, Refused
from stream_app.kafka.rejudge import Bound, Plan, Rejudging, Selection
from stream_app.names import SOURCE
from stream_app.settings import Settings

DEAD = TopicPartition("orders.dlq", 0)


class Log:
    """A consumer of a dead-letter partition whose log ends with the marker of a transaction; it gives ``upto`` offsets."""

    def __init__(self, upto: int) -> None:
        self.upto, self.at = upto, 0

    def assign(self, partitions: list[TopicPartition]) -> None:
        assert partitions == [DEAD]

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.at = offset

    def position(self, _: TopicPartition) -> int:
        return self.at

    def poll(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        begin, self.at = self.at, self.upto
        return {DEAD: [dead_letter(offset) for offset in range(begin, min(3, self.upto))]}


def dead_letter(offset: int) -> Any:
    headers = [(SOURCE, b"orders:0:%d" % offset)]
    return SimpleNamespace(offset=offset, key=b"1", value=b"{}", timestamp=0, headers=headers, timestamp_type=0)


class Broken(Rejudging):
    """A run on a broker without transactions, whose log is ``log``."""

    def __init__(self, log: Log) -> None:
        super().__init__(Settings(), Selection("orders", Bound(offset=0)))
        self._transactions = None
        self._producer: Any = SimpleNamespace(using=lambda action: action(None))
        self.log = log


def run(log: Log, monkeypatch: pytest.MonkeyPatch) -> int:
    class Reading:
        def __enter__(self) -> Log:
            return log

        def __exit__(self, *_: object) -> None:
            """Nothing is open."""

    monkeypatch.setattr(room, "reading", lambda *_, **__: Reading())
    return asyncio.run(Broken(log).run(Plan(ends={0: 4}, begins={0: 0}), lambda _: None, lambda: False))


class Outbox:
    """An outbox of a topic that does not take the second record."""

    refuses = b"orders:0:1"

    def __init__(self, *_: Any) -> None:
        self.rows: list[Any] = []

    def add(self, topic: str, partition: int, row: Any, **_: Any) -> None:
        self.rows.append(Refused(topic, partition, row, "too large"))

    async def send(self) -> Receipt:
        return Receipt((), tuple(one for one in self.rows if one.row[3][-1][1] == self.refuses))


def test_a_record_that_the_raw_topic_does_not_take_ends_the_run_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "Outbox", Outbox)
    with pytest.raises(DeliveryError, match=r"topic orders does not take orders:0:1 again \(too large\)"):
        run(Log(4), monkeypatch)
    monkeypatch.setattr(Outbox, "refuses", b"")
    assert run(Log(4), monkeypatch) == 3


def test_a_silent_broker_is_not_taken_for_the_end_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "Outbox", Outbox)
    monkeypatch.setattr(Outbox, "refuses", b"")
    monkeypatch.setattr(room, "_SILENCE", 0.0)
    with pytest.raises(DeliveryError, match=r"gave no records of orders.dlq\[0\] from offset 2 on"):
        run(Log(2), monkeypatch)
