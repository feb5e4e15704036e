"""One lane per partition: batches of a partition in order, partitions side by side, bounded everywhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from stream_app.kafka.batches.consumer import rewound
from stream_app.process import cancel_all
from stream_app.retries import PART

#: Records that one pass through the five steps takes at most.
PASS_RECORDS = 8_000
#: Fetched batches that wait in a lane at most, and records: several small batches, or a large one.
_LANE_BATCHES, _LANE_RECORDS = 3, 4_000

#: Takes the records of a partition through the five steps. The last arguments: how often the partition had been rewound when
#: they were fetched, and what acknowledges them.
Process = Callable[[int, Sequence[Any], int, Callable[[], None]], Awaitable[None]]


class Lanes:
    """The lanes of one entity. ``fail`` gets what ends one of them."""

    def __init__(self, process: Process, fail: Callable[[BaseException], Awaitable[None]]) -> None:
        self.process, self.fail = process, fail
        self._queues: dict[int, asyncio.Queue[Any]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        #: Batches that were put and are not processed.
        self._open = 0

    async def put(self, event: Any) -> None:
        """Add a fetched batch to the lane of its partition; waits while that is full."""
        partition = event.message.partition
        queue = self._queues.get(partition)
        if queue is None:
            queue = self._queues[partition] = _Waiting(_LANE_BATCHES)
            self._tasks[partition] = asyncio.create_task(self._run(partition, queue))
        self._open += 1
        await queue.put(event)

    async def _run(self, partition: int, queue: asyncio.Queue[Any]) -> None:
        PART.set(f"[{partition}]")
        following: Any = None
        try:
            while True:
                events = [following or await queue.get()]
                following, turn = None, rewound(events[0].message)
                records = list(events[0].message.value)
                while not queue.empty() and len(records) < PASS_RECORDS:
                    event = queue.get_nowait()
                    if rewound(event.message) != turn:
                        following = event
                        break
                    events.append(event)
                    records += _later(records[-1].offset, event.message.value)
                await self.process(partition, records, turn, partial(_acknowledge, events))
                self._open -= len(events)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever ends the lane ends the worker
            await self.fail(error)

    def partitions(self) -> set[int]:
        """Return the partitions that have a lane."""
        return set(self._queues)

    async def idle(self, seconds: float) -> bool:
        """Wait until all that was put is processed; false if that takes longer than ``seconds``."""
        deadline = time.monotonic() + seconds
        while self._open:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def drop(self) -> None:
        """End all lanes with what is in them; the next batches get new ones."""
        tasks, queues = list(self._tasks.values()), list(self._queues.values())
        self._tasks, self._queues, self._open = {}, {}, 0
        await cancel_all(tasks)
        for queue in queues:
            while not queue.empty():
                queue.get_nowait()  # whoever waits for room goes on

    async def close(self) -> None:
        """End all lanes; what they have not acknowledged is done again by whoever has the partitions next."""
        await cancel_all(self._tasks.values())


class _Waiting(asyncio.Queue[Any]):
    """The batches that wait in a lane; full, too, if they have many records: these are most of a worker's memory."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._records = 0

    def _put(self, item: Any) -> None:
        super()._put(item)
        self._records += len(item.message.value)

    def _get(self) -> Any:
        item = super()._get()
        self._records -= len(item.message.value)
        return item

    def full(self) -> bool:
        """True if another batch has to wait."""
        return super().full() or self._records >= _LANE_RECORDS


def _acknowledge(events: Sequence[Any]) -> None:
    for event in events:
        event.ack()


def _later(offset: int, records: list[Any]) -> list[Any]:
    """The records after an offset. After a rebalance, what is not committed is read again behind what waits in the lane."""
    return records if records[0].offset > offset else [record for record in records if record.offset > offset]
