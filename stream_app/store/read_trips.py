"""The round trips of the read model: what there is, the totals, which windows, and the windows themselves."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import redis

from stream_app.errors import StoreError
from stream_app.judge.summary import ContractSummary, EntityTotals, sales_entity
from stream_app.store import read_values
from stream_app.store.keys import Distinct, Grain, Keys
from stream_app.store.read_client import reading
from stream_app.store.read_figures import BARS, SPARK_POINTS, Cut
from stream_app.store.read_ranges import MOST_WINDOWS, Span, bars, groups
from stream_app.store.read_values import CleanRecord, EntityState, RecentFinding, Window, Worker, text

DAY = 86_400


class Trips:
    """One method a round trip (``first`` takes two); each reads a bounded number of keys.

    Every method raises StoreError when Redis is down or its keys are not ours. ``now`` gives the wall time in ms.
    """

    def __init__(self, client: redis.Redis, prefix: str, now: Callable[[], int]) -> None:
        self._client = client
        self._prefix = prefix
        self._keys = Keys(prefix)
        self._now = now

    # First round trip: what there is.
    def start(self, findings: int = 0) -> tuple[dict[str, ContractSummary], tuple[Worker, ...], tuple[RecentFinding, ...]]:
        """Contracts (the sales entity first), workers that are alive, and the newest findings."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hgetall(self._keys.contracts())
        pipe.hgetall(self._keys.workers())
        if findings:
            pipe.lrange(self._keys.findings(), 0, findings - 1)
        raw_contracts, raw_workers, *raw_findings = self.run(pipe)
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
        answers = iter(self.run(pipe) if contracts else ())
        states = {}
        for entity, contract in contracts.items():
            key = self._keys.total(entity)
            raw, known, waiting, customers, orders = (next(answers) for _ in range(5))
            counts = read_values.counts(key, raw)
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
                    orders=orders if contract.order and not contract.order_unique else counts.clean,
                    known=known,
                ),
                freshness=read_values.freshness(key, raw),
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
        clean = self.run(pipe) if clocked else []
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
        answers = self.run(pipe)
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
        answers = iter(self.run(pipe) if len(pipe) else ())
        preview: tuple[CleanRecord, ...] = ()
        if sales is not None and records:
            preview = read_values.clean_records(next(answers), personal_fields(contracts[sales]))
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
    ) -> tuple[dict[str, tuple[Window, ...]], dict[Cut, int]]:
        """Windows by entity, and distinct customers and orders of ``sales`` by group of windows."""
        pipe = self._client.pipeline(transaction=False)
        for entity in contracts:
            for start in starts[entity]:
                pipe.hgetall(self._keys.window(entity, span.grain, start))
        wanted = self._sketches(pipe, sales, contracts[sales], span, starts[sales]) if sales is not None else []
        answers = iter(self.run(pipe) if len(pipe) else ())
        windows = {}
        for entity in contracts:
            held = []
            for start in starts[entity]:
                key = self._keys.window(entity, span.grain, start)
                held.append(Window(start, read_values.counts(key, next(answers), segments=segments)))
            windows[entity] = tuple(held)
        return windows, {cut: int(next(answers)) for cut in wanted}

    def _sketches(self, pipe: Any, sales: str, contract: ContractSummary, span: Span, starts: list[int]) -> list[Cut]:
        cuts = {*groups(span, SPARK_POINTS), *bars(span, BARS), (span.start, span.end)}
        if span.previous is not None:
            cuts.add((span.previous, span.start))
        wanted: list[Cut] = []
        for what in _counted(contract):
            for begin, end in sorted(cuts):
                # A bar may stick out of the span; its distinct values must not come from the range before.
                outer = span.start if end > span.start else begin
                inside = starts[bisect_left(starts, max(begin, outer)) : bisect_left(starts, min(end, span.end))]
                if inside:
                    pipe.pfcount(*(self._keys.sketch(sales, what, span.grain, start) for start in inside))
                    wanted.append((what, begin, end))
        return wanted

    def run(self, pipe: Any) -> list[Any]:
        """The answers of a pipeline."""
        with reading(self._client, self._prefix):
            answers: list[Any] = pipe.execute()
            return answers


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
