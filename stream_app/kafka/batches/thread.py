"""The thread of aiokafka's consumer: it joins the group, commits, and answers questions beside a fetch that waits."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar, cast

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream_app.failures import classify
from stream_app.kafka.batches.alarms import FetchAlarms
from stream_app.kafka.batches.pacing import pace
from stream_app.kafka.epochs import COMMITTED, Committer, committer
from stream_app.retries import Refused, retrying

T = TypeVar("T")
log = logging.getLogger("headrace.worker")
#: Seconds that the broker may take to commit offsets, and to say which ones are committed.
_ANSWER_SECONDS = 5.0


class _Transport(Protocol):
    """The transport, which is in another module; see there."""

    refused: Callable[[BaseException], None]
    topic_id: Callable[[str], str]
    alarms: FetchAlarms


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread around aiokafka's consumer.

    Attributes:
        missed: partition → offset that could not be committed when it was time. (Faust takes it for committed.)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.missed: dict[TP, int] = {}

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = 20  # Faust sets 1,500
        consumer._isolation_level = "read_committed"  # an aborted transaction has no records
        transport.alarms.watch(consumer._client)
        pace(consumer._client)
        return consumer

    async def on_start(self) -> None:
        """Join the consumer group, however long it takes: the worker watches the broker itself, and gives up in time."""
        retry = retrying("group", on=(KafkaError,), give_up_after=math.inf, level=logging.INFO)
        try:
            await retry("join the consumer group", self._join)
        except Refused as error:
            cast("_Transport", self.transport).refused(error)

    async def _join(self) -> None:
        if self.should_stop:
            return
        try:
            await super().on_start()
        except KafkaError:
            await self._ensure_consumer().stop()
            raise

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets; false where that is not possible now.

        Faust crashes on every error but one. Here none is fatal: the group rebalances, the broker does not know the member
        any more, or a topic does not exist. What is not committed is read again, or committed with the next offsets. (aiokafka
        repeats a commit for a topic that does not exist, for ever, and with it those of all others.)
        """
        consumer = self._ensure_consumer()
        known = consumer._client.cluster.partitions_for_topic
        id_of = cast("_Transport", self.transport).topic_id
        rows = {
            TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, f"{COMMITTED} {id_of(tp.topic)}".rstrip())
            for tp, offset in offsets.items()
            if tp in self.assignment() and tp.partition in (known(tp.topic) or ())
        }
        if not rows:
            return False
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await consumer.commit(rows)
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            if isinstance(error, KafkaError) and classify(error).permanent:
                cast("_Transport", self.transport).refused(error)
            log.info("offsets were not committed (%s); they are with the next ones", type(error).__name__)
            self.missed.update({TP(tp.topic, tp.partition): row.offset for tp, row in rows.items()})
            return False
        for tp in offsets:
            self.missed.pop(tp, None)
        return True

    def positions(self) -> dict[TP, int]:
        """Return partition → offset of the next fetch. Call it while no fetch is under way."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription and subscription.assignment
        states = assignment._tp_state.items() if assignment is not None else ()
        return {TP(tp.topic, tp.partition): state.position for tp, state in states if state.has_valid_position}

    async def rejoin(self) -> None:
        """Ask the broker for the topics as they are now, and join the consumer group again: ``perform_seek`` follows."""

        async def ask(consumer: Any) -> None:
            await consumer._client.force_metadata_update()
            consumer._coordinator.request_rejoin()

        await self._run(ask)

    async def refresh(self) -> None:
        """Ask the broker for the topics as they are now; the group's leader joins it again where their partitions changed."""

        async def ask(consumer: Any) -> None:
            await consumer._client.force_metadata_update()

        await self._run(ask)

    @property
    def joined(self) -> bool:
        """True once the client reads topics."""
        return bool(self._known_partitions())

    def knows_other(self, partitions: Mapping[str, int]) -> bool:
        """Return true if the client has another number of partitions than this for one of the topics that it reads."""
        known = self._known_partitions()
        return any(known[topic] != count for topic, count in partitions.items() if topic in known)

    async def committed_offsets(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, Committer]]:
        """Return the committed offset of each partition that has one, and who committed it.

        Raises:
            KafkaError: the broker does not answer.
            TimeoutError: it does not do so in time.
        """
        rows = [TopicPartition(tp.topic, tp.partition) for tp in partitions]
        id_of = cast("_Transport", self.transport).topic_id

        async def ask(consumer: Any) -> dict[TP, tuple[int, Committer]]:
            async with asyncio.timeout(_ANSWER_SECONDS):
                found = await consumer._coordinator.fetch_committed_offsets(rows)
            return {
                TP(tp.topic, tp.partition): (one.offset, committer(one.metadata, id_of(tp.topic))) for tp, one in found.items()
            }

        return await self._run(ask)

    async def bounds(self, partitions: Iterable[TP], seconds: float) -> dict[TP, tuple[int, int]]:
        """Return the first offset of the log of each partition, and its end.

        Raises:
            KafkaError: the broker does not answer within ``seconds``.
        """
        rows = [TopicPartition(tp.topic, tp.partition) for tp in partitions]

        async def ask(consumer: Any) -> dict[TP, tuple[int, int]]:
            begins = await consumer._fetcher.beginning_offsets(rows, seconds * 1000)
            ends = await consumer._fetcher.end_offsets(rows, seconds * 1000)
            return {TP(row.topic, row.partition): (begins[row], ends[row]) for row in rows}

        return await self._run(ask)

    async def _run(self, action: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """Return what ``action`` returns of aiokafka's consumer, in the consumer's thread, beside a fetch that waits."""
        consumer = self._ensure_consumer()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(action(consumer), self.thread_loop))

    def _known_partitions(self) -> dict[str, int]:
        """Return topic → number of partitions that the client knows of, for all topics that it reads; 0 for a missing one."""
        consumer = self._consumer
        if consumer is None:
            return {}
        cluster = consumer._client.cluster
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in consumer.subscription() or ()}
