"""Figures of a range: its counts, those of the previous range, and series over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_app.contract.money import each_in_units, in_units
from stream_app.counts.fields import Counts, Distinct
from stream_app.counts.summary import Quality, conformity, orders_of
from stream_app.counts.sums import summed
from stream_app.counts.window import Window
from stream_app.store.cardinality import Cardinality
from stream_app.views.ranges import BARS, SPARK_POINTS, bar_seconds, bars, groups
from stream_app.views.reading import RangeCounts
from stream_app.views.totals import quality_of
from stream_app.windows.grain import Span


@dataclass(frozen=True, slots=True)
class SalesPoint:
    """Sales from ``start`` (s) for one bar; ``complete`` is False while the stream's time is inside it.

    ``estimated``: a sketch counted the orders.
    ``revenue`` is None if each currency has a total of its own; ``revenue_by``: these, by currency.
    """

    start: int
    revenue: float | None
    orders: int
    complete: bool
    estimated: bool = False
    revenue_by: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QualityPoint:
    """Quality from ``start`` (s) for one bar, over all entities."""

    start: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class FindingsPoint:
    """Findings of one rule from ``start`` (s) for one bar."""

    start: int
    entity: str
    rule: str
    count: int


@dataclass(frozen=True, slots=True)
class ConformityPoint:
    """Records by outcome from ``start`` (s) for one bar, over all entities."""

    start: int
    clean: int
    rejected: int

    @property
    def share(self) -> float | None:
        """Share of judged records that are clean; None if none was judged."""
        return conformity(self.clean, self.rejected)


class Figures:
    """Figures of one range; pure.

    Attributes:
        counts: entity → counts of the range.
        before: entity → counts of the previous range, cut as ``compared``; None if there is nothing like it to compare with.
        compared: entity → counts of the range without its running window, which is to be compared with ``before``.
    """

    def __init__(self, read: RangeCounts, *, segments: bool = False) -> None:
        self.read = read
        self.contracts = read.stream.contracts
        self.sales = read.stream.sales
        self.span = read.span
        self.bar_seconds = bar_seconds(read.span, BARS) if read.span else 60
        self._by_bar: dict[str, dict[int, Counts]] | None = None
        self.before: Mapping[str, Counts] | None = None
        self.compared: Mapping[str, Counts] | None = None
        if read.all_time or read.span is None:
            self.counts: Mapping[str, Counts] = {entity: state.counts for entity, state in read.stream.states.items()}
            return
        self.counts = self.between(read.span.start, read.span.end, segments=segments)
        if (cuts := read.comparison) is not None:
            self.compared, self.before = self.between(*cuts[0]), self.between(*cuts[1])

    def between(self, start: int, end: int, *, segments: bool = False) -> dict[str, Counts]:
        """Return the counts of each entity from ``start`` up to ``end``."""
        windows = self.read.windows
        return {
            entity: summed((one.counts for one in windows.get(entity, ()) if start <= one.start < end), segments=segments)
            for entity in self.contracts
        }

    def by_bar(self) -> dict[str, dict[int, Counts]]:
        """Return entity → start of each bar → its counts, without segments."""
        if self._by_bar is None:
            windows = self.read.windows
            self._by_bar = {
                entity: {} if self.span is None else self._bars(self.span, windows.get(entity, ())) for entity in self.contracts
            }
        return self._by_bar

    def _bars(self, span: Span, windows: tuple[Window, ...]) -> dict[int, Counts]:
        starts = [start for start, _ in bars(span, BARS)]
        parts: dict[int, list[Counts]] = {start: [] for start in starts}
        for window in windows:
            if span.start <= window.start < span.end:
                parts[starts[bisect_right(starts, window.start) - 1]].append(window.counts)
        return {start: summed(some, segments=False) for start, some in parts.items()}

    def orders(self, counts: Counts, start: int, end: int) -> int:
        """Return the orders of the sales entity from ``start`` up to ``end``, whose counts are ``counts``."""
        if self.sales is None:
            return counts.clean
        return orders_of(self.contracts[self.sales], counts, self.cardinality("orders", start, end).number)

    def cardinality(self, what: Distinct, start: int, end: int) -> Cardinality:
        """Return the distinct customers or orders from ``start`` up to ``end``."""
        return self.read.distinct.get((what, start, end), Cardinality())

    def revenue(self, counts: Counts) -> float | None:
        """Return the revenue in counts of the sales entity; None if each currency has a total of its own."""
        contract = self.contracts[self.sales] if self.sales else None
        if contract is not None and contract.by_currency and not contract.currency:
            return None
        return in_units(counts.revenue_minor, self.read.stream.currency)

    def sales_series(self) -> tuple[SalesPoint, ...]:
        """Return a point for every bar, zeros where nothing was sold."""
        if self.span is None or self.sales is None:
            return ()
        by_bar = self.by_bar()[self.sales]
        stream_ms = self.read.stream.stream_ms
        return tuple(
            SalesPoint(
                start=start,
                revenue=self.revenue(by_bar[start]),
                orders=self.orders(by_bar[start], start, end),
                complete=stream_ms is None or end * 1000 <= stream_ms,
                estimated=self.cardinality("orders", start, end).estimated,
                revenue_by=each_in_units(by_bar[start].revenue_by),
            )
            for start, end in bars(self.span, BARS)
        )

    def quality_series(self) -> tuple[QualityPoint, ...]:
        """Return a point for every bar; a bar without judged records has no quality."""
        if self.span is None:
            return ()
        return tuple(
            QualityPoint(start, quality_of(self.contracts, {entity: counts[start] for entity, counts in self.by_bar().items()}))
            for start, _ in bars(self.span, BARS)
        )

    def findings_series(self) -> tuple[FindingsPoint, ...]:
        """Return a point for every rule and bar with findings."""
        return tuple(
            FindingsPoint(start, entity, rule, count)
            for entity, by_bar in self.by_bar().items()
            for start, counts in by_bar.items()
            for rule, count in sorted(counts.findings.items())
        )

    def conformity_series(self) -> tuple[ConformityPoint, ...]:
        """Return a point for every bar."""
        if self.span is None:
            return ()
        points = []
        for start, _ in bars(self.span, BARS):
            counts = [by_bar[start] for by_bar in self.by_bar().values()]
            points.append(ConformityPoint(start, sum(one.clean for one in counts), sum(one.rejected for one in counts)))
        return tuple(points)

    def trends(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Return (entity, rule) → findings in equal parts of the range, oldest first."""
        parts = [self.between(*cut) for cut in groups(self.span, SPARK_POINTS)] if self.span else []
        seen = {(entity, rule) for part in parts for entity, counts in part.items() for rule in counts.findings}
        return {key: tuple(part[key[0]].findings.get(key[1], 0) for part in parts) for key in sorted(seen)}
