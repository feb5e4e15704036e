"""A fetch is handed on a batch at a time, with the same records that aiokafka hands on one at a time."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import IllegalStateError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from faust.transport.drivers import aiokafka as driver
from faust.types import TP as TP_
from hypothesis import given, settings
from hypothesis import strategies as st
from mode.utils.logging import CompositeLogger

from stream_app.kafka.batches.alarms import FetchAlarms
from stream_app.kafka.batches.consumer import BatchConsumer
from stream_app.kafka.batches.fetch import FetchResult, PartitionRecords
from stream_app.kafka.batches.log import Records

TRUE = (fetcher.PartitionRecords, fetcher.FetchResult, MemoryRecords)
TP = TopicPartition("t", 0)
OURS = (PartitionRecords, FetchResult, Records)


class State:
    """Stands for an assigned partition: where it is read from."""

    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def consumed_to(self, position: int) -> None:
        self.position = position


class Assignment:
    active = True

    def __init__(self, state: State) -> None:
        self.state = state

    def state_value(self, tp: object) -> State:
        return self.state


def batches(sizes: list[int], compression: int, gap: int) -> bytes:
    """Record batches, one after the other; ``gap`` offsets are missing between them, as after a compaction."""
    data, offset = b"", 0
    for size in sizes:
        builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, 0, 1 << 20)
        for number in range(size):
            builder.append(number, 1_000 + offset + number, b"k", b"%d" % (offset + number), [])
        batch = bytearray(builder.build())
        batch[:8] = offset.to_bytes(8, "big")
        data += bytes(batch)
        offset += size + gap
    return data


def marker(offset: int, *, commit: bool) -> bytes:
    """The control batch that ends a transaction of producer 7."""
    builder = DefaultRecordBatchBuilder(2, 0, 1, 7, 0, -1, 1 << 20)
    builder.append(0, 1_000, b"\x00\x00" + (b"\x00\x01" if commit else b"\x00\x00"), b"\x00" * 6, [])
    batch = bytearray(builder.build())
    batch[:8] = offset.to_bytes(8, "big")
    attributes = int.from_bytes(batch[21:23], "big") | 0x20
    batch[21:23] = attributes.to_bytes(2, "big")
    batch[17:21] = calc_crc32c(bytes(batch[21:])).to_bytes(4, "big")
    return bytes(batch)


def of_a_transaction(begin: int, size: int) -> bytes:
    """A record batch of producer 7."""
    builder = DefaultRecordBatchBuilder(2, 0, 1, 7, 0, begin, 1 << 20)
    for number in range(size):
        builder.append(number, 1_000, b"k", b"v", [])
    batch = bytearray(builder.build())
    batch[:8] = begin.to_bytes(8, "big")
    return bytes(batch)


@pytest.mark.parametrize("kind", [OURS, TRUE], ids=["ours", "aiokafka's"])
def test_what_a_producer_took_back_is_left_out_and_markers_are_no_records(kind: tuple[type, type, type]) -> None:
    data = of_a_transaction(0, 3) + marker(3, commit=False) + of_a_transaction(4, 2) + marker(6, commit=True)
    records_type, result_type, memory_type = kind
    aborted = [(7, 0)]
    records = records_type(TP, memory_type(data), aborted, 0, None, None, True, fetcher.READ_COMMITTED)
    state = State(0)
    result = result_type(TP, assignment=Assignment(state), partition_records=records, backoff=0)
    assert [record.offset for record in result.getall(10)] == [4, 5]
    assert (state.position, result.has_more()) == (7, False)


def drained(kind: tuple[type, type, type], data: bytes, begin: int, limit: int | None) -> list[tuple[list[int], int, bool]]:
    """After each call, until nothing is left: the offsets that came, the position, and whether there is more."""
    records_type, result_type, memory_type = kind
    records = records_type(TP, memory_type(data), [], begin, None, None, True, fetcher.READ_COMMITTED)
    state = State(begin)
    result = result_type(TP, assignment=Assignment(state), partition_records=records, backoff=0)
    steps = []
    while result.has_more():
        taken = result.getall(limit)
        steps.append(([record.offset for record in taken], state.position, result.has_more()))
    return steps


@settings(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 7), max_size=5),
    compressed=st.booleans(),
    gap=st.integers(0, 2),
    begin=st.integers(0, 20),
    limit=st.none() | st.integers(1, 12),
)
def test_the_same_records_come_and_the_position_is_right(
    sizes: list[int], compressed: bool, gap: int, begin: int, limit: int | None
) -> None:
    data = batches(sizes, 1 if compressed else 0, gap)
    ours = drained(OURS, data, begin, limit)
    theirs = drained(TRUE, data, begin, limit)
    flat = [offset for offsets, _, _ in ours for offset in offsets]
    assert flat == [offset for offsets, _, _ in theirs for offset in offsets]
    assert ours[-1][1:] == theirs[-1][1:]
    for offsets, position, more in ours:
        assert limit is None or len(offsets) <= limit
        if offsets and more:
            assert position == offsets[-1] + 1, "what is left is fetched again after a seek, and nothing twice"


def test_a_partition_that_was_moved_meanwhile_gives_nothing() -> None:
    records = PartitionRecords(TP, Records(batches([3], 0, 0)), [], 0, None, None, True, fetcher.READ_COMMITTED)
    state = State(7)
    result = FetchResult(TP, assignment=Assignment(state), partition_records=records, backoff=0)
    assert result.getall(10) == []
    assert not result.has_more()


def test_a_broken_batch_is_not_read_and_the_position_stays_before_it() -> None:
    data = bytearray(batches([3, 3], 0, 0))
    data[-1] ^= 1
    records = PartitionRecords(TP, Records(bytes(data)), [], 0, None, None, True, fetcher.READ_COMMITTED)
    state = State(0)
    result = FetchResult(TP, assignment=Assignment(state), partition_records=records, backoff=0)
    assert [record.offset for record in result.getall(10)] == [0, 1, 2]
    assert result.getall(10) == []
    assert (state.position, result.has_more()) == (3, True)


async def nothing_new() -> set[str]:
    """No topic was created again."""
    return set()


async def nothing_else() -> dict[TP_, int]:
    """All partitions are read from their committed offsets."""
    return {}


class Reading(BatchConsumer):
    """A worker's consumer without a client: of one partition an offset is committed, of the other none."""

    committed, fresh = TP_(topic="t", partition=0), TP_(topic="t", partition=1)

    def __init__(self, assigned: set[TP_]) -> None:
        self._first, self._next = {self.fresh: {9: 0}}, {self.fresh: 10}
        self._committed_offset, self._read_offset = {self.committed: 5}, {}
        self._acked, self._acked_index = {}, {}
        self._assigned, self.log = assigned, CompositeLogger(logging.getLogger())
        self.app = SimpleNamespace(rebalancing_count=1)  # type: ignore[assignment]
        self._rebalance, self._positions = 1, {}
        self._renewed, self._put_back, self._committing = set(), {}, asyncio.Lock()
        self.transport = SimpleNamespace(prepare=nothing_new, sought=nothing_else, alarms=FetchAlarms())  # type: ignore[assignment]
        self.thread = ClientThread()
        self._thread: Any = self.thread

    def assignment(self) -> set[TP_]:
        return self._assigned

    async def earliest_offsets(self, *partitions: TP_) -> dict[TP_, int]:
        return dict.fromkeys(partitions, 3)


class ClientThread:
    """The thread that the client lives in; ``taken`` is a partition that a rebalance has just taken away."""

    def __init__(self) -> None:
        self.sought: dict[TP_, int] = {}
        self.missed: dict[TP_, int] = {}
        self.taken: TP_ | None = None

    async def call_thread(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await asyncio.to_thread(lambda: asyncio.run(function()))

    def seek(self, partition: TP_, offset: int) -> None:
        assert threading.current_thread() is not threading.main_thread(), "in the middle of a fetch"
        if partition == self.taken:
            raise IllegalStateError(f"No current assignment for partition {partition}")
        self.sought[partition] = offset


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    async def faust_goes_back(self: Reading) -> None:
        assert self._assigned, "aiokafka: no partitions are currently assigned"
        self._read_offset.update({self.committed: 5, self.fresh: None})
        self._committed_offset[self.committed] = 5

    monkeypatch.setattr(driver.Consumer, "perform_seek", faust_goes_back)
    return Reading({Reading.committed, Reading.fresh})


def test_a_partition_of_which_nothing_is_committed_is_read_from_its_beginning_after_a_rebalance(reading: Reading) -> None:
    """Its batches were handed on to streams that are gone, and the client's position is behind them."""
    asyncio.run(reading.perform_seek())
    assert reading.thread.sought == {Reading.fresh: 3}


def test_what_a_worker_failed_to_commit_is_not_taken_for_committed(reading: Reading) -> None:
    """The group had forgotten the member; all that it had read of the partition would be left out."""
    reading._committed_offset[Reading.fresh] = 80
    asyncio.run(reading.perform_seek())
    assert reading.thread.sought == {Reading.fresh: 3}


@pytest.mark.parametrize("begun", ["taken", "nothing assigned", "another rebalance"])
def test_it_is_not_read_on_in_the_middle_of_another_rebalance(reading: Reading, begun: str) -> None:
    """Faust waits for that one when it hears this error; else it would hand on what is then dropped."""
    if begun == "taken":
        reading.thread.taken = Reading.fresh
    elif begun == "nothing assigned":
        reading._assigned = set()
    else:
        reading.app.rebalancing_count = 2
    with pytest.raises(IllegalStateError):
        asyncio.run(reading.perform_seek())
