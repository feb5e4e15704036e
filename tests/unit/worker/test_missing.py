"""A restore names the records whose outcomes no topic has any more: their number, their partition, and the time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from stream_app.contract import load_shop
from stream_app.names import Topics
from stream_app.position import Position
from stream_app.store.changes import Changes
from stream_app.store.ownership import Missing
from stream_app.worker.health import Health
from stream_app.worker.ownership import Ownership
from stream_app.worker.restore import EVERYTHING, Bits, PartitionRestore, Stored

FIELD = "orders/id-1/0"


async def at_once(_what: str, action: Callable[[], Awaitable[Any]]) -> Any:
    return await action()


def partition(applied: int, counted: Iterable[int], known: int) -> PartitionRestore:
    """A partition of orders that is applied up to an offset, with others counted ahead, and known up to a third."""

    async def apply(_changes: Changes, *, restores: bool) -> None:
        assert restores

    entity: Any = SimpleNamespace(topics=Topics("orders", ""), topic_id="id-1", contract=load_shop(None).contracts["orders"])
    entity.services, entity.retry = SimpleNamespace(store=SimpleNamespace(apply=apply)), at_once
    entity.applied_field, entity.first_topic_id = lambda *_: FIELD, "id-1"
    bits = Bits()
    for offset in counted:
        bits.add(offset)
    return PartitionRestore(entity, 0, Stored(Position(applied), {}, bits=bits), known)


@pytest.mark.parametrize(
    ("counted", "known", "raw_begin", "missing", "applied", "rewind"),
    [
        ([*range(10, 100)], 100, 0, 0, 99, None),
        # The raw topic has 20 to 59 still: they are judged again.
        ([*range(10, 20), *range(60, 100)], 100, 0, 0, 19, 20),
        # It begins at 50.
        ([*range(10, 20), *range(60, 100)], 100, 50, 30, 49, 50),
        ([*range(10, 20), *range(60, 100)], 100, 60, 40, 99, None),
        ([], 100, 100, 90, 99, None),
        # Records behind those that were known are none that were counted.
        ([], 100, 500, 90, 99, None),
        # The offsets of the group have expired: what was delivered last is known.
        ([*range(10, 20), *range(60, 100)], EVERYTHING, 500, 40, 99, None),
    ],
)
def test_what_neither_the_raw_topic_nor_another_has_is_missing(
    counted: list[int], known: int, raw_begin: int, missing: int, applied: int, rewind: int | None
) -> None:
    found = asyncio.run(partition(9, counted, known).finish(raw_begin))
    assert (found.missing.records, found.level.position.applied, found.rewind) == (missing, applied, rewind)


@pytest.mark.parametrize(("first", "since"), [(0, 0), (7, 1_700_000_000_000)])
def test_outcomes_are_kept_since_the_first_record_of_a_topic_whose_beginning_is_gone(first: int, since: int) -> None:
    restore = partition(9, [], 100)
    record = SimpleNamespace(offset=first, timestamp=1_700_000_000_000, headers=())
    (topic,) = [one for one in restore.begin if one.topic == "orders.clean"]

    async def run() -> int:
        await restore.take(topic, [record], first + 1)
        return (await restore.finish(100)).missing.since

    assert asyncio.run(run()) == since


@pytest.mark.parametrize(("since", "before"), [(1_700_000_000_000, " before 2023-11-14 22:13:20 UTC"), (0, ""), (2**62, "")])
def test_status_says_of_which_partition_outcomes_are_missing(since: int, before: str) -> None:
    health, stored = Health(), dict[str, Missing]()

    async def missing(field: str, found: Missing) -> None:
        stored[field] = found

    async def incomplete() -> dict[str, Missing]:
        return stored

    async def run() -> None:
        ownership = Ownership(lambda: None)
        store: Any = SimpleNamespace(missing=missing, incomplete=incomplete)
        services: Any = SimpleNamespace(health=health, retry=lambda _subject, what, action: at_once(what, action))
        ownership._store, ownership._services = store, services  # noqa: SLF001 - without a Redis
        await ownership.say_missing(FIELD, Missing(1_234, since))

    asyncio.run(run())
    text = f"counts are incomplete: retention has taken the outcomes of at most 1,234 records{before}"
    assert health.notes() == {"orders[0]": text}
