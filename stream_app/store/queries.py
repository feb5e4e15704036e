"""The queries of readers: what the workers counted, from a bounded number of keys in a few round trips, as frozen values."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts, Distinct, text
from stream_app.counts.samples import CleanRecord, RecentFinding, clean_records, recent_findings
from stream_app.counts.summary import EntityTotals, sales_entity
from stream_app.counts.window import Window
from stream_app.errors import StoreError
from stream_app.settings import Settings
from stream_app.store.connection import connect, not_ours, parsed, reading
from stream_app.store.heartbeat import Worker, workers
from stream_app.store.incidents import Incident, incidents
from stream_app.store.keys import CLEAN_KEPT, FINDINGS_KEPT, Keys
from stream_app.store.period import PeriodCounts, read_period
from stream_app.store.reports import ReportStore, StoredReport
from stream_app.windows.grain import MOST_WINDOWS, Grain, Span

DAY = 86_400
#: What distinct values were counted of: customers or orders, from, up to (s).
Cut = tuple[Distinct, int, int]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Freshness:
    """The stream's time and the wall time of its last applied batch, in ms since the epoch; None before the first."""

    event_time: int | None = None
    processed_at: int | None = None


@dataclass(frozen=True, slots=True)
class EntityState:
    """All of an entity that is not a window. ``days``: the starts of its newest days, ``last``: of its last minute."""

    counts: Counts
    totals: EntityTotals
    freshness: Freshness
    waiting: int
    days: tuple[int, ...]
    last: int | None


class Queries:
    """Reads what the workers counted. Each method takes a fixed number of round trips, whatever the history.

    Every method raises StoreError when Redis is down or its keys are not ours; the message names host and port,
    never a password. ``now`` gives the wall time in ms, and only decides which workers are alive.
    """

    def __init__(self, client: redis.Redis, prefix: str, now: Callable[[], int] = _now_ms) -> None:
        self._client = client
        self._prefix = prefix
        self._keys = Keys(prefix)
        self.now = now

    def contracts(self) -> dict[str, ContractSummary]:
        """The contracts that workers have announced, entity → summary; empty before the first worker."""
        return self.announced()[0]

    def workers(self) -> tuple[Worker, ...]:
        """The workers that reported within the last 15 s."""
        return self.announced()[1]

    def totals(self) -> dict[str, EntityTotals]:
        """All-time totals by entity."""
        return {entity: state.totals for entity, state in self.states(self.contracts()).items()}

    # First round trip: what there is.
    def announced(self, findings: int = 0) -> tuple[dict[str, ContractSummary], tuple[Worker, ...], tuple[RecentFinding, ...]]:
        """Contracts (the sales entity first), workers that are alive, and the newest findings."""
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
            workers(raw_workers, self.now()),
            recent_findings(raw_findings[0]) if raw_findings else (),
        )

    # Second round trip: the totals, as of one moment.
    def states(self, contracts: Mapping[str, ContractSummary]) -> dict[str, EntityState]:
        """All of each entity that is not a window."""
        pipe = self._client.pipeline(transaction=True)
        for entity in contracts:
            pipe.hgetall(self._keys.total(entity))
            pipe.hlen(self._keys.references(entity))
            pipe.hlen(self._keys.waiting(entity))
            pipe.scard(self._keys.distinct(entity, "customers"))
            pipe.scard(self._keys.distinct(entity, "orders"))
            pipe.zrange(self._keys.windows(entity, Grain.DAY), -MOST_WINDOWS, -1)
            pipe.zrange(self._keys.windows(entity, Grain.MINUTE), -1, -1)
        answers = iter(self._run(pipe) if contracts else ())
        states = {}
        for entity, contract in contracts.items():
            key = self._keys.total(entity)
            raw, known, waiting, customers, orders = (next(answers) for _ in range(5))
            counts = parsed(key, raw)
            states[entity] = EntityState(
                counts=counts,
                totals=EntityTotals.of(
                    counts,
                    active_customers=customers,
                    orders=orders if contract.order and not contract.order_unique else counts.clean,
                    known=known,
                ),
                freshness=freshness(key, raw),
                waiting=waiting,
                days=tuple(_members(next(answers))),
                last=next(iter(_members(next(answers))), None),
            )
        return states

    # Third and fourth round trip: since when there are clean records.
    def first(self, contracts: Mapping[str, ContractSummary], states: Mapping[str, EntityState]) -> int | None:
        """The start (s) of the stream: of its first window with clean records among the newest days.

        What was rejected for its date does not count, nor days with next to nothing (under 0.5 % of the busiest): a few
        records of 1970 must not stretch every axis, nor be what a month is compared with.
        """
        clocked = [(entity, day) for entity in _clocked(contracts) for day in states[entity].days]
        pipe = self._client.pipeline(transaction=False)
        for entity, day in clocked:
            pipe.hget(self._keys.window(entity, Grain.DAY, day), "clean")
        clean = self._run(pipe) if clocked else []
        counted = [(day, int(count or 0)) for (_, day), count in zip(clocked, clean, strict=True)]
        least = max((count for _, count in counted), default=0) * 0.005
        days = [day for day, count in counted if count > 0 and count >= least]
        if not days:
            return min((day for _, day in clocked), default=None)
        first = min(days)
        pipe = self._client.pipeline(transaction=False)
        for entity in _clocked(contracts):
            for grain in (Grain.MINUTE, Grain.HOUR):
                pipe.zrangebyscore(self._keys.windows(entity, grain), first, first + DAY - 1, start=0, num=1)
        answers = self._run(pipe)
        minutes, hours = ([start for members in fine for start in _members(members)] for fine in (answers[0::2], answers[1::2]))
        # Minutes are kept for less long than hours, and hours than days: the day's first ones may be gone.
        if hours and (not minutes or min(hours) + Grain.HOUR.seconds <= min(minutes)):
            return min(hours)
        return min(minutes, default=first)

    # Fifth round trip: which windows there are.
    def starts(
        self, contracts: Mapping[str, ContractSummary], span: Span | None, *, sales: str | None = None, records: int = 0
    ) -> tuple[dict[str, list[int]], tuple[CleanRecord, ...]]:
        """Starts by entity, the range before included, and the newest clean records of ``sales``."""
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
            preview = clean_records(next(answers), personal_fields(contracts[sales]))
        if span is None:
            return {}, preview
        return {entity: _members(next(answers)) for entity in contracts}, preview

    # Last round trip: the windows.
    def windows(
        self,
        contracts: Mapping[str, ContractSummary],
        span: Span,
        starts: Mapping[str, list[int]],
        *,
        sales: str | None = None,
        segments: bool = False,
        cuts: Iterable[tuple[int, int]] = (),
    ) -> tuple[dict[str, tuple[Window, ...]], dict[Cut, int]]:
        """Windows by entity, and distinct customers and orders of ``sales`` by cut.

        ``cuts``: (start, end) in seconds; what a cut holds of the span, or of the range before it, is counted as one.
        """
        pipe = self._client.pipeline(transaction=False)
        for entity in contracts:
            for start in starts[entity]:
                pipe.hgetall(self._keys.window(entity, span.grain, start))
        wanted = self._sketches(pipe, sales, contracts[sales], span, starts[sales], cuts) if sales is not None else []
        answers = iter(self._run(pipe) if len(pipe) else ())
        windows = {}
        for entity in contracts:
            held = []
            for start in starts[entity]:
                key = self._keys.window(entity, span.grain, start)
                held.append(Window(start, parsed(key, next(answers), segments=segments)))
            windows[entity] = tuple(held)
        return windows, {cut: int(next(answers)) for cut in wanted}

    def _sketches(
        self, pipe: Any, sales: str, contract: ContractSummary, span: Span, starts: list[int], cuts: Iterable[tuple[int, int]]
    ) -> list[Cut]:
        wanted: list[Cut] = []
        for what in _counted(contract):
            for begin, end in sorted({*cuts}):
                # A bar may stick out of the span; its distinct values must not come from the range before.
                outer = span.start if end > span.start else begin
                inside = starts[bisect_left(starts, max(begin, outer)) : bisect_left(starts, min(end, span.end))]
                if inside:
                    pipe.pfcount(*(self._keys.sketch(sales, what, span.grain, start) for start in inside))
                    wanted.append((what, begin, end))
        return wanted

    def findings(self, limit: int = FINDINGS_KEPT) -> tuple[RecentFinding, ...]:
        """The newest findings, newest first; older ones are in the dead-letter topics only."""
        pipe = self._client.pipeline(transaction=False)
        pipe.lrange(self._keys.findings(), 0, limit - 1)
        return recent_findings(self._run(pipe)[0])

    def clean(self, entity: str, limit: int = CLEAN_KEPT) -> tuple[CleanRecord, ...]:
        """The newest clean records of an entity, newest first, personal fields masked; empty for an unknown entity."""
        contract = self.contracts().get(entity)
        if contract is None:
            return ()
        pipe = self._client.pipeline(transaction=False)
        pipe.lrange(self._keys.clean(entity), 0, limit - 1)
        return clean_records(self._run(pipe)[0], personal_fields(contract))

    def began(self) -> int | None:
        """The start (s) of the stream's first window with a clean record; None before the first record."""
        contracts, _, _ = self.announced()
        return self.first(contracts, self.states(contracts))

    def period(self, start: int, end: int, called: str = "the period") -> Mapping[str, PeriodCounts]:
        """Entity → what was counted from ``start`` up to ``end``: epoch seconds of event time, whole minutes.

        ``called``: what an error calls the period.

        Raises:
            ValueError: the period is none, or longer than a year.
        """
        return read_period(self._client, self._keys, self.contracts(), start, end, called)

    def incidents(
        self, *, since: int | None = None, until: int | None = None, state: str | None = None, limit: int = 200
    ) -> tuple[Incident, ...]:
        """Incidents that touch the time from ``since`` up to ``until`` (s of event time), newest first.

        ``state``: only ``open`` or ``closed`` ones. The newest 1,000 are kept.
        """
        pipe = self._client.pipeline(transaction=False)
        pipe.hvals(self._keys.incidents())
        return incidents(self._run(pipe)[0], since=since, until=until, state=state, limit=limit)

    def reports(self, limit: int = 20) -> tuple[StoredReport, ...]:
        """The last executive reports, by the end of their period, newest first."""
        return ReportStore(self._client, self._prefix).newest(limit)

    def report(self, report_id: str) -> StoredReport | None:
        """One report; None when it is not there."""
        return ReportStore(self._client, self._prefix).get(report_id)

    def report_counters(self) -> dict[str, int]:
        """What reporters counted: ``reports``, ``by_model``, ``by_template``, ``repaired``, ``calls``, ``tokens_in`` and
        ``tokens_out``, ``mentions`` and ``grounded`` of the models' first replies, ``why:<reason>``, ``problem:<code>``.
        """
        return ReportStore(self._client, self._prefix).counters()

    def _run(self, pipe: Any) -> list[Any]:
        with reading(self._client, self._prefix):
            answers: list[Any] = pipe.execute()
            return answers


def open_queries(settings: Settings) -> Queries:
    """Queries on the Redis that the settings name; nothing is sent until something is read."""
    return Queries(connect(settings), settings.redis_prefix)


def personal_fields(contract: ContractSummary) -> frozenset[str]:
    """Names of the fields that people see masked."""
    return frozenset(field.name for field in contract.fields if field.personal)


def _counted(contract: ContractSummary) -> tuple[Distinct, ...]:
    """What windows hold sketches of: orders need none where each clean record is one."""
    customers: tuple[Distinct, ...] = ("customers",) if contract.customer else ()
    return (*customers, "orders") if contract.order and not contract.order_unique else customers


def _sales_first(contracts: Mapping[str, ContractSummary]) -> list[tuple[str, ContractSummary]]:
    """A hash has no order: the sales entity first, the others by name."""
    sales = sales_entity(dict(sorted(contracts.items())))
    return sorted(contracts.items(), key=lambda item: (item[0] != sales, item[0]))


def stream_ms(contracts: Mapping[str, ContractSummary], states: Mapping[str, EntityState]) -> int | None:
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
    return max([stream, *(at for at in known.values() if at <= stream + DAY * 1000)])


def _newest(state: EntityState) -> int | None:
    if state.freshness.event_time is not None:
        return state.freshness.event_time
    # Nothing was clean yet: the windows of what was rejected are all the time there is.
    return None if state.last is None else state.last * 1000


def _clocked(contracts: Mapping[str, ContractSummary]) -> list[str]:
    """The entities that carry an event time; all of them where none does."""
    return [entity for entity, contract in contracts.items() if contract.event_time] or list(contracts)


def _members(members: Iterable[Any]) -> list[int]:
    return [int(text(start)) for start in members]


def integer(key: str, name: str, value: Any) -> int:
    """The integer in a hash field; StoreError names the field where there is none."""
    try:
        return int(value)
    except ValueError:
        raise not_ours(key, f"field {name} does not hold an integer") from None


def freshness(key: str, raw: Mapping[Any, Any]) -> Freshness:
    """``et`` and ``at`` of a totals hash."""
    named = {text(name): value for name, value in raw.items() if text(name) in {"et", "at"}}
    times = {name: integer(key, name, value) for name, value in named.items()}
    return Freshness(times.get("et"), times.get("at"))
