"""A lane hands the batches of a partition on in order, several at a time when they have piled up, and each record once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from stream_app.worker.lanes import Lanes


class Event:
    """A fetched batch with these offsets, of a partition that had been rewound so often."""

    def __init__(self, offsets: Iterable[int], rewound: int = 0) -> None:
        records = [SimpleNamespace(offset=offset) for offset in offsets]
        self.message = SimpleNamespace(partition=0, value=records, serialized_key_size=rewound)
        self.acked = False

    def ack(self) -> None:
        self.acked = True


def handed_on(*events: Event) -> list[list[int]]:
    """The offsets that each pass gets; all but the first event come while the first pass is under way."""
    passes: list[list[int]] = []

    async def run() -> None:
        begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def process(partition: int, records: Sequence[Any], rewound: int, acknowledge: Callable[[], None]) -> None:
            passes.append([record.offset for record in records])
            begun.set()
            await go_on.wait()
            acknowledge()
            if len(passes) == 2:
                done.set()

        async def fail(error: BaseException) -> None:
            raise error

        lanes = Lanes(process, fail)
        await lanes.put(events[0])
        await begun.wait()
        for event in events[1:]:
            await lanes.put(event)
        go_on.set()
        await done.wait()
        await asyncio.sleep(0)
        await lanes.close()

    asyncio.run(asyncio.wait_for(run(), 10))
    return passes


def test_what_was_fetched_before_and_after_a_rewind_is_not_taken_together() -> None:
    assert handed_on(Event([1]), Event([5, 6]), Event([2, 3, 5], rewound=1), Event([6], rewound=1))[:2] == [[1], [5, 6]]


def test_batches_that_piled_up_are_taken_together_and_acknowledged() -> None:
    events = [Event(range(3)), Event(range(3, 6)), Event([7, 9])]
    assert handed_on(*events) == [[0, 1, 2], [3, 4, 5, 7, 9]]
    assert all(event.acked for event in events)


@pytest.mark.parametrize("again", [range(9), range(2, 6), range(4, 9)])
def test_what_is_read_again_after_a_rebalance_is_not_taken_again_with_what_waited(again: range) -> None:
    """The first two batches were read before it; as nothing of them is committed, they are read again behind them."""
    first, waiting, anew = Event(range(3)), Event(range(3, 6)), Event(again)
    assert handed_on(first, waiting, anew) == [[0, 1, 2], [*range(3, max(6, again.stop))]]


def test_a_lane_with_many_records_is_full() -> None:
    async def waits(*events: Event) -> bool:
        begun = asyncio.Event()

        async def process(partition: int, records: Sequence[Any], rewound: int, acknowledge: Callable[[], None]) -> None:
            begun.set()
            await asyncio.Event().wait()

        async def fail(error: BaseException) -> None:
            raise error

        lanes = Lanes(process, fail)
        await lanes.put(Event(range(1)))
        await begun.wait()
        for event in events:
            await lanes.put(event)
        another = asyncio.create_task(lanes.put(Event([99_999])))
        await asyncio.sleep(0)
        waiting = not another.done()
        another.cancel()
        await lanes.close()
        return waiting

    assert not asyncio.run(waits(Event(range(1, 4)), Event(range(4, 6))))
    assert asyncio.run(waits(Event(range(1, 5_000))))
    assert asyncio.run(waits(*(Event([offset]) for offset in range(1, 4))))


def test_whoever_waits_for_room_in_a_lane_that_is_dropped_goes_on() -> None:
    """It reads on with the topic that was created again."""

    async def run() -> bool:
        async def stuck(*_: Any) -> None:
            await asyncio.Event().wait()

        async def fail(error: BaseException) -> None:
            raise error

        lanes = Lanes(stuck, fail)
        filling = asyncio.create_task(fill(lanes))
        await asyncio.sleep(0.05)
        assert not filling.done()
        await lanes.drop()
        await asyncio.wait_for(filling, 5)
        return await lanes.idle(0.0)

    async def fill(lanes: Lanes) -> None:
        for offset in range(7):
            await lanes.put(Event([offset]))

    assert asyncio.run(run())
