"""Compare the offsets of a worker's partitions with their logs, and with what is applied.

- Offsets that the log does not have any more before anybody read them are counted as lost: when a worker gets the partition,
  and when a fetch asks for one.
- A committed offset that no worker has committed is somebody's wish. What is applied is the truth: the partition is read on
  from there, and the status says what the wish comes to.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from stream_app.kafka.batches.alarms import FetchAlarms
from stream_app.settings import Settings
from stream_app.store.connection import UNAVAILABLE
from stream_app.store.losses import Gap, Loss, LossStore, loss_field
from stream_app.worker.entity import Entity
from stream_app.worker.lanes import Lanes
from stream_app.worker.ownership import Ownership

log = logging.getLogger("headrace.worker")
#: Seconds that the broker may take to answer.
ANSWER = 5.0
#: Seconds for which the heartbeat says what happened to offsets.
NOTED = 600.0
#: Errors after which the next round asks again.
PASSING = (KafkaError, TimeoutError, OSError, *UNAVAILABLE)


class OffsetWatch:
    """Watches the offsets of all entities of one worker."""

    def __init__(self, settings: Settings, alarms: FetchAlarms, consumer: Callable[[], Any]) -> None:
        """``consumer`` returns the worker's ``kafka.batches.consumer.BatchConsumer``."""
        self._settings, self._alarms, self._consumer = settings, alarms, consumer
        self._entities: Mapping[str, Entity] = {}
        self._lanes: Mapping[str, Lanes] = {}
        self._owner: Ownership
        self._id_of: Callable[[str], str]
        #: Entity → when something happened to its offsets that the heartbeat says for a while.
        self._noted: dict[str, float] = {}
        #: Partition → offset that was read, of a log that seems to end before it.
        self._shorter: dict[TP, int] = {}

    def begin(
        self, entities: Mapping[str, Entity], lanes: Mapping[str, Lanes], owner: Ownership, id_of: Callable[[str], str]
    ) -> None:
        """Take over what the worker has built. ``id_of`` returns the id of a topic."""
        self._entities, self._lanes, self._owner, self._id_of = entities, lanes, owner, id_of

    async def sought(self) -> dict[TP, int]:
        """Compare, once partitions are sought, their committed offsets and logs with what is applied.

        Returns the partitions to be read from another offset than the committed one: what is applied is the truth.
        """
        partitions = [tp for tp in self._consumer().assignment() if self._is_ours(tp)]
        try:
            client = self._consumer().client
            bounds, committed = await client.bounds(partitions, ANSWER), await client.committed_offsets(partitions)
            known = await self._known(partitions)
            await self._begin_losses({tp: bounds[tp][0] for tp in partitions if known[tp] is None})
            elsewhere: dict[TP, int] = {}
            for tp, expected in known.items():
                raw = tp.topic == self._entity_of(tp.topic).topics.raw
                offset, who = committed.get(tp, (expected, "worker"))
                if who == "former":
                    # Of the topic that had this name before: what a worker committed last that had not heard of the new one.
                    begin = bounds[tp][0]
                    offset = elsewhere[tp] = begin if expected is None or not raw else max(expected, begin)
                if expected is None or offset is None:
                    continue
                if raw and offset != expected and who == "somebody" and self._owner.tells_offsets_apart:
                    self._note_reset(tp, offset, expected, bounds[tp][0])
                    if offset > expected:
                        elsewhere[tp] = max(expected, bounds[tp][0])
                if (expected if raw else offset) < bounds[tp][0]:
                    await self._gap_at_start(tp, offset, bounds[tp][0])
        except PASSING as error:
            log.info("the offsets of partitions could not be compared (%s)", type(error).__name__)
            return {}
        return elsewhere

    async def _known(self, partitions: Iterable[TP]) -> dict[TP, int | None]:
        """Return partition → offset of the next record to apply; None where no worker has had the partition before."""
        fields = {self._field(tp): tp for tp in partitions}
        return {fields[field]: expected for field, expected in (await self._losses().expected(list(fields))).items()}

    async def _begin_losses(self, begins: Mapping[TP, int]) -> None:
        """Note where the partitions begin that no worker has had before: what was gone by then is not lost."""
        rows = {
            self._field(tp): Loss(self._entity_of(tp.topic).name, tp.topic, tp.partition, first=begin)
            for tp, begin in begins.items()
        }
        await self._losses().begin(rows)

    async def _gap_at_start(self, tp: TP, committed: int, begin: int) -> None:
        """Count what is gone between what is applied and where the log begins, when this worker gets the partition."""
        expected: int | None = committed
        entity = self._entity_of(tp.topic)
        if tp.topic == entity.topics.raw:
            await self._lanes[entity.name].idle(1.0)  # it may have had the partition, and be about to apply some
            expected = (await self._known([tp]))[tp]
        if expected is not None and expected < begin:
            await self._lost(tp, expected, begin)

    def _note_reset(self, tp: TP, offset: int, expected: int, begin: int) -> None:
        """Say what it means that somebody has set the committed offset of a raw partition."""
        where = f"somebody set the offset of {tp.topic}[{tp.partition}] to {offset}"
        if offset > expected:
            text = f"{where}; the records from {expected} on are not judged yet: they are read all the same"
        else:
            again = expected - max(offset, begin)
            text = (
                f"{where}: {again:,} records are read again and skipped, because they are counted already; "
                "`headrace rejudge` judges them again"
            )
        self._note(self._entity_of(tp.topic), text)

    async def explain(self, topics: Iterable[str]) -> set[str]:
        """Count as lost what a fetch asked for, and what the log of these topics does not have any more.

        Returns the topics to be asked for once more: a log that ends before what was read is mostly that of a topic that
        was created again, and the broker that was asked may not know yet.
        """
        self._forget_notes()
        asked, known = self._alarms.out_of_range(), set(topics)
        gaps = {tp: offset for tp, offset in asked.items() if tp.topic in known}
        again: set[str] = set()
        if not gaps:
            return again
        bounds = await self._consumer().client.bounds(gaps, ANSWER)
        for tp, offset in gaps.items():
            begin, end = bounds[tp]
            if offset < begin:
                await self._lost(tp, offset, begin)
            elif offset > end and self._shorter.pop(tp, None) != offset:
                self._shorter[tp] = offset
                again.add(tp.topic)
                continue
            elif offset > end:
                self._note(
                    self._entity_of(tp.topic),
                    f"{tp.topic}[{tp.partition}] ends at offset {end}, and was read up to {offset - 1}: the brokers have lost "
                    "records of it, and new ones are taken for known up to there; see their logs",
                )
            self._alarms.explained(tp, offset)
        return again

    def renewed(self, entity: Entity) -> None:
        """Forget what was said of a topic that has turned out to be another one."""
        self._shorter = {tp: offset for tp, offset in self._shorter.items() if tp.topic not in entity.topics.all}
        if self._noted.pop(entity.name, None) is not None:
            entity.services.health.note(f"{entity.name} topics", None)

    async def _lost(self, tp: TP, begin: int, end: int) -> None:
        entity = self._entity_of(tp.topic)
        settings = self._settings
        gap = Gap(entity.name, tp.topic, tp.partition, begin, end)
        people = settings.monitor and bool(settings.notify)
        more = await self._losses().note(self._field(tp), gap, topic=settings.monitor, people=people)
        if more:
            log.error(
                "%s: the log of %s[%d] begins at offset %d, and %d was the next one to read: at most %d records are lost. "
                "Lengthen the topic's retention, or add workers; send the records again if their source has them",
                entity.name, tp.topic, tp.partition, end, begin, more,
            )  # fmt: skip

    def _losses(self) -> LossStore:
        return next(iter(self._entities.values())).services.store.losses

    def _field(self, tp: TP) -> str:
        entity = self._entity_of(tp.topic)
        return loss_field(tp.topic, entity.topic_id if tp.topic == entity.topics.raw else self._id_of(tp.topic), tp.partition)

    def _is_ours(self, tp: TP) -> bool:
        return any(tp.topic in (entity.topics.raw, entity.topics.pending) for entity in self._entities.values())

    def _note(self, entity: Entity, text: str) -> None:
        """Say for a while what happened to an entity's topics."""
        log.warning("%s: %s", entity.name, text)
        self._noted[entity.name] = time.monotonic()
        entity.services.health.note(f"{entity.name} topics", text)

    def _forget_notes(self) -> None:
        for name in [name for name, moment in self._noted.items() if time.monotonic() - moment > NOTED]:
            del self._noted[name]
            self._entities[name].services.health.note(f"{name} topics", None)

    def _entity_of(self, topic: str) -> Entity:
        return next(entity for entity in self._entities.values() if topic in entity.topics.all)
