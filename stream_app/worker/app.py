"""The Faust app: an agent per raw and pending topic, a lane per partition, a heartbeat."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust
from aiokafka.errors import KafkaConnectionError
from faust.tables.manager import TableManager
from faust.types import TP

from stream_app.contract.model import Shop
from stream_app.errors import SettingsError
from stream_app.judge.lookups import KnownIds
from stream_app.kafka.batches.transport import install
from stream_app.kafka.options import async_options
from stream_app.kafka.producer import Producer
from stream_app.kafka.transactions import Transactions
from stream_app.names import Topics
from stream_app.process import cancel_all
from stream_app.retries import GaveUp
from stream_app.settings import Settings
from stream_app.store.writer import Store
from stream_app.worker.health import Health
from stream_app.worker.heartbeat import Heartbeat
from stream_app.worker.learning import Learning, keep_current, pinned
from stream_app.worker.pipeline import Engine
from stream_app.worker.waiting import WaitingRoom
from stream_app.worker.watch import Monitoring

log = logging.getLogger("headrace.worker")
#: Records that one pass through the five steps takes at the most.
BATCH = 8_000
_LANE = 3
#: Seconds after an assignment in which records that others refer to go first.
_WARM_UP = 5.0
#: Seconds between two looks whether Kafka is there.
_WATCH = 1.0
#: Seconds that Kafka may take to answer then.
_ANSWER = 10.0


#: Takes the records of a partition through the five steps.
Process = Callable[[int, list[Any]], Awaitable[None]]


class Lanes:
    """One task per partition: batches of a partition in order, partitions side by side, bounded everywhere."""

    def __init__(self, process: Process, fail: Callable[[BaseException], Awaitable[None]]) -> None:
        self.process, self.fail = process, fail
        self._queues: dict[int, asyncio.Queue[Any]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def put(self, event: Any) -> None:
        partition = event.message.partition
        queue = self._queues.get(partition)
        if queue is None:
            queue = self._queues[partition] = asyncio.Queue(_LANE)
            self._tasks[partition] = asyncio.create_task(self._run(partition, queue))
        await queue.put(event)

    async def _run(self, partition: int, queue: asyncio.Queue[Any]) -> None:
        try:
            while True:
                events = [await queue.get()]
                records = list(events[0].message.value)
                while not queue.empty() and len(records) < BATCH:
                    events.append(queue.get_nowait())
                    records += _beyond(records[-1].offset, events[-1].message.value)
                await self.process(partition, records)
                # 5. Acknowledge the batch to Faust, which commits it.
                for event in events:
                    event.ack()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            await self.fail(error)

    async def close(self) -> None:
        await cancel_all(self._tasks.values())


def _beyond(offset: int, records: list[Any]) -> list[Any]:
    """Those behind an offset. A rebalance has the partition read again from what is committed, behind what waits here."""
    return records if records[0].offset > offset else [record for record in records if record.offset > offset]


class HeadraceApp:
    """Builds and runs one worker."""

    def __init__(self, shop: Shop, settings: Settings, topic_ids: Mapping[str, str]) -> None:
        self.shop, self.settings, self.topic_ids = shop, settings, topic_ids
        self.health = Health()
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.failure: BaseException | None = None
        self.pinned = pinned(settings.baseline) if settings.baseline is not None else None
        self.monitoring = Monitoring(shop, settings, self.id) if settings.monitor else None
        self._closed_since: float | None = None
        self._warm_until = 0.0
        self._watch: asyncio.Task[None] | None = None
        self.transactions: Transactions | None = None
        self.engines: dict[str, Engine] = {}
        self.rooms: dict[str, WaitingRoom] = {}
        self.lanes: dict[str, Lanes] = {}
        self.learning: list[Learning] = []
        self._folder = tempfile.TemporaryDirectory(prefix="headrace-worker-")  # Faust wants one; nothing is kept in it
        self.app = self._build()
        self.heartbeat = Heartbeat(self.id, self.health, self.engines, lambda: self.app.consumer)

    def _build(self) -> faust.App:
        settings = self.settings
        options: dict[str, Any] = {}
        connection = async_options(settings)
        if "sasl_mechanism" in connection:
            options["broker_credentials"] = faust.SASLCredentials(
                username=connection["sasl_plain_username"], password=connection["sasl_plain_password"],
                mechanism=connection["sasl_mechanism"], ssl_context=connection.get("ssl_context"),
            )  # fmt: skip
        elif "ssl_context" in connection:
            options["broker_credentials"] = faust.SSLCredentials(context=connection["ssl_context"])
        app = faust.App(
            settings.group,
            broker=";".join(f"kafka://{server}" for server in settings.kafka.split(",")),
            datadir=self._folder.name,
            store="memory://",
            web_enabled=False,
            TableManager=NoTables,
            topic_disable_leader=True,
            topic_allow_declare=False,
            topic_partitions=settings.partitions,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=1024 * 1024,
            broker_max_poll_records=8000,
            broker_commit_interval=0.5,
            broker_session_timeout=settings.session_timeout,
            broker_heartbeat_interval=min(3.0, settings.session_timeout / 3),
            broker_rebalance_timeout=settings.session_timeout,
            stream_buffer_maxsize=4,
            stream_wait_empty=False,
            **options,
        )
        install(app, self._held)
        entities = list(self.shop.contracts)
        for entity in entities:
            self._agents(app, entity)
        app.task(self._waiting)
        app.task(self._learn)
        app.task(self._monitor)
        app.timer(1.0)(self._beat)
        app.on_partitions_assigned.connect(self._assigned)  # type: ignore[arg-type]
        app.on_partitions_revoked.connect(self._revoked)  # type: ignore[arg-type]
        return app

    def _agents(self, app: faust.App, entity: str) -> None:
        topics = Topics(entity, self.settings.topic_prefix)
        raw = app.topic(topics.raw, value_type=bytes, value_serializer="raw", key_serializer="raw")

        async def judge_raw(stream: Any) -> None:
            await self._ready()
            async for event in stream.noack().events():
                await self.lanes[entity].put(event)

        app.agent(raw, name=f"{entity}-raw")(judge_raw)
        if self.shop.contracts[entity].references:
            pending = app.topic(topics.pending, value_type=bytes, value_serializer="raw", key_serializer="raw")

            async def hold_pending(stream: Any) -> None:
                await self._ready()
                async for event in stream.noack().events():
                    self.rooms[entity].admit(event)

            app.agent(pending, name=f"{entity}-pending")(hold_pending)

    async def _ready(self) -> None:
        while not self.engines:
            await asyncio.sleep(0.01)

    async def start(self) -> None:
        """Open the store and the producer, and build the engines; retried like everything else."""
        self.store = Store(self.settings.redis.get_secret_value(), self.settings.redis_prefix)
        self.producer = Producer(self.settings)
        await self.producer.start()
        self.transactions = await self._transactions()
        known: KnownIds = {}
        engines = {
            entity: Engine(
                self.shop,
                entity,
                self.settings,
                self.store,
                self.producer,
                self.health,
                known,
                self.topic_ids,
                self.transactions,
            )
            for entity in self.shop.contracts
        }
        for entity, engine in engines.items():
            engine.look_ups.baseline = self.pinned.get(entity) if self.pinned is not None else None
        first = next(iter(engines.values()))
        await first.patiently("write the contracts", lambda: self.store.describe(self.shop.contracts.values()))
        for entity, engine in engines.items():
            process: Process = engine.process
            if self.pinned is None and engine.contract.outliers:
                self.learning.append(Learning(engine, self.store))
                process = self.learning[-1].process
            self.lanes[entity] = Lanes(process, self._fail)
            self.rooms[entity] = WaitingRoom(engine)
        self.engines.update(engines)
        # A task of our own: Faust starts those of its app once it has joined its group, which a dead broker never lets it.
        self._watch = asyncio.create_task(self._watching())

    async def _transactions(self) -> Transactions | None:
        if not self.settings.exactly_once:
            return None
        transactions = Transactions(self.settings)
        try:
            await transactions.check()
        except SettingsError as error:
            raise GaveUp(str(error)) from None
        return transactions

    async def stop(self) -> None:
        """Let go of everything, in order."""
        if self._watch is not None:
            await cancel_all([self._watch])
        for lanes in self.lanes.values():
            await lanes.close()
        with contextlib.suppress(Exception):
            await self.store.leave(self.id)
        with contextlib.suppress(Exception):
            if self.transactions is not None:
                await self.transactions.close()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.producer.stop(), 5)
        with contextlib.suppress(Exception):
            await self.store.close()

    async def _fail(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error
            if isinstance(error, GaveUp):
                log.error("%s", error)
                await self._end()
            log.error("the worker stops: %s", type(error).__name__, exc_info=error)
            await self.app.crash(error)

    async def _end(self) -> None:
        """End the process at once, with 1: Faust's way out waits for its broker, for ever when that is away.

        What is not acknowledged is done again by whoever has the partitions next.
        """
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.store.leave(self.id), 1)
        self._folder.cleanup()
        logging.shutdown()
        os._exit(1)

    def _held(self) -> set[str]:
        """The raw topics that wait: right after partitions were assigned, while those they refer to have a backlog here.

        A shop that is read from its start would otherwise let every order wait for its customer in the pending topic.
        """
        if time.monotonic() >= self._warm_until or not self.engines:
            return set()
        behind = {entity for entity, lag in self.heartbeat.lag().items() if lag}
        return {
            engine.topics.raw
            for entity, engine in self.engines.items()
            if behind & {one.to_entity for one in engine.contract.references if one.to_entity != entity}
        }

    async def _assigned(self, _app: Any, assigned: set[TP], **_: Any) -> None:
        self._warm_until = time.monotonic() + _WARM_UP
        for entity, engine in self.engines.items():
            engine.forget({tp.partition for tp in assigned if tp.topic == Topics(entity, self.settings.topic_prefix).raw})

    async def _revoked(self, _app: Any, revoked: set[TP], **_: Any) -> None:
        for entity, room in self.rooms.items():
            room.dismiss({tp.partition for tp in revoked if tp.topic == Topics(entity, self.settings.topic_prefix).pending})

    async def _waiting(self, _app: Any) -> None:
        try:
            await self._ready()
            while not self.app.should_stop:
                for entity, room in self.rooms.items():
                    if not len(room):
                        continue
                    closed, caught_up = await self._references_complete(entity)
                    await room.settle(closed=closed, caught_up=caught_up)
                await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            await self._fail(error)

    async def _learn(self, _app: Any) -> None:
        await self._ready()
        await keep_current(self.learning, lambda: self.app.should_stop)

    async def _monitor(self, _app: Any) -> None:
        await self._ready()
        if self.monitoring is not None:
            await self.monitoring.run(self.producer, lambda: self.app.should_stop)

    async def _watching(self) -> None:
        """Notice that Kafka is away although there is nothing to deliver: the clients would try for ever."""
        try:
            engine = next(iter(self.engines.values()))
            while True:
                await engine.patiently("reach Kafka", self._reach_kafka)
                await asyncio.sleep(_WATCH)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            await self._fail(error)

    async def _reach_kafka(self) -> None:
        if not await asyncio.wait_for(self.producer.current.client.force_metadata_update(), _ANSWER):
            raise KafkaConnectionError

    async def _references_complete(self, entity: str) -> tuple[bool, bool]:
        engine = self.engines[entity]
        closed = await engine.patiently("read the input's state", self.store.input_closed)
        if not closed:
            self._closed_since = None
        elif self._closed_since is None:
            self._closed_since = time.time()
        # What was sent just before the input was closed is in the reports made a moment after.
        since = None if self._closed_since is None else int((self._closed_since + 0.5) * 1000)
        lags = await engine.patiently("read the lags", lambda: self.store.lags(since))
        return closed, lags is not None and all(lags.get(r.to_entity, 0) == 0 for r in engine.contract.references)

    async def _beat(self, _app: Any) -> None:
        if self.engines:
            await self.heartbeat.beat(self.store, self.producer)


class NoTables(TableManager):
    """Faust waits a second for tables before it joins the group; there are none."""

    async def sleep(self, n: Any) -> None:
        await super().sleep(0)
