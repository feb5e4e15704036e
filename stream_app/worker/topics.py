"""Watch the topics while the worker runs: created again, missing, with more partitions, without records that nobody read.

Clients ask for topics every five minutes, and never for their ids. This watch asks every two seconds, and at once when a
fetch raises a doubt (``kafka.batches.alarms``):

- A raw or pending topic that was created again is read from its beginning: the worker joins its group again, and before it
  seeks, finishes what it has of the old topic under the old id.
- A raw topic that does not exist is waited for. The topics made of it are created again.
- A raw topic with more partitions than those made of it: they get as many. Where the user must not do that, the new
  partitions are not read, and the watch says what to do.
- Offsets that the log does not have any more before anybody read them are counted as lost (``worker.offsets``).

Whatever is wrong with an entity's topics is in ``problems``, which the heartbeat publishes; other entities go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from faust.types import TP
from kafka.errors import KafkaError as AdminError

from stream_app.errors import DeliveryError
from stream_app.kafka.admin import TopicAdmin, TopicState
from stream_app.kafka.batches.alarms import FetchAlarms
from stream_app.kafka.headers import header, header_in
from stream_app.kafka.outbox import Outbox, Receipt
from stream_app.names import SOURCE
from stream_app.settings import Settings
from stream_app.worker.entity import Entity
from stream_app.worker.lanes import Lanes
from stream_app.worker.offsets import PASSING, OffsetWatch
from stream_app.worker.ownership import Ownership
from stream_app.worker.waiting import WaitingRecords

T = TypeVar("T")
log = logging.getLogger("headrace.worker")
#: Seconds between two questions; while a topic is in doubt; and that the broker may take to answer.
EVERY, IN_DOUBT, ANSWER = 2.0, 0.2, 5.0
#: Seconds for which a topic that does not exist is left to whoever deleted it.
MISSING = 4.0
#: Seconds for which what is left of an old topic may take to be counted.
FINISH = 15.0
#: Seconds after which the worker asks again to join its group.
JOIN_AGAIN = 10.0
#: Errors after which the next round asks again.
_PASSING = (*PASSING, AdminError, DeliveryError)


class TopicWatch:
    """Watches the topics of all entities of one worker.

    Attributes:
        problems: entity → what is wrong with its topics, and what to do; without those that are fine.
        partitions: topic → number of its partitions, as of the last answer.
        offsets: compares the offsets of the same topics.
    """

    def __init__(
        self, settings: Settings, alarms: FetchAlarms, consumer: Callable[[], Any], admin: TopicAdmin | None = None
    ) -> None:
        """``consumer`` returns the worker's ``kafka.batches.consumer.BatchConsumer``."""
        self.problems: dict[str, str] = {}
        self.partitions: dict[str, int] = {}
        self.offsets = OffsetWatch(settings, alarms, consumer)
        self._alarms, self._consumer = alarms, consumer
        self._admin = admin or TopicAdmin(settings, ANSWER)
        self._thread = ThreadPoolExecutor(1, "topics")
        self._entities: Mapping[str, Entity] = {}
        self._lanes: Mapping[str, Lanes] = {}
        self._waiting: Mapping[str, WaitingRecords] = {}
        #: Topic → its id, and the ids that topics had before: a broker that lags behind may still answer with one.
        self._ids: dict[str, str] = {}
        self._former: set[str] = set()
        #: Topic that was created again → its new id, until the worker reads it.
        self._renewed: dict[str, str] = {}
        #: Topics that were switched to their new ids since ``prepare`` has last returned.
        self._begun: set[str] = set()
        self._missing: dict[str, float] = {}
        self._stopped: dict[str, set[TP]] = {}
        #: Entity → waiting records of a pending topic that does not exist any more.
        self._kept: dict[str, list[Any]] = {}
        self._joining = 0.0
        self._owner: Ownership
        self._lock, self._preparing, self._wake = asyncio.Lock(), asyncio.Lock(), asyncio.Event()

    # --- start and stop ---------------------------------------------------------------------------------------------

    def begin(
        self,
        entities: Mapping[str, Entity],
        lanes: Mapping[str, Lanes],
        waiting: Mapping[str, WaitingRecords],
        owner: Ownership,
    ) -> None:
        """Take over what the worker has built. Call it in the worker's event loop."""
        loop = asyncio.get_running_loop()
        self._owner = owner
        self._entities, self._lanes, self._waiting = entities, lanes, waiting
        self.offsets.begin(entities, lanes, owner, lambda topic: self._ids.get(topic, ""))
        self._ids.update({entity.topics.raw: entity.topic_id for entity in entities.values() if entity.topic_id})

        def wake() -> None:
            loop.call_soon_threadsafe(self._wake.set)

        self._alarms.notify = wake

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            with contextlib.suppress(*_PASSING):  # an outage is noticed, and said, elsewhere
                await self.check()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), IN_DOUBT if self._alarms.doubted() else EVERY)
            await asyncio.sleep(IN_DOUBT / 4)
            self._wake.clear()

    def close(self) -> None:
        """Close the connection."""
        self._thread.submit(self._admin.close)
        self._thread.shutdown(wait=False)

    # --- what the consumer asks -------------------------------------------------------------------------------------

    def stopped(self) -> set[TP]:
        """Return the partitions that cannot be read at the moment, because a topic made of them lacks theirs."""
        return set().union(*self._stopped.values()) if self._stopped else set()

    def topic_id(self, topic: str) -> str:
        """Return the id of the topic whose records are read; empty where there are no ids."""
        return next((one.topic_id for one in self._entities.values() if one.topics.raw == topic), self._ids.get(topic, ""))

    async def prepare(self) -> set[str]:
        """Find out, before partitions are sought, which topics they are of; return those that were created again.

        What this worker still has of an old topic is finished under its old id.
        """
        # A rebalance may end this in the middle, and begin it again at once.
        async with self._preparing:
            with contextlib.suppress(*_PASSING):
                await self.check(rejoin=False)
            for topic, topic_id in dict(self._renewed).items():
                entity = self._entity_of(topic)
                numbers = self._alarms.raised()
                if topic == entity.topics.raw:
                    await self._switch(entity, topic_id)
                self._former.add(self._ids.get(topic, ""))
                self._ids[topic] = topic_id
                self._alarms.forget({topic})
                self._alarms.settle(topic, numbers.get(topic, 0))
                self.offsets.renewed(entity)
                self._begun.add(topic)
                if self._renewed.get(topic) == topic_id:
                    del self._renewed[topic]
            if self._begun:
                # What is committed is of the old topics, and must not be taken for what the store has lost.
                partitions = {tp for tp in self._consumer().assignment() if tp.topic in self._begun}
                await self._consumer().begin_anew(partitions)
                self._owner.assigned(partitions)
            begun, self._begun = self._begun, set()
            return begun

    def revoked(self, entity: str) -> None:
        """Keep the waiting records of an entity whose pending topic may be gone: there may be no other copy of them."""
        topic = self._entities[entity].topics.pending
        if topic in self._alarms.doubted() or topic in self._missing:
            self._keep(entity)

    # --- one round --------------------------------------------------------------------------------------------------

    async def check(self, *, rejoin: bool = True) -> None:
        """Ask for the topics once, and react.

        Raises:
            KafkaError: no broker answers (of either library).
            DeliveryError: the broker refuses.
        """
        async with self._lock:
            raised = self._alarms.raised()
            names = [name for entity in self._entities.values() for name in entity.topics.all]
            states = await self._ask(lambda admin: admin.describe(names))
            states = {name: state for name, state in states.items() if state.id not in self._former or not state.id}
            for entity in self._entities.values():
                await self._look_at(entity, states)
            self.partitions = {**self.partitions, **{name: state.partitions for name, state in states.items()}}
            unsure: set[str] = set()
            if rejoin:
                await self._follow(states)
                known = {name for name, state in states.items() if state.partitions and name not in self._renewed}
                # Until partitions are sought, a fetch may still ask for an offset of the topic that was there before.
                unsure = await self.offsets.explain(known) if self._consumer().is_sought else known
            for topic, number in raised.items():
                if topic not in {*self._renewed, *unsure} and topic in states and states[topic].partitions:
                    self._alarms.settle(topic, number)

    async def _ask(self, question: Callable[[TopicAdmin], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: question(self._admin))

    async def _look_at(self, entity: Entity, states: Mapping[str, TopicState]) -> None:
        """React to the topics of one entity."""
        topics = entity.topics
        raw = states.get(topics.raw)
        if raw is None:
            return
        problems: list[str] = []
        stopped: set[TP] = set()
        if not raw.partitions:
            problems += self._wait_for(topics.raw)
        else:
            self._missing.pop(topics.raw, None)
            self._compare(topics.raw, raw)
            for name in topics.all[1:]:
                state = states.get(name)
                if state is None:
                    continue
                self._compare(name, state)
                if state.partitions < raw.partitions:
                    stopped |= {TP(topics.raw, number) for number in range(state.partitions, raw.partitions)}
                    problems += await self._mend(name, state, raw.partitions)
                else:
                    self._missing.pop(name, None)
        self._stopped[entity.name] = stopped
        pending = states.get(topics.pending)
        if entity.name in self._kept and pending is not None and pending.partitions:
            problems += await self._send_again(entity)
        self._say(entity, "; ".join(problems))

    def _compare(self, name: str, state: TopicState) -> None:
        """Notice that a topic is another one than before."""
        if not state.id:
            return
        before = self._ids.setdefault(name, state.id)
        if state.id == before or self._renewed.get(name) == state.id:
            return
        entity = self._entity_of(name)
        if name in (entity.topics.raw, entity.topics.pending):
            log.warning("topic %s was created again: it is read from its beginning", name)
            self._renewed[name] = state.id
            self._alarms.doubt(name)
            if name == entity.topics.pending:
                self._keep(entity.name)
        else:
            log.warning("topic %s was created again: what was delivered to it before is gone", name)
            self._former.add(before)
            self._ids[name] = state.id

    def _wait_for(self, topic: str) -> list[str]:
        since = self._missing.setdefault(topic, time.monotonic())
        if time.monotonic() - since < IN_DOUBT:
            return []  # perhaps it is just being created again
        return [f"topic {topic} does not exist: create it; it is read as soon as it exists"]

    async def _mend(self, name: str, state: TopicState, partitions: int) -> list[str]:
        """Give a topic the partitions that it lacks, or create it; return what is wrong until then."""
        try:
            if state.partitions:
                log.warning("topic %s gets %d partitions, as many as its raw topic", name, partitions)
                await self._ask(lambda admin: admin.grow(name, partitions))
            elif time.monotonic() - self._missing.setdefault(name, time.monotonic()) < MISSING:
                return [f"topic {name} does not exist; it is created in a moment"]
            else:
                log.warning("topic %s does not exist: it is created with %d partitions", name, partitions)
                await self._ask(lambda admin: admin.create(name, partitions))
        except (DeliveryError, AdminError) as error:
            if isinstance(error, DeliveryError):
                return [str(error)]
            return [f"topic {name} needs {partitions} partitions, and the broker refuses ({type(error).__name__}); see its log"]
        self._wake.set()
        return []

    async def _follow(self, states: Mapping[str, TopicState]) -> None:
        """Let the consumer learn of partitions that it does not know, and of topics that were created again."""
        client = self._consumer().client
        if not client.joined:
            return
        if self._renewed and time.monotonic() - self._joining > JOIN_AGAIN:
            self._joining = time.monotonic()
            await client.rejoin()
        elif client.knows_other({name: state.partitions for name, state in states.items()}):
            await client.refresh()

    # --- what is left of an old topic -------------------------------------------------------------------------------

    async def _switch(self, entity: Entity, topic_id: str) -> None:
        """Finish what the lanes have of the old raw topic, then count on under the id of the new one."""
        lanes = self._lanes[entity.name]
        if not await lanes.idle(FINISH):
            log.warning("%s: records of the topic that was deleted could not be counted in time; dropped", entity.topics.raw)
            await lanes.drop()
        entity.forget(set(range(self.partitions.get(entity.topics.raw, 0))) | lanes.partitions())
        entity.reached.clear()
        entity.topic_id = topic_id

    def _keep(self, entity: str) -> None:
        records = self._waiting[entity].copies()
        if records:
            self._kept.setdefault(entity, []).extend(records)

    async def _send_again(self, entity: Entity) -> list[str]:
        """Send kept waiting records to the new pending topic, as they stood in the old one; copies settle once.

        Those that the topic does not take are kept; returns what is wrong then.
        """
        topic, kept, services = entity.topics.pending, self._kept.pop(entity.name), entity.services

        async def send(producer: Any) -> Receipt:
            outbox = Outbox(producer, services.limits)
            for partition, record in kept:
                row = (record.key, record.value, record.timestamp, list(record.headers))
                outbox.add(topic, partition, row, foreign=True)
            return await outbox.send()

        try:
            refused = (await services.producer.using(send)).refused
        except BaseException:
            self._kept.setdefault(entity.name, []).extend(kept)
            raise
        sources = {header_in(one.row[3], SOURCE) for one in refused}
        left = [(partition, record) for partition, record in kept if header(record, SOURCE) in sources]
        if len(left) < len(kept):
            log.warning("topic %s got %d waiting records again", topic, len(kept) - len(left))
        if not left:
            return []
        self._kept.setdefault(entity.name, []).extend(left)
        return [f"topic {topic} does not take {len(left)} waiting records again ({refused[0].reason}); give it the old limits"]

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _say(self, entity: Entity, problem: str) -> None:
        if problem == self.problems.get(entity.name, ""):
            return
        if problem:
            log.error("%s: %s", entity.name, problem)
            self.problems[entity.name] = problem
            entity.services.health.trouble(("topics", entity.name), entity.name, problem)
        else:
            log.warning("%s: its topics are complete again", entity.name)
            del self.problems[entity.name]
            entity.services.health.recovered(("topics", entity.name))

    def _entity_of(self, topic: str) -> Entity:
        return next(entity for entity in self._entities.values() if topic in entity.topics.all)
