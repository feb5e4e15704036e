"""A believable shop, written straight into Redis by the documented keys, and a recount of it to compare with."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import redis

from reporter.author import TemplateAuthor
from reporter.periods import Period
from reporter.service import Reporter
from stream_app.contract.read import load_shop
from stream_app.contract.summary import ContractSummary, describe
from stream_app.counts.found import WINDOWS
from stream_app.settings import load_settings
from stream_app.store.cardinality import MANY, PARTS, SIZE_UNIT, UNSPLIT, WINDOW_EXACT
from stream_app.store.heartbeat import Heartbeat
from stream_app.store.incidents import Incident
from stream_app.store.keys import Keys, waiting_field
from stream_app.store.reports import StoredReport
from stream_app.windows.grain import Grain

#: Rule → how many of a thousand records it finds something in.
ORDER_FAULTS: Mapping[str, float] = {
    "quantity.minimum": 6.0,
    "customer_id.reference": 4.5,
    "price.exclusiveMinimum": 3.5,
    "order_id.unique": 3.0,
    "order_date.type": 1.6,
    "price.type": 1.2,
    "product_id.required": 0.9,
    "record.syntax": 0.7,
    "order_date_future": 0.5,
    "record.unknownField": 8.0,
}
CUSTOMER_FAULTS: Mapping[str, float] = {"email.format": 14.0, "country_known": 6.0, "name.required": 3.0}
COUNTRIES = ("United Kingdom", "France", "Germany", "Spain", "Netherlands", "Belgium", "Portugal", "Norway", "Italy", "Japan")
CATEGORIES = ("Toys", "Books", "Kitchen", "Garden", "Lighting", "Stationery")
PRODUCT_FAULTS: Mapping[str, float] = {"unit_price.exclusiveMinimum": 5.0, "category.required": 4.0}


@dataclass
class Recount:
    """Counts written of one entity, minute by minute: the truth that a page must show."""

    minutes: dict[int, Counter[str]] = field(default_factory=dict)
    customers: dict[int, set[int]] = field(default_factory=dict)

    def between(self, start: int, end: int) -> Counter[str]:
        """The sum of the fields from ``start`` up to ``end`` (s)."""
        total: Counter[str] = Counter()
        for minute, counts in self.minutes.items():
            if start <= minute < end:
                total.update(counts)
        return total

    def total(self) -> Counter[str]:
        """The sum of all fields."""
        return self.between(0, 1 << 62)

    def active(self, start: int, end: int) -> int:
        """Exact distinct customers from ``start`` up to ``end`` (s)."""
        return len(set().union(*(ids for minute, ids in self.customers.items() if start <= minute < end)))


def put_members(pipe: Any, keys: Keys, entity: str, grain: Grain, start: int, buyers: set[int]) -> None:
    """Write the distinct customers of a window as ``apply.lua`` does: these are small integers."""
    key, size = keys.members(entity, "customers", grain, start), len(buyers)
    if size > WINDOW_EXACT:
        pipe.sadd(key, "many")
    elif size > UNSPLIT:
        pipe.sadd(key, "split")
        for one in buyers:
            pipe.sadd(f"{key}/{one % 10**6 % PARTS}", one)
    else:
        pipe.sadd(key, *buyers)
    score = start + (size if size <= WINDOW_EXACT else MANY) / SIZE_UNIT
    pipe.zadd(keys.sizes(entity, "customers", grain), {str(start): score})


@dataclass
class Shop:
    """Fills Redis for the built-in contracts. ``now_ms``: wall time; ``until``: the stream's time (s)."""

    client: redis.Redis
    prefix: str
    until: int
    now_ms: int
    seed: int = 7
    customers: int = 2_400
    recounts: dict[str, Recount] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.visitors = random.Random(self.seed)  # of its own: orders are the same with and without visits
        self.recents = random.Random(self.seed)  # of its own: how much ``fill`` draws depends on the hour
        self.keys = Keys(self.prefix)
        self.written = 0
        self.visits = 0
        self.summaries: dict[str, ContractSummary] = {
            entity: describe(contract) for entity, contract in load_shop(None).contracts.items()
        }
        weights = (1 / (rank + 12) for rank in range(self.customers))
        self.weights = list(accumulate(weights))
        for entity in self.summaries:
            self.recounts.setdefault(entity, Recount())

    def announce(self) -> None:
        """Write what a worker writes at its start."""
        rows: dict[Any, Any] = {entity: summary.to_json() for entity, summary in self.summaries.items()}
        self.client.hset(self.keys.contracts(), mapping=rows)

    def beat(
        self,
        lag: Mapping[str, int] | None = None,
        *,
        worker: str = "w-1",
        state: str = "running",
        at: int | None = None,
        latency_ms: float | None = 38.4,
        behind: int | None = None,
        **more: Any,
    ) -> None:
        """A worker's heartbeat. ``more``: what else it says, such as ``problems``."""
        beat = Heartbeat(
            at=at or self.now_ms,
            started=self.now_ms - 3_600_000,
            pid=4711,
            host="127.0.0.1",
            rate=1_840.5,
            lag=lag if lag is not None else dict.fromkeys(self.summaries, 0),
            state=state,
            latency_ms=latency_ms,
            behind=behind,
            **more,
        )
        self.client.hset(self.keys.workers(), worker, beat.to_json())

    def fill(self, minutes: int, *, per_minute: float = 6.0, keep_all: bool = False, only: str | None = None) -> None:
        """Write ``minutes`` of history up to the stream's time, with a day's rhythm and a bad spell near its end."""
        first = self.until // 60 * 60 - (minutes - 1) * 60
        for start in range(first, self.until + 1, 60):
            self._orders(start, per_minute, bad=0.80 < (start - first) / max(60 * minutes, 1) < 0.88)
            if only is None:
                self._plain("customers", start, per_minute * 0.05, CUSTOMER_FAULTS)
                self._plain("products", start, per_minute * 0.01, PRODUCT_FAULTS)
                self._visits(start, self._rate(start, per_minute * 3, self.visitors))
        for entity in [only] if only else list(self.summaries):
            self.write(entity, keep_all=keep_all)
        self._references()

    def _visits(self, start: int, number: int) -> None:
        """Write visits of one minute, all clean, a third of all of known customers, also where a minute has one or two."""
        known = (self.visits + number) // 3 - self.visits // 3
        self.visits += number
        counts: Counter[str] = Counter({"in": number, "clean": number, "n:customer_id": number - known})
        for index, source in enumerate(("search", "direct", "email")):
            part = number // 3 + (index < number % 3)
            counts.update({f"s|source|in|{source}": part, f"s|source|clean|{source}": part})
        if number:
            self.recounts["visits"].minutes[start] = +counts

    def _rate(self, start: int, per_minute: float, by: random.Random | None = None) -> int:
        hour, day = start / 3_600 % 24, start // 86_400
        rhythm = 0.35 + 0.65 * (1 + math.sin((hour - 8) / 24 * 2 * math.pi)) / 2 * 1.6
        growth = 1 + 0.08 * math.sin(day / 5)
        mean = per_minute * rhythm * growth * (0.7 if day % 7 in (2, 3) else 1.0)
        return max(0, round((by or self.random).gauss(mean, math.sqrt(max(mean, 0.1)))))

    def _orders(self, start: int, per_minute: float, *, bad: bool) -> None:
        recount = self.recounts["orders"]
        counts: Counter[str] = Counter()
        buyers: set[int] = set()
        draw = self.random.random
        for _ in range(self._rate(start, per_minute)):
            counts["in"] += 1
            minor = int(self.random.lognormvariate(7.6, 0.7))
            found = set()
            rejected = False
            counts["u:coupon_code"] += draw() < 0.008
            counts["u:utm source"] += bad and draw() < 0.02
            for rule, share in ORDER_FAULTS.items():
                times = 14 if bad and rule in {"price.exclusiveMinimum", "price.type"} else 1
                if draw() * 1_000 < share * times:
                    counts[f"f:{rule}"] += 1
                    found.add(rule)
                    rejected = rejected or self.summaries["orders"].rules[rule].severity == "error"
                    if rule in {"order_date.type", "customer_id.reference", "order_id.unique"}:
                        counts[f"v:{rule}"] += minor
            if found and "order_id.unique" not in found:
                valued = found <= {"order_date.type", "customer_id.reference"}
                counts["risk"] += minor if valued else 0
                counts["unvalued"] += not valued
            counting = self._counting("orders", found, counts)
            if rejected:
                counts["rejected"] += 1
                continue
            counts["warned"] += bool(counting)
            if draw() < 0.03:
                counts["repaired"] += 1
                counts["r:order_date.utc"] += 1
                counts["r:price.number"] += draw() < 0.4
            counts["clean"] += 1
            counts["rev"] += minor
            buyers.add(self.random.choices(range(self.customers), cum_weights=self.weights)[0])
        if counts:
            recount.minutes[start] = counts
            recount.customers[start] = buyers

    def _plain(self, entity: str, start: int, mean: float, faults: Mapping[str, float]) -> None:
        counts: Counter[str] = Counter()
        draw = self.random.random
        for _ in range(int(mean) + (draw() < mean % 1)):
            field_name, values = ("country", COUNTRIES) if entity == "customers" else ("category", CATEGORIES)
            value = values[min(int(self.random.expovariate(0.5)), len(values) - 1)]
            worse = 2.5 if value in {"Spain", "Garden"} else 1.0
            found = [rule for rule, share in faults.items() if draw() * 1_000 < share * worse]
            outcome = "rejected" if found else "clean"
            counts.update([f"f:{rule}" for rule in found])
            self._counting(entity, found, counts)
            counts.update(f"s|{field_name}|f:{rule}|{value}" for rule in found)
            counts.update(["in", outcome, f"s|{field_name}|in|{value}", f"s|{field_name}|{outcome}|{value}"])
            if entity == "customers":
                counts["r:email.lower"] += draw() < 0.2
                counts["n:phone"] += draw() < 0.31
        if counts:
            self.recounts[entity].minutes[start] = counts

    def _counting(self, entity: str, found: Iterable[str], counts: Counter[str]) -> set[str]:
        """Count the record once in each dimension of what was found; return the rules that are errors or warnings."""
        rules = self.summaries[entity].rules
        counting = {rule for rule in found if rules[rule].counts}
        counts.update({f"d:{rules[rule].dimension}" for rule in counting})
        return counting

    def write(self, entity: str, *, keep_all: bool) -> None:
        """Write what was counted of an entity to Redis."""
        recount = self.recounts[entity]
        pipe = self.client.pipeline(transaction=False)
        for grain in Grain:
            merged: dict[int, Counter[str]] = {}
            buyers: dict[int, set[int]] = {}
            for minute, counts in recount.minutes.items():
                start = grain.start(minute)
                merged.setdefault(start, Counter()).update(counts)
                buyers.setdefault(start, set()).update(recount.customers.get(minute, ()))
            starts = sorted(merged) if keep_all else sorted(merged)[-grain.kept :]
            for some in _chunks(starts, 2_000):
                for start in some:
                    pipe.hset(self.keys.window(entity, grain, start), mapping=_plain(merged[start]))
                    if buyers[start]:
                        pipe.pfadd(self.keys.sketch(entity, "customers", grain, start), *map(str, buyers[start]))
                        put_members(pipe, self.keys, entity, grain, start, buyers[start])
                pipe.zadd(self.keys.windows(entity, grain), {str(start): start for start in some})
                pipe.execute()
        total = recount.total()
        clean = [minute for minute, counts in recount.minutes.items() if counts["clean"]]
        if total:
            times = {"at": self.now_ms - 1_200, **({"et": max(clean) * 1_000 + 41_000} if clean else {})}
            self.client.hset(
                self.keys.total(entity),
                mapping=_plain({name: number for name, number in total.items() if not name.startswith("s|")}) | times,
            )
        everyone = set().union(*recount.customers.values()) if recount.customers else set()
        for many in _chunks(sorted(everyone), 4_000):
            self.client.sadd(self.keys.distinct(entity, "customers"), *map(str, many))

    def _references(self) -> None:
        known: dict[Any, Any] = {str(customer): "1" for customer in range(round(self.customers * 1.6))}
        self.client.hset(self.keys.references("customers"), mapping=known)
        self.client.hset(self.keys.references("products"), mapping={str(product): "1" for product in range(180)})

    def wait(self, entity: str, number: int) -> None:
        """Records that wait for their reference data."""
        rows: dict[Any, Any] = {
            waiting_field(0, offset, ""): json.dumps({"since": self.now_ms, "decision": None}) for offset in range(number)
        }
        self.client.hset(self.keys.waiting(entity), mapping=rows)
        for name, by in (("in", number), ("pending", number)):
            self.client.hincrby(self.keys.total(entity), name, by)

    def recent(self, number: int = 60) -> None:
        """More findings and clean records on the lists of recent ones, whatever the hour the same."""
        draw, first = self.recents, self.written
        self.written += number
        faults = [("orders", rule) for rule in ORDER_FAULTS] + [("customers", rule) for rule in CUSTOMER_FAULTS]
        weights = [*ORDER_FAULTS.values(), *CUSTOMER_FAULTS.values()]
        for index in range(number):
            entity, rule = draw.choices(faults, weights)[0]
            summary = self.summaries[entity].rules[rule]
            at = self.until * 1_000 - (number - index) * 7_300
            row = {
                "entity": entity,
                "rule": rule,
                "severity": summary.severity,
                "dimension": summary.dimension,
                "path": summary.path,
                "message": summary.message,
                "source": f"{entity}:{index % 4}:{88_000 + first + index}",
                "event_time": at,
                "at": self.now_ms - (number - index) * 900,
                "segments": {"country": draw.choice(COUNTRIES)} if entity == "customers" else {},
            }
            self.client.lpush(self.keys.findings(), json.dumps(row))
            for grain in WINDOWS:
                start = grain.start(at / 1_000)
                self.client.zadd(self.keys.found_windows(entity, rule, grain), {str(start): start})
                found = json.dumps([row["source"], at, row["at"], row["segments"]])
                self.client.lpush(self.keys.found(entity, rule, grain, start), found)
        for index in range(number):
            at = self.until - (number - index) * 11
            record = {
                "order_id": 540_000 + index,
                "customer_id": draw.randrange(1, self.customers),
                "product_id": draw.randrange(1, 180),
                "quantity": draw.choice((1, 1, 2, 3, 6, 12)),
                "price": round(draw.lognormvariate(2.2, 0.6), 2),
                "order_date": _iso(at),
            }
            entry = {
                "source": f"orders:{index % 4}:{120_000 + first + index}",
                "event_time": at * 1_000,
                "record": record,
                "repairs": ["order_date.utc"] if index % 9 == 0 else [],
                "warnings": ["record.unknownField"] if index % 13 == 0 else [],
            }
            self.client.lpush(self.keys.clean("orders"), json.dumps(entry))

    def incidents(self) -> list[Incident]:
        """A few incidents, open and closed, newest first."""
        hour = self.until // 3_600 * 3_600
        day = 86_400
        rows = [
            ("orders", "revenue", "error", "open", hour - 4 * 3_600, hour, 4, 123_400.0, 480_000.0, "money", "low", None),
            ("customers", "volume", "warning", "open", hour - 7_200, hour, 2, 3.0, 22.0, "records", "low",
             ("country", "Spain", 0.05, 0.93)),
            ("orders", "drift:utm source:appeared", "warning", "open", hour - 2 * day, hour - day, 20, 0.02, 0.0, "share",
             "changed", None),
            ("orders", "finding:price.exclusiveMinimum", "error", "closed", hour - 10 * day, hour - 7 * day, 60, 0.06, 0.004,
             "share", "high", None),
            ("orders", "volume", "warning", "closed", hour - 20 * day, hour - 19 * day, 9, 300.0, 120.0, "records", "high",
             None),
        ]  # fmt: skip
        made = []
        for entity, metric, severity, state, start, end, windows, seen, expected, unit, direction, segment in rows:
            incident = Incident(
                id=f"{entity}.{metric}.{start}",
                entity=entity,
                metric=metric,
                severity=severity,
                state=state,
                start=start,
                end=end,
                grain=Grain.HOUR,
                windows=windows,
                observed=seen,
                expected=expected,
                low=None if metric.startswith("drift") else expected * 0.8,
                high=None if metric.startswith("drift") else expected * 1.2,
                unit=unit,
                direction=direction,
                segment=segment,
                updated=end,
            )
            self.client.hset(self.keys.incidents(), incident.id, incident.to_json())
            self.client.zadd(self.keys.incidents_by_start(), {incident.id: start})
            made.append(incident)
        return made

    def reports(self, number: int = 3) -> list[StoredReport]:
        """Reports of the last whole weeks, by the template, newest first."""
        port = self.client.connection_pool.connection_kwargs
        settings = load_settings(redis=f"redis://{port['host']}:{port['port']}/{port.get('db', 0)}", redis_prefix=self.prefix)
        reporter = Reporter(settings, TemplateAuthor())
        today = self.until // 86_400 * 86_400
        weeks = [(today - 7 * 86_400 * (back + 1), today - 7 * 86_400 * back) for back in range(number)]
        return [reporter.report(Period(*week)).report for week in weeks]


def a_live_shop(client: redis.Redis, prefix: str, now_ms: int, days: int = 62, per_minute: float = 2.0) -> Shop:
    """Two months of trade up to now, one worker, all caught up."""
    shop = Shop(client, prefix, until=now_ms // 1_000 - 4, now_ms=now_ms)
    shop.announce()
    shop.fill(days * 1_440, per_minute=per_minute)
    shop.recent()
    shop.incidents()
    shop.wait("orders", 3)
    shop.beat()
    return shop


def _plain(counts: Mapping[str, int]) -> dict[Any, Any]:
    return {name: int(number) for name, number in counts.items() if number}


def _chunks(values: list[int], size: int) -> Iterator[list[int]]:
    for index in range(0, len(values), size):
        yield values[index : index + size]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
