"""Quality of one range in depth: by rule with its trend, by dimension, by segment, repairs, and fields that drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from stream_app.contract.money import each_in_units, in_units
from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.summary import Quality
from stream_app.store.queries import Queries
from stream_app.views.breakdown import (
    NullField,
    Repair,
    RuleCount,
    SegmentRow,
    UnknownField,
    by_repair,
    by_rule,
    by_segment,
    null_fields,
    unknown_fields,
)
from stream_app.views.figures import ConformityPoint, Figures, FindingsPoint, QualityPoint
from stream_app.views.kpis import Kpi
from stream_app.views.ranges import Chosen
from stream_app.views.reading import RangeCounts, read_range
from stream_app.views.totals import Totals, at_risk_changed, late_records, totals_of
from stream_app.windows.grain import Span
from stream_app.windows.zone import UTC, Zone


@dataclass(frozen=True, slots=True)
class QualityKpis:
    """Key numbers of some entities, without series; shares between 0 and 1.

    Attributes:
        at_risk: in units of currency, each record once; None if none of the entities has prices, or each currency has a
            total of its own.
        at_risk_by: these, by currency.
        unvalued: records with findings whose own worth is in doubt; ``usual_worth``: what ``at_risk`` has of them.
        rejected, judged: records, in the range.
    """

    valid: Kpi
    conformity: Kpi
    received: Kpi
    findings: Kpi
    at_risk: Kpi
    unvalued: int
    usual_worth: float
    rejected: int
    judged: int
    at_risk_by: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class QualityView:
    """Everything of one range.

    Attributes:
        counts_compared: counts of the part of the range that is complete, which is compared with the previous one.
        counts_before: counts of as long a part of the previous range; None, as ``counts_compared``, if the stream does not
            cover it.
        trends: (entity, rule) → findings in equal parts of the range, oldest first.
        clipped: the stream is older than the windows that charts and segments come from.
        late: records of the range that came after their window was final; its figures were restated by them.
    """

    range: Chosen
    read_at: int
    span: Span | None
    bar_seconds: int
    contracts: Mapping[str, ContractSummary]
    currency: str | None
    counts: Mapping[str, Counts]
    counts_compared: Mapping[str, Counts] | None
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
    late: int

    @property
    def zone(self) -> Zone:
        """Whose days the days are."""
        return self.span.zone if self.span else UTC

    @property
    def received(self) -> int:
        """Records received in the range."""
        return sum(counts.received for counts in self.counts.values())

    def quality(self, entity: str | None = None) -> tuple[Quality, Quality | None]:
        """Return the quality of one entity or all, in the range and in the previous one."""
        before = self.counts_before
        return self._totals(self.counts, entity).quality, None if before is None else self._totals(before, entity).quality

    def kpis(self, entity: str | None = None) -> QualityKpis:
        """Return the key numbers of one entity or all, with the previous range."""
        now, compared, before = self._totals(self.counts, entity), self.counts_compared, self.counts_before
        then = None if compared is None or before is None else (self._totals(compared, entity), self._totals(before, entity))

        def kpi(figure: Callable[[Totals], float | None]) -> Kpi:
            return Kpi(figure(now), figure(then[0]), figure(then[1])) if then else Kpi(figure(now))

        return QualityKpis(
            valid=kpi(lambda totals: totals.quality.valid),
            conformity=kpi(lambda totals: totals.conformity),
            received=kpi(lambda totals: totals.received),
            findings=kpi(lambda totals: totals.findings),
            at_risk=replace(
                kpi(lambda totals: None if totals.at_risk_minor is None else in_units(totals.at_risk_minor, self.currency)),
                unclear=then is not None and not at_risk_changed(*then),
            ),
            unvalued=now.unvalued,
            usual_worth=in_units(now.usual_minor, self.currency),
            rejected=now.rejected,
            judged=now.judged,
            at_risk_by=each_in_units(now.at_risk_by),
        )

    def _totals(self, counts: Mapping[str, Counts], entity: str | None) -> Totals:
        return totals_of(self.contracts, counts if entity is None else {entity: counts[entity]})


def read_quality(queries: Queries, chosen: Chosen, *, zone: Zone = UTC) -> QualityView:
    """Read what the quality page shows of a range, in six round trips (see ``read_range``).

    Raises:
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    return quality_view_of(read_range(queries, chosen, segments=True, zone=zone))


def quality_view_of(read: RangeCounts) -> QualityView:
    """Compute the view; pure."""
    figures, stream = Figures(read, segments=True), read.stream
    # Segments of all time are those of the windows: the all-time counts have none.
    segments = figures.between(read.span.start, read.span.end, segments=True) if read.span and read.all_time else figures.counts
    return QualityView(
        range=read.chosen,
        read_at=stream.read_at,
        span=read.span,
        bar_seconds=figures.bar_seconds,
        contracts=stream.contracts,
        currency=stream.currency,
        counts=figures.counts,
        counts_compared=figures.compared,
        counts_before=figures.before,
        series=figures.quality_series(),
        outcomes=figures.conformity_series(),
        findings_series=figures.findings_series(),
        rules=by_rule(stream.contracts, figures.counts, figures.before, figures.compared),
        trends=figures.trends(),
        segments=by_segment(stream.contracts, segments),
        repairs=by_repair(figures.counts),
        nulls=null_fields(figures.counts, figures.before),
        unknown=unknown_fields(figures.counts, figures.before, figures.compared),
        clipped=read.clipped,
        late=late_records(figures.counts),
    )
