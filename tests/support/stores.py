"""The worker's store for a moment, changes that records make to it, and everything that is in a database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from stream_app.contract import load_shop
from stream_app.counts.tally import Outcome, Tally
from stream_app.judge import Judge
from stream_app.store.changes import Changes
from stream_app.store.keys import Keys, applied_field
from stream_app.store.writer import Store
from tests.support.stream import BEGIN, Raw

#: The built-in shop, its keys, and the partition that ``changes`` are of.
SHOP = load_shop(None)
KEYS = Keys("headrace")
FIELD = applied_field("orders", "", 0)
T = TypeVar("T")


def with_store(redis_url: str, action: Callable[[Store], Awaitable[T]]) -> T:
    """The result of a function that gets a store."""

    async def body() -> T:
        store = Store(redis_url, "headrace")
        try:
            return await action(store)
        finally:
            await store.close()

    return asyncio.run(body())


def changes(records: list[tuple[Raw, Outcome]], *, entity: str = "orders", waited: bool = False, **more: Any) -> Changes:
    """Changes that these records make to the store."""
    contract = SHOP.contracts[entity]
    judge, tally = Judge(contract), Tally(contract)
    for number, (raw, outcome) in enumerate(records):
        tally.add(judge.judge(raw.value, BEGIN * 1000), outcome, f"{entity}:0:{number}", waited=waited)
    return Changes(tally, 1, **more)


def everything(client: Any) -> dict[str, object]:
    """The contents of the database."""
    return {key: client.dump(key) if client.type(key) == "string" else contents(client, key) for key in client.scan_iter()}


def contents(client: Any, key: str) -> object:
    readers = {"hash": client.hgetall, "set": client.smembers}
    kind = client.type(key)
    if kind == "list":
        return client.lrange(key, 0, -1)
    return client.zrange(key, 0, -1) if kind == "zset" else readers[kind](key)
