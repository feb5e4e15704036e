"""One worker: Faust's app with an agent per raw and pending topic, our services around it, and the tasks beside the stream."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Coroutine, Mapping
from typing import Any

import faust
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from stream_app.contract.model import Shop
from stream_app.errors import HeadraceError, SettingsError
from stream_app.failures import classify, name_of
from stream_app.judge.lookups import KnownIds
from stream_app.kafka.batches.transport import install
from stream_app.kafka.batches.unreadable import Stopped
from stream_app.kafka.diagnosis import diagnose
from stream_app.kafka.producer import Producer
from stream_app.kafka.refusals import Limits
from stream_app.kafka.transactions import Transactions
from stream_app.names import Topics
from stream_app.process import cancel_all
from stream_app.retries import PART, GaveUp, Refused
from stream_app.settings import Settings
from stream_app.store.pinned import read_pinned
from stream_app.store.server import ServerFacts
from stream_app.store.server_check import StoreLost
from stream_app.store.writer import Store, StoreChanged
from stream_app.worker.baselines import BaselineUpdates, keep_current
from stream_app.worker.entity import Entity, Services
from stream_app.worker.faust_app import faust_app
from stream_app.worker.health import Health, HeartbeatPublisher
from stream_app.worker.lanes import Lanes, Process
from stream_app.worker.ownership import Ownership
from stream_app.worker.pipeline import process
from stream_app.worker.server_watch import ServerWatch
from stream_app.worker.topics import TopicWatch
from stream_app.worker.unreadable import UnreadableTopics
from stream_app.worker.upkeep import keep_small
from stream_app.worker.waiting import WaitingRecords
from stream_app.worker.watch import Monitoring

log = logging.getLogger("headrace.worker")
#: Seconds after an assignment in which records that others refer to go first.
_WARM_UP = 5.0
#: Seconds between two checks that Kafka answers, and that it may take to answer.
_CHECK, _ANSWER = 1.0, 10.0
#: Seconds between two passes over the records that wait.
_SETTLE = 0.2


class HeadraceApp:
    """Builds and runs one worker."""

    def __init__(self, shop: Shop, settings: Settings, topic_ids: Mapping[str, str]) -> None:
        self.shop, self.settings, self.topic_ids = shop, settings, topic_ids
        self.health = Health()
        self.server = ServerWatch(settings, self.health)
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.failure: BaseException | None = None
        self.pinned = read_pinned(settings.baseline) if settings.baseline is not None else None
        self.monitoring = Monitoring(shop, settings, self.id, self.health) if settings.monitor else None
        self.topics = {entity: Topics(entity, settings.topic_prefix) for entity in shop.contracts}
        #: Records of a pending topic are registered as waiting: such a topic stops at a batch that cannot be read.
        self.stopped = Stopped(settings.unreadable_batches, [topics.raw for topics in self.topics.values()])
        self.entities: dict[str, Entity] = {}
        self.waiting: dict[str, WaitingRecords] = {}
        self.lanes: dict[str, Lanes] = {}
        self.baselines: list[BaselineUpdates] = []
        self.unreadable = UnreadableTopics(
            self.health, {topic: name for name in self.topics for topic in self._read_topics(name)}
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._services: Services | None = None
        self._ownership: Ownership | None = None
        self._closed_since: float | None = None
        self._warm_until = 0.0
        self._checks: list[asyncio.Task[None]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="headrace-worker-")  # Faust wants one; nothing is kept in it
        self.app = self._build()
        raw = {entity: topics.raw for entity, topics in self.topics.items()}
        clocked = [entity for entity, contract in shop.contracts.items() if contract.event_time]
        self.heartbeat = HeartbeatPublisher(
            self.id, self.health, raw, lambda: self.app.consumer, self.watch, clocked, self.stopped
        )

    # --- Faust ------------------------------------------------------------------------------------------------------

    def _build(self) -> faust.App:
        settings = self.settings
        app = faust_app(settings, self._folder.name)
        transport = install(app, self._not_yet, self._refused, self.stopped, settings.max_batch_bytes)
        self.watch = TopicWatch(settings, transport.alarms, lambda: self.app.consumer)
        transport.watched(self.watch.stopped, self.watch.prepare, self.watch.offsets.sought, self.watch.topic_id)
        for entity in self.shop.contracts:
            self._agents(app, entity)
        app.task(self._settle_waiting)
        app.task(self._learn)
        app.task(self._keep_small)
        app.task(self._monitor)
        app.timer(1.0)(self._report)
        app.on_partitions_assigned.connect(self._assigned)  # type: ignore[arg-type]
        app.on_partitions_revoked.connect(self._revoked)  # type: ignore[arg-type]
        return app

    def _agents(self, app: faust.App, entity: str) -> None:
        topics = self.topics[entity]
        raw = app.topic(topics.raw, value_type=bytes, value_serializer="raw", key_serializer="raw")

        async def judge_raw(stream: Any) -> None:
            await self._ready()
            async for event in stream.noack().events():
                await self.lanes[entity].put(event)

        app.agent(raw, name=f"{entity}-raw")(judge_raw)
        if self.shop.contracts[entity].references:
            pending = app.topic(topics.pending, value_type=bytes, value_serializer="raw", key_serializer="raw")

            async def read_pending(stream: Any) -> None:
                await self._ready()
                async for event in stream.noack().events():
                    self.waiting[entity].add(event)

            app.agent(pending, name=f"{entity}-pending")(read_pending)

    async def _ready(self) -> None:
        while not self.entities:  # noqa: ASYNC110 - once, at the start, and the loop of an Event may be another one
            await asyncio.sleep(0.01)

    def _not_yet(self) -> set[str]:
        """The raw topics that are not read yet: right after an assignment, while those they refer to have a backlog here.

        A shop that is read from its start would otherwise let every order wait for its customer in the pending topic. Nor are
        the topics of a stopped entity read: its full buffers would stop the other entities.
        """
        stopped = {topic for name in self.health.blocked() for topic in self._read_topics(name)} | self.unreadable.topics()
        if time.monotonic() >= self._warm_until or not self.entities:
            return stopped
        behind = {entity for entity, lag in self.heartbeat.lag().items() if lag}
        return stopped | {
            entity.topics.raw
            for name, entity in self.entities.items()
            if behind & {one.to_entity for one in entity.contract.references if one.to_entity != name}
        }

    def _read_topics(self, entity: str) -> tuple[str, ...]:
        topics = self.topics.get(entity)
        return () if topics is None else (topics.raw, topics.pending)

    def _refused(self, error: BaseException) -> None:
        """A topic that may not be read stops its entity; any other permanent error of the consumer ends the worker."""
        if self._loop is not None and not self.unreadable.refuse(error):
            text = str(error)
            if not isinstance(error, GaveUp):
                text = f"could not read the topics ({name_of(error)}: {classify(error).text})"
            asyncio.run_coroutine_threadsafe(self._fail(Refused(text)), self._loop)

    async def _assigned(self, _app: Any, assigned: set[TP], **_: Any) -> None:
        self._warm_until = time.monotonic() + _WARM_UP
        for entity in self.entities.values():
            entity.forget({tp.partition for tp in assigned if tp.topic == entity.topics.raw})
        if self._ownership is not None:
            self._ownership.levels.assigned(assigned)

    async def _revoked(self, _app: Any, revoked: set[TP], **_: Any) -> None:
        for entity, waiting in self.waiting.items():
            self.watch.revoked(entity)
            waiting.forget({tp.partition for tp in revoked if tp.topic == self.topics[entity].pending})
        if self._ownership is not None:
            self._ownership.levels.forget(revoked)

    # --- start and stop ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store and the producer, and build the entities.

        Raises:
            GaveUp: Kafka or Redis stayed away too long, or Redis is not one that may be used.
        """
        self._loop = asyncio.get_running_loop()
        producer = Producer(self.settings)
        guardian = Ownership(lambda: self.app.consumer if self.entities else None)

        def on_server(facts: ServerFacts) -> None:
            self.server(facts)
            guardian.on_server(facts)

        store = Store(self.settings.redis.get_secret_value(), self.settings.redis_prefix, on_server)
        await producer.start()
        services = self._services = Services(
            self.settings, store, producer, await self._transactions(), self.health, guardian, Limits(self.settings)
        )
        self.server.admit(await services.retry("", "ask Redis about itself", self.server.facts))
        known: KnownIds = {}
        entities = {name: Entity(self.shop, name, services, known, self.topic_ids) for name in self.shop.contracts}
        await guardian.open(services, entities)
        self._ownership = guardian
        await services.retry("", "write the contracts", lambda: store.describe(self.shop.contracts.values()))
        for name, entity in entities.items():
            entity.look_ups.baseline = self.pinned.get(name) if self.pinned is not None else None
            self.lanes[name] = Lanes(self._process(entity), self._fail)
            self.waiting[name] = WaitingRecords(entity)
        self.entities.update(entities)
        # A task of our own: Faust starts those of its app once it has joined its group, which a dead broker never lets it.
        self.watch.begin(self.entities, self.lanes, self.waiting, guardian)
        actions = (self._check_kafka(), self.server.run(store, self._store_lost), guardian.run(), self.watch.run())
        self._checks = [asyncio.create_task(self._vital(action)) for action in actions]

    def _process(self, entity: Entity) -> Process:
        """Return the function that takes the entity's records through the five steps."""
        if self.pinned is None and entity.contract.outliers:
            self.baselines.append(BaselineUpdates(entity))
            return self.baselines[-1].process
        return lambda partition, records, rewound, acknowledge: process(entity, partition, records, rewound, acknowledge)

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
        """Close everything, in order."""
        await cancel_all(self._checks)
        self.watch.close()
        for lanes in self.lanes.values():
            await lanes.close()
        if self._ownership is not None:
            await self._ownership.close()
        services = self._services
        if services is None:
            return
        with contextlib.suppress(Exception):
            await services.store.leave(self.id)
        with contextlib.suppress(Exception):
            if services.transactions is not None:
                await services.transactions.close()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(services.producer.stop(), 5)
        with contextlib.suppress(Exception):
            await services.store.close()

    async def _vital(self, action: Coroutine[Any, Any, None]) -> None:
        """Run a task that the worker cannot do without: what ends it ends the worker."""
        try:
            await action
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - see above
            await self._fail(error)

    async def _fail(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error
            if isinstance(error, GaveUp | HeadraceError):
                log.error("%s", error)
                await self._exit()
            log.error("the worker stops: %s", type(error).__name__, exc_info=error)
            await self.app.crash(error)

    async def _exit(self) -> None:
        """End the process at once, with 1: Faust's way out waits for its broker, for ever when that is away.

        What is not acknowledged is done again by whoever has the partitions next.
        """
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._running.store.leave(self.id), 1)
        self._folder.cleanup()
        logging.shutdown()
        os._exit(1)

    @property
    def _running(self) -> Services:
        """The services, once they are started."""
        if self._services is None:
            raise RuntimeError("the worker has not been started")
        return self._services

    # --- beside the stream ------------------------------------------------------------------------------------------

    async def _settle_waiting(self, _app: Any) -> None:
        await self._ready()
        # A task for each entity: one that is stopped keeps no other from settling.
        settling = (self._settle(self.entities[name], waiting) for name, waiting in self.waiting.items())
        await asyncio.gather(*(self._vital(one) for one in settling))

    async def _settle(self, entity: Entity, waiting: WaitingRecords) -> None:
        PART.set(".pending")
        while not self.app.should_stop:
            if len(waiting):
                closed, caught_up = await self._references_complete(entity)
                try:
                    await waiting.settle(closed=closed, caught_up=caught_up)
                except StoreChanged as changed:
                    await entity.services.guardian.changed(changed.reason)
            await asyncio.sleep(_SETTLE)

    async def _references_complete(self, entity: Entity) -> tuple[bool, bool]:
        """Return whether no reference data will be sent any more, and whether the reference topics have no backlog."""
        store = entity.services.store
        closed = await entity.retry("read the input's state", store.input_closed)
        if not closed:
            self._closed_since = None
        elif self._closed_since is None:
            self._closed_since = time.time()
        # What was sent just before the input was closed is in the reports made a moment after.
        since = None if self._closed_since is None else int((self._closed_since + 0.5) * 1000)
        lags = await entity.retry("read the lags", lambda: store.lags(since))
        return closed, lags is not None and all(lags.get(r.to_entity, 0) == 0 for r in entity.contract.references)

    async def _learn(self, _app: Any) -> None:
        await self._ready()
        await keep_current(self.baselines, lambda: self.app.should_stop)

    async def _keep_small(self, _app: Any) -> None:
        await self._ready()
        await keep_small(self._running.store, self.entities.values(), lambda: self.app.should_stop)

    async def _monitor(self, _app: Any) -> None:
        await self._ready()
        if self.monitoring is not None:
            await self.monitoring.run(self._running.producer, lambda: self.app.should_stop, waits=lambda: self.server.unfit)

    async def _store_lost(self, _: StoreLost) -> None:
        """Redis has evicted keys: nothing may be judged or counted against what is left."""
        await self._running.guardian.changed("incomplete")

    async def _check_kafka(self) -> None:
        """Notice that Kafka is away although there is nothing to deliver: the clients would try for ever."""
        while True:
            await self._running.retry("", "reach Kafka", self._reach_kafka)
            await asyncio.sleep(_CHECK)

    async def _reach_kafka(self) -> None:
        client = self._running.producer.current.client
        if not await asyncio.wait_for(client.force_metadata_update(), _ANSWER):
            # The client only logs why; another connection says it.
            raise await diagnose(self.settings) or KafkaConnectionError()

    async def _report(self, _app: Any) -> None:
        if self.entities:
            for entity in self.entities.values():
                entity.look_ups.refresh()
            await self.heartbeat.publish(self._running.store)
