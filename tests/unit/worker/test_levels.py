"""A restore concludes nothing from what it read of two different topics of the same name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from stream_app.names import Topics
from stream_app.position import Position
from stream_app.store.keys import applied_field
from stream_app.worker.levels import Levels

OLD, NEW, RAW = "id-1", "id-2", TP("orders", 0)


class World:
    """A store that has applied all of the old topic, a log in which that is committed, and an epoch in force.

    ``switch_at``: the question during which the worker switches to the new topic.
    """

    def __init__(self, switch_at: str) -> None:
        topics = Topics("orders", "")
        contract = SimpleNamespace(references=())
        entity: Any = SimpleNamespace(name="orders", topics=topics, topic_id=OLD, reached={}, contract=contract)
        entity.applied_field = lambda partition: applied_field("orders", entity.topic_id, partition)
        entity.settled_field = lambda partition: f"{topics.pending}/{partition}"
        entity.levels, entity.services = {}, SimpleNamespace(health=SimpleNamespace(move=lambda *_: None))
        self.entity = entity
        self.stored = {applied_field("orders", OLD, 0): Position(29)}
        self.commits: dict[TP, int] = {}
        self.switch_at, self.asked, self.verified = switch_at, 0, list[str]()
        self.number, self.rebuilds, self.tells_offsets_apart, self.ready = 1, False, True, asyncio.Event()
        self.ready.set()
        ownership = SimpleNamespace(settled_at=self.settled_at, counted=self.counted)
        self.store = SimpleNamespace(ownership=ownership, positions=self.positions)
        services: Any = SimpleNamespace(store=self.store, retry=lambda _subject, _what, action: action())
        log: Any = SimpleNamespace(committed=self.committed)
        self.levels = Levels(self, services, {"orders": self.entity}, log, lambda: None)

    def _answer(self, question: str) -> None:
        self.asked += question == self.switch_at
        if question == self.switch_at and self.asked == 1:
            self.entity.topic_id = NEW
            self.stored[applied_field("orders", NEW, 0)] = Position(restored=1)

    async def note_topics(self) -> dict[str, list[str]]:
        self._answer("noted")
        return {"orders": [OLD]}

    async def committed(self, partitions: Sequence[TP], by_workers: Mapping[str, str] | None = None) -> dict[TP, int]:
        assert set(by_workers or ()) <= {RAW.topic}, "the id of a raw topic says nothing of offsets of the pending one"
        if self.commits:
            return self.commits
        committed = {RAW: 30} if self.entity.topic_id == OLD else {RAW: 0}
        self._answer("committed")
        return committed

    async def positions(self, fields: list[str]) -> list[Position]:
        self._answer("positions")
        return [self.stored.get(field, Position()) for field in fields]

    async def settled_at(self, fields: list[str]) -> list[tuple[int, int]]:
        return [(0, 0) for _ in fields]

    async def counted(self, field: str) -> dict[int, bytes]:
        self._answer("counted")
        return {}

    async def verify(self, reason: str) -> None:
        self.verified.append(reason)
        self.number += 1

    async def say_level(self, fields: Sequence[str]) -> None:
        pass

    async def are_level(self, _entities: object) -> bool:
        return True

    async def say_missing(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("switch_at", ["noted", "committed", "positions", "counted"])
def test_a_store_is_not_behind_because_a_topic_is_created_again_during_the_restore(
    switch_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Restore:
        """A restore that has nothing to read."""

        def __init__(self, entity: Any, partition: int, stored: Any, *_: object) -> None:
            self.field, self.settles_only, self.lost = entity.applied_field(partition), False, False
            self.bits, self.records, self.stored = None, 0, stored.position
            self.begin: dict[str, int] = {}

        async def finish(self, _begin: int) -> Any:
            level = SimpleNamespace(position=self.stored, counted=())
            return SimpleNamespace(level=level, missing=SimpleNamespace(records=0), rewind=None)

    async def run() -> Position:
        world = World(switch_at)
        monkeypatch.setattr(world.levels, "_read", lambda _: asyncio.sleep(0))
        world.levels.assigned([RAW])
        found = await world.levels.level(world.entity, 0)
        assert world.verified == []
        return found.position

    monkeypatch.setattr("stream_app.worker.levels.PartitionRestore", Restore)
    assert asyncio.run(run()) == Position(restored=1)


def test_offsets_of_a_pending_topic_are_not_compared_with_the_id_of_the_raw_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that wait are read again only from before what is committed."""
    rewound: list[tuple[TP, int]] = []

    async def run() -> None:
        world, pending = World("never"), TP("orders.pending", 0)
        world.entity.contract.references = (SimpleNamespace(to_entity="orders"),)
        consumer = SimpleNamespace(rewind=lambda tp, offset: rewound.append((tp, offset)))

        async def waiting(_: str) -> dict[tuple[int, str], dict[int, int]]:
            return {(0, OLD): {7: 3}}

        world.store.waiting, world.commits = waiting, {pending: 9}
        monkeypatch.setattr(world.levels, "_consumer", lambda: consumer)
        world.levels.assigned([pending])
        for _ in range(50):
            await asyncio.sleep(0)
        await world.levels.close()

    monkeypatch.setattr("stream_app.worker.levels.PartitionRestore", lambda *_, **__: SimpleNamespace(begin={}))
    asyncio.run(run())
    assert rewound[:1] == [(TP("orders.pending", 0), 3)]
