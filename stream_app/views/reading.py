"""Reads that every view begins with: the stream's state, and the windows of one range, each as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import CleanRecord, RecentFinding
from stream_app.counts.summary import EntityTotals, sales_entity
from stream_app.counts.window import Window
from stream_app.store.cardinality import Cardinality
from stream_app.store.heartbeat import Heartbeat, total_lag
from stream_app.store.losses import Loss
from stream_app.store.queries import Queries
from stream_app.store.spans import Cut
from stream_app.store.states import EntityState, stream_ms
from stream_app.views.ranges import Chosen, TimeRange, compared, cuts_of, span_of
from stream_app.windows.grain import Span
from stream_app.windows.zone import UTC, Zone


@dataclass(frozen=True, slots=True)
class Stream:
    """The stream's state without any window.

    Attributes:
        read_at: wall time in ms since the epoch.
        contracts: entity → contract, the sales entity first.
        losses: what partitions lost before a worker read it.
        stream_ms: the stream's time; None before the first record.
        refusal: why Redis refuses writes, looked up while no worker reports; None if it takes them.
    """

    read_at: int
    contracts: Mapping[str, ContractSummary]
    states: Mapping[str, EntityState] = field(default_factory=dict)
    workers: tuple[Heartbeat, ...] = ()
    findings: tuple[RecentFinding, ...] = ()
    losses: tuple[Loss, ...] = ()
    stream_ms: int | None = None
    refusal: str | None = None

    @property
    def sales(self) -> str | None:
        """The entity that sales are counted from."""
        return sales_entity(self.contracts)

    @property
    def currency(self) -> str | None:
        """The currency of the sales."""
        return self.contracts[self.sales].currency if self.sales else None

    @property
    def totals(self) -> dict[str, EntityTotals]:
        """All-time totals by entity."""
        return {entity: state.totals for entity, state in self.states.items()}

    @property
    def waiting(self) -> dict[str, int]:
        """Records that wait for reference data, by entity."""
        return {entity: state.waiting for entity, state in self.states.items()}

    @property
    def lag(self) -> dict[str, int]:
        """Unread records by entity; an entity that no worker reports is missing."""
        return total_lag(self.workers)

    @property
    def processed_at_ms(self) -> int | None:
        """Wall time in ms of the last applied batch of any entity."""
        return max((at for state in self.states.values() if (at := state.freshness.processed_at) is not None), default=None)


@dataclass(frozen=True, slots=True)
class RangeCounts:
    """Counts in one range and in the one before it.

    Attributes:
        first: start of the stream in seconds; None before the first record.
        span: the windows of the range; None before the first record.
        windows: entity → windows of the range and of the previous one.
        distinct: distinct customers and orders by period.
        preview: the newest clean records of the sales entity.
    """

    stream: Stream
    chosen: Chosen
    span: Span | None = None
    first: int | None = None
    windows: Mapping[str, tuple[Window, ...]] = field(default_factory=dict)
    distinct: Mapping[Cut, Cardinality] = field(default_factory=dict)
    preview: tuple[CleanRecord, ...] = ()

    @property
    def all_time(self) -> bool:
        """True if the range has no limits, so that totals come from the all-time counts."""
        return self.chosen is TimeRange.ALL or self.span is None

    @property
    def clipped(self) -> bool:
        """True if the stream is older than the windows that charts are drawn from."""
        return (
            self.chosen is TimeRange.ALL and self.span is not None and self.first is not None and self.first < self.span.start
        )

    @property
    def comparison(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """The parts of the range and of the previous one that are compared, ``(start, end)`` in seconds.

        A window that is still running is left out, and with it the one that was as long before. None: the stream does not
        cover the previous range, or nothing of the range is complete.
        """
        span, stream_ms = self.span, self.stream.stream_ms
        if self.all_time or span is None or stream_ms is None or self.first is None:
            return None
        cuts = compared(span, stream_ms / 1000)
        return cuts if cuts is not None and self.first <= cuts[1][0] else None


def read_stream(queries: Queries, *, findings: int = 0) -> Stream:
    """Read the stream's state in two round trips, three while no worker reports.

    ``findings``: number of recent findings to read.

    Raises:
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    contracts, workers, recent, losses = queries.announced(findings)
    states = queries.states(contracts)
    # A worker whose heartbeat Redis refuses looks like none.
    refusal = None if workers or not contracts else queries.refusal()
    return Stream(queries.now(), contracts, states, workers, recent, losses, stream_ms(contracts, states), refusal)


def read_range(
    queries: Queries,
    chosen: Chosen,
    *,
    findings: int = 0,
    records: int = 0,
    distinct: bool = False,
    segments: bool = False,
    zone: Zone = UTC,
) -> RangeCounts:
    """Read a range and the previous one in six round trips. A range ends with the window that contains the stream's time.

    Args:
        findings: number of recent findings to read.
        records: number of recent clean records of the sales entity to read.
        distinct: count distinct customers and orders.
        segments: read the counts of segments.
        zone: whose days the days are.

    Raises:
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    stream = read_stream(queries, findings=findings)
    contracts = stream.contracts
    first = queries.first(contracts, stream.states)
    span = None if stream.stream_ms is None else span_of(chosen, first, stream.stream_ms / 1000, zone)
    starts = queries.starts(contracts, span, sales=stream.sales, records=records)
    if span is None:
        return RangeCounts(stream, chosen, None, first, preview=starts.preview)
    cuts = cuts_of(span, (stream.stream_ms or 0) / 1000) if distinct else ()
    windows, counted = queries.windows(contracts, span, starts, segments=segments, cuts=cuts)
    return RangeCounts(stream, chosen, span, first, windows, counted, starts.preview)
