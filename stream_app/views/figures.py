"""The figures of a set of windows: key numbers with the range before, series, and findings by rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts, add
from stream_app.counts.summary import MINOR, EntityTotals, Quality, at_risk, conversion_rate, overall_quality, quality
from stream_app.counts.window import Window
from stream_app.store.spans import Cut
from stream_app.views.ranges import Chosen, TimeRange, bar_seconds, bar_start, bars, groups
from stream_app.windows.grain import Span

#: A chart draws about this many bars, and a tile's small line has at most this many points.
BARS = 90
SPARK_POINTS = 30


def cuts_of(span: Span) -> set[tuple[int, int]]:
    """Whatever distinct values are counted of: the small line's groups, the bars, the span and the one before it."""
    cuts = {*groups(span, SPARK_POINTS), *bars(span, BARS), (span.start, span.end)}
    return cuts if span.previous is None else cuts | {(span.previous, span.start)}


@dataclass(frozen=True, slots=True)
class Kpi:
    """A number over the range, the same over the range before, and how it went.

    ``value`` and ``previous`` are None where nothing was measured; ``previous`` also where the stream does not cover
    the whole range before. ``series``: equal parts of the range, oldest first, the unfinished last one left out.
    """

    value: float | None
    previous: float | None = None
    series: tuple[float | None, ...] = ()

    @property
    def change(self) -> float | None:
        """Relative change, 0.1 for a tenth more; None where there is nothing to compare with."""
        if self.value is None or not self.previous:
            return None
        return (self.value - self.previous) / abs(self.previous)

    @property
    def difference(self) -> float | None:
        """``value`` − ``previous``, the change that suits shares."""
        return None if self.value is None or self.previous is None else self.value - self.previous


@dataclass(frozen=True, slots=True)
class Kpis:
    """The shop's key numbers; revenue in units of ``currency``, rates and scores between 0 and 1."""

    active_customers: Kpi
    orders: Kpi
    revenue: Kpi
    conversion_rate: Kpi
    quality_score: Kpi
    currency: str | None


@dataclass(frozen=True, slots=True)
class SalesPoint:
    """Sales from ``start`` (s) for one bar's length; ``complete`` is False while the stream's time is inside it."""

    start: int
    revenue: float
    orders: int
    complete: bool


@dataclass(frozen=True, slots=True)
class QualityPoint:
    """Quality from ``start`` (s) for one bar's length, over all entities."""

    start: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class FindingsPoint:
    """Findings of one rule from ``start`` (s) for one bar's length."""

    start: int
    entity: str
    rule: str
    count: int


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one rule found in the range. ``share``: findings ÷ records in of its entity.

    ``at_risk`` in currency; None where quantity × price of what the rule finds says nothing (see ``stream_app.judge.worth``).
    """

    entity: str
    rule: str
    severity: str
    dimension: str
    message: str
    impact: str | None
    count: int
    previous: int | None
    share: float
    at_risk: float | None


class Figures:
    """The figures of one set of windows."""

    def __init__(
        self,
        contracts: Mapping[str, ContractSummary],
        sales: str | None,
        totals: Mapping[str, EntityTotals],
        windows: Mapping[str, tuple[Window, ...]],
        distinct: Mapping[Cut, int],
    ) -> None:
        self._contracts = contracts
        self._sales = sales
        self._totals = totals
        self._windows = windows
        self._distinct = distinct
        self._held: dict[Span, dict[str, dict[int, Counts]]] = {}

    def between(self, start: int, end: int, *, segments: bool = False) -> dict[str, Counts]:
        """The counts of each entity from ``start`` up to ``end``."""
        return {
            entity: add((one.counts for one in self._windows.get(entity, ()) if start <= one.start < end), segments=segments)
            for entity in self._contracts
        }

    def by_bar(self, span: Span) -> dict[str, dict[int, Counts]]:
        """Entity → start of each bar of the span → its counts, without segments; added up once."""
        held = self._held.get(span)
        if held is None:
            held = self._held[span] = {entity: self._bars(span, self._windows.get(entity, ())) for entity in self._contracts}
        return held

    def quality(self, counts: Mapping[str, Counts]) -> Quality:
        """Over all entities."""
        return overall_quality(
            (counts[entity].received, quality(contract, counts[entity].received, counts[entity].findings))
            for entity, contract in self._contracts.items()
        )

    def kpis(
        self,
        chosen: Chosen,
        span: Span | None,
        first: int | None,
        stream_ms: int | None,
        counts: Mapping[str, Counts],
        before: Mapping[str, Counts] | None,
        measured: Quality,
    ) -> Kpis:
        contract = self._contracts[self._sales] if self._sales else None
        total = self._totals[self._sales] if self._sales else EntityTotals()
        customers = self._totals.get(contract.customer_entity or "") if contract else None
        known = customers.known if customers else 0
        now = counts[self._sales] if self._sales else Counts()
        then = before[self._sales] if self._sales and before is not None else None
        if chosen is TimeRange.ALL or span is None:
            active, orders = total.active_customers, total.orders
        else:
            active = self._distinct.get(("customers", span.start, span.end), 0)
            orders = self._orders(now, span.start, span.end)
        active_then = orders_then = None
        if then is not None and span is not None and span.previous is not None:
            active_then = self._distinct.get(("customers", span.previous, span.start), 0)
            orders_then = self._orders(then, span.previous, span.start)
        # Before the stream began nothing was zero: it was not there.
        cuts = [cut for cut in groups(span, SPARK_POINTS) if first is None or cut[1] > first] if span else []
        # The unfinished last part would make every line end in a fall.
        parts = [cut for cut in cuts if stream_ms is None or cut[1] * 1000 <= stream_ms]
        held = [self.between(*part) for part in parts]

        def line(figure: Callable[[int, Mapping[str, Counts]], float | None]) -> tuple[float | None, ...]:
            return tuple(figure(index, part) for index, part in enumerate(held))

        def sold(part: Mapping[str, Counts]) -> Counts:
            return part[self._sales] if self._sales else Counts()

        def active_in(index: int) -> int:
            return self._distinct.get(("customers", *parts[index]), 0)

        return Kpis(
            active_customers=Kpi(active, active_then, line(lambda index, part: active_in(index))),
            orders=Kpi(orders, orders_then, line(lambda index, part: self._orders(sold(part), *parts[index]))),
            revenue=Kpi(
                now.revenue_minor / MINOR,
                None if then is None else then.revenue_minor / MINOR,
                line(lambda index, part: sold(part).revenue_minor / MINOR),
            ),
            conversion_rate=Kpi(
                conversion_rate(active, known),
                None if active_then is None else conversion_rate(active_then, known),
                line(lambda index, part: conversion_rate(active_in(index), known)),
            ),
            quality_score=Kpi(
                measured.score,
                None if before is None else self.quality(before).score,
                line(lambda index, part: self.quality(part).score),
            ),
            currency=contract.currency if contract else None,
        )

    def _orders(self, counts: Counts, start: int, end: int) -> int:
        contract = self._contracts[self._sales] if self._sales else None
        if contract is None or contract.order_unique or not contract.order:
            return counts.clean
        return self._distinct.get(("orders", start, end), 0)

    def sales_series(self, span: Span | None, stream_ms: int | None) -> tuple[SalesPoint, ...]:
        """A point for every bar, zeros where nothing was sold."""
        if span is None or self._sales is None:
            return ()
        held = self.by_bar(span)[self._sales]
        return tuple(
            SalesPoint(
                start=start,
                revenue=held[start].revenue_minor / MINOR,
                orders=self._orders(held[start], start, end),
                complete=stream_ms is None or end * 1000 <= stream_ms,
            )
            for start, end in bars(span, BARS)
        )

    def quality_series(self, span: Span | None) -> tuple[QualityPoint, ...]:
        """A point for every bar; one in which no record came has no score."""
        if span is None:
            return ()
        held = self.by_bar(span)
        return tuple(
            QualityPoint(start, self.quality({entity: counts[start] for entity, counts in held.items()}))
            for start, _ in bars(span, BARS)
        )

    def findings_series(self, span: Span | None) -> tuple[FindingsPoint, ...]:
        """Sparse: only bars with findings."""
        if span is None:
            return ()
        return tuple(
            FindingsPoint(start, entity, rule, count)
            for entity, held in self.by_bar(span).items()
            for start, counts in held.items()
            for rule, count in sorted(counts.findings.items())
        )

    def rules(self, counts: Mapping[str, Counts], before: Mapping[str, Counts] | None) -> tuple[RuleCount, ...]:
        """Every rule that found something in the range, most findings first."""
        rows = []
        for entity, count in counts.items():
            contract = self._contracts[entity]
            for rule_id, found in count.findings.items():
                rule = contract.rules.get(rule_id)
                risk = at_risk(contract, rule_id, count.at_risk_minor)
                rows.append(
                    RuleCount(
                        entity=entity,
                        rule=rule_id,
                        severity=rule.severity if rule else "",
                        dimension=rule.dimension if rule else "",
                        message=rule.message if rule else "No rule of the contract now in force.",
                        impact=rule.impact if rule else None,
                        count=found,
                        previous=None if before is None else before[entity].findings.get(rule_id, 0),
                        share=found / count.received if count.received else 0.0,
                        at_risk=None if risk is None else risk / MINOR,
                    )
                )
        return tuple(sorted(rows, key=lambda row: (-row.count, row.entity, row.rule)))

    def _bars(self, span: Span, windows: tuple[Window, ...]) -> dict[int, Counts]:
        held: dict[int, list[Counts]] = {start: [] for start, _ in bars(span, BARS)}
        length = bar_seconds(span, BARS)
        for window in windows:
            if span.start <= window.start < span.end:
                held[bar_start(window.start, length)].append(window.counts)
        return {start: add(some, segments=False) for start, some in held.items()}
