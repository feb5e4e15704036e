"""A Faust consumer that knows where it reads: it seeks to what is committed, and back to what was not handed on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any, cast

from aiokafka.errors import IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream_app.kafka.batches.hooks import HookedTransport
from stream_app.kafka.batches.thread import ConsumerThread

#: Seconds until a seek is tried again that failed outside of a rebalance.
_SEEK_AGAIN_SECONDS = 0.2
#: Seconds that the broker may take to say where logs begin.
_ANSWER_SECONDS = 5.0

log = logging.getLogger("headrace.worker")


class SeekingConsumer(driver.Consumer):
    """Faust's consumer, as far as it moves: to what is committed, to the beginning, or back.

    Per partition it knows the first offset of each batch that was handed on and that is not committed (``_first``: last
    offset → first offset), and the offset after the last batch that was handed on (``_next``).

    Attributes:
        is_sought: false from the beginning of a seek until one succeeds: what is fetched meanwhile may come from anywhere.
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

    def _new_consumer_thread(self) -> Any:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def hooks(self) -> HookedTransport:
        """The transport, which says what to read."""
        return cast("HookedTransport", self.transport)

    @property
    def client(self) -> ConsumerThread:
        """The thread of aiokafka's consumer, which answers questions about topics and offsets."""
        return cast("ConsumerThread", self._thread)

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
            self._renewed |= await self.hooks.prepare()
            await super().perform_seek()
            self._forget(list(self._committed_offset))
            self._positions = {}
            # Faust takes what could not be committed for committed, and knows here only the offsets that there are.
            fresh = [tp for tp in self.assignment() if tp.topic in self._renewed or not self._read_offset.get(tp)]
            self._committed_offset.update(dict.fromkeys(fresh, None))
            await self._read_from_the_start(fresh)
            for tp, offset in (await self.hooks.sought()).items():
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
        self.hooks.alarms.forget(self._renewed)  # of fetches that were under way
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

    async def _seek(self, partition: TP, offset: int) -> None:
        # In the client's own thread. Faust seeks from this thread, perhaps in the middle of a fetch, which then moves the
        # position on, or fails on records that are gone.
        async def seek() -> None:
            self._thread.seek(partition, offset)

        await self._thread.call_thread(seek)

    async def _seek_back(self, deferred: set[str]) -> None:
        """Seek to what was not handed on, now that it is known to be of the topic that it was taken for."""
        for tp in [tp for tp in self._put_back if tp.topic not in deferred]:
            offset = self._put_back.pop(tp)
            if tp in self.assignment():
                await self._seek(tp, offset)

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
