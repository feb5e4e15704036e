"""A Faust transport whose consumer yields one Faust message per partition and fetch: a list of raw records.

Faust's own path takes about 300 µs per record; this one takes that once per batch. Membership, rebalancing, flow control and
commit remain Faust's. Faust knows a batch by its last offset. For the commit, the intervals [first, last] of acknowledged
batches are joined, so that gaps in the log (transaction markers, compaction) do not delay it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, cast

import faust
from aiokafka.errors import IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from stream_app.kafka.batches import fetch, header_names
from stream_app.retries import retrying

#: Seconds of a fetch while topics are deferred: it then asks again which ones.
_DEFERRED_SECONDS = 0.02


class _Thread(driver.AIOKafkaConsumerThread):
    """Faust's thread around aiokafka's consumer."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = 20  # Faust sets 1,500
        consumer._isolation_level = "read_committed"  # an aborted transaction has no records
        return consumer

    async def on_start(self) -> None:
        """Join the consumer group, however long it takes: the worker watches the broker itself, and gives up in time."""
        retry = retrying("group", on=(KafkaError,), give_up_after=math.inf, level=logging.INFO)
        await retry("join the consumer group", self._join)

    async def _join(self) -> None:
        if self.should_stop:
            return
        try:
            await super().on_start()
        except KafkaError:
            await self._ensure_consumer().stop()
            raise

    def positions(self) -> dict[TP, int]:
        """Return partition → offset of the next fetch. Call it while no fetch is under way."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription and subscription.assignment
        states = assignment._tp_state.items() if assignment is not None else ()
        return {TP(tp.topic, tp.partition): state.position for tp, state in states if state.has_valid_position}


class BatchConsumer(driver.Consumer):
    """Faust's consumer, with one message per batch.

    Per partition it knows the first offset of each batch that it handed on and that is not committed (``_first``: last
    offset → first offset), the offset after the last batch that it handed on (``_next``), and the client's position.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._first: dict[TP, dict[int, int]] = {}
        self._next: dict[TP, int] = {}
        self._positions: dict[TP, int] = {}
        self._rebalance = 0
        #: Partition → how often it was rewound; and → where to, until the next fetch.
        self._rewound: dict[TP, int] = {}
        self._rewinds: dict[TP, int] = {}

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        """Fetch the next records, except those of deferred topics: they would delay the topics that they wait for."""
        deferred = cast("BatchTransport", self.transport).deferred()
        if deferred and active_partitions:
            active_partitions, timeout = {tp for tp in active_partitions if tp.topic not in deferred}, _DEFERRED_SECONDS
            if not active_partitions:
                await asyncio.sleep(_DEFERRED_SECONDS)
                return {}
        return await super()._getmany(active_partitions, timeout)

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def _seek(self, partition: TP, offset: int) -> None:
        # In the client's own thread. Faust seeks from this thread, perhaps in the middle of a fetch, which then moves the
        # position on, or fails on records that are gone.
        async def seek() -> None:
            self._thread.seek(partition, offset)

        await self._thread.call_thread(seek)

    def committed_offset(self, tp: TP) -> int | None:
        """Return the committed offset of an assigned partition; ``None`` if nothing is committed."""
        return self._committed_offset.get(tp)

    def lag(self, tp: TP, applied: int) -> int:
        """Return the number of records after the applied offset; 1 if nothing has been fetched yet.

        Offsets without a record (transaction markers, records that compaction or retention deleted) count until the client
        has read past them.
        """
        end = self.highwater(tp)
        if end is None:
            return 1
        if self._positions.get(tp, -1) >= end and self._next.get(tp, 0) <= applied + 1:
            return 0
        return max(0, int(end) - applied - 1)

    def highwater(self, tp: TP) -> Any:
        """Return the end of a partition as of its last fetch; ``None`` before the first.

        ``None`` also after the client, in its own thread, has lost the partition: it then raises an error instead.
        """
        try:
            return super().highwater(tp)
        except (AssertionError, AttributeError):
            return None

    # Faust stops fetching a partition whose stream is full, and then waits for the other partitions until the timeout.
    # Here the small stream buffer bounds memory instead.
    def on_buffer_full(self, tp: TP) -> None:
        """Keep fetching."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Keep fetching."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was read of the partitions."""
        await super().on_partitions_revoked(revoked)
        self._forget(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Note the rebalance that the assignment belongs to."""
        self._rebalance = self.app.rebalancing_count
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, and to the beginning of each partition without one, which Faust does not do.

        Otherwise batches that were handed on before a rebalance, but not acknowledged, would never be read again.

        Raises:
            IllegalStateError: another rebalance has begun, and will call this again. (Faust then waits for that one instead
                of reading on in the middle of it.)
        """
        try:
            await super().perform_seek()
        except AssertionError as error:  # the client has no partitions any more
            raise IllegalStateError(str(error)) from error
        self._forget(list(self._committed_offset))
        self._positions = {}
        fresh = [tp for tp in self.assignment() if self._committed_offset.get(tp) is None]
        for tp, offset in (await self.earliest_offsets(*fresh)).items() if fresh else ():
            await self.seek(tp, offset)
        if self.app.rebalancing_count != self._rebalance:
            raise IllegalStateError("another rebalance has begun")

    def ack(self, message: Any) -> bool:
        """Acknowledge a batch, unless it was fetched before the last rebalance.

        Its partition may have gone back to an earlier offset, and the records in between would be committed with it.
        """
        if message.generation_id != self.app.consumer_generation_id or rewound(message) != self._rewound.get(message.tp, 0):
            return False
        return bool(super().ack(message))

    def rewind(self, tp: TP, offset: int) -> int:
        """Read a partition again from an offset; return the number that ``rewound`` gives for what is fetched from there on.

        What was fetched before, and is not acknowledged, never will be.
        """
        self._rewinds[tp] = min(offset, self._rewinds.get(tp, offset))
        self._rewound[tp] = self._rewound.get(tp, 0) + 1
        return self._rewound[tp]

    async def _perform_rewinds(self) -> None:
        for tp, offset in list(self._rewinds.items()):
            del self._rewinds[tp]
            if tp not in self.assignment():
                continue
            await self.seek(tp, offset)
            self._forget([tp])
            self._acked[tp].clear()
            self._acked_index[tp].clear()
            committed = self._committed_offset[tp]
            if committed is not None and committed > offset:
                self._committed_offset[tp] = offset

    def _forget(self, partitions: Iterable[TP]) -> None:
        for tp in partitions:
            self._first.pop(tp, None)
            self._next.pop(tp, None)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: the intervals include gaps."""

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset to commit: the end of the acknowledged intervals that continue the committed offset."""
        acked, first = self._acked[tp], self._first.get(tp, {})
        acked.sort()
        reached = self._committed_offset[tp]
        if reached is None:  # nothing is committed: begin at the first batch that was handed on
            reached = min(first.values(), default=0)
        done, new = 0, None
        for last in acked:
            start = first.get(last)
            if start is not None:
                if start > reached:
                    break
                reached = new = last + 1
                del first[last]
            # Otherwise it was acknowledged during a rebalance, which forgot it: it is read again.
            done += 1
        self._acked_index[tp].difference_update(acked[:done])
        del acked[:done]
        return new

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Yield one message per partition that has records; its value is the list of records."""
        generation = self.app.consumer_generation_id
        if self.flow_active:
            await self._perform_rewinds()
            self._positions = self._thread.positions()  # type: ignore[attr-defined]
        records, active = await self._wait_next_records(timeout)
        if not records or self.should_stop:
            return
        if not self.flow_active or self.app.consumer_generation_id != generation:
            # Fetched across a rebalance, perhaps from a position before it. A batch that is handed on must continue the
            # committed offset, or the records in between would be committed with it.
            with contextlib.suppress(IllegalStateError):
                await self.perform_seek()
            return
        for partition, batch in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                break
            tp = TP(partition.topic, partition.partition)
            if (active is not None and tp not in active) or tp in self._rewinds:
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            first, last = batch[0], batch[-1]
            start = self._next.get(tp, first.offset)
            committed = self._committed_offset[tp]
            if tp not in self._next and committed is not None and committed < first.offset:
                start = committed  # the log begins after the committed offset: retention or transaction markers
            self._first.setdefault(tp, {})[last.offset] = start
            self._next[tp] = last.offset + 1
            yield (
                tp,
                ConsumerMessage(
                    tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type, [], None, batch,  # type: ignore[arg-type]
                    None, self._rewound.get(tp, 0), -1, tp, generation_id=generation,
                ),
            )  # fmt: skip


def rewound(message: Any) -> int:
    """Return how often the partition of a message had been rewound when it was fetched."""
    return int(message.serialized_key_size)


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport with the batch consumer; ``deferred`` returns the topics not to fetch at the moment."""

    Consumer = BatchConsumer
    deferred: Callable[[], set[str]]


def install(app: faust.App, deferred: Callable[[], set[str]] = set) -> None:
    """Make ``app`` consume batches; ``deferred`` returns the topics not to fetch at the moment."""
    header_names.install()
    fetch.install()
    transport = BatchTransport(app.conf.broker_consumer, app, loop=app.loop)
    transport.deferred = deferred
    app.transport = transport
