"""A worker says that the store is restored only while it is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from stream_app.store.ownership import READY, RESTORING, StoreState
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
