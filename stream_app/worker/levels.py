"""The partitions of one worker, each level with the log: restored when it is assigned, and again in each epoch of the store."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from aiokafka import TopicPartition
from faust.types import TP

from stream_app.counts.tally import Tally
from stream_app.kafka import outcomes
from stream_app.kafka.epochs import GroupLog
from stream_app.position import Position
from stream_app.process import cancel_all
from stream_app.store.changes import Changes
from stream_app.store.ownership import Missing
from stream_app.store.writer import PartitionMoved, StoreChanged
from stream_app.worker.entity import Entity, Level, Services
from stream_app.worker.restore import EVERYTHING, Bits, PartitionRestore, Restored, Stored

log = logging.getLogger("headrace.worker")
#: Seconds until a restore is tried again that another worker has crossed.
_AGAIN = 0.1


class Epoch(Protocol):
    """The store as ``Ownership`` has verified it.

    Attributes:
        number: of the epoch in force.
        ready: set while every partition of the shop is level.
        rebuilds: True in an epoch that began with an empty store.
        tells_offsets_apart: the broker keeps the metadata of offsets, so that those of workers are known from others.
    """

    number: int
    ready: asyncio.Event
    rebuilds: bool
    tells_offsets_apart: bool

    async def verify(self, reason: str) -> None:
        """Verify the store."""

    async def note_topics(self) -> Mapping[str, Sequence[str]]:
        """Return raw topic → the ids that topics of this name have had, the present one last."""

    async def say_level(self, fields: Sequence[str]) -> None:
        """Say that raw partitions (``Entity.applied_field``) are level."""

    async def are_level(self, entities: Collection[str]) -> bool:
        """Return True if all raw partitions of these entities are level."""

    async def say_missing(self, field: str, missing: Missing) -> None:
        """Say what no topic has any more of a partition."""


class Levels:
    """Restores the partitions of one worker. ``consumer`` returns Faust's, or None before it is there."""

    def __init__(
        self,
        epoch: Epoch,
        services: Services,
        entities: Mapping[str, Entity],
        group_log: GroupLog,
        consumer: Callable[[], Any],
    ) -> None:
        self._epoch, self._services, self._log, self._consumer = epoch, services, group_log, consumer
        self._store = services.store.ownership
        self._by_name = entities
        self._entities = {topic: one for one in entities.values() for topic in (one.topics.raw, one.topics.pending)}
        self._levels: dict[TP, asyncio.Task[Level]] = {}
        self._restores: set[asyncio.Task[None]] = set()

    async def level(self, entity: Entity, partition: int) -> Level:
        """Return what is known of a partition of the raw topic, once it is level."""
        tp = TP(entity.topics.raw, partition)
        while True:
            if tp not in self._levels or self._levels[tp].cancelled():
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

    def is_level(self, entity: Entity, partition: int) -> bool:
        """True if what waits in a partition of the pending topic can be settled."""
        task = self._levels.get(TP(entity.topics.pending, partition))
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    def assigned(self, partitions: Iterable[TP]) -> None:
        """Restore partitions that are this worker's from now on, or whose topics changed."""
        wanted = [tp for tp in partitions if tp.topic in self._entities]
        self.forget(wanted)
        self._restore(wanted)

    def begin_epoch(self) -> None:
        """Restore all partitions in another epoch."""
        self.forget(list(self._levels))
        if (consumer := self._consumer()) is not None:
            self.assigned(consumer.assignment())

    def moved(self, entity: Entity, partition: int) -> None:
        """Note that a partition of the raw topic does not stand where it was taken to."""
        self.forget([TP(entity.topics.raw, partition)])

    def unknown_delivery(self, entity: Entity, partition: int) -> None:
        """Note that only the topics tell what of a pending partition has been delivered."""
        self.assigned([TP(entity.topics.pending, partition)])

    def forget(self, partitions: Iterable[TP]) -> None:
        """Forget partitions: they are not this worker's any more, or are to be restored again."""
        for tp in list(partitions):
            if (task := self._levels.pop(tp, None)) is not None:
                task.cancel()

    def check(self) -> None:
        """Raise what ended the restore of a partition: nobody else may be waiting for it."""
        for task in self._levels.values():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def close(self) -> None:
        """End what is under way."""
        await cancel_all([*self._levels.values(), *self._restores])

    # --- restoring --------------------------------------------------------------------------------------------------

    def _restore(self, partitions: list[TP]) -> None:
        if not partitions:
            return
        result: asyncio.Future[dict[TP, Level]] = asyncio.get_running_loop().create_future()
        levels = {tp: asyncio.create_task(_one_of(result, tp)) for tp in partitions}
        self._levels.update(levels)
        task = asyncio.create_task(self._restore_until_level(levels, result))
        self._restores.add(task)
        task.add_done_callback(self._restores.discard)

    async def _restore_until_level(
        self, levels: Mapping[TP, asyncio.Task[Level]], result: asyncio.Future[dict[TP, Level]]
    ) -> None:
        """Restore partitions side by side, in one reading of their topics; cancel the result if the store changes meanwhile.

        ``levels``: what waits for the result. Partitions that are forgotten meanwhile are left out of the next attempt.
        """
        number = self._epoch.number
        try:
            while number == self._epoch.number:
                partitions = [tp for tp, task in levels.items() if self._levels.get(tp) is task]
                try:
                    found = await self._services.retry("store", "restore partitions", partial(self._restore_once, partitions))
                except PartitionMoved:
                    await asyncio.sleep(_AGAIN)  # another worker restores one of them, or has gone on
                except StoreChanged as changed:
                    await self._epoch.verify(changed.reason)
                except _BehindLog:
                    await self._epoch.verify("behind")
                except _TopicsRenewed:
                    pass
                else:
                    result.set_result(found)
                    return
            result.cancel()
        except asyncio.CancelledError:
            result.cancel()
            raise
        except BaseException as error:  # noqa: BLE001 - whoever waits for a partition gets it, and ``check``
            result.set_exception(error)

    async def _restore_once(self, partitions: list[TP]) -> dict[TP, Level]:
        found: dict[TP, Level] = {}
        for group in self._groups(partitions):
            await self._references_level(group)
            found |= await self._restore_group(group)
        return found

    def _groups(self, partitions: list[TP]) -> list[list[TP]]:
        """The partitions in an order in which they can be restored: what is referred to first, if counts are restored at all.

        Segments read fields of what a record refers to.
        """
        if self._epoch.ready.is_set():
            return [partitions]
        by_depth: dict[int, list[TP]] = {}
        for tp in partitions:
            by_depth.setdefault(self._depth(self._entities[tp.topic].name), []).append(tp)
        return [by_depth[depth] for depth in sorted(by_depth)]

    def _depth(self, name: str, above: frozenset[str] = frozenset()) -> int:
        """The longest way from an entity over references, circles left out."""
        to = self._referenced(name) - above - {name}
        return 1 + max(self._depth(one, above | {name}) for one in to) if to else 0

    def _referenced(self, name: str) -> set[str]:
        return {one.to_entity for one in self._by_name[name].contract.references}

    async def _references_level(self, partitions: Iterable[TP]) -> None:
        """Wait until what some partitions refer to is level, whichever worker restores it.

        Raises:
            StoreChanged: another epoch has begun meanwhile.
        """
        number = self._epoch.number
        entities = {self._entities[tp.topic].name for tp in partitions}
        depth = min(map(self._depth, entities), default=0)
        needed = {one for name in entities for one in self._referenced(name) if self._depth(one) < depth}
        while needed and not await self._epoch.are_level(needed):
            await asyncio.sleep(_AGAIN)
            if number != self._epoch.number:
                raise StoreChanged("epoch")

    async def _restore_group(self, partitions: list[TP]) -> dict[TP, Level]:
        ids = {tp.topic: self._entities[tp.topic].topic_id for tp in partitions}
        for raw, noted in (await self._epoch.note_topics()).items():
            for tp in partitions:
                if tp.topic == raw and len(noted) > 1:
                    await self._restore_former(tp, noted[:-1])
        restores = await self._plan(partitions, ids)
        found: dict[TP, Level] = {}
        # A pending partition and its raw partition may read the same topics from different offsets.
        for settles in (False, True):
            if stage := [restore for restore in restores.values() if restore.settles_only is settles]:
                await self._read(stage)
        begins = await self._raw_begins([tp for tp, restore in restores.items() if restore.lost])
        for tp, restore in restores.items():
            if restore.settles_only:
                await self._note_settled(tp, restore)
                found[tp] = Level(restore.stored)
            else:
                found[tp] = await self._finish(tp, restore, begins.get(tp, 0))
        if fields := [restore.field for restore in restores.values() if not restore.settles_only]:
            await self._epoch.say_level(fields)
        return found

    async def _plan(self, partitions: list[TP], ids: Mapping[str, str]) -> dict[TP, PartitionRestore]:
        """Read what the store and the log have of the partitions. ``ids``: topic → id of its entity's raw topic.

        Raises:
            _BehindLog: the store is taken to be level, and lacks what is committed.
            _TopicsRenewed: the worker counts under the id of another topic by now.
        """
        epoch, store = self._epoch, self._services.store
        entities = {tp: self._entities[tp.topic] for tp in partitions}
        # A pending topic has an id of its own.
        raw_ids = {topic: topic_id for topic, topic_id in ids.items() if topic == self._entities[topic].topics.raw}
        committed = await self._log.committed(
            [TopicPartition(*tp) for tp in partitions], by_workers=raw_ids if epoch.tells_offsets_apart else None
        )
        positions = await store.positions([entities[tp].applied_field(tp.partition) for tp in partitions])
        settled_at = await self._store.settled_at([entities[tp].settled_field(tp.partition) for tp in partitions])
        waiting = {one.name: await store.waiting(one.name) for one in entities.values() if one.contract.references}
        self._check_topics(ids)
        plans: dict[TP, PartitionRestore] = {}
        for tp, position, settled in zip(partitions, positions, settled_at, strict=True):
            entity, end = entities[tp], committed.get(TopicPartition(*tp), 0)
            registered = waiting.get(entity.name, {}).get((tp.partition, entity.topic_id), {})
            if tp.topic == entity.topics.pending:
                plans[tp] = PartitionRestore(entity, tp.partition, Stored(position, registered, settled), 0, settles_only=True)
                if registered:
                    self._read_again(tp, min(registered.values()), end)
                else:
                    plans[tp].begin = {}
                continue
            known = max(end, entity.reached.get(tp.partition, -1) + 1)
            if known > position.applied + 1 and epoch.ready.is_set():
                raise _BehindLog
            if not known and epoch.rebuilds:
                # The group's offsets have expired: every record that was delivered is known.
                known = EVERYTHING
            bits = await self._bits(entity.applied_field(tp.partition), position, known)
            plans[tp] = PartitionRestore(entity, tp.partition, Stored(position, registered, settled, bits), known)
        self._check_topics(ids)
        return plans

    def _check_topics(self, ids: Mapping[str, str]) -> None:
        if any(self._entities[topic].topic_id != topic_id for topic, topic_id in ids.items()):
            raise _TopicsRenewed

    def _read_again(self, tp: TP, begin: int, committed: int) -> None:
        """Read a pending partition again from where records wait that were taken to be settled."""
        if begin < committed and (consumer := self._consumer()) is not None:
            consumer.rewind(tp, begin)

    async def _read(self, restores: Sequence[PartitionRestore]) -> None:
        by_topic = {topic: restore for restore in restores for topic in restore.begin}
        begin = {topic: at for restore in restores for topic, at in restore.begin.items()}
        async for topic, records, after in outcomes.read(self._services.settings, begin):
            await by_topic[topic].take(topic, records, after)

    async def _finish(self, tp: TP, restore: PartitionRestore, raw_begin: int) -> Level:
        restored: Restored = await restore.finish(raw_begin)
        if restored.missing.records:
            await self._epoch.say_missing(restore.field, restored.missing)
            missing = restored.missing.records
            log.warning("%s[%d]: retention has taken the outcomes of at most %d records", tp.topic, tp.partition, missing)
        if restored.level.counted is None and restore.bits is not None:
            await self._store.end_counted(restore.field)
        if restored.rewind is not None and (consumer := self._consumer()) is not None:
            restored.level.rewound = consumer.rewind(tp, restored.rewind)
        if restore.records:
            log.warning("%s[%d]: counted %d records again", tp.topic, tp.partition, restore.records)
        return restored.level

    async def _note_settled(self, tp: TP, restore: PartitionRestore) -> None:
        """Note up to where what settled is counted: up to the end, or where nothing waits, up to what the raw side knows."""
        clean, dead = restore.stored.clean, restore.stored.dead_letter
        if restore.begin:
            clean, dead = restore.next["clean"], restore.next["rejected"]
        await self._store.set_settled_at(restore.entity.settled_field(tp.partition), clean, dead)
        restore.entity.settled_at[tp.partition] = clean, dead

    async def _restore_former(self, tp: TP, ids: Sequence[str]) -> None:
        """Count what was delivered of earlier topics of the same name, and write where the new one begins.

        A topic that was just created begins where these end. Where the store has lost something, what the new one became may
        stand before the last of theirs, and is read from the beginning.
        """
        store, entity, partition = self._services.store, self._entities[tp.topic], tp.partition
        field = entity.applied_field(partition)
        (now,) = await store.positions([field])
        if now != Position():
            return
        waiting, begin = await store.waiting(entity.name), Position(restored=1)
        for topic_id in ids:
            former = entity.applied_field(partition, topic_id)
            (position,) = await store.positions([former])
            stored = Stored(
                position, waiting.get((partition, topic_id), {}), bits=await self._bits(former, position, EVERYTHING)
            )
            restore = PartitionRestore(entity, partition, stored, EVERYTHING, topic_id=topic_id)
            await self._read([restore])
            ended = (await restore.finish(0)).level
            if self._epoch.ready.is_set():
                begin = ended.position._replace(applied=-1, restored=1)
            if ended.counted is None:
                await self._store.end_counted(former)
            # Else it stays: a worker that stood still may be about to count what it had delivered of the earlier topic.
            if restore.records:
                log.warning("%s[%d]: counted %d records of an earlier topic", tp.topic, partition, restore.records)
        changes = Changes(Tally(entity.contract), int(time.time() * 1000), applied=(field, Position(), begin))
        await entity.retry("begin a topic", lambda: store.apply(changes, restores=True))

    async def _bits(self, field: str, position: Position, known: int) -> Bits | None:
        """The offsets that are counted ahead of the applied one; None where the store has lost nothing."""
        blocks = await self._store.counted(field)
        return Bits(blocks) if blocks or known > position.applied + 1 else None

    async def _raw_begins(self, partitions: list[TP]) -> dict[TP, int]:
        consumer = self._consumer()
        if consumer is None or not partitions:
            return {}
        return {tp: int(offset) for tp, offset in (await consumer.earliest_offsets(*partitions)).items()}


class _BehindLog(Exception):
    """The store lacks what is committed in the log."""


class _TopicsRenewed(Exception):
    """A raw topic was created again while what is known of its partitions was read."""


async def _one_of(result: asyncio.Future[dict[TP, Level]], tp: TP) -> Level:
    return (await asyncio.shield(result))[tp]
