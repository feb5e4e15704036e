"""How far a worker's partitions are: those that are not idle hold the stream back, each by the time that it has reached."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stream_app.worker.health import Health, HeartbeatPublisher

TOPICS = {"orders": "orders", "customers": "customers"}


class Consumer:
    """Partitions with a lag: (topic, partition) → records."""

    def __init__(self, lags: dict[tuple[str, int], int]) -> None:
        self.lags = lags

    def assignment(self) -> list[Any]:
        return [SimpleNamespace(topic=topic, partition=partition) for topic, partition in self.lags]

    def lag(self, tp: Any, _applied: int) -> int:
        return self.lags[tp.topic, tp.partition]

    def committed_offset(self, _tp: Any) -> None:
        return None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock; a test moves it."""
    at = [1_000.0]
    monkeypatch.setattr("stream_app.worker.health.time.monotonic", lambda: at[0])
    return at


def publisher(health: Health, lags: dict[tuple[str, int], int]) -> HeartbeatPublisher:
    return HeartbeatPublisher("w", health, TOPICS, lambda: Consumer(lags), SimpleNamespace(partitions={}), ["orders"])


def test_partitions_hold_the_stream_back_until_they_are_idle(clock: list[float]) -> None:
    health = Health()
    lags = {("orders", 0): 0, ("orders", 1): 0, ("customers", 0): 0}
    heartbeat = publisher(health, lags)
    assert heartbeat.behind() is None
    health.move("orders", 0, 9, 5_000)
    health.move("orders", 1, 9, 7_000)
    health.move("customers", 0, 9, 1_000)
    assert heartbeat.behind() == 5_000
    assert heartbeat.reached() == {"orders": {0: 5_000, 1: 7_000}, "customers": {0: 1_000}}
    clock[0] += 4
    health.move("orders", 1, 12, 9_000)
    clock[0] += 2
    assert heartbeat.behind() == 9_000
    clock[0] += 5
    assert heartbeat.behind() is None
    # Whatever is unread holds it back, of entities without an event time too.
    lags["customers", 0] = 3
    assert heartbeat.behind() == 1_000


def test_a_partition_with_unread_records_before_its_first_batch_has_reached_nothing(clock: list[float]) -> None:
    assert publisher(Health(), {("orders", 0): 4}).behind() == 0


def test_what_another_worker_applied_keeps_the_time_that_was_reached(clock: list[float]) -> None:
    health = Health()
    health.move("orders", 0, 9, 5_000)
    clock[0] += 60
    health.move("orders", 0, 12)
    position = health.position("orders", 0)
    assert position is not None
    assert (position.applied, position.reached, position.moved_at) == (12, 5_000, 1_000.0)
