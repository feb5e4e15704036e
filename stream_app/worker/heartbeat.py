"""What a worker tells of itself every second: how far behind it is, how fast, how late, and what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aiokafka.errors import KafkaError

from stream_app.kafka.producer import Producer
from stream_app.store.writer import UNAVAILABLE, Store
from stream_app.worker.health import Health
from stream_app.worker.pipeline import Engine


class Heartbeat:
    """The heartbeat of one worker; ``consumer`` gives Faust's, once there is one."""

    def __init__(self, worker: str, health: Health, engines: Mapping[str, Engine], consumer: Callable[[], Any]) -> None:
        self._worker, self._health, self._engines, self._consumer = worker, health, engines, consumer
        self._started = self._last = time.time()

    def lag(self) -> dict[str, int]:
        """Entity → records in this worker's partitions of the raw topic that are not applied yet."""
        lags: dict[str, int] = {}
        for entity, _, lag in self._lags():
            lags[entity] = lags.get(entity, 0) + lag
        return lags

    def behind(self) -> int | None:
        """The least event time (ms) that a partition with a lag has reached, 0 before its first batch; None without lag."""
        return min(
            (self._engines[entity].reached.get(partition, 0) for entity, partition, lag in self._lags() if lag), default=None
        )

    def _lags(self) -> Iterator[tuple[str, int, int]]:
        consumer = self._consumer()
        for tp in consumer.assignment():
            for entity, engine in self._engines.items():
                if tp.topic == engine.topics.raw:
                    applied = engine._applied.get(tp.partition, (consumer._committed_offset.get(tp) or 0) - 1)
                    yield entity, tp.partition, consumer.lag(tp, applied)

    async def beat(self, store: Store, producer: Producer) -> None:
        """Tell the store; when that is away, not."""
        health = self._health
        for engine in self._engines.values():
            engine.look_ups.refresh()
        partitions = 0
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            raw = [engine.topics.raw for engine in self._engines.values()]
            partitions = sum([len(await asyncio.wait_for(producer.current.partitions_for(topic), 5)) for topic in raw])
        now = time.time()
        rate = health.records / max(0.001, now - self._last)
        health.records, self._last = 0, now
        row = {
            "at": int(now * 1000), "started": int(self._started * 1000), "pid": os.getpid(), "host": socket.gethostname(),
            "rate": round(rate, 1), "lag": self.lag(), "behind": self.behind(),
            "held": sum(1 for _ in self._lags()), "partitions": partitions, "error": health.error,
            "state": "retrying" if health.error else "running",
            "latency_ms": round(health.waited / health.batches, 1) if health.batches else None,
        }  # fmt: skip
        health.waited, health.batches = 0.0, 0
        with contextlib.suppress(*UNAVAILABLE):
            await store.beat(self._worker, row)
