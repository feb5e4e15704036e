"""Remove unique keys that do not count any more, a period at a time."""

from __future__ import annotations

import asyncio
import re

import redis.asyncio

from stream_app.contract.model import Contract
from stream_app.counts.fields import text
from stream_app.judge.owners import NEIGHBOURS
from stream_app.store.keys import Keys

#: Keys that one command looks through or unlinks, and the seconds until the next: others are to be served in between.
_AT_ONCE, _PAUSE = 1_000, 0.01
#: Periods that are kept beyond those that records are compared with: other workers' partitions may be behind.
_MARGIN = 1
_SPECIAL = re.compile(r"([\[\]*?\\])")


class Expiry:
    """The periods of unique keys, for workers. Methods raise ``connection.UNAVAILABLE`` when Redis is away."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._redis, self._keys = client, Keys(prefix)

    async def sweep(self, contract: Contract, stream_ms: int) -> int:
        """Remove the keys that are too old to count; return the number of periods.

        ``stream_ms``: the event time that the stream has reached. A period is forgotten first, and its keys are removed then:
        a sweep that is interrupted goes on with the next one.
        """
        swept = 0
        for unique in contract.uniques:
            if unique.within_ms is None:
                continue
            oldest = stream_ms // max(1, unique.within_ms // NEIGHBOURS) - NEIGHBOURS - _MARGIN
            key = self._keys.unique(contract.entity, unique.rule.id)
            for period in await self._redis.hkeys(key):
                if int(period) < oldest:
                    pipe = self._redis.pipeline(transaction=True)
                    pipe.sadd(self._keys.expired_keys(), f"{key}/{int(period)}")
                    pipe.hdel(key, period)
                    await pipe.execute()
                    swept += 1
        for name in await self._redis.smembers(self._keys.expired_keys()):
            await self._remove(text(name))
        return swept

    async def _remove(self, name: str) -> None:
        await self._redis.unlink(name)
        cursor, pattern = 0, _SPECIAL.sub(r"\\\1", name) + "/*"
        while True:
            cursor, found = await self._redis.scan(cursor, match=pattern, count=_AT_ONCE)
            if found:
                await self._redis.unlink(*found)
            if not cursor:
                break
            await asyncio.sleep(_PAUSE)
        await self._redis.srem(self._keys.expired_keys(), name)

    async def note_memory(self, now_s: int) -> None:
        """Note how many bytes Redis uses, once per hour, for two days."""
        hour, key = now_s // 3_600, self._keys.memory_seen()
        if not await self._redis.hexists(key, str(hour)):
            used = int((await self._redis.info("memory")).get("used_memory", 0))
            await self._redis.hset(key, str(hour), str(used))
            old = [one for one in await self._redis.hkeys(key) if int(one) < hour - 48]
            if old:
                await self._redis.hdel(key, *old)
