"""How a worker is and how far it has come: pipeline and lanes report to it, the heartbeat publishes it."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from stream_app.store.connection import UNAVAILABLE
from stream_app.store.heartbeat import Heartbeat
from stream_app.store.writer import Store


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition stands: the offset up to which it is applied, and the largest event time (ms) up to there."""

    applied: int
    reached: int = 0


class Health:
    """The state of a worker.

    Attributes:
        error: what does not work at the moment; None while all does.
    """

    def __init__(self) -> None:
        self.error: str | None = None
        self._positions: dict[tuple[str, int], Position] = {}
        self._records, self._batches, self._waited_ms = 0, 0, 0.0
        self._since = time.time()

    def position(self, topic: str, partition: int) -> Position | None:
        """Where a partition stands; None before anything is known of it."""
        return self._positions.get((topic, partition))

    def move(self, topic: str, partition: int, applied: int, reached: int = 0) -> None:
        """Note that a partition is applied up to an offset, its event time to ``reached`` (ms) at least."""
        before = self._positions.get((topic, partition))
        self._positions[topic, partition] = Position(applied, max(reached, before.reached if before else 0))

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Note that partitions may have been elsewhere meanwhile."""
        for partition in partitions:
            self._positions.pop((topic, partition), None)

    def counted(self, records: int, waited_ms: float) -> None:
        """Note that a batch is counted, ``waited_ms`` after its oldest record arrived in Kafka."""
        self._records += records
        self._batches += 1
        self._waited_ms += max(0.0, waited_ms)

    def trouble(self, text: str) -> None:
        """Note what does not work at the moment."""
        self.error = text

    def recovered(self) -> bool:
        """Note that all works again; True if there was trouble."""
        was, self.error = self.error, None
        return was is not None

    def rates(self) -> tuple[float, float | None]:
        """Records per second and mean latency (ms; None without a batch) since the last call."""
        now = time.time()
        rate = self._records / max(0.001, now - self._since)
        latency = self._waited_ms / self._batches if self._batches else None
        self._records, self._batches, self._waited_ms, self._since = 0, 0, 0.0, now
        return rate, latency


class WatchesTopics(Protocol):
    """Who watches the topics; ``worker.topics.TopicWatch`` does."""

    def said(self) -> Mapping[str, str]:
        """Return entity → what is wrong with its topics, or what happened to them lately."""

    @property
    def partitions(self) -> Mapping[str, int]:
        """Raw topic → number of its partitions."""


class HeartbeatPublisher:
    """Publishes the health of one worker every second.

    ``topics``: entity → raw topic; ``consumer`` gives Faust's; ``watch`` knows the topics (``worker.topics.TopicWatch``).
    """

    def __init__(
        self, worker: str, health: Health, topics: Mapping[str, str], consumer: Callable[[], Any], watch: WatchesTopics
    ) -> None:
        self._worker, self._health, self._topics, self._consumer = worker, health, topics, consumer
        self._watch = watch
        self._started = time.time()

    def lag(self) -> dict[str, int]:
        """Entity → records in this worker's partitions of the raw topic that are not applied yet."""
        lags: dict[str, int] = {}
        for entity, _, lag in self._lags():
            lags[entity] = lags.get(entity, 0) + lag
        return lags

    def behind(self) -> int | None:
        """The least event time (ms) that a partition with a lag has reached, 0 before its first batch; None without lag."""
        positions = (self._health.position(self._topics[entity], partition) for entity, partition, lag in self._lags() if lag)
        return min((0 if position is None else position.reached for position in positions), default=None)

    def _lags(self) -> Iterator[tuple[str, int, int]]:
        consumer = self._consumer()
        for tp in consumer.assignment():
            for entity, topic in self._topics.items():
                if tp.topic == topic:
                    position = self._health.position(topic, tp.partition)
                    applied = (consumer.committed_offset(tp) or 0) - 1 if position is None else position.applied
                    yield entity, tp.partition, consumer.lag(tp, applied)

    async def publish(self, store: Store) -> None:
        """Publish the health; while the store is away, nothing."""
        rate, latency = self._health.rates()
        error = self._health.error
        heartbeat = Heartbeat(
            id=self._worker,
            at=int(time.time() * 1000),
            started=int(self._started * 1000),
            pid=os.getpid(),
            host=socket.gethostname(),
            rate=round(rate, 1),
            lag=self.lag(),
            behind=self.behind(),
            assigned=sum(1 for _ in self._lags()),
            partitions=sum(self._watch.partitions.get(topic, 0) for topic in self._topics.values()),
            error=error,
            state="retrying" if error else "running",
            latency_ms=None if latency is None else round(latency, 1),
            topics=self._watch.said(),
        )
        with contextlib.suppress(*UNAVAILABLE):
            await store.beat(heartbeat)
