"""The overview of a range: key numbers, series, the state of each entity, and the newest findings and records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.samples import CleanRecord, RecentFinding
from stream_app.counts.summary import EntityTotals, Quality, is_finding
from stream_app.monitor.incident import Incident
from stream_app.store.heartbeat import Heartbeat
from stream_app.store.queries import Queries
from stream_app.views.breakdown import RuleCount, by_rule
from stream_app.views.figures import Figures, FindingsPoint, QualityPoint, SalesPoint
from stream_app.views.kpis import Kpis, kpis_of
from stream_app.views.ranges import Chosen, TimeRange, bounds, suggest_range
from stream_app.views.reading import RangeCounts, read_range, read_stream
from stream_app.views.selection import incidents_within
from stream_app.views.totals import late_records, quality_of
from stream_app.windows.grain import Span
from stream_app.windows.zone import UTC, Zone

#: An entity whose newest record is this far (s) ahead of the stream's time uses another clock.
OTHER_CLOCK = 86_400


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything of one range. Times named ``…_ms`` and ``read_at`` are ms since the epoch, starts are seconds.

    Attributes:
        lag: unread records; an entity that no worker reports is missing.
        findings_series, rules: without those of ``info`` rules.
        outside: entities without an event time whose records arrived on another clock, so that ranges exclude them.
        clipped: the stream is older than what its charts show.
        late: records of the range that came after their window was final; its figures were restated by them.
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
    late: int

    @property
    def zone(self) -> Zone:
        """Whose days the days are."""
        return self.span.zone if self.span else UTC

    @property
    def received(self) -> int:
        """Records received over all time."""
        return sum(total.received for total in self.totals.values())


def read_overview(queries: Queries, chosen: Chosen, *, findings: int = 50, records: int = 25, zone: Zone = UTC) -> Overview:
    """Read what the overview page shows of a range, in six round trips (see ``read_range``).

    Raises:
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    return overview_of(read_range(queries, chosen, findings=findings, records=records, distinct=True, zone=zone))


def overview_of(read: RangeCounts) -> Overview:
    """Compute the overview; pure."""
    figures, stream = Figures(read), read.stream
    rules = by_rule(stream.contracts, figures.counts, figures.before, figures.compared)
    measured = quality_of(stream.contracts, figures.counts)
    return Overview(
        range=read.chosen,
        read_at=stream.read_at,
        stream_ms=stream.stream_ms,
        first=read.first,
        span=read.span,
        bar_seconds=figures.bar_seconds,
        contracts=stream.contracts,
        sales=stream.sales,
        totals=stream.totals,
        processed_at_ms=stream.processed_at_ms,
        waiting=stream.waiting,
        workers=stream.workers,
        lag=stream.lag,
        counts=figures.counts,
        kpis=kpis_of(figures, measured),
        quality=measured,
        sales_series=figures.sales_series(),
        quality_series=figures.quality_series(),
        findings_series=tuple(
            point for point in figures.findings_series() if is_finding(stream.contracts[point.entity], point.rule)
        ),
        rules=tuple(row for row in rules if row.is_finding),
        recent=stream.findings,
        preview=read.preview,
        outside=_outside(figures),
        clipped=read.clipped,
        late=late_records(figures.counts),
    )


def _outside(figures: Figures) -> tuple[str, ...]:
    read = figures.read
    if read.all_time or read.span is None:
        return ()
    return tuple(
        entity
        for entity, state in read.stream.states.items()
        if not figures.contracts[entity].event_time
        and not figures.counts[entity].received
        and (state.freshness.event_time or 0) / 1000 > read.span.end + OTHER_CLOCK
    )


def is_doubtful(incidents: Iterable[Incident], overview: Overview) -> bool:
    """True if an incident in the range says that revenue or average order is too high, so that a rise is not good news."""
    within = incidents_within(
        incidents, bounds(overview.range, overview.stream_ms, overview.span.zone if overview.span else UTC)
    )
    return any(
        one.entity == overview.sales and one.metric in {"revenue", "average_order"} and one.direction == "high"
        for one in within
    )


def suggested_range(queries: Queries) -> TimeRange:
    """Return the longest range that has a complete previous range to compare with."""
    stream = read_stream(queries)
    first = queries.first(stream.contracts, stream.states)
    if stream.stream_ms is None or first is None:
        return TimeRange.LAST_15_MINUTES
    return suggest_range(first, stream.stream_ms / 1000)
