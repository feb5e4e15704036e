"""What workers have learned of usual numbers: histograms by week, and the baseline that is in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import redis.asyncio

from stream_app.contract.model import Contract
from stream_app.judge.baseline import WEEKS, Baseline, build, enough, parent_levels
from stream_app.judge.related import Known
from stream_app.store.keys import Keys
from stream_app.store.scripts import PROMOTE, pack

#: Names that a look into a histogram asks for at a time: Redis answers nobody else meanwhile.
_PAGE = 2_000


class LearnedStore:
    """Reads and writes baselines. Methods raise what ``redis`` raises when it is away."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._redis, self._prefix, self._keys = client, prefix, Keys(prefix)
        self._promote = client.register_script(PROMOTE)

    async def version(self, entity: str) -> int:
        """The version in force; 0 when there is none yet."""
        return int(await self._redis.hget(self._keys.baseline(entity), "version") or 0)

    async def baseline(self, entity: str) -> Baseline | None:
        """The baseline in force; ``None`` when there is none yet."""
        document = await self._redis.hget(self._keys.baseline(entity), "document")
        return None if document is None else Baseline.from_json(document)

    async def renew(self, contract: Contract) -> bool:
        """Make and put in force a new version where enough has been learned since the last; says whether it did."""
        entity = contract.entity
        names = ("version", "learned", "from", "week")
        version, learned, made_of, week = (
            int(value or 0) for value in await self._redis.hmget(self._keys.baseline(entity), names)
        )
        weeks = {rule: await self._weeks(entity, rule) for rule in (one.rule.id for one in contract.outliers)}
        newest = max((max(found, default=0) for found in weeks.values()), default=0)
        if not enough(learned, made_of, new_week=newest > week):
            return False
        histograms = {rule: await self._histograms(entity, rule, found[-WEEKS:]) for rule, found in weeks.items()}
        parents = await self._parents(contract, histograms)
        made = await asyncio.to_thread(build, version + 1, contract.outliers, histograms, parents, learned)
        payload = {
            "entity": entity, "expected": version, "version": made.version, "document": made.to_json(),
            "learned": learned, "week": newest,
        }  # fmt: skip
        done = bool(await self._promote(args=[self._prefix, pack(payload)]))
        for rule, found in weeks.items():
            for old in found[:-WEEKS]:
                await self._redis.unlink(self._keys.learned(entity, rule, old))
                await self._redis.hdel(self._keys.learned_weeks(entity, rule), str(old))
        return done

    async def _weeks(self, entity: str, rule: str) -> list[int]:
        return sorted(int(week) for week in await self._redis.hkeys(self._keys.learned_weeks(entity, rule)))

    async def _histograms(self, entity: str, rule: str, weeks: list[int]) -> dict[str, dict[int, int]]:
        merged: dict[str, dict[int, int]] = {}
        for week in weeks:
            key, cursor = self._keys.learned(entity, rule, week), 0
            found: dict[bytes, bytes] = {}
            while True:  # a page may repeat names: within a week the last one counts
                answer: Any = await self._redis.hscan(key, cursor, count=_PAGE)
                cursor, page = answer
                found.update(page)
                if not cursor:
                    break
            for name, count in found.items():
                group, _, place = name.decode().rpartition("|")
                into = merged.setdefault(group, {})
                into[int(place)] = into.get(int(place), 0) + int(count)
        return merged

    async def _parents(self, contract: Contract, histograms: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """Level → group of the finest level → its group there, by what is known of the records that groups refer to."""
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
