"""A store in memory that readers take for Redis, and what any version, or another program, may have left there."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast, get_args

import redis

from stream_app.contract.read import load_shop
from stream_app.contract.summary import ContractSummary, describe
from stream_app.counts.fields import Distinct
from stream_app.errors import StoreError
from stream_app.store.cardinality import SIZE_UNIT
from stream_app.store.keys import Keys
from stream_app.store.queries import Queries
from stream_app.store.server import ServerFacts
from stream_app.windows.grain import Grain

PREFIX = "headrace"
KEYS = Keys(PREFIX)
SUMMARIES: Mapping[str, ContractSummary] = {
    entity: describe(contract) for entity, contract in load_shop(None).contracts.items()
}
#: 2026-11-29T12:00:00Z, in seconds.
NOON = 1_795_953_600


class StoredOnly:
    """Answers the commands of readers from a dictionary: hashes as they are, lists, sets and sorted sets as lists."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self.keys = keys
        self.connection_pool = SimpleNamespace(connection_kwargs={})

    def info(self, *_: str) -> dict[str, Any]:
        """Refuse, as to a user without the right to ask."""
        raise redis.exceptions.NoPermissionError("NOPERM")

    def hgetall(self, key: str) -> dict[str, str]:
        return dict(self.keys.get(key, {}))

    def hget(self, key: str, name: str) -> str | None:
        return self.hgetall(key).get(name)

    def hmget(self, key: str, names: Any, *more: str) -> list[str | None]:
        return [self.hget(key, name) for name in ((names, *more) if isinstance(names, str) else names)]

    def hvals(self, key: str) -> list[str]:
        return list(self.hgetall(key).values())

    def hlen(self, key: str) -> int:
        return len(self.keys.get(key, ()))

    scard = zcard = hlen

    def lrange(self, key: str, first: int, last: int) -> list[str]:
        return list(self.keys.get(key, ()))[first : last + 1]

    def zrange(self, key: str, first: int, last: int) -> list[str]:
        members = list(self.keys.get(key, ()))
        return members[first:] if last == -1 else members[first : last + 1]

    def zrevrange(self, key: str, first: int, last: int) -> list[str]:
        return list(self.keys.get(key, ()))[::-1][first : last + 1]

    def zrangebyscore(
        self, key: str, low: Any, high: Any, start: int | None = None, num: int | None = None, *, withscores: bool = False
    ) -> list[Any]:
        del low, high  # scores may be anything
        if withscores:
            return list(self.keys.get(key, {}).items())
        members = list(self.keys.get(key, ()))
        return members if start is None or num is None else members[start : start + num]

    def pfcount(self, *keys: str) -> int:
        return max((int(self.keys.get(key, 0)) for key in keys), default=0)

    def smembers(self, key: str) -> set[str]:
        return {*self.keys.get(key, ())}

    def sunion(self, keys: list[str]) -> set[str]:
        return set().union(*map(self.smembers, keys))

    def get(self, key: str) -> str | None:
        return self.keys.get(key)

    def mget(self, keys: list[str]) -> list[str | None]:
        return [self.keys.get(key) for key in keys]

    def exists(self, *keys: str) -> int:
        return sum(key in self.keys for key in keys)

    def register_script(self, _text: str) -> Any:
        return lambda **_: 0

    def pipeline(self, *, transaction: bool = True) -> _Pipeline:
        del transaction
        return _Pipeline(self)


class StoredQueries(Queries):
    """Queries on what is stored, without a server to ask about."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        super().__init__(cast("redis.Redis", StoredOnly(keys)), PREFIX, now=lambda: NOON * 1000)

    def refusal(self) -> str | None:
        return None

    def server(self) -> ServerFacts:
        raise StoreError("the facts of this Redis cannot be read; nobody has started it")


class _Pipeline:
    def __init__(self, store: StoredOnly) -> None:
        self._store, self._asked = store, []  # type: ignore[var-annotated]

    def __getattr__(self, command: str) -> Any:
        return lambda *args, **options: self._asked.append((command, args, options))

    def __len__(self) -> int:
        return len(self._asked)

    def execute(self) -> list[Any]:
        return [getattr(self._store, command)(*args, **options) for command, args, options in self._asked]


# --- what may be stored ----------------------------------------------------------------------------------------------------

_EDGES = [0, 1, -1, 59, 60, 2**31, 2**53, 2**63 - 1, -(2**63)]
_BEYOND = [2**63, 2**64, 10**30, -(10**40)]
_MOMENTS = [NOON, NOON + 365 * 86_400, 253_370_764_799, 253_402_300_799, 253_402_300_800, -62_135_596_801, 10**12, -(10**15)]
_SCALED = [scale * one for scale in (1, 1000, 1_000_000) for one in _MOMENTS]
_WILD = [*_EDGES, *(one for one in _SCALED if -(2**63) <= one < 2**63)]
_TEXTS = ["", "x", "1.5", "nan", "inf", "-0", "1e400", "\uff19", " 7 ", "9" * 25, "9" * 5_000, "\udcff"]
COUNTERS = (
    "in", "clean", "rejected", "pending", "repaired", "rev", "late", "f:record.syntax", "v:customer_id.reference",
    "f:price_deviation", "r:order_date.timestamp", "n:phone", "u:coupon", "s|product_id.category|in|Toys",
    "s|product_id.category|rejected|Toys", "s|product_id.category|f:record.syntax|Toys", "s|product_id.category|in|(none)",
)  # fmt: skip


class Anything:
    """Draws what may be stored; with ``texts`` also values that are not integers of 64 bits."""

    def __init__(self, seed: int, *, texts: bool) -> None:
        self.random = random.Random(seed)
        #: Mostly few values are strange, so that what comes after the first look is reached too.
        self.strange = self.random.choice([0.02, 0.2, 0.7])
        self.texts = texts

    def integer(self, low: int = 0, high: int = 10**6) -> int:
        """Mostly an integer of a usual size."""
        if self.random.random() >= self.strange:
            return self.random.randint(low, high)
        return self.random.choice([self.random.choice(_WILD), self.random.randint(-(2**63), 2**63 - 1)])

    def number(self, low: int = 0, high: int = 10**6) -> str:
        """Mostly the text of an integer of a usual size."""
        if self.texts and self.random.random() < self.strange / 4:
            return self.random.choice([*_TEXTS, *map(str, _BEYOND)])
        return str(self.integer(low, high))

    def real(self) -> float:
        """Any float."""
        return self.random.choice([0.5, 1.5, 0.0, -1.0, 1e308, -1e308, 5e-324, float(self.integer())])

    def score(self, start: str) -> float:
        """Mostly the score of a window that starts then, and has some distinct values."""
        known = start.isdigit() and len(start) < 12 and self.random.random() >= self.strange
        return int(start) + self.random.randrange(600) / SIZE_UNIT if known else self.real()

    def counters(self) -> dict[str, str]:
        """A hash of counters."""
        return {name: self.number() for name in COUNTERS if self.random.random() < 0.6}

    def shop(self) -> dict[str, Any]:
        """Keys of a shop."""
        keys: dict[str, Any] = {KEYS.contracts(): {entity: summary.to_json() for entity, summary in SUMMARIES.items()}}
        now = NOON * 1000
        for entity in SUMMARIES:
            times = {"et": self.number(now - 10**9, now), "at": self.number(now - 10**6, now)}
            keys[KEYS.total(entity)] = {"in": self.number(1)} | self.counters() | times
            keys[KEYS.clocks(entity)] = {"a": self.number(now - 10**9, now)}
            for grain in Grain:
                starts = {self.number(NOON - 200 * grain.seconds, NOON) for _ in range(self.random.randrange(5))}
                starts = {str(grain.start(int(one))) if one.isdigit() and len(one) < 12 else one for one in starts}
                keys[KEYS.windows(entity, grain)] = sorted(starts)
                keys |= {f"{KEYS.window_stem(entity, grain)}{one}": self.counters() for one in starts}
                counted_kinds: tuple[Distinct, ...] = get_args(Distinct)
                keys |= {KEYS.sizes(entity, what, grain): {one: self.score(one) for one in starts} for what in counted_kinds}
            keys[KEYS.references(entity)] = {"1": "1"} if self.random.random() < 0.8 else {}
        keys[KEYS.workers()] = {"w": json.dumps(self.heartbeat()), "x": self.number(), "y": "{}"}
        keys[KEYS.incidents()] = {str(n): json.dumps(self.incident()) for n in range(self.random.randrange(4))}
        keys[KEYS.findings()] = [json.dumps(self.finding()) for _ in range(self.random.randrange(4))]
        keys[KEYS.clean("orders")] = [json.dumps(self.clean()) for _ in range(self.random.randrange(4))]
        keys[KEYS.applied()] = {"headrace-orders//0": self.number()}
        keys[KEYS.lost()] = {str(n): json.dumps(self.loss()) for n in range(self.random.randrange(3))}
        keys[KEYS.reports()] = ["r"]
        keys[KEYS.report("r")] = json.dumps(self.report())
        keys[KEYS.report_counters()] = {"reports": self.number()}
        return keys

    def heartbeat(self) -> dict[str, Any]:
        """A worker's report."""
        now = NOON * 1000
        return {
            "at": self.integer(now - 5_000, now), "started": self.integer(now - 10**6, now), "pid": self.integer(),
            "rate": self.real(), "lag": {entity: self.integer() for entity in SUMMARIES},
            "behind": self.integer(now - 10**6, now),
            "reached": {"orders": {"0": self.integer()}}, "held": self.integer(), "partitions": self.integer(),
            "latency_ms": self.real(),
            "problems": [{"subject": "orders[0]", "text": "x", "since": self.integer(now - 10**6, now), "stopped": False}],
        }  # fmt: skip

    def incident(self) -> dict[str, Any]:
        """An incident."""
        pick, low = self.random.choice, NOON - 10**6
        return {
            "id": "i", "entity": pick(["orders", "gone"]),
            "metric": pick(["volume", "revenue", "drift:x:appeared", "finding:a", "?"]),
            "severity": pick(["error", "warning", "?"]), "state": pick(["open", "closed"]), "start": self.integer(low, NOON),
            "end": self.integer(low, NOON), "grain": pick(["m", "h", "d"]), "windows": self.integer(), "observed": self.real(),
            "expected": pick([None, self.real()]), "low": pick([None, self.real()]), "high": pick([None, self.real()]),
            "unit": pick(["records", "money", "share"]), "direction": pick(["high", "low", "changed"]),
            "segment": pick([None, ["country", "France", self.real(), self.real()]]), "updated": self.integer(low, NOON),
        }  # fmt: skip

    def loss(self) -> dict[str, Any]:
        """The loss of a partition."""
        now = NOON * 1000
        return {
            "entity": "orders", "topic": "orders", "partition": self.integer(0, 3), "records": self.integer(),
            "since": self.integer(now - 10**6, now), "at": self.integer(now - 10**6, now), "begin": self.integer(),
            "end": self.integer(), "first": self.integer(),
        }  # fmt: skip

    def finding(self) -> dict[str, Any]:
        """A recent finding."""
        now = NOON * 1000
        return {
            "entity": "orders", "rule": "record.syntax", "event_time": self.integer(now - 10**6, now),
            "at": self.integer(now - 10**6, now), "source": "orders:0:1",
        }  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """A recent clean record."""
        dates = ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-01-05T00:00:00Z", "x", 7, None]
        record = {"order_id": self.integer(), "price": self.real(), "order_date": self.random.choice(dates)}
        return {"source": "orders:0:1", "event_time": self.integer(NOON * 1000 - 10**6, NOON * 1000), "record": record}

    def report(self) -> dict[str, Any]:
        """A report."""
        return {
            "id": "r", "start": self.integer(NOON - 7_200, NOON - 3_600), "end": self.integer(NOON - 3_600, NOON),
            "created": self.integer(NOON, NOON + 60), "language": "en", "written_by": "template", "model": None, "verdict": {},
            "report": {}, "facts": {}, "markdown": "# Report", "html": "<p>",
        }  # fmt: skip
