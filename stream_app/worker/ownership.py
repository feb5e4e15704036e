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
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from aiokafka import TopicPartition
from faust.types import TP

from stream_app.kafka.epochs import GroupLog, LogNote
from stream_app.kafka.outcomes import is_empty
from stream_app.retries import GaveUp
from stream_app.store.connection import ServerUnverified
from stream_app.store.ownership import (
    EMPTYING,
    FORMAT,
    READY,
    REBUILDS,
    RESTORING,
    Missing,
    Owner,
    OwnershipStore,
    StoreState,
    is_same_store,
    new_store,
)
from stream_app.store.server import ServerFacts
from stream_app.windows.as_of import is_shown
from stream_app.worker.entity import Entity, Services
from stream_app.worker.levels import Levels

log = logging.getLogger("headrace.worker")
T = TypeVar("T")
#: Seconds between two looks at the state of the store, and while it is being restored.
_LOOK, _LOOK_RESTORING = 1.0, 0.1


class Ownership:
    """The store as one worker sees it. ``consumer`` returns Faust's, or None before it is there.

    Attributes:
        number: of the epoch in force; 0 before the store is verified.
        ready: set while every partition of the shop is level.
        rebuilds: True in an epoch that began with an empty store.
        tells_offsets_apart: the broker keeps the metadata of offsets, so that those of workers are known from others.
        levels: the partitions of this worker.
    """

    def __init__(self, consumer: Callable[[], Any]) -> None:
        self.number, self.rebuilds, self.tells_offsets_apart = 0, False, False
        self.ready = asyncio.Event()
        self.levels: Levels
        self._consumer = consumer
        self._services: Services
        self._entities: Mapping[str, Entity]
        self._store: OwnershipStore
        self._log: GroupLog
        self._owner = Owner()
        self._note = LogNote()
        self._verifying = asyncio.Lock()
        self._server = ""
        #: True while another server answers than the one that was verified.
        self._strange = False

    def on_server(self, facts: ServerFacts) -> None:
        """Note which server answers on a new connection of those who work with the store.

        Raises:
            ServerUnverified: it is another process than the one that was verified.
        """
        if self.number and facts.run_id is not None and facts.run_id != self._server:
            self._strange = True
            raise ServerUnverified(f"another Redis server answers at {facts.address}")

    async def open(self, services: Services, entities: Mapping[str, Entity]) -> None:
        """Verify the store for the first time.

        Raises:
            GaveUp: it is another shop's, or has to be rebuilt and HEADRACE_REBUILD is off.
        """
        settings = services.settings
        self._services, self._entities, self._store = services, entities, services.store.ownership
        self._log = GroupLog(settings, min(entity.topics.raw for entity in entities.values()))
        self.levels = Levels(self, services, entities, self._log, self._consumer)
        cluster = await self._retry("ask for the cluster's id", self._log.cluster_id)
        within = {
            f"{name} {one.rule.id}": one.within_ms for name, entity in entities.items() for one in entity.contract.uniques
        }
        contracts = {name: entity.contract.id for name, entity in sorted(entities.items())}
        self._owner = Owner(settings.group, settings.topic_prefix, cluster, tuple(sorted(entities)), FORMAT, within, contracts)
        await self.verify("")
        await self._say_incomplete()

    async def close(self) -> None:
        """End what is under way, and close the connection."""
        await self.levels.close()
        await self._log.close()

    def assigned(self, partitions: Iterable[TP]) -> None:
        """Restore partitions that are this worker's from now on, or whose topics changed."""
        self.levels.assigned(partitions)

    # --- verifying --------------------------------------------------------------------------------------------------

    async def changed(self, reason: str) -> None:
        """Verify the store again after a script refused to work, and wait until it is ready."""
        await self.verify(reason)
        await self.ready.wait()

    async def verify(self, reason: str) -> None:
        """Verify the store, unless another task does or has: then it is as that found it."""
        before = self.number
        async with self._verifying:
            if before == self.number and reason != "restoring":
                while not await self._retry("verify the store", partial(self._verify_once, reason)):
                    reason = ""
                self._strange = False

    async def _verify_once(self, reason: str) -> bool:
        """Adopt the epoch of the store, or open a new one; False when another worker was first."""
        state, server = await self._store.read(), await self._store.server()
        logged, note = await self._log.epoch()
        if problem := self._refusal(state, note):
            raise GaveUp(problem)
        # An offset that somebody else has set says nothing of what the store had. Some brokers cannot tell: they keep no notes.
        self.tells_offsets_apart = bool(note.store)
        self._note = LogNote(self._services.settings.redis_prefix, note.topics)
        if not state.epoch and not logged and await self._is_first():
            return await self._begin(state, new_store(), READY, server, "created")
        if not state.epoch:
            return await self._rebuild(state, server, "empty")
        same = not logged or is_same_store(logged, state.epoch)
        if state.state == READY and not same:
            return await self._rebuild(state, server, "foreign")
        # Keys of another layout would not be found. Two workers with different contracts must not take turns, though.
        if state.state == READY and not self.number and not self._owner.lays_out_as(state.owner):
            return await self._rebuild(state, server, "layout")
        # What this worker has noticed is of the epoch that it knows: another worker may have opened the next one.
        noticed = reason if state.epoch == self.number else ""
        if state.state == READY and noticed == "incomplete":
            return await self._rebuild(state, server, noticed)
        if state.server != server or noticed in ("serial", "behind") or (same and logged > state.epoch):
            kept = EMPTYING if state.state == EMPTYING else RESTORING
            number = max(state.epoch, logged if same else 0) + 1
            return await self._begin(state, number, kept, server, noticed or ("behind" if logged > state.epoch else "server"))
        if state.owner != self._owner:
            await self._store.claim(self._owner)
        await self._adopt(state)
        if logged != state.epoch:
            await self._log.put_epoch(state.epoch, self._note)
        return True

    def _refusal(self, state: StoreState, note: LogNote) -> str:
        """Why this store is not ours; empty if it is."""
        settings, owner, ours = self._services.settings, state.owner, self._owner
        prefix = settings.redis_prefix
        if not state.epoch:
            if note.store in ("", prefix):
                return ""
            return (
                f"the consumer group {settings.group} counts under the Redis prefix {note.store}, not {prefix}; give this "
                "worker another group with HEADRACE_GROUP, or, if the prefix was changed, run `headrace rebuild`"
            )
        cure = "give this shop a prefix of its own with HEADRACE_REDIS_PREFIX"
        if owner.group and (owner.group, owner.topics) != (ours.group, ours.topics):
            names = f"group {owner.group}, topics {owner.topics or 'without a prefix'}: {', '.join(owner.entities)}"
            return f"the Redis prefix {prefix} belongs to another shop ({names}); {cure}"
        if owner.is_another_shop(ours):
            theirs = ", ".join(owner.contracts.values())
            return (
                f"the Redis prefix {prefix} belongs to another shop (contracts {theirs}); give this shop a "
                "HEADRACE_REDIS_PREFIX, HEADRACE_GROUP and HEADRACE_TOPIC_PREFIX of its own, or, if the ids of its contracts "
                "were changed, run `headrace rebuild`"
            )
        if owner.cluster and ours.cluster and owner.cluster != ours.cluster:
            return (
                f"the Redis prefix {prefix} was made of the Kafka cluster {owner.cluster}, and this is {ours.cluster}; {cure}, "
                "or, if the cluster was replaced, run `headrace rebuild`"
            )
        return ""

    async def _is_first(self) -> bool:
        """True if nothing was ever committed or delivered: the store is empty because there was nothing yet."""
        counts = {one: await self._partitions(one) for one in self._entities.values()}
        raw = [TopicPartition(one.topics.raw, number) for one, count in counts.items() for number in range(count)]
        if any(offset > 0 for offset in (await self._log.committed(raw)).values()):
            return False
        # A group's offsets expire when it has not been used for a while.
        delivered = [
            TopicPartition(topic, number)
            for one, count in counts.items()
            for topic in (one.topics.clean, one.topics.dead_letter)
            for number in range(count)
        ]
        return await is_empty(self._services.settings, delivered)

    async def _rebuild(self, state: StoreState, server: str, reason: str) -> bool:
        settings = self._services.settings
        if not settings.rebuild:
            raise GaveUp(
                f"{_said(reason, settings.redis_prefix)}; HEADRACE_REBUILD=off forbids that. Run `headrace rebuild`, or set "
                "HEADRACE_REBUILD=on"
            )
        return await self._begin(state, new_store(), EMPTYING, server, reason)

    async def _begin(self, state: StoreState, number: int, stage: str, server: str, reason: str) -> bool:
        now = int(time.time() * 1000)
        if state.state != READY and state.reason in REBUILDS:
            reason = state.reason  # goes on in another epoch
        begun = await self._store.begin(
            state.epoch, number, state=stage, server=server, owner=self._owner, reason=reason, now_ms=now
        )
        if not begun:
            return False
        if stage != READY:
            log.warning("%s", _said(reason, self._services.settings.redis_prefix))
        await self._log.put_epoch(number, self._note)
        self.tells_offsets_apart = bool((await self._log.epoch())[1].store)
        await self._adopt(await self._store.read())
        return True

    async def _adopt(self, state: StoreState) -> None:
        if state.state == EMPTYING:
            await self._store.empty(state.epoch)
            await self._services.store.describe(entity.contract for entity in self._entities.values())
        self._store.verified(state)
        self._server, self.rebuilds = state.server, state.reason in REBUILDS
        if state.state == READY:
            self._set_ready()
        else:
            self.ready.clear()
        if state.epoch != self.number:
            self.number = state.epoch
            for entity in self._entities.values():
                entity.lose_store()
            self.levels.begin_epoch()

    # --- following --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the state of the store, for ever."""
        looked = 0.0
        while True:
            await asyncio.sleep(_LOOK_RESTORING)
            self.levels.check()
            if self._strange:
                await self.verify("server")
            if self.ready.is_set() and time.monotonic() - looked < _LOOK:
                continue
            looked = time.monotonic()
            serial = self._store.serial
            state = await self._retry("read the state of the store", self._store.read)
            if state.epoch != self.number or state.serial < serial:
                await self.verify("serial" if state.epoch == self.number else "epoch")
            elif state.state == READY:
                self._go_on()
            if not self.ready.is_set():
                await self._say_progress(state)

    def _go_on(self) -> None:
        if not self.ready.is_set():
            self._set_ready()
            log.warning("the store is level with the log again")

    def _set_ready(self) -> None:
        self.ready.set()
        self._services.health.note("store", None)

    async def are_level(self, entities: Collection[str]) -> bool:
        """Return True if all raw partitions of these entities are level."""
        if self.ready.is_set():
            return True
        level = await self._retry("read which partitions are level", self._store.level_partitions)
        return level.issuperset(await self._raw_partitions(one for one in self._entities.values() if one.name in entities))

    async def say_level(self, fields: Sequence[str]) -> None:
        """Say that raw partitions (``Entity.applied_field``) are level."""
        if await self._store.level(fields, await self._raw_partitions(self._entities.values())) == READY:
            self._go_on()

    async def _say_progress(self, state: StoreState) -> None:
        level, counted = await self._retry("read how far the store is", self._store.restored)
        if self.ready.is_set():
            return  # meanwhile
        text = f"is restored from the topics ({state.reason}): {level} partitions are level"
        self._services.health.note("store", f"{text}, {counted:,} records counted again in the others" if counted else text)

    async def say_missing(self, field: str, missing: Missing) -> None:
        """Say what no topic has any more of a partition."""
        await self._store.missing(field, missing)
        await self._say_incomplete()

    async def _say_incomplete(self) -> None:
        """Say where no topic has all outcomes any more."""
        for field, missing in (await self._retry("read what is missing", self._store.incomplete)).items():
            topic, _, partition = field.rpartition("/")
            text = f"counts are incomplete: retention has taken the outcomes of at most {missing.records:,} records"
            if missing.since > 0 and is_shown(missing.since):
                text += f" before {datetime.fromtimestamp(missing.since / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
            self._services.health.note(f"{topic.rpartition('/')[0]}[{partition}]", text)

    async def note_topics(self) -> Mapping[str, Sequence[str]]:
        """Return raw topic → the ids that topics of this name have had, the present one last."""
        topics = dict(self._note.topics)
        for entity in self._entities.values():
            ids = topics.get(entity.topics.raw, ())
            if entity.topic_id and entity.topic_id not in ids:
                ids = topics[entity.topics.raw] = (*ids, entity.topic_id)
            entity.topic_ids = ids
        if topics != self._note.topics:
            note = LogNote(self._note.store, topics)
            await self._log.put_epoch(self.number, note)
            self._note = note
        return topics

    async def _raw_partitions(self, entities: Iterable[Entity]) -> list[str]:
        return [one.applied_field(number) for one in entities for number in range(await self._partitions(one))]

    async def _partitions(self, entity: Entity) -> int:
        producer = self._services.producer.current
        return len(await asyncio.wait_for(producer.partitions_for(entity.topics.raw), 10.0))

    async def _retry(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        return await self._services.retry("store", what, action)


def _said(reason: str, prefix: str) -> str:
    said = {
        "empty": "is empty, and the topics are not: it is rebuilt from them",
        "foreign": "is not the one that this log knows: it is rebuilt from the topics",
        "incomplete": "has lost keys that Redis evicted: it is rebuilt from the topics",
        "layout": "was laid out by another version, or for another `within`: it is rebuilt from the topics",
        "asked": "is rebuilt from the topics, as `headrace rebuild` asked",
        "server": "is answered by another server process: it is compared with the log",
    }
    text = said.get(reason, "has lost its last writes: they are restored from the log")
    return f"the store under the Redis prefix {prefix} {text}"
