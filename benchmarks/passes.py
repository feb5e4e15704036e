"""CPU time of one worker's passes, without a broker: ``python -m benchmarks.passes [--orders 200000] [--batch 4000]``.

A Redis of its own answers, and a producer that only builds the log batches. Printed are the CPU time per record of each step
and of Redis, and that of a pass of five records while a million references are remembered.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from benchmarks.workload import customers, orders, products
from headrace.embedded.stack import EmbeddedStack
from stream_app.contract import load_shop
from stream_app.contract.model import Shop
from stream_app.judge.lookups import KnownIds
from stream_app.judge.related import Known
from stream_app.kafka.batches.header_names import BatchBuilder
from stream_app.kafka.batches.log import Records
from stream_app.names import AS_OF
from stream_app.process import collect_garbage_rarely
from stream_app.settings import load_settings
from stream_app.store.writer import Store
from stream_app.worker import pipeline
from stream_app.worker.baselines import BaselineUpdates
from stream_app.worker.delivery import deliver
from stream_app.worker.entity import Entity, Level, Services
from stream_app.worker.health import Health

#: Bytes of a log batch that is read, and of one that is written.
_READ_BYTES, _WRITTEN_BYTES = 1 << 20, 128 << 10
#: References that are remembered in the measurement of small passes, and the records of such a pass.
REMEMBERED, SMALL = 990_000, 5


class Producer:
    """Builds log batches as the worker's producer does, and takes them as acknowledged at once."""

    def __init__(self) -> None:
        self.bytes = 0

    async def using(self, action: Callable[[Any], Awaitable[Any]]) -> Any:
        """Run an action with this producer."""
        return await action(self)

    def create_batch(self) -> BatchBuilder:
        """Return an empty batch."""
        return BatchBuilder(_WRITTEN_BYTES, 0)

    async def send_batch(self, builder: BatchBuilder, _topic: str, *, partition: int) -> asyncio.Future[int]:
        """Take a batch."""
        builder.close()
        self.bytes += builder.size()
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_result(partition)
        return future


class Guardian:
    """Takes every partition as level with the log, where the store has it."""

    @property
    def levels(self) -> Guardian:
        """This, for all partitions."""
        return self

    async def level(self, entity: Entity, partition: int) -> Level:
        """Return the partition's position."""
        [position] = await entity.services.store.positions([entity.applied_field(partition)])
        return entity.levels.setdefault(partition, Level(position))

    async def changed(self, reason: str) -> None:
        """Fail: nobody else works with the store."""
        raise RuntimeError(reason)

    def is_level(self, _entity: Entity, _partition: int) -> bool:
        """True: nothing waits."""
        return True


@dataclass
class Steps:
    """CPU seconds of this thread by step."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    records: int = 0

    async def take(self, entity: Entity, records: list[Any]) -> None:
        """Take records through the steps of the pipeline, and note what each cost."""
        began = time.thread_time()

        def note(step: str) -> None:
            nonlocal began
            now = time.thread_time()
            self.seconds[step] += now - began
            began = now

        batch = await pipeline.take(entity, 0, records)
        note("take")
        batch = pipeline.judge(entity, batch)
        note("judge")
        batch = await pipeline.settle(entity, batch)
        note("look up")
        batch, ends = await deliver(entity, batch)
        note("deliver")
        await pipeline.apply(entity, batch, ends)
        note("apply")
        self.records += len(records)

    def __str__(self) -> str:
        shares = {"all": sum(self.seconds.values()), **self.seconds}
        return ", ".join(f"{step} {seconds / max(1, self.records) * 1e6:.2f}" for step, seconds in shares.items())


def parsed(rows: list[tuple[bytes, bytes]], begin: int = 0, *, dated: bool = True) -> Iterator[Any]:
    """Yield records as a consumer parses them; ``dated``: with the header by which the producer dates its records."""
    at, offset = int(time.time() * 1000), begin
    headers = [(AS_OF, b"%d" % at)] if dated else []
    while rows:
        builder, count = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, _READ_BYTES), 0
        while count < len(rows) and builder.append(count, at, *rows[count], headers) is not None:
            count += 1
        rows = rows[count:]
        data = bytearray(builder.build())
        data[:8] = offset.to_bytes(8, "big")
        yield from Records(bytes(data)).next_batch()
        offset += count


@asynccontextmanager
async def entities_of(url: str, shop: Shop, known: KnownIds, prefix: str = "") -> AsyncIterator[dict[str, Entity]]:
    """Yield the entities of a worker, by name, whose store is under ``prefix``."""
    settings = load_settings(redis=url)
    store = Store(url, prefix or f"bench-{uuid.uuid4().hex[:8]}")
    services = Services(settings, store, Producer(), None, Health(), Guardian())  # type: ignore[arg-type]
    try:
        yield {name: Entity(shop, name, services, known, {}) for name in shop.contracts}
    finally:
        await store.close()


async def measure(url: str, redis: psutil.Process, count: int, size: int, small: int) -> None:
    """Measure and print."""
    shop, known, steps = load_shop(), KnownIds(), Steps()
    records = list(parsed(orders(count)))
    async with entities_of(url, shop, known) as entities:
        for entity, rows in (("products", products()), ("customers", customers())):
            await Steps().take(entities[entity], list(parsed(rows, dated=False)))
        collect_garbage_rarely()
        before = redis.cpu_times()
        began = time.process_time()
        baseline = BaselineUpdates(entities["orders"])
        for begin in range(0, count, size):
            await steps.take(entities["orders"], records[begin : begin + size])
            await baseline.renew()
        spent, after = time.process_time() - began, redis.cpu_times()
        answered = (after.user + after.system - before.user - before.system) / count * 1e6
        print(f"passes of {size:,}, µs per record: {steps}; Redis {answered:.2f}; process {spent / count * 1e6:.2f}")
        for remembered in (0, REMEMBERED):
            for memory in known.values():
                memory.update(dict.fromkeys(range(10**7, 10**7 + remembered), Known()))
            passes = Steps()
            more = list(parsed(orders(small * SMALL, seed=2), count))
            count += len(more)
            for begin in range(0, len(more), SMALL):
                await passes.take(entities["orders"], more[begin : begin + SMALL])
            cost = {step: seconds / small * 1e3 for step, seconds in passes.seconds.items()}
            shown = ", ".join(f"{step} {ms:.3f}" for step, ms in {"all": sum(cost.values()), **cost}.items())
            print(f"passes of {SMALL}, {remembered:,} more references remembered, ms per pass: {shown}")


def main() -> None:
    """Measure with an embedded Redis."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=4_000)
    parser.add_argument("--small", type=int, default=300, help="passes of a few records")
    options = parser.parse_args()
    with EmbeddedStack(broker=False) as stack:
        server = psutil.Process(stack.children["redis"].pid)
        asyncio.run(measure(stack.redis_url, server, options.orders, options.batch, options.small))


if __name__ == "__main__":
    main()
