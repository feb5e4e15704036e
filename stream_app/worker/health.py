"""How a worker is and how far it has come: pipeline and lanes report to it, the heartbeat publishes it."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from stream_app.kafka.batches.unreadable import Stopped
from stream_app.store.connection import UNAVAILABLE
from stream_app.store.heartbeat import IDLE_AFTER, Heartbeat, Problem, StoppedPartition
from stream_app.store.writer import Store


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition stands: the offset up to which it is applied, and the event time (ms) that it has reached there.

    ``moved_at``: when a record was last applied (s of ``time.monotonic``); None if none was since the partition was taken over.
    """

    applied: int
    reached: int = 0
    moved_at: float | None = None


#: The part of an entity in the subject of a problem: a partition, or its waiting records.
_PART = re.compile(r"[\[.]")


class Health:
    """The state of a worker: open problems by task, notes on what it does beside the stream, and positions."""

    def __init__(self) -> None:
        self._problems: dict[object, Problem] = {}
        self._notes: dict[str, str] = {}
        self._positions: dict[tuple[str, int], Position] = {}
        self._records, self._batches, self._waited_ms = 0, 0, 0.0
        self._since = time.time()

    def position(self, topic: str, partition: int) -> Position | None:
        """Where a partition stands; None before anything is known of it."""
        return self._positions.get((topic, partition))

    def move(self, topic: str, partition: int, applied: int, reached: int = 0) -> None:
        """Note that a partition is applied up to an offset, and its event time up to ``reached`` (ms; 0: as before)."""
        before = self._positions.get((topic, partition)) or Position(applied)
        moved_at = time.monotonic() if reached else before.moved_at
        self._positions[topic, partition] = Position(applied, reached or before.reached, moved_at)

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Note that partitions may have been elsewhere meanwhile."""
        for partition in partitions:
            self._positions.pop((topic, partition), None)

    def counted(self, records: int, waited_ms: float | None) -> None:
        """Note that a batch is counted, ``waited_ms`` after its oldest record arrived in Kafka (None: unknown)."""
        self._records += records
        if waited_ms is not None:
            self._batches += 1
            self._waited_ms += max(0.0, waited_ms)

    def trouble(self, task: object, subject: str, text: str, *, stopped: bool = False, beside: bool = False) -> None:
        """Note what does not work at the moment, of one task; it stays until ``recovered`` is called with the same task.

        Args:
            task: identifies who fails: a call of ``retries``, or the name of a task beside the stream.
            subject: the entity, with its partition (``orders[3]``), or the part of the worker; empty for the worker itself.
            text: what does not work, and what to do.
            stopped: it does not work until somebody acts.
            beside: the stream goes on without it.
        """
        before = self._problems.get(task)
        since = int(time.time() * 1000) if before is None else before.since
        self._problems[task] = Problem(subject=subject, text=text, since=since, stopped=stopped, beside=beside)

    def recovered(self, task: object) -> bool:
        """Note that a task works again, or has ended; True if there was trouble with it."""
        return self._problems.pop(task, None) is not None

    def problems(self) -> tuple[Problem, ...]:
        """Return the open problems: stopped ones first, then the oldest; one for tasks that say the same."""
        found: dict[tuple[str, str], Problem] = {}
        for problem in sorted(self._problems.values(), key=lambda one: (not one.stopped, one.since)):
            found.setdefault((problem.subject, problem.text), problem)
        return tuple(found.values())

    @property
    def error(self) -> str | None:
        """The most important problem in one line; None while all works."""
        return next((f"{one.subject}: {one.text}" if one.subject else one.text for one in self.problems()), None)

    def stopped(self) -> set[str]:
        """Return the entities that a permanent error has stopped, in whole or in part."""
        return {_PART.split(one.subject)[0] for one in self._problems.values() if one.stopped} - {""}

    def blocked(self) -> set[str]:
        """Return the entities whose records cannot be worked on: a permanent error has stopped one of their lanes."""
        return {_PART.split(one.subject)[0] for one in self._problems.values() if one.stopped and _PART.search(one.subject)}

    def note(self, subject: str, text: str | None) -> None:
        """Show what the worker does beside the stream, such as "restoring 37 %"; None: it has ended."""
        if text is None:
            self._notes.pop(subject, None)
        else:
            self._notes[subject] = text

    def notes(self) -> dict[str, str]:
        """Return subject → note."""
        return dict(self._notes)

    def rates(self) -> tuple[float, float | None]:
        """Records per second and mean latency (ms; None without a batch) since the last call."""
        now = time.time()
        rate = self._records / max(0.001, now - self._since)
        latency = self._waited_ms / self._batches if self._batches else None
        self._records, self._batches, self._waited_ms, self._since = 0, 0, 0.0, now
        return rate, latency


class WatchesTopics(Protocol):
    """Who watches the topics; ``worker.topics.TopicWatch`` does."""

    @property
    def partitions(self) -> Mapping[str, int]:
        """Raw topic → number of its partitions."""


class HeartbeatPublisher:
    """Publishes the health of one worker every second.

    ``topics``: entity → raw topic; ``consumer`` gives Faust's; ``watch`` knows the topics (``worker.topics.TopicWatch``);
    ``clocked``: the entities whose records carry an event time; ``stopped``: partitions that have stopped.
    """

    def __init__(
        self,
        worker: str,
        health: Health,
        topics: Mapping[str, str],
        consumer: Callable[[], Any],
        watch: WatchesTopics,
        clocked: Collection[str] = (),
        stopped: Stopped | None = None,
    ) -> None:
        self._worker, self._health, self._topics, self._consumer = worker, health, topics, consumer
        self._watch, self._clocked = watch, frozenset(clocked)
        self._stopped = Stopped() if stopped is None else stopped
        self._started = time.time()

    def lag(self) -> dict[str, int]:
        """Entity → records in this worker's partitions of the raw topic that are not applied yet."""
        lags: dict[str, int] = {}
        for entity, _, lag in self._lags():
            lags[entity] = lags.get(entity, 0) + lag
        return lags

    def behind(self) -> int | None:
        """The least event time (ms) that a partition has reached that is not idle; None if all are.

        A partition with a lag before its first batch has reached 0; one that has stopped holds nothing back. One without a
        lag counts if its entity is ``clocked``.
        """
        idle_since = time.monotonic() - IDLE_AFTER
        times = []
        for entity, partition, lag in self._lags():
            position = self._health.position(self._topics[entity], partition)
            if (self._topics[entity], partition) in self._stopped:
                continue
            if lag:
                times.append(0 if position is None else position.reached)
            elif position is not None and entity in self._clocked and (position.moved_at or 0.0) > idle_since:
                times.append(position.reached)
        return min(times, default=None)

    def reached(self) -> dict[str, dict[int, int]]:
        """Entity → partition → the event time (ms) that it has reached; without partitions before their first record."""
        found: dict[str, dict[int, int]] = {}
        for entity, partition, _ in self._lags():
            position = self._health.position(self._topics[entity], partition)
            if position is not None and position.reached:
                found.setdefault(entity, {})[partition] = position.reached
        return found

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
        problems, stopped = self._health.problems(), bool(self._health.stopped())
        heartbeat = Heartbeat(
            id=self._worker,
            at=int(time.time() * 1000),
            started=int(self._started * 1000),
            pid=os.getpid(),
            host=socket.gethostname(),
            rate=round(rate, 1),
            lag=self.lag(),
            behind=self.behind(),
            reached=self.reached(),
            assigned=sum(1 for _ in self._lags()),
            partitions=sum(self._watch.partitions.get(topic, 0) for topic in self._topics.values()),
            state="stopped" if stopped else "retrying" if problems else "running",
            problems=problems,
            notes=self._health.notes(),
            stopped=tuple(
                StoppedPartition(batch.topic, batch.partition, batch.base, batch.last, batch.reason, since)
                for batch, since in self._stopped.batches
            ),
            latency_ms=None if latency is None else round(latency, 1),
        )
        with contextlib.suppress(*UNAVAILABLE):
            await store.beat(heartbeat)
