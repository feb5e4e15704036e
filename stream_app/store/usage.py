"""Memory of Redis by kind, and when it is full: an estimate at a bounded cost."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
import redis.exceptions

from stream_app.contract.summary import ContractSummary
from stream_app.store.connection import reading
from stream_app.store.keys import Keys

#: Kinds, and the second parts of the names of their keys.
KINDS: Mapping[str, tuple[str, ...]] = {
    "keys": ("uniq", "uniq-expired"),
    "references": ("ref",),
    "windows": ("win", "wins"),
    "sketches": ("hll", "hll-ever"),
    "sets": ("set", "seg"),
    "learned": ("learned", "baseline"),
}
OTHER = "other"
#: Keys that are looked through, keys of a kind whose memory is asked for, and elements of each of these that Redis weighs.
_LOOKED_THROUGH, _ASKED, _WEIGHED = 5_000, 60, 20
_AT_ONCE = 500
#: Seconds for which an answer is used again.
_KEPT = 60.0
_KIND_OF = {part: kind for kind, parts in KINDS.items() for part in parts}


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of Redis, in bytes.

    Attributes:
        used: by all of Redis.
        limit: ``maxmemory``, else the memory of the machine; 0 if neither is known.
        kinds: kind (``KINDS``, ``OTHER``) → bytes, estimated.
        per_day: by how much ``used`` has grown per day, over the last two days at most; ``None`` before the second hour.
    """

    used: int
    limit: int
    kinds: Mapping[str, int]
    per_day: float | None

    @property
    def days_left(self) -> float | None:
        """Days until the limit is reached at the present growth; ``None`` if it is unknown or there is no growth."""
        if not self.limit or self.per_day is None or self.per_day <= 0:
            return None
        return max(0, self.limit - self.used) / self.per_day

    def to_json(self) -> dict[str, Any]:
        """Return what ``headrace status --json`` prints."""
        return {
            "used": self.used,
            "limit": self.limit,
            "kinds": dict(self.kinds),
            "per_day": None if self.per_day is None else round(self.per_day),
            "days_left": None if self.days_left is None else round(self.days_left, 1),
        }


class MemoryReader:
    """Reads the memory of the keys under one prefix; an answer is kept for a minute."""

    def __init__(self, client: redis.Redis, prefix: str, contracts: Callable[[], Mapping[str, ContractSummary]]) -> None:
        """``contracts``: returns those that workers have announced."""
        self._client: Any = client
        self._keys = Keys(prefix)
        self._contracts = contracts
        self._read: tuple[float, Memory | None] | None = None

    def read(self) -> Memory | None:
        """Return the memory; ``None`` if this user may not ask for it.

        Raises:
            StoreError: Redis is down.
        """
        now = time.monotonic()
        if self._read is None or now - self._read[0] > _KEPT:
            with reading(self._client, self._keys.prefix):
                self._read = now, self._allowed()
        return self._read[1]

    def _allowed(self) -> Memory | None:
        try:
            return self._measured()
        except redis.exceptions.NoPermissionError:
            return None

    def _measured(self) -> Memory:
        info = self._client.info("memory")
        used = int(info.get("used_memory", 0))
        limit = int(info.get("maxmemory") or info.get("total_system_memory") or 0)
        seen = {int(hour): int(value) for hour, value in self._client.hgetall(self._keys.memory_seen()).items()}
        return Memory(used, limit, self._by_kind(), growth(seen, used, time.time() / 3_600))

    def _by_kind(self) -> dict[str, int]:
        """Weigh some keys of each kind, and take them for all of it.

        A hash or a set is one key, whatever its size; windows, sketches and buckets of keys are many of about one size. A
        scan that does not reach the end has seen a fair sample of the latter; the former are asked for by name.
        """
        prefix, found = self._keys.prefix + ":", defaultdict[str, set[str]](set)
        large = set(self._large())
        cursor, seen = 0, 0
        while True:
            cursor, names = self._client.scan(cursor, count=_AT_ONCE)
            seen += len(names)
            for name in names:
                if name.startswith(prefix) and name not in large:
                    found[_KIND_OF.get(name[len(prefix) :].split(":", 1)[0], OTHER)].add(name)
            if not cursor or seen >= _LOOKED_THROUGH:
                break
        # Redis answers a scan in an order that has nothing to do with names.
        scale = 1.0 if not cursor else max(1.0, (self._client.dbsize() - len(large)) / max(1, seen))
        kinds = dict.fromkeys((*KINDS, OTHER), 0)
        for kind, names in found.items():
            weights = self._weigh(sorted(names)[:: max(1, len(names) // _ASKED)])
            kinds[kind] += round(sum(weights) / max(1, len(weights)) * len(names) * scale)
        for name, weight in zip(sorted(large), self._weigh(sorted(large)), strict=True):
            kinds[_KIND_OF.get(name[len(prefix) :].split(":", 1)[0], OTHER)] += weight
        return kinds

    def _large(self) -> list[str]:
        """The keys that grow with what they have in them."""
        keys, names = self._keys, list[str]()
        contracts = self._contracts()
        pipe, rules = self._client.pipeline(transaction=False), list[str]()
        for entity, contract in contracts.items():
            names += [keys.references(entity), keys.waiting(entity)]
            names += [keys.distinct(entity, "customers"), keys.distinct(entity, "orders")]
            rules += [keys.unique(entity, rule) for rule in contract.rules]
        for rule in rules:
            pipe.hkeys(rule)
        for rule, periods in zip(rules, pipe.execute(), strict=True):
            names += [f"{rule}/{period}" for period in periods]
        return names

    def _weigh(self, names: list[str]) -> list[int]:
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.memory_usage(name, samples=_WEIGHED)
        return [int(weight or 0) for weight in pipe.execute()]


def growth(seen: Mapping[int, int], used: int, hour: float) -> float | None:
    """Return by how many bytes memory grows per day: since the oldest of the hours in which it was noted."""
    earlier = {noted: value for noted, value in seen.items() if noted + 1 <= hour}
    if not earlier:
        return None
    first = min(earlier)
    return (used - earlier[first]) / (hour - first) * 24
