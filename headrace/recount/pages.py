"""Compare the pages Overview, Quality and Anomalies, and ``headrace status``, with a recount."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from headrace.recount.compare import Comparison
from headrace.recount.figures import Period, Truth
from stream_app.contract.segments import OTHER
from stream_app.store.queries import Queries
from stream_app.views.kpis import Kpi
from stream_app.views.overview import Overview, read_overview
from stream_app.views.pulse import read_status
from stream_app.views.quality import QualityView, read_quality
from stream_app.views.ranges import BARS, SPARK_POINTS, Chosen, bars, compared, groups
from stream_app.windows.grain import Span

Figure = Callable[[Period], float | None]


def compare_status(into: Comparison, truth: Truth, queries: Queries) -> None:
    """Compare ``headrace status --json``, the numbers of all time."""
    status, now = read_status(queries), truth.period()
    for entity, row in status["entities"].items():
        part = now.sums[entity]
        for shown, counted in (
            ("in", "received"),
            *((one, one) for one in ("clean", "rejected", "deleted", "repaired", "late")),
        ):
            into.same("status", f"{entity} {shown}", row[shown], part[counted])
        into.each("status", f"{entity} findings", row["findings"], part.named("finding"))
        into.same("status", f"{entity} conformity", row["conformity"], now.conformity(entity))
        into.same("status", f"{entity} valid", row["quality"]["valid"], now.valid(entity))
        for name, share in row["quality"]["dimensions"].items():
            into.same("status", f"{entity} {name}", share, now.valid(entity, name))
    kpis = status["kpis"]
    rows = [
        ("revenue", now.revenue), ("orders", now.orders), ("active_customers", now.customers), ("visits", now.visits),
        ("conversion_rate", now.conversion), ("cancelled", now.sold["cancelled"]), ("conformity", now.conformity()),
        ("valid_records", now.valid()),
    ]  # fmt: skip
    estimated = {*status["estimates"], *(["conversion_rate"] if "orders" in status["estimates"] else [])}
    for name, number in rows:
        into.same("status", name, kpis[name], number, estimated=name in estimated)


def compare_overview(into: Comparison, truth: Truth, queries: Queries, chosen: Chosen) -> None:
    """Compare the page Overview of one range."""
    view, page = read_overview(queries, chosen, findings=0, records=0), f"Overview {chosen.label}"
    if view.span is None:
        return
    now = _Range(truth, view.span, view.stream_ms or 0, all_time=view.range.seconds is None)
    kpis = view.kpis
    for name, kpi, figure in (
        ("Revenue", kpis.revenue, lambda one: one.revenue),
        ("Total orders", kpis.orders, lambda one: one.orders),
        ("Active customers", kpis.active_customers, lambda one: one.customers),
        ("Conversion rate", kpis.conversion_rate, lambda one: one.conversion),
        ("Valid records", kpis.valid_records, lambda one: one.valid()),
    ):
        _kpi(into, page, name, kpi, figure, now)
    into.same(page, "visits", kpis.visits, now.now.visits)
    if kpis.cancelled is not None:
        into.same(page, "cancelled", kpis.cancelled, now.now.sold["cancelled"])
    into.same(page, "late", view.late, now.now.count("late"))
    for name in view.quality.dimensions:
        into.same(page, f"quality in {name}", view.quality.dimensions[name], now.now.valid(None, name))
    _rules(into, page, view, now)
    _overview_series(into, page, view, now)


def compare_quality(into: Comparison, truth: Truth, queries: Queries, chosen: Chosen) -> None:
    """Compare the page Quality of one range, of all entities and of each."""
    view, page = read_quality(queries, chosen), f"Quality {chosen.label}"
    if view.span is None:
        return
    stream_ms = read_overview(queries, chosen, findings=0, records=0).stream_ms or 0
    now = _Range(truth, view.span, stream_ms, all_time=view.range.seconds is None)
    for entity in (None, *truth.entities):
        kpis, name = view.kpis(entity), entity or "all"
        figures: dict[str, tuple[Kpi, Figure]] = {
            "valid records": (kpis.valid, partial(Period.valid, entity=entity)),
            "conformity": (kpis.conformity, partial(Period.conformity, entity=entity)),
            "records": (kpis.received, partial(Period.count, name="received", entity=entity)),
            "findings": (kpis.findings, partial(Period.findings, entity=entity)),
            "value at risk": (kpis.at_risk, partial(_at_risk, entity=entity)),
        }
        for figure, (kpi, count) in figures.items():
            _kpi(into, page, f"{name}: {figure}", kpi, count, now)
        into.same(page, f"{name}: unvalued", kpis.unvalued, _priced(now.now, "unvalued", entity))
        into.same(page, f"{name}: usual worth", kpis.usual_worth, _money(now.now, now.now.at_risk(entity)[1]))
        into.same(page, f"{name}: rejected", kpis.rejected, now.now.count("rejected", entity))
        measured, _ = view.quality(entity)
        for dimension, share in measured.dimensions.items():
            into.same(page, f"{name}: quality in {dimension}", share, now.now.valid(entity, dimension))
    _rules(into, page, view, now)
    _drift(into, page, view, now)
    _segments(into, page, view, truth.period(view.span.start, view.span.end))
    parts = [truth.period(*one) for one in groups(view.span, SPARK_POINTS)]
    for (entity, rule), trend in view.trends.items():
        into.same(page, f"trend of {entity} {rule}", list(trend), [one.sums[entity]["finding", rule] for one in parts])
    cut = _cut(view.span)
    for point, (start, end) in zip(view.outcomes, bars(view.span, BARS), strict=True):
        bar = truth.period(*cut(start, end))
        into.same(page, f"clean at {start}", point.clean, bar.count("clean"))
        into.same(page, f"rejected at {start}", point.rejected, bar.count("rejected"))


class _Range:
    """A range, and the parts of it and of the previous one that are compared."""

    def __init__(self, truth: Truth, span: Span, stream_ms: int, *, all_time: bool) -> None:
        self.truth, self.span = truth, span
        self.now = truth.period() if all_time else truth.period(span.start, span.end)
        cuts = None if all_time else compared(span, stream_ms / 1000)
        self.compared = truth.period(*cuts[0]) if cuts else None
        self.before = truth.period(*cuts[1]) if cuts else None


def _kpi(into: Comparison, page: str, name: str, kpi: Kpi, figure: Figure, now: _Range) -> None:
    into.same(page, name, kpi.value, figure(now.now), estimated=kpi.estimated)
    # Without a previous range, nothing is compared.
    if kpi.compared is not None and kpi.previous is not None and now.compared is not None and now.before is not None:
        into.same(page, f"{name}, complete part", kpi.compared, figure(now.compared), estimated=kpi.estimated)
        into.same(page, f"{name}, before", kpi.previous, figure(now.before), estimated=kpi.estimated)
    if kpi.series:
        parts = groups(now.span, SPARK_POINTS)
        # Parts before the stream and the running one are left out; what is shown are neighbours.
        counted = [figure(now.truth.period(*part)) for part in parts]
        shown = list(kpi.series)
        begins = [at for at in range(len(counted) - len(shown) + 1) if _alike(shown, counted[at : at + len(shown)])]
        if not kpi.estimated:
            into.same(page, f"{name}, sparkline", "as counted" if begins else shown, "as counted" if begins else counted)


def _alike(shown: list[float | None], counted: list[float | None]) -> bool:
    side = Comparison()
    for one, other in zip(shown, counted, strict=True):
        side.same("", "", one, other)
    return not side.differences


def _rules(into: Comparison, page: str, view: Overview | QualityView, now: _Range) -> None:
    true = now.now.rules()
    shown = {(row.entity, row.rule): row for row in view.rules}
    listed = {
        key
        for key in true
        if isinstance(view, QualityView) or now.truth.shop.contracts[key[0]].rules[key[1]].severity != "info"
    }
    into.same(page, "rules with findings", sorted(shown), sorted(listed))
    for key, row in shown.items():
        into.same(page, f"findings of {key}", row.count, true.get(key, 0))
        records = now.now.sums[row.entity]["received"] - now.now.sums[row.entity]["deleted"]
        into.same(page, f"share of {key}", row.share, true.get(key, 0) / records if records else 0.0)
        into.same(page, f"value at risk in {key}", row.at_risk_minor, now.now.risk_of(*key))
        if row.previous is not None and now.before is not None:
            into.same(page, f"findings of {key}, before", row.previous, now.before.sums[row.entity]["finding", row.rule])


def _overview_series(into: Comparison, page: str, view: Overview, now: _Range) -> None:
    cut = _cut(now.span)
    points: dict[int, Any] = {point.start: point for point in view.sales_series}
    quality = {point.start: point.quality.valid for point in view.quality_series}
    found = {(point.start, point.entity, point.rule): point.count for point in view.findings_series}
    for start, end in bars(now.span, BARS):
        bar = now.truth.period(*cut(start, end))
        if start in points:
            point = points[start]
            into.same(page, f"revenue at {start}", point.revenue, bar.revenue)
            into.same(page, f"orders at {start}", point.orders, bar.orders, estimated=point.estimated)
        into.same(page, f"valid records at {start}", quality.get(start), bar.valid())
        for (entity, rule), number in bar.rules().items():
            if now.truth.shop.contracts[entity].rules[rule].severity != "info":
                into.same(page, f"findings of {entity} {rule} at {start}", found.pop((start, entity, rule), 0), number)
    into.same(page, "findings of bars without any", found, {})


def _drift(into: Comparison, page: str, view: QualityView, now: _Range) -> None:
    for entity, part in now.now.sums.items():
        repairs = {f"{row.field}.{row.step}": row.count for row in view.repairs if row.entity == entity}
        into.each(page, f"repairs of {entity}", repairs, part.named("repair"))
        nulls = {row.field: row.count for row in view.nulls if row.entity == entity}
        into.each(page, f"empty values of {entity}", nulls, part.named("null"))
        judged = part["clean"] + part["rejected"]
        shares = {row.field: row.share for row in view.nulls if row.entity == entity}
        into.each(page, f"share of empty values of {entity}", shares, {
            name: number / judged for name, number in part.named("null").items() if judged
        })  # fmt: skip
        unknown = {row.name: row.count for row in view.unknown if row.entity == entity}
        into.each(page, f"unknown fields of {entity}", unknown, part.named("unknown"))


def _segments(into: Comparison, page: str, view: QualityView, now: Period) -> None:
    for entity, contract in now.truth.shop.contracts.items():
        for field in contract.segments:
            true = now.segment(entity, field)
            shown = {row.value: row for row in view.segments if (row.entity, row.field) == (entity, field)}
            if OTHER in shown:
                # Which values are counted together depends on the order in which they came.
                received = sum(one["received"][0] for one in true.values())
                into.same(page, f"records by {field}", sum(row.received for row in shown.values()), received)
                continue
            for value in sorted({*true, *shown}):
                _segment(into, f"{page}", f"{entity} {field} {value}", shown.get(value), true.get(value, {}), now.units)


def _segment(into: Comparison, page: str, name: str, row: Any, true: Any, units: int) -> None:
    def compare(what: str, shown: float, factor: int = 1) -> None:
        counted, possible = true.get(what, (0, 0))
        into.within(page, f"{name} {what}", shown * factor, counted, possible)

    compare("received", row.received if row else 0)
    compare("rejected", row.rejected if row else 0)
    if row is not None and row.revenue is not None:
        counted, possible = true.get("revenue", (0, 0))
        into.within(page, f"{name} revenue", round(row.revenue * units), counted, possible)
    known = {what for what in true if what not in {"received", "clean", "rejected", "revenue"}}
    for rule in sorted({*known, *(row.findings if row else ())}):
        compare(rule, row.findings.get(rule, 0) if row else 0)


def _cut(span: Span) -> Callable[[int, int], tuple[int, int]]:
    """Bars may stick out of the span."""
    return lambda start, end: (max(start, span.start), min(end, span.end))


def _money(period: Period, minor: float | None) -> float | None:
    return None if minor is None else minor / period.units


def _at_risk(period: Period, entity: str | None) -> float | None:
    return _money(period, period.at_risk(entity)[0])


def _priced(period: Period, name: str, entity: str | None) -> int:
    contracts = period.truth.shop.contracts
    return sum(period.sums[one][name] for one in period.of(entity) if contracts[one].revenue)
