"""Keep the store level with the log: verify whose it is and which epoch it is in, and restore what it has lost.

A store is verified when a worker starts, when a connection reaches another server process, and when a script refuses to work.
Then it is one of these:

- *level*: the workers go on;
- *behind*: it has lost its last writes. A new epoch opens, in which every worker restores its partitions, and only then any
  record is judged that is new: a key or a reference that the store has lost must not be missed;
- *empty or foreign*: nothing in it is of this log. It is emptied, and restored from the beginning in the same way;
- *another shop's*: it is refused.

The epoch is a number that also stands in the log. Its upper part names the store, and changes whenever that is emptied; its
lower part counts how often the store was restored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from aiokafka import TopicPartition
from faust.types import TP

from stream_app.counts.tally import Tally
from stream_app.kafka import outcomes
from stream_app.kafka.epochs import EpochLog, LogNote, cluster_id, committed
from stream_app.position import Position
from stream_app.process import cancel_all
from stream_app.retries import GaveUp
from stream_app.store.changes import Changes
from stream_app.store.connection import ServerUnverified
from stream_app.store.ownership import (
    EMPTYING,
    READY,
    RESTORING,
    Missing,
    Owner,
    OwnershipStore,
    StoreState,
    is_same_store,
    new_store,
)
from stream_app.store.server import ServerFacts
from stream_app.store.writer import PartitionMoved, StoreChanged
from stream_app.worker.entity import Entity, Level, Services
from stream_app.worker.restore import Bits, PartitionRestore, Stored

log = logging.getLogger("headrace.worker")
T = TypeVar("T")
#: Seconds between two looks at the state of the store, and while it is being restored.
_LOOK, _LOOK_RESTORING = 1.0, 0.1
#: A raw offset beyond every other.
_EVERYTHING = 2**62


class Ownership:
    """The store as one worker sees it. ``consumer`` returns Faust's, or None before it is there."""

    def __init__(self, consumer: Callable[[], Any]) -> None:
        self._consumer = consumer
        self._services: Services
        self._entities: Mapping[str, Entity]
        self._store: OwnershipStore
        self._log: EpochLog
        self._owner = Owner()
        self._note = LogNote()
        self._verifying = asyncio.Lock()
        self._ready = asyncio.Event()
        self._levels: dict[TP, asyncio.Task[Level]] = {}
        self._restores: set[asyncio.Task[None]] = set()
        self._epoch, self._server = 0, ""
        self.tells_offsets_apart = False
        #: True while another server answers than the one that was verified.
        self._strange = False

    # --- verifying --------------------------------------------------------------------------------------------------

    def on_server(self, facts: ServerFacts) -> None:
        """Note which server answers on a new connection of those who work with the store.

        Raises:
            ServerUnverified: it is another process than the one that was verified.
        """
        if self._epoch and facts.run_id is not None and facts.run_id != self._server:
            self._strange = True
            raise ServerUnverified(f"another Redis server answers at {facts.address}")

    async def open(self, services: Services, entities: Mapping[str, Entity]) -> None:
        """Verify the store for the first time.

        Raises:
            GaveUp: it is another shop's, or has to be rebuilt and HEADRACE_REBUILD is off.
        """
        settings = services.settings
        self._services, self._entities, self._store = services, entities, services.store.ownership
        self._log = EpochLog(settings, min(entity.topics.raw for entity in entities.values()))
        cluster = await self._retry("ask for the cluster's id", lambda: cluster_id(settings))
        self._owner = Owner(settings.group, settings.topic_prefix, cluster, tuple(sorted(entities)))
        await self._verify("")
        await self._say_incomplete()

    async def changed(self, reason: str) -> None:
        """Verify the store again after a script refused to work, and wait until it is ready."""
        await self._verify(reason)
        await self._ready.wait()

    async def _verify(self, reason: str) -> None:
        """Verify the store, unless another task does or has: then it is as that found it."""
        before = self._epoch
        async with self._verifying:
            if before == self._epoch and reason != "restoring":
                while not await self._retry("verify the store", partial(self._verify_once, reason)):
                    reason = ""
                self._strange = False

    async def _verify_once(self, reason: str) -> bool:
        """Adopt the epoch of the store, or open a new one; False when another worker was first."""
        state, server = await self._store.read(), await self._store.server()
        logged, note = await self._log.read()
        # An offset that somebody else has set says nothing of what the store had. Some brokers cannot tell: they keep no notes.
        self.tells_offsets_apart = bool(note.store)
        self._note = LogNote(self._services.settings.redis_prefix, note.topics)
        if state.epoch and (problem := self._refusal(state.owner)):
            raise GaveUp(problem)
        if not state.epoch or (logged and not is_same_store(state.epoch, logged) and state.state == READY):
            if not state.epoch and not logged and await self._is_first():
                return await self._begin(state, new_store(), READY, server, "created")
            return await self._rebuild(state, server, "empty" if not state.epoch else "foreign")
        if reason == "incomplete" and state.epoch == self._epoch and state.state == READY:
            return await self._rebuild(state, server, reason)
        if logged > state.epoch and is_same_store(logged, state.epoch):
            return await self._begin(state, logged + 1, state.state and RESTORING, server, "behind")
        if reason in ("serial", "behind") or state.server != server:
            kept = EMPTYING if state.state == EMPTYING else RESTORING
            return await self._begin(state, state.epoch + 1, kept, server, reason or "server")
        if state.owner == Owner():
            await self._store.claim(self._owner)
        await self._adopt(state)
        if logged != state.epoch:
            await self._log.write(state.epoch, self._note)
        return True

    def _refusal(self, owner: Owner) -> str:
        """Why this store is not ours; empty if it is."""
        prefix, ours = self._services.settings.redis_prefix, self._owner
        if owner == Owner():
            return ""
        cure = "give this shop a prefix of its own with HEADRACE_REDIS_PREFIX"
        if (owner.group, owner.topics) != (ours.group, ours.topics):
            names = f"group {owner.group}, topics {owner.topics or 'without a prefix'}: {', '.join(owner.entities)}"
            return f"the Redis prefix {prefix} belongs to another shop ({names}); {cure}"
        if owner.cluster and ours.cluster and owner.cluster != ours.cluster:
            return (
                f"the Redis prefix {prefix} was made of the Kafka cluster {owner.cluster}, and this is {ours.cluster}; {cure}, "
                "or, if the cluster was replaced, run `headrace rebuild`"
            )
        return ""

    async def _is_first(self) -> bool:
        """True if nothing was ever committed or delivered: the store is empty because there was nothing yet."""
        settings = self._services.settings
        partitions = [
            TopicPartition(entity.topics.raw, partition)
            for entity in self._entities.values()
            for partition in range(await self._partitions(entity))
        ]
        return not any(offset > 0 for offset in (await committed(settings, settings.group, partitions)).values())

    async def _rebuild(self, state: StoreState, server: str, reason: str) -> bool:
        settings = self._services.settings
        if not settings.rebuild:
            raise GaveUp(
                f"the store under the Redis prefix {settings.redis_prefix} is {reason}, and the topics are not; run "
                "`headrace rebuild`, or set HEADRACE_REBUILD=on"
            )
        return await self._begin(state, new_store(), EMPTYING, server, reason)

    async def _begin(self, state: StoreState, epoch: int, stage: str, server: str, reason: str) -> bool:
        now = int(time.time() * 1000)
        begun = await self._store.begin(
            state.epoch, epoch, state=stage or RESTORING, server=server, owner=self._owner, reason=reason, now_ms=now
        )
        if not begun:
            return False
        if stage != READY:
            log.warning("%s", _said(reason, self._services.settings.redis_prefix))
        await self._log.write(epoch, self._note)
        await self._adopt(await self._store.read())
        return True

    async def _adopt(self, state: StoreState) -> None:
        if state.state == EMPTYING:
            await self._store.empty(state.epoch)
            await self._services.store.describe(entity.contract for entity in self._entities.values())
        self._store.verified(state)
        self._server = state.server
        if state.epoch != self._epoch:
            for entity in self._entities.values():
                entity.lose_store()
            self._drop(list(self._levels))
        changed, self._epoch = state.epoch != self._epoch, state.epoch
        if state.state == READY:
            self._ready.set()
        else:
            self._ready.clear()
        if changed and (consumer := self._consumer()) is not None:
            self.assigned(consumer.assignment())

    # --- levels -----------------------------------------------------------------------------------------------------

    async def level(self, entity: Entity, partition: int) -> Level:
        """Return what is known of a partition of the raw topic, once it is level."""
        tp = TP(entity.topics.raw, partition)
        while True:
            task = self._levels.get(tp)
            if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
                self._restore([tp])
                task = self._levels[tp]
            try:
                found = await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    continue  # the store changed meanwhile
                raise
            entity.levels[partition] = found
            entity.services.health.move(entity.topics.raw, partition, found.position.applied)
            return found

    def moved(self, entity: Entity, partition: int) -> None:
        """Note that a partition of the raw topic does not stand where it was taken to."""
        self._drop([TP(entity.topics.raw, partition)])

    def unknown_delivery(self, entity: Entity, partition: int) -> None:
        """Note that only the topics tell what of a pending partition has been delivered."""
        self.assigned([TP(entity.topics.pending, partition)])

    def is_level(self, entity: Entity, partition: int) -> bool:
        """True if what waits in a partition of the pending topic can be settled."""
        task = self._levels.get(TP(entity.topics.pending, partition))
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    def assigned(self, partitions: Iterable[TP]) -> None:
        """Restore partitions that are this worker's from now on."""
        wanted = [tp for tp in partitions if self._entity_of(tp) is not None]
        self._drop(wanted)
        self._restore(wanted)

    def revoked(self, partitions: Iterable[TP]) -> None:
        """Forget partitions that are not this worker's any more."""
        self._drop(partitions)

    async def run(self) -> None:
        """Follow the state of the store, for ever."""
        looked = 0.0
        while True:
            await asyncio.sleep(_LOOK_RESTORING)
            if self._strange:
                await self._verify("server")
            if self._ready.is_set() and time.monotonic() - looked < _LOOK:
                continue
            looked = time.monotonic()
            serial = self._store.serial
            state = await self._retry("read the state of the store", self._store.read)
            if state.epoch != self._epoch or state.serial < serial:
                await self._verify("serial" if state.epoch == self._epoch else "epoch")
            elif state.state == READY and not self._ready.is_set():
                self._go_on()
            if not self._ready.is_set():
                await self._say_progress(state)

    def _go_on(self) -> None:
        self._ready.set()
        self._services.health.note("store", None)
        log.warning("the store is level with the log again")

    async def _say_progress(self, state: StoreState) -> None:
        level, counted = await self._retry("read how far the store is", self._store.restored)
        if self._ready.is_set():
            return  # meanwhile
        text = f"is restored from the topics ({state.reason}): {level} partitions are level"
        self._services.health.note("store", f"{text}, {counted:,} records counted again in the others" if counted else text)

    async def _say_incomplete(self) -> None:
        """Say where no topic has all outcomes any more."""
        for field, missing in (await self._retry("read what is missing", self._store.incomplete)).items():
            topic, _, partition = field.split("/")
            text = f"counts are incomplete: retention has taken the outcomes of at most {missing.records:,} records"
            if missing.since:
                text += f" before {datetime.fromtimestamp(missing.since / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
            self._services.health.note(f"{topic}[{partition}]", text)

    async def close(self) -> None:
        """End what is under way."""
        await cancel_all([*self._levels.values(), *self._restores])

    def _drop(self, partitions: Iterable[TP]) -> None:
        for tp in list(partitions):
            if (task := self._levels.pop(tp, None)) is not None:
                task.cancel()

    def _restore(self, partitions: list[TP]) -> None:
        if not partitions:
            return
        result: asyncio.Future[dict[TP, Level]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._restore_all(partitions, result))
        self._restores.add(task)
        task.add_done_callback(self._restores.discard)
        for tp in partitions:
            self._levels[tp] = asyncio.create_task(_one_of(result, tp))

    async def _restore_all(self, partitions: list[TP], result: asyncio.Future[dict[TP, Level]]) -> None:
        """Restore partitions side by side, in one reading of their topics; cancel the result if the store changes meanwhile."""
        epoch = self._epoch
        try:
            while epoch == self._epoch:
                try:
                    found = await self._retry("restore partitions", lambda: self._restore_once(partitions))
                except PartitionMoved:
                    await asyncio.sleep(_LOOK_RESTORING)  # another worker restores one of them, or has gone on
                except StoreChanged as changed:
                    await self._verify(changed.reason)
                except BehindLog:
                    await self._verify("behind")
                else:
                    result.set_result(found)
                    return
            result.cancel()
        except asyncio.CancelledError:
            result.cancel()
            raise
        except BaseException as error:  # noqa: BLE001 - whoever waits for a partition gets it
            result.set_exception(error)

    async def _restore_once(self, partitions: list[TP]) -> dict[TP, Level]:
        await self._note_topics()
        await self._restore_former(partitions)
        restores = await self._plan(partitions)
        found: dict[TP, Level] = {}
        # Those that others refer to come first: segments read their fields.
        for stage in self._stages(restores):
            await self._read({tp: restores[tp] for tp in stage})
        begins = await self._raw_begins([tp for tp, restore in restores.items() if restore.lost])
        for tp, restore in restores.items():
            if restore.settles_only:
                found[tp] = await self._finish_settled(tp, restore)
            else:
                found[tp] = await self._finish(tp, restore, begins.get(tp, 0))
        await self._say_level([restore.field for restore in restores.values() if not restore.settles_only])
        return found

    async def _finish(self, tp: TP, restore: PartitionRestore, raw_begin: int) -> Level:
        level = await restore.finish(raw_begin)
        if level.missing:
            await self._store.missing(restore.field, Missing(level.missing, level.since))
            await self._say_incomplete()
            log.warning("%s[%d]: retention has taken the outcomes of at most %d records", tp.topic, tp.partition, level.missing)
        if level.counted is None and restore.bits is not None:
            await self._store.end_counted(restore.field)
        if level.rewind is not None and (consumer := self._consumer()) is not None:
            level.rewound = consumer.rewind(tp, level.rewind)
        if restore.records:
            log.warning("%s[%d]: counted %d records again", tp.topic, tp.partition, restore.records)
        return level

    async def _read(self, restores: Mapping[TP, PartitionRestore]) -> None:
        settings = self._services.settings
        # A pending partition and its raw partition may read the same topics from different offsets.
        for kind in (False, True):
            chosen = [restore for restore in restores.values() if restore.settles_only is kind]
            by_topic = {topic: restore for restore in chosen for topic in restore.begin}
            begin = {topic: at for restore in chosen for topic, at in restore.begin.items()}
            async for topic, records, after in outcomes.read(settings, begin):
                await by_topic[topic].take(topic, records, after)

    async def _plan(self, partitions: list[TP]) -> dict[TP, PartitionRestore]:
        """Read what the store and the log have of the partitions.

        Raises:
            BehindLog: the store is taken to be level, and lacks what is committed.
        """
        settings, store, consumer = self._services.settings, self._services.store, self._consumer()
        wanted = [TopicPartition(*tp) for tp in partitions]
        ends = await committed(settings, settings.group, wanted, by_workers=self.tells_offsets_apart)
        plans: dict[TP, PartitionRestore] = {}
        waiting = {name: await store.waiting(name) for name in {self._name_of(tp) for tp in partitions}}
        for tp in partitions:
            entity, partition = self._entities[self._name_of(tp)], tp.partition
            field = entity.applied_field(partition)
            (position,) = await store.positions([field])
            (settled_at,) = await self._store.settled_at([entity.settled_field(partition)])
            registered = dict(waiting[entity.name].get((partition, entity.topic_id), {}))
            end = ends.get(TopicPartition(*tp), 0)
            if tp.topic == entity.topics.pending:
                plan = PartitionRestore(entity, partition, Stored(position, registered, settled_at), 0, settles_only=True)
                if not registered:
                    plan.begin = {}
                elif consumer is not None and (lowest := min(registered.values())) < end:
                    consumer.rewind(tp, lowest)
            else:
                known = max(end, entity.reached.get(partition, -1) + 1)
                if known > position.applied + 1 and self._ready.is_set():
                    raise BehindLog
                bits = await self._bits(field, position, known)
                plan = PartitionRestore(entity, partition, Stored(position, registered, settled_at, bits), known)
            plans[tp] = plan
        return plans

    async def _note_topics(self) -> None:
        """Write the ids of the raw topics into the log, as soon as there are others."""
        topics = dict(self._note.topics)
        for entity in self._entities.values():
            ids = topics.get(entity.topics.raw, ())
            if entity.topic_id and entity.topic_id not in ids:
                ids = topics[entity.topics.raw] = (*ids, entity.topic_id)
            entity.topic_ids = ids
        if topics != self._note.topics:
            self._note = LogNote(self._note.store, topics)
            await self._log.write(self._epoch, self._note)

    async def _restore_former(self, partitions: list[TP]) -> None:
        """Count what was delivered of earlier topics of the same names; new ones begin where these end."""
        store = self._services.store
        for tp in partitions:
            entity, partition = self._entities[self._name_of(tp)], tp.partition
            former = [one for one in self._note.topics.get(entity.topics.raw, ()) if one != entity.topic_id]
            (now,) = await store.positions([entity.applied_field(partition)])
            if tp.topic != entity.topics.raw or not former or now != Position():
                continue
            waiting, begin = await store.waiting(entity.name), Position()
            for topic_id in former:
                field = entity.applied_field(partition, topic_id)
                (position,) = await store.positions([field])
                bits = await self._bits(field, position, _EVERYTHING)
                registered = dict(waiting.get((partition, topic_id), {}))
                restore = PartitionRestore(
                    entity, partition, Stored(position, registered, bits=bits), _EVERYTHING, topic_id=topic_id
                )
                await self._read({tp: restore})
                begin = (await restore.finish(0)).position._replace(applied=-1, restored=1)
                await self._store.end_counted(field)
                if restore.records:
                    log.warning("%s[%d]: counted %d records of an earlier topic", tp.topic, partition, restore.records)
            await self._services.retry("store", "begin a topic", partial(self._begin_topic, entity, partition, begin))

    async def _begin_topic(self, entity: Entity, partition: int, position: Position) -> None:
        field = entity.applied_field(partition)
        changes = Changes(Tally(entity.contract), int(time.time() * 1000), applied=(field, Position(), position))
        await self._services.store.apply(changes, restores=True)

    async def _bits(self, field: str, position: Position, known: int) -> Bits | None:
        base, raw = await self._store.counted(field)
        if base < 0:
            if known <= position.applied + 1:
                return None
            base = position.applied + 1
            await self._store.begin_counted(field, base)
        return Bits(base, bytearray(raw))

    async def _finish_settled(self, tp: TP, restore: PartitionRestore) -> Level:
        """Note up to where what settled is counted: up to the end, or where nothing waits, up to what the raw side knows."""
        field = restore.entity.settled_field(tp.partition)
        if restore.begin:
            await self._store.set_settled_at(field, f"{restore.next['clean']} {restore.next['rejected']}")
        elif restore.stored != Position():
            await self._store.set_settled_at(field, f"{restore.stored.clean} {restore.stored.dead_letter}")
        return Level(restore.stored)

    async def _say_level(self, fields: list[str]) -> None:
        if not fields:
            return
        partitions = sum([await self._partitions(entity) for entity in self._entities.values()])
        state = await self._store.level(fields, partitions)
        if state == READY and not self._ready.is_set():
            self._go_on()

    async def _raw_begins(self, partitions: list[TP]) -> dict[TP, int]:
        consumer = self._consumer()
        if consumer is None or not partitions:
            return {}
        return {tp: int(offset) for tp, offset in (await consumer.earliest_offsets(*partitions)).items()}

    def _stages(self, restores: Mapping[TP, PartitionRestore]) -> list[list[TP]]:
        referring = {
            name for name, entity in self._entities.items() if any(one.to_entity != name for one in entity.contract.references)
        }
        first = [tp for tp in restores if self._name_of(tp) not in referring]
        return [stage for stage in (first, [tp for tp in restores if tp not in first]) if stage]

    async def _partitions(self, entity: Entity) -> int:
        producer = self._services.producer.current
        return len(await asyncio.wait_for(producer.partitions_for(entity.topics.raw), 10.0))

    def _entity_of(self, tp: TP) -> Entity | None:
        return next((one for one in self._entities.values() if tp.topic in (one.topics.raw, one.topics.pending)), None)

    def _name_of(self, tp: TP) -> str:
        entity = self._entity_of(tp)
        if entity is None:
            raise KeyError(tp)
        return entity.name

    async def _retry(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        return await self._services.retry("store", what, action)


class BehindLog(Exception):
    """The store lacks what is committed in the log."""


async def _one_of(result: asyncio.Future[dict[TP, Level]], tp: TP) -> Level:
    return (await asyncio.shield(result))[tp]


def _said(reason: str, prefix: str) -> str:
    said = {
        "empty": "is empty, and the topics are not: it is rebuilt from them",
        "foreign": "is not the one that this log knows: it is rebuilt from the topics",
        "incomplete": "has lost keys that Redis evicted: it is rebuilt from the topics",
        "asked": "is rebuilt from the topics, as `headrace rebuild` asked",
        "server": "is answered by another server process: it is compared with the log",
    }
    text = said.get(reason, "has lost its last writes: they are restored from the log")
    return f"the store under the Redis prefix {prefix} {text}"
