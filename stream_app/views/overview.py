"""One view of the stream over a range: its figures, how the entities stand, and what came last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.samples import CleanRecord, RecentFinding
from stream_app.counts.summary import EntityTotals, Quality, sales_entity
from stream_app.counts.window import Window
from stream_app.store.heartbeat import Heartbeat, total_lag
from stream_app.store.queries import Queries
from stream_app.store.spans import Cut
from stream_app.store.states import EntityState, stream_ms
from stream_app.views.figures import BARS, Figures, FindingsPoint, Kpis, QualityPoint, RuleCount, SalesPoint, cuts_of
from stream_app.views.pulse import last_applied
from stream_app.views.ranges import Chosen, TimeRange, bar_seconds, span_of, suggest_range
from stream_app.windows.grain import Span

#: An entity whose newest record is further than this past the stream's time lives on another clock (seconds).
OTHER_CLOCK = 86_400


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything of one range. Times named ``…_ms`` and ``read_at`` are ms since the epoch, starts are seconds.

    ``lag`` holds only entities that a worker reports. ``outside``: entities without an event time whose records
    arrived on another clock, so that ranges leave them out. ``clipped``: all time is longer than its charts.
    """

    range: Chosen
    read_at: int
    stream_ms: int | None
    first: int | None
    span: Span | None
    bar_seconds: int
    contracts: Mapping[str, ContractSummary]
    sales: str | None
    totals: Mapping[str, EntityTotals]
    processed_at_ms: int | None
    waiting: Mapping[str, int]
    workers: tuple[Heartbeat, ...]
    lag: Mapping[str, int]
    counts: Mapping[str, Counts]
    kpis: Kpis
    quality: Quality
    sales_series: tuple[SalesPoint, ...]
    quality_series: tuple[QualityPoint, ...]
    findings_series: tuple[FindingsPoint, ...]
    rules: tuple[RuleCount, ...]
    recent: tuple[RecentFinding, ...]
    preview: tuple[CleanRecord, ...]
    outside: tuple[str, ...]
    clipped: bool

    @property
    def received(self) -> int:
        """Records that came in over all time."""
        return sum(total.received for total in self.totals.values())


def build(
    *,
    chosen: Chosen,
    span: Span | None,
    read_at: int,
    stream_ms: int | None,
    first: int | None,
    contracts: Mapping[str, ContractSummary],
    states: Mapping[str, EntityState],
    workers: tuple[Heartbeat, ...],
    lag: Mapping[str, int],
    windows: Mapping[str, tuple[Window, ...]],
    distinct: Mapping[Cut, int],
    findings: tuple[RecentFinding, ...],
    preview: tuple[CleanRecord, ...],
) -> Overview:
    """Compute the view; pure. ``contracts`` has the sales entity first, ``windows`` include the range before."""
    sales = next((entity for entity, contract in contracts.items() if contract.revenue), None)
    totals = {entity: state.totals for entity, state in states.items()}
    figures = Figures(contracts, sales, totals, windows, distinct)
    if chosen is TimeRange.ALL or span is None:
        counts: Mapping[str, Counts] = {entity: state.counts for entity, state in states.items()}
        before = None
    else:
        counts = figures.between(span.start, span.end)
        covered = span.previous is not None and first is not None and first <= span.previous
        before = figures.between(span.previous, span.start) if covered and span.previous is not None else None
    measured = figures.quality(counts)
    return Overview(
        range=chosen,
        read_at=read_at,
        stream_ms=stream_ms,
        first=first,
        span=span,
        bar_seconds=bar_seconds(span, BARS) if span else 60,
        contracts=contracts,
        sales=sales,
        totals=totals,
        processed_at_ms=last_applied(states),
        waiting={entity: state.waiting for entity, state in states.items()},
        workers=workers,
        lag=lag,
        counts=counts,
        kpis=figures.kpis(chosen, span, first, stream_ms, counts, before, measured),
        quality=measured,
        sales_series=figures.sales_series(span, stream_ms),
        quality_series=figures.quality_series(span),
        findings_series=figures.findings_series(span),
        rules=figures.rules(counts, before),
        recent=findings,
        preview=preview,
        outside=tuple(
            entity
            for entity, state in states.items()
            if span is not None
            and chosen is not TimeRange.ALL
            and not contracts[entity].event_time
            and not counts[entity].received
            and (state.freshness.event_time or 0) / 1000 > span.end + OTHER_CLOCK
        ),
        clipped=bool(chosen is TimeRange.ALL and span and first is not None and first < span.start),
    )


def read_overview(queries: Queries, chosen: Chosen, *, findings: int = 50, records: int = 25) -> Overview:
    """All that the overview page shows of a range, in six round trips.

    ``findings`` and ``records`` say how many recent ones to read. Ranges end at the stream's time, the window that
    holds it included; the range before is as long.

    Raises:
        StoreError: Redis is down, or its keys are not ours.
    """
    contracts, workers, recent = queries.announced(findings)
    states = queries.states(contracts)
    sales = sales_entity(contracts)
    stream = stream_ms(contracts, states)
    first = queries.first(contracts, states)
    span: Span | None = None if stream is None else span_of(chosen, first, stream / 1000)
    windows: dict[str, tuple[Window, ...]] = {}
    distinct: dict[Cut, int] = {}
    starts, preview = queries.starts(contracts, span, sales=sales, records=records)
    if span is not None:
        windows, distinct = queries.windows(contracts, span, starts, sales=sales, cuts=cuts_of(span))
    return build(
        chosen=chosen,
        span=span,
        read_at=queries.now(),
        stream_ms=stream,
        first=first,
        contracts=contracts,
        states=states,
        workers=workers,
        lag=total_lag(workers),
        windows=windows,
        distinct=distinct,
        findings=recent,
        preview=preview,
    )


def suggested_range(queries: Queries) -> TimeRange:
    """The range that shows most of the stream and still has an equally long one before it."""
    contracts, _, _ = queries.announced()
    states = queries.states(contracts)
    stream = stream_ms(contracts, states)
    first = queries.first(contracts, states)
    return TimeRange.LAST_15_MINUTES if stream is None or first is None else suggest_range(first, stream / 1000)
