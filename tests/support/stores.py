"""The worker's store for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stream_app.store.writer import Store

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
