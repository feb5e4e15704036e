"""A Faust consumer that yields one Faust message per partition and fetch: a list of raw records.

Faust knows a batch by its last offset. For the commit, the intervals [first, last] of acknowledged batches are joined, so that
gaps in the log (transaction markers, compaction) do not delay it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from stream_app.failures import classify
from stream_app.kafka.batches import fetch
from stream_app.kafka.batches.seeking import SeekingConsumer

#: Seconds of a fetch while topics are deferred: it then asks again which ones.
_DEFERRED_SECONDS = 0.02


class BatchConsumer(SeekingConsumer):
    """Faust's consumer, with one message per batch."""

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
        deferred, stopped = self.hooks.deferred() | self.hooks.alarms.doubted(), self.hooks.stopped()
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
            self.hooks.refused(error)
            await asyncio.sleep(_DEFERRED_SECONDS)
            return {}

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

    def ack(self, message: Any) -> bool:
        """Acknowledge a batch, unless it was fetched before the last rebalance.

        Its partition may have gone back to an earlier offset, and the records in between would be committed with it.
        """
        if message.generation_id != self.app.consumer_generation_id or rewound(message) != self._rewound.get(message.tp, 0):
            return False
        return bool(super().ack(message))

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
        doubted = self.hooks.alarms.doubted()
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
