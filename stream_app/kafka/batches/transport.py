"""A Faust transport whose consumer yields one Faust message per (partition, fetch): a list of raw records.

Faust's own path costs some 300 µs a record; this one pays that once a batch. Membership, rebalancing, flow control and
commit stay Faust's. A batch is known to Faust by its last offset; the intervals [first, last] of acknowledged batches
are joined for the commit, so that gaps in the log (transaction markers, compaction) do not hold it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, cast

import aiokafka.consumer.fetcher as fetcher
import faust
from aiokafka.errors import IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from stream_app.kafka.batches import header_names

log = logging.getLogger("headrace.worker")
#: Seconds between two attempts to reach the broker at the start.
_AGAIN = 1.0
#: Seconds between two looks whether a topic still has to wait for others.
_HELD = 0.02


class _Chunk(list[Any]):
    """The records of one batch, in the place of one record: what is done for each of them costs more than parsing it."""

    @property
    def offset(self) -> int:
        """The offset of the last one: all before it are there as well."""
        return int(self[-1].offset)


class _Batch:
    """A batch whose one item holds all its records."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # how the marker in a control batch is read

    def __iter__(self) -> Iterator[_Chunk]:
        records = _Chunk(self._batch)
        if records:
            yield records


class _Batches:
    """What a fetch brought of one partition, a batch at a time."""

    def __init__(self, records: Any) -> None:
        self.has_next, self._next = records.has_next, records.next_batch

    def next_batch(self) -> _Batch:
        """The next one."""
        return _Batch(self._next())


class _RawRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Records as aiokafka's parser makes them (offset, timestamp, key, value, headers), without a copy and a call each."""

    def __init__(self, tp: Any, records: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(tp, _Batches(records), *args, **kwargs)
        self.next_fetch_offset: int
        self._left: list[Any] = []
        self._end: int | None = None

    def _consumer_record(self, tp: Any, chunk: _Chunk) -> list[Any]:
        begin = self.next_fetch_offset
        return chunk if chunk[0].offset >= begin else [record for record in chunk if record.offset >= begin]

    @property
    def drained(self) -> bool:
        """Whether all has been taken."""
        return self._end is not None and not self._left

    def take(self, most: int | None) -> list[Any]:
        """The next records, at most so many; ``next_fetch_offset`` is then the offset after them."""
        taken, self._left = self._left, []
        while self._end is None and (most is None or len(taken) < most):
            chunk = next(self, None)
            if chunk is None:
                self._end = self.next_fetch_offset
            else:
                taken = [*taken, *chunk] if taken else list(chunk)
        if most is not None and len(taken) > most:
            taken, self._left = taken[:most], taken[most:]
        if self._left:
            self.next_fetch_offset = taken[-1].offset + 1
        elif self._end is not None:
            self.next_fetch_offset = self._end
        elif taken:
            self.next_fetch_offset = taken[-1].offset + 1
        return taken


class _Fetched(fetcher.FetchResult):  # type: ignore[misc]
    """What a fetch brought of one partition, handed on without a step a record."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        """At most so many records, in order."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        records: _RawRecords = self._partition_records
        taken = records.take(max_records)
        self._update_position()
        if records.drained:
            self._partition_records = None
        return taken

    def getone(self) -> Any:
        """The next record; ``None`` when there is none."""
        return next(iter(self.getall(1)), None)


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = 20  # Faust asks for 1,500
        consumer._isolation_level = "read_committed"  # what a producer has taken back is no record
        return consumer

    async def on_start(self) -> None:
        """Reach the broker, however long it takes: whoever watches the worker ends it when that is too long."""
        while not self.should_stop:
            try:
                await super().on_start()
            except KafkaError as error:
                log.info("no broker to join the group at (%s); again in %.0f s", error, _AGAIN)
                await self._ensure_consumer().stop()
                await asyncio.sleep(_AGAIN)
            else:
                return

    def positions(self) -> dict[TP, int]:
        """Partition → offset that the client reads on from; to be asked while no fetch is under way."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription and subscription.assignment
        states = assignment._tp_state.items() if assignment is not None else ()
        return {TP(tp.topic, tp.partition): state.position for tp, state in states if state.has_valid_position}


class BatchConsumer(driver.Consumer):
    """Faust's consumer with batches for messages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._first: dict[TP, dict[int, int]] = {}
        self._next: dict[TP, int] = {}
        self._positions: dict[TP, int] = {}
        self._rebalance = 0

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        """The next records, but for the topics that wait for others: handed on, they would be in the way of those."""
        held = cast("BatchTransport", self.transport).held()
        if held and active_partitions:
            active_partitions, timeout = {tp for tp in active_partitions if tp.topic not in held}, _HELD
            if not active_partitions:
                await asyncio.sleep(_HELD)
                return {}
        return await super()._getmany(active_partitions, timeout)

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def _seek(self, partition: TP, offset: int) -> None:
        # In the thread that the client lives in. Faust does it from here, perhaps in the middle of a fetch, which then moves
        # the position on, or stumbles over records that are gone.
        async def seek() -> None:
            self._thread.seek(partition, offset)

        await self._thread.call_thread(seek)

    def lag(self, tp: TP, applied: int) -> int:
        """How many records of a partition lie beyond the last one that is applied; 1 where nothing has been fetched yet.

        Offsets without a record (transaction markers, what compaction or retention took) count until they are read over.
        """
        end = self.highwater(tp)
        if end is None:
            return 1
        if self._positions.get(tp, -1) >= end and self._next.get(tp, 0) <= applied + 1:
            return 0
        return max(0, int(end) - applied - 1)

    def highwater(self, tp: TP) -> Any:
        """The end of a partition as far as it is known; ``None`` when nothing has been fetched of it yet.

        ``None`` also of one that the client, in its own thread, has just let go of: it refuses to say.
        """
        try:
            return super().highwater(tp)
        except (AssertionError, AttributeError):
            return None

    # A full stream must not drop its partition from the fetch: getmany would sleep out its timeout on the others.
    # Memory is bounded by the small stream buffer instead.
    def on_buffer_full(self, tp: TP) -> None:
        """Keep fetching."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Keep fetching."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super().on_partitions_revoked(revoked)
        self._forget(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._rebalance = self.app.rebalancing_count
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Go back to what is committed, and to the beginning of a partition of which nothing is: Faust leaves those alone.

        What had been handed on before a rebalance, and was not acknowledged by then, would never be read again.

        Raises:
            IllegalStateError: another rebalance has begun, and will end here again. (Faust then waits for it, instead of
                reading on in the middle of it.)
        """
        try:
            await super().perform_seek()
        except AssertionError as error:  # the client has nothing assigned any more
            raise IllegalStateError(str(error)) from error
        self._forget(list(self._committed_offset))
        self._positions = {}
        fresh = [tp for tp in self.assignment() if self._committed_offset.get(tp) is None]
        for tp, offset in (await self.earliest_offsets(*fresh)).items() if fresh else ():
            await self.seek(tp, offset)
        if self.app.rebalancing_count != self._rebalance:
            raise IllegalStateError("another rebalance has begun")

    def ack(self, message: Any) -> bool:
        """Take note of a settled batch, unless it was fetched before the last rebalance.

        Its partition may begin anew at an earlier offset: what lies between would be committed with it.
        """
        return message.generation_id == self.app.consumer_generation_id and bool(super().ack(message))

    def _forget(self, partitions: Iterable[TP]) -> None:
        for tp in partitions:
            self._first.pop(tp, None)
            self._next.pop(tp, None)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps lie inside the intervals."""

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit: the end of the acknowledged intervals that join onto what is committed."""
        acked, first = self._acked[tp], self._first.get(tp, {})
        acked.sort()
        reached = self._committed_offset[tp]
        if reached is None:  # nothing is committed: the first that was handed on begins
            reached = min(first.values(), default=0)
        done, new = 0, None
        for last in acked:
            start = first.get(last)
            if start is not None:
                if start > reached:
                    break
                reached = new = last + 1
                del first[last]
            # Else it was acknowledged while a rebalance went on: it is not known any more, and read again.
            done += 1
        self._acked_index[tp].difference_update(acked[:done])
        del acked[:done]
        return new

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Yield one message per partition that has records."""
        generation = self.app.consumer_generation_id
        if self.flow_active:
            self._positions = self._thread.positions()  # type: ignore[attr-defined]
        records, active = await self._wait_next_records(timeout)
        if not records or self.should_stop:
            return
        if not self.flow_active or self.app.consumer_generation_id != generation:
            # Fetched across a rebalance: perhaps from where reading stood before it. What is handed on must join onto what
            # is committed, or the records between would be committed with it.
            with contextlib.suppress(IllegalStateError):
                await self.perform_seek()
            return
        for partition, batch in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                break
            tp = TP(partition.topic, partition.partition)
            if active is not None and tp not in active:
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            first, last = batch[0], batch[-1]
            start = self._next.get(tp, first.offset)
            committed = self._committed_offset[tp]
            if tp not in self._next and committed is not None and committed < first.offset:
                start = committed  # the log begins later than what is committed: retention or markers
            self._first.setdefault(tp, {})[last.offset] = start
            self._next[tp] = last.offset + 1
            yield (
                tp,
                ConsumerMessage(
                    tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type, [], None, batch,  # type: ignore[arg-type]
                    None, -1, -1, tp, generation_id=generation,
                ),
            )  # fmt: skip


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport with the batch consumer; ``held`` tells the topics that wait for others at the moment."""

    Consumer = BatchConsumer
    held: Callable[[], set[str]]


def install(app: faust.App, held: Callable[[], set[str]] = set) -> None:
    """Make ``app`` consume batches; ``held`` tells the topics that wait for others at the moment."""
    header_names.install()
    fetcher.PartitionRecords, fetcher.FetchResult = _RawRecords, _Fetched
    transport = BatchTransport(app.conf.broker_consumer, app, loop=app.loop)
    transport.held = held
    app.transport = transport
