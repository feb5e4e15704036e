"""A worker says that the store is restored only while it is, and knows whose the committed offsets are."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from stream_app.kafka.epochs import LogNote
from stream_app.store.ownership import READY, RESTORING, Owner, StoreState
from stream_app.worker.health import Health
from stream_app.worker.ownership import Ownership


class Verified(Ownership):
    """The store as ``state`` says it is, without a Redis and a Kafka."""

    def __init__(self, health: Health) -> None:
        super().__init__(lambda: None)
        store: Any = SimpleNamespace(restored=self.restored, verified=lambda _: None)
        services: Any = SimpleNamespace(health=health, retry=lambda _subject, _what, action: action())
        levels: Any = SimpleNamespace(begin_epoch=lambda: None)
        self._store, self._entities, self._services, self.levels = store, {}, services, levels

    async def restored(self) -> tuple[int, int]:
        return 3, 0

    async def looks(self, state: str) -> None:
        """Take a state of the store as it is read."""
        found = StoreState(epoch=2, state=state, reason="behind")
        await self._adopt(found)
        if not self.ready.is_set():
            await self._say_progress(found)

    def knows(self, log: Any, note: LogNote, entities: Any) -> None:
        """Have entities, and a note of the log."""
        self._log, self._note, self._entities = log, note, entities

    async def begins(self, log: Any, store: Any) -> None:
        """Open the first epoch of a shop."""
        self._log, self._store, self._note = log, store, LogNote("shop")
        assert await self._begin(StoreState(), 1, READY, "server", "created")


def test_nothing_is_said_of_a_restore_that_another_worker_has_finished_meanwhile() -> None:
    """This worker learns it when it verifies the store, not from its own partitions."""
    health = Health()

    async def run() -> None:
        store = Verified(health)
        await store.looks(RESTORING)
        assert "3 partitions are level" in health.notes()["store"]
        await store.looks(READY)
        assert store.ready.is_set()

    asyncio.run(run())
    assert health.notes() == {}


@pytest.mark.parametrize("keeps_notes", [True, False])
def test_the_first_worker_of_a_shop_tells_offsets_apart_where_the_broker_keeps_notes(*, keeps_notes: bool) -> None:
    """It is the one that puts the first note there."""
    logged: list[tuple[int, LogNote]] = []

    async def put_epoch(number: int, note: LogNote) -> None:
        logged.append((number, note if keeps_notes else LogNote()))

    async def epoch() -> tuple[int, LogNote]:
        return logged[-1]

    async def begin(*_: object, **__: object) -> bool:
        return True

    async def read() -> StoreState:
        return StoreState(epoch=1, state=READY, reason="created", owner=Owner())

    async def run() -> None:
        store = Verified(Health())
        log = SimpleNamespace(put_epoch=put_epoch, epoch=epoch)
        await store.begins(log, SimpleNamespace(begin=begin, read=read, verified=lambda _: None))
        assert store.tells_offsets_apart is keeps_notes

    asyncio.run(run())


def test_the_id_of_a_topic_that_could_not_be_noted_is_noted_with_the_next_attempt() -> None:
    """Else nobody would know afterwards which records are of the topic in between."""
    logged: list[LogNote] = []
    failures = [KafkaTimeoutError()]

    async def put_epoch(_number: int, note: LogNote) -> None:
        if failures:
            raise failures.pop()
        logged.append(note)

    async def run() -> None:
        store = Verified(Health())
        entity = SimpleNamespace(topics=SimpleNamespace(raw="orders"), topic_id="id-2", topic_ids=())
        store.knows(SimpleNamespace(put_epoch=put_epoch), LogNote("shop", {"orders": ("id-1",)}), {"orders": entity})
        with pytest.raises(KafkaTimeoutError):
            await store.note_topics()
        for _ in range(2):
            assert await store.note_topics() == {"orders": ("id-1", "id-2")}

    asyncio.run(run())
    assert logged == [LogNote("shop", {"orders": ("id-1", "id-2")})]
