"""Memory of Redis by kind, and when it is full: an estimate at a bounded cost."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import redis
import redis.exceptions

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Distinct, text
from stream_app.counts.found import WINDOWS
from stream_app.store.cardinality import member_keys
from stream_app.store.connection import reading
from stream_app.store.keys import Keys
from stream_app.store.states import starts_of
from stream_app.windows.grain import Grain

#: Kinds, and the second parts of the names of their keys.
KINDS: Mapping[str, tuple[str, ...]] = {
    "keys": ("uniq", "uniq-expired"),
    "references": ("ref",),
    "windows": ("win", "wins"),
    "sketches": ("hll", "hll-ever", "ids"),
    "sets": ("set", "seg"),
    "learned": ("learned", "baseline"),
    "findings": ("found", "findings"),
}
OTHER = "other"
#: Keys that are looked through, keys of a kind whose memory is asked for, and elements of each of these that Redis weighs.
_LOOKED_THROUGH, _ASKED, _WEIGHED = 5_000, 60, 20
_AT_ONCE = 500
#: Seconds for which an answer is used again.
_KEPT = 60.0
#: Windows of a grain that are weighed, and of a rule's findings; and the kinds that are weighed by window.
_NEWEST, _NEWEST_FOUND, _BY_WINDOW = 5, 2, ("windows", "sketches", "findings")
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
        raw = self._client.hgetall(self._keys.memory_seen()).items()
        seen = {int(hour): int(value) for hour, value in raw if _is_number(text(hour)) and _is_number(text(value))}
        return Memory(used, limit, self._by_kind(), growth(seen, used, time.time() / 3_600))

    def _by_kind(self) -> dict[str, int]:
        """Weigh some keys of each kind, and take them for all of it.

        A hash or a set is one key, whatever its size, and is asked for by name; of windows and sketches, the newest are
        weighed. The buckets of keys are many of about one size: a scan that does not reach the end has seen a fair sample.
        """
        prefix, found = self._keys.prefix + ":", defaultdict[str, set[str]](set)
        contracts = self._contracts()
        large = set(self._large(contracts))
        cursor, seen = 0, 0
        while True:
            cursor, names = self._client.scan(cursor, count=_AT_ONCE)
            seen += len(names)
            for name in map(text, names):
                if name.startswith(prefix) and name not in large and (kind := _kind(name, prefix)) not in _BY_WINDOW:
                    found[kind].add(name)
            if not cursor or seen >= _LOOKED_THROUGH:
                break
        # Redis answers a scan in an order that has nothing to do with names.
        scale = 1.0 if not cursor else max(1.0, (self._client.dbsize() - len(large)) / max(1, seen))
        kinds = dict.fromkeys((*KINDS, OTHER), 0)
        for kind, names in found.items():
            # An odd step: a bucket of keys is a pair of strings, one longer than the other.
            weights = self._weigh(sorted(names)[:: len(names) // _ASKED | 1])
            kinds[kind] += round(sum(weights) / max(1, len(weights)) * len(names) * scale)
        for name, weight in zip(sorted(large), self._weigh(sorted(large)), strict=True):
            kinds[_kind(name, prefix)] += weight
        for kind, weight in self._windows(contracts):
            kinds[kind] += weight
        kinds["findings"] += self._found(contracts)
        return kinds

    def _windows(self, contracts: Mapping[str, ContractSummary]) -> Iterator[tuple[str, int]]:
        """Yield kind and bytes of the windows, and of their sketches and sets, of each entity and grain."""
        keys, of = self._keys, [(entity, grain) for entity in contracts for grain in Grain]
        pipe = self._client.pipeline(transaction=False)
        for entity, grain in of:
            pipe.zcard(keys.windows(entity, grain))
            pipe.zrange(keys.windows(entity, grain), -_NEWEST, -1)
        answers = pipe.execute()
        for (entity, grain), count, members in zip(of, answers[::2], answers[1::2], strict=True):
            starts = starts_of(keys.windows(entity, grain), members)
            for start in starts:
                share = count / len(starts)
                sketches = [keys.sketch(entity, what, grain, start) for what in get_args(Distinct)]
                sketches += [name for what in get_args(Distinct) for name in member_keys(keys, entity, what, grain, start)]
                window, *rest = self._weigh([keys.window(entity, grain, start), *sketches])
                yield "windows", round(window * share)
                yield "sketches", round(sum(rest) * share)

    def _found(self, contracts: Mapping[str, ContractSummary]) -> int:
        """Return the bytes of the findings that are kept by rule and window, and of their indexes."""
        keys = self._keys
        of = [(entity, rule, grain) for entity, contract in contracts.items() for rule in contract.rules for grain in WINDOWS]
        pipe = self._client.pipeline(transaction=False)
        for one in of:
            pipe.zcard(keys.found_windows(*one))
            pipe.zrange(keys.found_windows(*one), -_NEWEST_FOUND, -1)
        answers = pipe.execute()
        weighed = 0.0
        for one, count, members in zip(of, answers[::2], answers[1::2], strict=True):
            if starts := starts_of(keys.found_windows(*one), members):
                index, *rest = self._weigh([keys.found_windows(*one), *(keys.found(*one, start) for start in starts)])
                weighed += index + sum(rest) * count / len(starts)
        return round(weighed)

    def _large(self, contracts: Mapping[str, ContractSummary]) -> list[str]:
        """The keys that grow with what they have in them."""
        keys, names = self._keys, [self._keys.findings()]
        pipe, rules = self._client.pipeline(transaction=False), list[str]()
        for entity, contract in contracts.items():
            names += [keys.references(entity), keys.waiting(entity)]
            for what in get_args(Distinct):
                names += [keys.distinct(entity, what), keys.distinct_sketch(entity, what)]
            rules += [keys.unique(entity, rule) for rule in contract.rules]
        for rule in rules:
            pipe.hkeys(rule)
        for rule, periods in zip(rules, pipe.execute(), strict=True):
            names += [f"{rule}/{text(period)}" for period in periods]
        return names

    def _weigh(self, names: list[str]) -> list[int]:
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.memory_usage(name, samples=_WEIGHED)
        return [int(weight or 0) for weight in pipe.execute()]


def _kind(name: str, prefix: str) -> str:
    return _KIND_OF.get(name[len(prefix) :].split(":", 1)[0], OTHER)


def growth(seen: Mapping[int, int], used: int, hour: float) -> float | None:
    """Return by how many bytes memory grows per day: since the oldest of the hours in which it was noted."""
    earlier = {noted: value for noted, value in seen.items() if noted + 1 <= hour}
    if not earlier:
        return None
    first = min(earlier)
    return (used - earlier[first]) / (hour - first) * 24


def _is_number(digits: str) -> bool:
    """True for a number of at most 15 digits: whatever is stored, it can be read."""
    return digits.isascii() and digits.isdecimal() and len(digits) <= 15
