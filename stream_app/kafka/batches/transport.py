"""A Faust transport whose consumer yields one Faust message per partition and fetch: a list of raw records.

Faust's own path takes about 300 µs per record; this one takes that once per batch. Membership, rebalancing, flow control and
commit remain Faust's. Faust knows a batch by its last offset. For the commit, the intervals [first, last] of acknowledged
batches are joined, so that gaps in the log (transaction markers, compaction) do not delay it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any, cast

import faust
from aiokafka import client
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from stream_app.failures import classify
from stream_app.kafka.batches import fetch, header_names
from stream_app.kafka.batches.alarms import FetchAlarms
from stream_app.kafka.batches.log import MAX_BATCH_BYTES
from stream_app.kafka.batches.thread import ConsumerThread
from stream_app.kafka.batches.unreadable import Stopped

#: Seconds of a fetch while topics are deferred: it then asks again which ones.
_DEFERRED_SECONDS = 0.02
#: Seconds until a seek is tried again that failed outside of a rebalance.
_SEEK_AGAIN_SECONDS = 0.2
#: Seconds that the broker may take to say where logs begin.
_ANSWER_SECONDS = 5.0

log = logging.getLogger("headrace.worker")


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
        #: Partition → first offset that was fetched while its topic was in doubt, and not handed on.
        self._put_back: dict[TP, int] = {}
        #: Topics that were created again since partitions were sought.
        self._renewed: set[str] = set()
        self.is_sought = True
        #: One commit at a time, and none while partitions are sought.
        self._committing = asyncio.Lock()

    async def _commit_tps(self, tps: Iterable[TP], start_new_transaction: bool) -> bool:  # noqa: FBT001 - Faust's
        """Commit what is acknowledged, unless partitions are being sought.

        Their topics may be created again: offsets of the old one would be committed in the new one's name, or be taken for
        what is committed of it.
        """
        if self._committing.locked():
            return False  # it is committed half a second later, or read again
        async with self._committing:
            return bool(await super()._commit_tps(tps, start_new_transaction))

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Return what to commit, with what could not be committed before."""
        offsets, missed = super()._filter_committable_offsets(tps), self.client.missed
        return {**missed, **offsets} if missed else offsets

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        """Fetch the next records, except those of deferred topics: they would delay the topics that they wait for."""
        transport = cast("BatchTransport", self.transport)
        deferred, stopped = transport.deferred() | transport.alarms.doubted(), transport.stopped()
        if self._put_back:
            await self._seek_back(deferred)
        if (deferred or stopped) and active_partitions:
            timeout = _DEFERRED_SECONDS
            active_partitions = {tp for tp in active_partitions if tp.topic not in deferred and tp not in stopped}
            if not active_partitions:
                await asyncio.sleep(_DEFERRED_SECONDS)
                return {}
        try:
            return await super()._getmany(active_partitions, timeout)
        except KafkaError as error:
            if not classify(error).permanent:
                raise
            cast("BatchTransport", self.transport).refused(error)
            await asyncio.sleep(_DEFERRED_SECONDS)
            return {}

    def _new_consumer_thread(self) -> Any:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def client(self) -> ConsumerThread:
        """The thread of aiokafka's consumer, which answers questions about topics and offsets."""
        return cast("ConsumerThread", self._thread)

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

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: Faust crashes on a position that the client does not have; lag and heartbeat say what stands still."""

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
        fetch.PartitionRecords.stopped.forget(revoked)

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
        async with self._committing:
            self.is_sought = False
            await self._perform_seek()
            self.is_sought = True

    async def _perform_seek(self) -> None:
        self._forget(list(self._committed_offset))
        try:
            self._renewed |= await cast("BatchTransport", self.transport).prepare()
            await super().perform_seek()
            self._forget(list(self._committed_offset))
            self._positions = {}
            # Faust takes what could not be committed for committed, and knows here only the offsets that there are.
            fresh = [tp for tp in self.assignment() if tp.topic in self._renewed or not self._read_offset.get(tp)]
            self._committed_offset.update(dict.fromkeys(fresh, None))
            await self._read_from_the_start(fresh)
            for tp, offset in (await cast("BatchTransport", self.transport).sought()).items():
                await self.seek(tp, offset)
                self._committed_offset[tp] = offset or None
        except AssertionError as error:  # the client has no partitions any more
            raise IllegalStateError(str(error)) from error
        except (KafkaError, TimeoutError) as error:
            # A topic was deleted meanwhile, or no broker answers: once the group has joined again, this is called again.
            if not isinstance(error, IllegalStateError):
                log.info("could not seek (%s); the worker joins its group again", type(error).__name__)
                await self.client.rejoin()
            raise IllegalStateError(str(error)) from error
        if self.app.rebalancing_count != self._rebalance:
            raise IllegalStateError("another rebalance has begun")
        cast("BatchTransport", self.transport).alarms.forget(self._renewed)  # of fetches that were under way
        self._renewed = set()

    async def _seek_again(self) -> None:
        """Seek, outside of a rebalance; where that fails, the next fetch tries it again."""
        with contextlib.suppress(IllegalStateError):
            await self.perform_seek()
        if not self.is_sought:
            await asyncio.sleep(_SEEK_AGAIN_SECONDS)

    async def begin_anew(self, partitions: set[TP]) -> None:
        """Commit that nothing is read of topics that were created again; else it is committed with the first batch."""
        if partitions:
            await self._thread.commit(dict.fromkeys(partitions, 0))

    async def _read_from_the_start(self, partitions: list[TP]) -> None:
        """Seek to the beginning of these partitions.

        Raises:
            TimeoutError: the broker does not say where that is; a topic does not exist any more.
        """
        if partitions:
            async with asyncio.timeout(_ANSWER_SECONDS):
                begins = await self.earliest_offsets(*partitions)
            for tp, offset in begins.items():
                await self.seek(tp, offset)

    async def _seek_back(self, deferred: set[str]) -> None:
        """Seek to what was not handed on, now that it is known to be of the topic that it was taken for."""
        for tp in [tp for tp in self._put_back if tp.topic not in deferred]:
            offset = self._put_back.pop(tp)
            if tp in self.assignment():
                await self._seek(tp, offset)

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
            committed = self._committed_offset[tp]
            if committed is not None and committed > offset:
                self._committed_offset[tp] = offset

    def _forget(self, partitions: Iterable[TP]) -> None:
        for tp in partitions:
            for acknowledged in (self._acked, self._acked_index):
                if tp in acknowledged:
                    acknowledged[tp].clear()
            self._first.pop(tp, None)
            self._next.pop(tp, None)
            self._put_back.pop(tp, None)
            self.client.missed.pop(tp, None)

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
        if self.flow_active and not self.is_sought:
            await self._seek_again()
            return
        generation = self.app.consumer_generation_id
        if self.flow_active:
            await self._perform_rewinds()
            self._positions = self.client.positions()
            if stopped := fetch.PartitionRecords.stopped:
                for tp, position in self._positions.items():
                    stopped.resume(tp.topic, tp.partition, position - 1)
        records, active = await self._wait_next_records(timeout)
        if not records or self.should_stop:
            return
        if not self.flow_active or self.app.consumer_generation_id != generation or not self.is_sought:
            # Fetched across a rebalance, perhaps from a position before it, or after a seek that failed. A batch that is handed
            # on must continue the committed offset, or the records in between would be committed with it.
            await self._seek_again()
            return
        doubted = cast("BatchTransport", self.transport).alarms.doubted()
        for partition, batch in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation or not self.is_sought:
                break
            tp = TP(partition.topic, partition.partition)
            if (active is not None and tp not in active) or tp in self._rewinds:
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            first, last = batch[0], batch[-1]
            if tp.topic in doubted:
                self._put_back.setdefault(tp, first.offset)
                continue
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
    """Faust's aiokafka transport with the batch consumer.

    Attributes:
        deferred: returns the topics not to fetch at the moment.
        refused: is called, in any thread, with a permanent error: the user may not use the group, or read a topic.
        stopped: returns the partitions not to fetch at the moment.
        prepare: called before partitions are sought; returns the topics that were created again, to be read from their start.
        sought: called after it; returns the partitions to be read from another offset than the committed one.
        topic_id: returns the id of a topic, which stands beside its committed offsets.
        alarms: which topics are in doubt, and not handed on.
    """

    Consumer = BatchConsumer
    deferred: Callable[[], set[str]]
    refused: Callable[[BaseException], None]
    stopped: Callable[[], set[TP]]
    prepare: Callable[[], Awaitable[set[str]]]
    sought: Callable[[], Awaitable[dict[TP, int]]]
    topic_id: Callable[[str], str]
    alarms: FetchAlarms

    def watched(
        self,
        stopped: Callable[[], set[TP]],
        prepare: Callable[[], Awaitable[set[str]]],
        sought: Callable[[], Awaitable[dict[TP, int]]],
        topic_id: Callable[[str], str],
    ) -> None:
        """Set who watches the topics."""
        self.stopped, self.prepare, self.sought, self.topic_id = stopped, prepare, sought, topic_id


def _no_id(_topic: str) -> str:
    return ""


def _ignore(_error: BaseException) -> None:
    """Do nothing."""


async def _nothing_new() -> set[str]:
    return set()


async def _nothing_else() -> dict[TP, int]:
    return {}


def install(
    app: faust.App,
    deferred: Callable[[], set[str]] = set,
    refused: Callable[[BaseException], None] = _ignore,
    unreadable: Stopped | None = None,
    max_batch_bytes: int = MAX_BATCH_BYTES,
) -> BatchTransport:
    """Make ``app`` consume batches; ``deferred`` and ``refused`` as in ``BatchTransport``.

    Args:
        unreadable: where partitions are noted that stop at a batch that cannot be read.
        max_batch_bytes: the most bytes that a batch is decompressed to.
    """
    header_names.install()
    fetch.install(unreadable, max_batch_bytes)
    _never_create_topics()
    transport = BatchTransport(app.conf.broker_consumer, app, loop=app.loop)
    transport.deferred, transport.refused, transport.alarms = deferred, refused, FetchAlarms()
    transport.watched(set, _nothing_new, _nothing_else, _no_id)
    app.transport = transport
    return transport


def _never_create_topics() -> None:
    """Make aiokafka's clients ask for topics without creating them.

    They ask for all their topics every few minutes; a broker with ``auto.create.topics.enable`` would give a topic that was
    deleted on purpose back to them, with the broker's number of partitions.
    """
    client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
