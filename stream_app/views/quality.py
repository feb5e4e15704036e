"""Quality of one range in depth: by rule with its trend, by dimension, by segment, repairs, and fields that drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.summary import MINOR, Quality, conformity, overall_quality, quality, value_at_risk
from stream_app.counts.window import Window
from stream_app.store.queries import EntityState, Queries, stream_ms
from stream_app.views.figures import BARS, SPARK_POINTS, Figures, FindingsPoint, Kpi, QualityPoint, RuleCount
from stream_app.views.ranges import Chosen, TimeRange, bar_seconds, bars, groups, span_of
from stream_app.windows.grain import Span


@dataclass(frozen=True, slots=True)
class QualityKpis:
    """Key numbers of some entities, without series; score and conformity between 0 and 1.

    ``at_risk``: in units of currency, added up by rule; None where no record of these entities says what it is worth.
    """

    score: Kpi
    conformity: Kpi
    received: Kpi
    findings: Kpi
    at_risk: Kpi


@dataclass(frozen=True, slots=True)
class ConformityPoint:
    """From ``start`` (s) for one bar's length: records by outcome, over the chosen entities."""

    start: int
    clean: int
    rejected: int

    @property
    def share(self) -> float | None:
        """Clean among judged records; None where none was judged."""
        return conformity(self.clean, self.rejected)


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One value of a segment field. ``findings``: rule → findings; ``revenue`` in units of currency."""

    entity: str
    field: str
    value: str
    received: int
    rejected: int
    revenue: float
    findings: Mapping[str, int]

    @property
    def rejected_share(self) -> float:
        """Rejected ÷ records in; 0 where none came in."""
        return self.rejected / self.received if self.received else 0.0


@dataclass(frozen=True, slots=True)
class Repair:
    """What one cleaning step did in the range. ``share``: repairs ÷ records in."""

    entity: str
    field: str
    step: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class NullField:
    """An optional field that was null or absent. ``share`` of judged records, ``before`` in the range before."""

    entity: str
    field: str
    count: int
    share: float
    before: float | None


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that the contract does not know. ``previous``: records in the range before; None where not covered."""

    entity: str
    name: str
    count: int
    previous: int | None


@dataclass(frozen=True, slots=True)
class QualityView:
    """Everything of one range. ``trends``: (entity, rule) → findings in equal parts of the range, oldest first.

    ``counts_before``: those of the range before, None where the stream does not cover it. ``clipped``: all time is
    longer than the windows that charts and segments are made from.
    """

    range: Chosen
    read_at: int
    span: Span | None
    bar_seconds: int
    contracts: Mapping[str, ContractSummary]
    currency: str | None
    counts: Mapping[str, Counts]
    counts_before: Mapping[str, Counts] | None
    series: tuple[QualityPoint, ...]
    outcomes: tuple[ConformityPoint, ...]
    findings_series: tuple[FindingsPoint, ...]
    rules: tuple[RuleCount, ...]
    trends: Mapping[tuple[str, str], tuple[int, ...]]
    segments: tuple[SegmentRow, ...]
    repairs: tuple[Repair, ...]
    nulls: tuple[NullField, ...]
    unknown: tuple[UnknownField, ...]
    clipped: bool

    @property
    def received(self) -> int:
        """Records that came in, in the range."""
        return sum(counts.received for counts in self.counts.values())

    def quality(self, entity: str | None = None) -> tuple[Quality, Quality | None]:
        """Of one entity or all, in the range and in the one before."""
        now, then = self._chosen(entity)
        return self._quality(now), None if then is None else self._quality(then)

    def kpis(self, entity: str | None = None) -> QualityKpis:
        """Of one entity or all, with the range before."""
        now, then = self._chosen(entity)

        def kpi(figure: Callable[[Mapping[str, Counts]], float | None]) -> Kpi:
            return Kpi(figure(now), None if then is None else figure(then))

        return QualityKpis(
            score=kpi(lambda counts: self._quality(counts).score),
            conformity=kpi(_conformity),
            received=kpi(lambda counts: sum(one.received for one in counts.values())),
            findings=kpi(lambda counts: sum(sum(one.findings.values()) for one in counts.values())),
            at_risk=kpi(self._at_risk),
        )

    def _chosen(self, entity: str | None) -> tuple[Mapping[str, Counts], Mapping[str, Counts] | None]:
        if entity is None:
            return self.counts, self.counts_before
        return {entity: self.counts[entity]}, None if self.counts_before is None else {entity: self.counts_before[entity]}

    def _quality(self, counts: Mapping[str, Counts]) -> Quality:
        parts = ((one.received, quality(self.contracts[entity], one.received, one.findings)) for entity, one in counts.items())
        return overall_quality(parts)

    def _at_risk(self, counts: Mapping[str, Counts]) -> float | None:
        priced = {entity: one for entity, one in counts.items() if self.contracts[entity].revenue}
        risk = sum(value_at_risk(self.contracts[entity], one.at_risk_minor) for entity, one in priced.items())
        return risk / MINOR if priced else None


def build_quality(
    *,
    chosen: Chosen,
    span: Span | None,
    read_at: int,
    first: int | None,
    contracts: Mapping[str, ContractSummary],
    states: Mapping[str, EntityState],
    windows: Mapping[str, tuple[Window, ...]],
) -> QualityView:
    """Compute the view; pure. ``windows`` include the range before and their segments."""
    sales = next((entity for entity, contract in contracts.items() if contract.revenue), None)
    figures = Figures(contracts, sales, {entity: state.totals for entity, state in states.items()}, windows, {})
    inside = figures.between(span.start, span.end, segments=True) if span else {entity: Counts() for entity in contracts}
    counts: Mapping[str, Counts] = inside
    before = None
    if chosen is TimeRange.ALL or span is None:
        counts = {entity: state.counts for entity, state in states.items()}
    elif span.previous is not None and first is not None and first <= span.previous:
        before = figures.between(span.previous, span.start)
    return QualityView(
        range=chosen,
        read_at=read_at,
        span=span,
        bar_seconds=bar_seconds(span, BARS) if span else 60,
        contracts=contracts,
        currency=contracts[sales].currency if sales else None,
        counts=counts,
        counts_before=before,
        series=figures.quality_series(span),
        outcomes=_outcomes(figures, span),
        findings_series=figures.findings_series(span),
        rules=figures.rules(counts, before),
        trends=_trends(figures, span),
        segments=_segments(inside),
        repairs=_repairs(counts),
        nulls=_nulls(counts, before),
        unknown=_unknown(counts, before),
        clipped=bool(chosen is TimeRange.ALL and span and first is not None and first < span.start),
    )


def _conformity(counts: Mapping[str, Counts]) -> float | None:
    return conformity(sum(one.clean for one in counts.values()), sum(one.rejected for one in counts.values()))


def _outcomes(figures: Figures, span: Span | None) -> tuple[ConformityPoint, ...]:
    if span is None:
        return ()
    by_bar = figures.by_bar(span)
    points = []
    for start, _ in bars(span, BARS):
        held = [counts[start] for counts in by_bar.values()]
        points.append(ConformityPoint(start, sum(one.clean for one in held), sum(one.rejected for one in held)))
    return tuple(points)


def _trends(figures: Figures, span: Span | None) -> dict[tuple[str, str], tuple[int, ...]]:
    parts = [figures.between(*cut) for cut in groups(span, SPARK_POINTS)] if span else []
    seen = {(entity, rule) for part in parts for entity, counts in part.items() for rule in counts.findings}
    return {key: tuple(part[key[0]].findings.get(key[1], 0) for part in parts) for key in sorted(seen)}


def _segments(inside: Mapping[str, Counts]) -> tuple[SegmentRow, ...]:
    rows = [
        SegmentRow(
            entity=entity,
            field=name,
            value=value,
            received=here.received,
            rejected=here.rejected,
            revenue=here.revenue_minor / MINOR,
            findings=here.findings,
        )
        for entity, counts in inside.items()
        for name, values in counts.segments.items()
        for value, here in values.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.entity, row.field, -row.received, row.value)))


def _repairs(counts: Mapping[str, Counts]) -> tuple[Repair, ...]:
    rows = []
    for entity, count in counts.items():
        for name, number in count.repairs.items():
            field, _, step = name.rpartition(".")
            rows.append(Repair(entity, field, step, number, number / count.received if count.received else 0.0))
    return tuple(sorted(rows, key=lambda row: (-row.count, row.entity, row.field, row.step)))


def _nulls(counts: Mapping[str, Counts], before: Mapping[str, Counts] | None) -> tuple[NullField, ...]:
    rows = []
    for entity, count in counts.items():
        then = before[entity] if before is not None else None
        judged, judged_then = _judged(count), _judged(then) if then else 0
        for name in sorted({*count.nulls, *(then.nulls if then else ())}):
            share_then = then.nulls.get(name, 0) / judged_then if then and judged_then else None
            share = count.nulls.get(name, 0) / judged if judged else 0.0
            rows.append(NullField(entity, name, count.nulls.get(name, 0), share, share_then))
    return tuple(sorted(rows, key=lambda row: (-row.share, row.entity, row.field)))


def _unknown(counts: Mapping[str, Counts], before: Mapping[str, Counts] | None) -> tuple[UnknownField, ...]:
    rows = [
        UnknownField(entity, name, number, None if before is None else before[entity].unknown.get(name, 0))
        for entity, count in counts.items()
        for name, number in count.unknown.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.count, row.entity, row.name)))


def _judged(counts: Counts) -> int:
    return counts.clean + counts.rejected


def read_quality(queries: Queries, chosen: Chosen) -> QualityView:
    """All that the quality page shows of a range, in six round trips; ranges as for ``overview``.

    Raises:
        StoreError: Redis is down, or its keys are not ours.
    """
    contracts, _, _ = queries.announced()
    states = queries.states(contracts)
    stream = stream_ms(contracts, states)
    first = queries.first(contracts, states)
    span = None if stream is None else span_of(chosen, first, stream / 1000)
    starts, _ = queries.starts(contracts, span)
    windows: dict[str, tuple[Window, ...]] = {}
    if span is not None:
        windows, _ = queries.windows(contracts, span, starts, segments=True)
    return build_quality(
        chosen=chosen,
        span=span,
        read_at=queries.now(),
        first=first,
        contracts=contracts,
        states=states,
        windows=windows,
    )
