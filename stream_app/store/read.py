"""The read model: what happened, read from a bounded number of keys in a few round trips, as frozen values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from stream_app.errors import StoreError
from stream_app.judge.summary import ContractSummary, EntityTotals, sales_entity, summarise
from stream_app.store import read_values
from stream_app.store.keys import Grain, Keys
from stream_app.store.read_client import connect, reading
from stream_app.store.read_overview import Overview, build
from stream_app.store.read_ranges import Span, TimeRange, groups, span_before, span_of_all, suggest_range
from stream_app.store.read_values import CleanRecord, Counts, Freshness, RecentFinding, Window, Worker, text
from stream_app.settings import Settings

#: How many groups of windows a tile's small line is drawn from.
SPARK_POINTS = 30

DAY_MS = 86_400_000


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class EntityState:
    """All of an entity that is not a window. ``first``: start of its first window; ``last``: of its last minute."""

    counts: Counts
    totals: EntityTotals
    freshness: Freshness
    waiting: int
    first: int | None
    last: int | None
    firsts: Mapping[Grain, int | None]


class ReadModel:
    """Reads what the workers counted. Each method takes a fixed number of round trips, whatever the history.

    Every method raises StoreError when Redis is down or its keys are not ours; the message names host and port,
    never a password. ``now`` gives the wall time in ms, and only decides which workers are alive.
    """

    def __init__(self, client: redis.Redis, prefix: str, now: Callable[[], int] = _now_ms) -> None:
        self._client = client
        self._prefix = prefix
        self._keys = Keys(prefix)
        self._now = now

    def contracts(self) -> dict[str, ContractSummary]:
        """The contracts that workers have announced, entity → summary; empty before the first worker."""
        return self._start()[0]

    def workers(self) -> tuple[Worker, ...]:
        """The workers that reported within the last 15 s."""
        return self._start()[1]

    def totals(self) -> dict[str, EntityTotals]:
        """All-time totals by entity."""
        return {entity: state.totals for entity, state in self._states(self.contracts()).items()}

    def status(self) -> dict[str, Any]:
        """What ``headrace status --json`` prints.

        ``lag`` of an entity is null while no worker reports it: unknown, which is not the same as caught up.
        """
        contracts, workers, _ = self._start()
        states = self._states(contracts)
        lag = read_values.total_lag(workers)
        return {
            **summarise(contracts, {entity: state.totals for entity, state in states.items()}),
            "freshness": {
                entity: {
                    "event_time": _iso(state.freshness.event_time),
                    "processed_at": _iso(state.freshness.processed_at),
                }
                for entity, state in states.items()
            },
            "lag": {**dict.fromkeys(contracts), **lag},
            "workers": len(workers),
        }

    def suggest_range(self) -> TimeRange:
        """The range that shows most of the stream and still has an equally long one before it."""
        contracts, _, _ = self._start()
        states = self._states(contracts)
        stream = _stream_ms(contracts, states)
        first = _first(contracts, states)
        return TimeRange.LAST_15_MINUTES if stream is None or first is None else suggest_range(first, stream / 1000)

    def overview(self, chosen: TimeRange, *, findings: int = 50, records: int = 25) -> Overview:
        """All that the overview page shows of a range, in four round trips.

        ``findings`` and ``records`` say how many recent ones to read. Ranges end at the stream's time, the window that
        holds it included; the range before is as long.
        """
        contracts, workers, recent = self._start(findings)
        states = self._states(contracts)
        sales = sales_entity(contracts)
        stream = _stream_ms(contracts, states)
        first = _first(contracts, states)
        span: Span | None = None
        windows: dict[str, tuple[Window, ...]] = {}
        distinct: dict[tuple[str, int, int], int] = {}
        preview: tuple[CleanRecord, ...] = ()
        if stream is not None:
            if chosen is TimeRange.ALL:
                span = span_of_all(stream // 1000 if first is None else first, stream / 1000)
            else:
                span = span_before(chosen, stream / 1000)
        starts, preview = self._starts(contracts, sales, span, records)
        if span is not None:
            windows, distinct = self._windows(contracts, sales, span, starts)
        return build(
            chosen=chosen,
            span=span,
            read_at=self._now(),
            stream_ms=stream,
            first=first,
            contracts=contracts,
            states={
                entity: (state.counts, state.totals, state.freshness, state.waiting)
                for entity, state in states.items()
            },
            workers=workers,
            lag=read_values.total_lag(workers),
            windows=windows,
            distinct=distinct,
            covered_from={
                entity: None if span is None else state.firsts[span.grain] for entity, state in states.items()
            },
            findings=recent,
            preview=preview,
            spark_points=SPARK_POINTS,
        )

    # First round trip: what there is.
    def _start(
        self, findings: int = 0
    ) -> tuple[dict[str, ContractSummary], tuple[Worker, ...], tuple[RecentFinding, ...]]:
        pipe = self._client.pipeline(transaction=False)
        pipe.hgetall(self._keys.contracts())
        pipe.hgetall(self._keys.workers())
        if findings:
            pipe.lrange(self._keys.findings(), 0, findings - 1)
        raw_contracts, raw_workers, *raw_findings = self._run(pipe)
        contracts = {}
        for raw_entity, raw in raw_contracts.items():
            entity = text(raw_entity)
            try:
                contracts[entity] = ContractSummary.from_json(text(raw))
            except ValueError as error:
                raise StoreError(
                    f"Redis key {self._keys.contracts()}: entity {entity} holds {error}; restart the workers, which "
                    "write it, or give Headrace a prefix of its own with HEADRACE_REDIS_PREFIX"
                ) from None
        return (
            dict(_sales_first(contracts)),
            read_values.workers(raw_workers, self._now()),
            read_values.recent_findings(raw_findings[0]) if raw_findings else (),
        )

    # Second round trip: the totals, as of one moment.
    def _states(self, contracts: Mapping[str, ContractSummary]) -> dict[str, EntityState]:
        pipe = self._client.pipeline(transaction=True)
        for entity in contracts:
            pipe.hgetall(self._keys.total(entity))
            pipe.hlen(self._keys.references(entity))
            pipe.hlen(self._keys.waiting(entity))
            pipe.scard(self._keys.distinct(entity, "customers"))
            pipe.scard(self._keys.distinct(entity, "orders"))
            for grain in Grain:
                pipe.zrange(self._keys.windows(entity, grain), 0, 0)
            pipe.zrange(self._keys.windows(entity, Grain.MINUTE), -1, -1)
        answers = iter(self._run(pipe) if contracts else ())
        states = {}
        for entity, contract in contracts.items():
            key = self._keys.total(entity)
            raw, known, waiting, customers, orders = (next(answers) for _ in range(5))
            counts = read_values.counts(key, raw)
            firsts = {grain: _one(next(answers)) for grain in Grain}
            states[entity] = EntityState(
                counts=counts,
                totals=EntityTotals(
                    received=counts.received,
                    clean=counts.clean,
                    rejected=counts.rejected,
                    pending=counts.pending,
                    repaired=counts.repaired,
                    findings=counts.findings,
                    revenue_minor=counts.revenue_minor,
                    active_customers=customers,
                    orders=counts.clean if contract.order_unique else orders,
                    known=known,
                ),
                freshness=read_values.freshness(key, raw),
                waiting=waiting,
                first=_finest(firsts),
                last=_one(next(answers)),
                firsts=firsts,
            )
        return states

    # Third round trip: which windows there are.
    def _starts(
        self, contracts: Mapping[str, ContractSummary], sales: str | None, span: Span | None, records: int
    ) -> tuple[dict[str, list[int]], tuple[CleanRecord, ...]]:
        pipe = self._client.pipeline(transaction=False)
        if sales is not None and records:
            pipe.lrange(self._keys.clean(sales), 0, records - 1)
        if span is not None:
            since = span.start if span.previous is None else span.previous
            for entity in contracts:
                pipe.zrangebyscore(self._keys.windows(entity, span.grain), since, f"({span.end}")
        answers = iter(self._run(pipe) if len(pipe) else ())
        preview: tuple[CleanRecord, ...] = ()
        if sales is not None and records:
            personal = frozenset(field.name for field in contracts[sales].fields if field.personal)
            preview = read_values.clean_records(next(answers), personal)
        if span is None:
            return {}, preview
        return {entity: [int(text(start)) for start in next(answers)] for entity in contracts}, preview

    # Fourth round trip: the windows.
    def _windows(
        self, contracts: Mapping[str, ContractSummary], sales: str | None, span: Span, starts: Mapping[str, list[int]]
    ) -> tuple[dict[str, tuple[Window, ...]], dict[tuple[str, int, int], int]]:
        """Windows by entity, and distinct customers and orders of the sales entity by group of windows."""
        pipe = self._client.pipeline(transaction=False)
        for entity in contracts:
            for start in starts[entity]:
                pipe.hgetall(self._keys.window(entity, span.grain, start))
        wanted: list[tuple[str, int, int]] = []
        if sales is not None:
            contract = contracts[sales]
            cuts = [*groups(span, SPARK_POINTS), (span.start, span.end)]
            if span.previous is not None:
                cuts.append((span.previous, span.start))
            for what in ("customers", "orders"):
                if (what == "customers" and not contract.customer) or (
                    what == "orders" and (not contract.order or contract.order_unique)
                ):
                    continue
                for begin, end in cuts:
                    sketches = [
                        self._keys.sketch(sales, "customers" if what == "customers" else "orders", span.grain, start)
                        for start in starts[sales]
                        if begin <= start < end
                    ]
                    if sketches:
                        pipe.pfcount(*sketches)
                        wanted.append((what, begin, end))
        answers = iter(self._run(pipe) if len(pipe) else ())
        windows = {
            entity: tuple(
                Window(start, read_values.counts(self._keys.window(entity, span.grain, start), next(answers)))
                for start in starts[entity]
            )
            for entity in contracts
        }
        return windows, {cut: int(next(answers)) for cut in wanted}

    def _run(self, pipe: Any) -> list[Any]:
        with reading(self._client, self._prefix):
            answers: list[Any] = pipe.execute()
            return answers


def open_read_model(settings: Settings) -> ReadModel:
    """A read model on the Redis that the settings name; nothing is sent until something is read."""
    return ReadModel(connect(settings), settings.redis_prefix)


def _sales_first(contracts: Mapping[str, ContractSummary]) -> list[tuple[str, ContractSummary]]:
    """A hash has no order: the sales entity first, the others by name."""
    sales = sales_entity(dict(sorted(contracts.items())))
    return sorted(contracts.items(), key=lambda item: (item[0] != sales, item[0]))


def _stream_ms(contracts: Mapping[str, ContractSummary], states: Mapping[str, EntityState]) -> int | None:
    """The stream's time: the largest event time of the entities that carry one.

    Entities without an event time are counted as they arrive. Where that is on the same clock (within a day) they may
    move it; beside a replay of another year they may not.
    """
    times = {entity: _newest(state) for entity, state in states.items()}
    known = {entity: at for entity, at in times.items() if at is not None}
    clocked = [at for entity, at in known.items() if contracts[entity].event_time]
    if not clocked:
        return max(known.values(), default=None)
    stream = max(clocked)
    return max([stream, *(at for at in known.values() if at <= stream + DAY_MS)])


def _newest(state: EntityState) -> int | None:
    if state.freshness.event_time is not None:
        return state.freshness.event_time
    # Nothing was clean yet: the windows of what was rejected are all the time there is.
    return None if state.last is None else state.last * 1000


def _first(contracts: Mapping[str, ContractSummary], states: Mapping[str, EntityState]) -> int | None:
    clocked = [state.first for entity, state in states.items() if contracts[entity].event_time]
    starts = clocked if any(start is not None for start in clocked) else [state.first for state in states.values()]
    return min((start for start in starts if start is not None), default=None)


def _finest(firsts: Mapping[Grain, int | None]) -> int | None:
    """The first window's start, as exactly as the grains that still hold it say."""
    day = firsts[Grain.DAY]
    for grain in (Grain.MINUTE, Grain.HOUR):
        first = firsts[grain]
        if first is not None and (day is None or Grain.DAY.start(first) <= day):
            return first
    return day


def _one(starts: list[Any]) -> int | None:
    return int(text(starts[0])) if starts else None


def _iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
