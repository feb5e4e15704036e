"""Baselines in Redis: histograms of the numbers that workers learned, by week, and the version in force made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import redis.asyncio

from stream_app.contract.model import Contract
from stream_app.judge.baseline import WEEKS, Baseline, build, enough, parent_levels
from stream_app.judge.related import Known
from stream_app.store.keys import Keys
from stream_app.store.scripts import load, pack

#: Fields of a histogram that are read at a time: Redis answers nobody else meanwhile (some 10 ms).
_PAGE = 20_000
#: Milliseconds that a worker may take for a new version; then another one may make it.
_TURN = 10_000


class BaselineStore:
    """Reads and writes baselines. Methods raise ``connection.UNAVAILABLE`` when Redis is away."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._redis, self._keys = client, Keys(prefix)
        self._promote = load(client, "promote_baseline")

    async def baseline(self, entity: str) -> Baseline | None:
        """Return the baseline in force; ``None`` before the first."""
        document = await self._redis.hget(self._keys.baseline(entity), "document")
        return None if document is None else Baseline.from_json(document)

    async def renew(self, contract: Contract) -> int:
        """Make a new version and put it in force if enough was learned since the last; returns the version in force.

        One worker makes a version; others meanwhile continue with the last.
        """
        entity, rules = contract.entity, [one.rule.id for one in contract.outliers]
        pipe = self._redis.pipeline(transaction=False)
        pipe.hmget(self._keys.baseline(entity), ("version", "learned", "from", "week"))
        for rule in rules:
            pipe.hkeys(self._keys.learned_weeks(entity, rule))
        (version, learned, made_of, week), *found = await pipe.execute()
        version, learned, made_of = int(version or 0), int(learned or 0), int(made_of or 0)
        weeks = {rule: sorted(map(int, some)) for rule, some in zip(rules, found, strict=True)}
        newest = max((max(some, default=0) for some in weeks.values()), default=0)
        turn = self._keys.baseline_turn(entity)
        if not enough(learned, made_of, new_week=newest > int(week or 0)) or not await self._redis.set(
            turn, "1", nx=True, px=_TURN
        ):
            return version
        try:
            histograms = {rule: await self._histograms(entity, rule, some[-WEEKS:]) for rule, some in weeks.items()}
            parents = await self._parents(contract, histograms)
            made = await asyncio.to_thread(build, version + 1, contract.outliers, histograms, parents, learned)
            payload = {
                "expected": version, "version": made.version, "document": made.to_json(), "learned": learned, "week": newest,
            }  # fmt: skip
            done = bool(await self._promote(keys=[self._keys.baseline(entity)], args=[pack(payload)]))
            for rule, some in weeks.items():
                for old in some[:-WEEKS]:
                    await self._redis.unlink(self._keys.learned(entity, rule, old))
                    await self._redis.hdel(self._keys.learned_weeks(entity, rule), str(old))
        finally:
            await self._redis.unlink(turn)
        return made.version if done else version

    async def _histograms(self, entity: str, rule: str, weeks: list[int]) -> dict[str, dict[int, int]]:
        merged: dict[bytes, dict[int, int]] = {}
        for week in weeks:
            key, cursor = self._keys.learned(entity, rule, week), 0
            found: dict[bytes, bytes] = {}
            while True:  # a page may repeat fields: within a week the last one counts
                answer: Any = await self._redis.hscan(key, cursor, count=_PAGE)
                cursor, page = answer
                found.update(page)
                if not cursor:
                    break
            for name, count in found.items():
                group, _, bucket = name.rpartition(b"|")
                into = merged.get(group)
                if into is None:
                    into = merged[group] = {}
                into[int(bucket)] = into.get(int(bucket), 0) + int(count)
        return {group.decode(): histogram for group, histogram in merged.items()}

    async def _parents(self, contract: Contract, histograms: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """Level → group of the finest level → its group at that level, by the fields of the records that groups refer to."""
        parents: dict[str, dict[str, str]] = {}
        for level, entity, name, groups in parent_levels(contract, histograms):
            found = parents.setdefault(level, {})
            for begin in range(0, len(groups), 1000):
                some = groups[begin : begin + 1000]
                for group, raw in zip(some, await self._redis.hmget(self._keys.references(entity), some), strict=True):
                    value = Known.from_json(raw).values.get(name) if raw is not None else None
                    if value is not None:
                        found[group] = str(value)
        return parents
