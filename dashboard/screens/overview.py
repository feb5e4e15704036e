"""The overview page: key numbers, sales with their anomalies, quality, findings, open incidents and the latest report."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from dashboard import data
from dashboard.charts import findings as finding_charts
from dashboard.charts import quality as quality_charts
from dashboard.charts import sales as sales_charts
from dashboard.parts import report_body, theme
from dashboard.parts.frame import Frame
from dashboard.parts.incidents import incident_list
from dashboard.parts.live import live, note, quiet, waiting_for_records
from dashboard.parts.rule_table import top_rules
from dashboard.parts.tiles import before_label, tile
from dashboard.text import formats
from stream_app.monitor.incident import Incident
from stream_app.store.reports import StoredReport
from stream_app.views.kpis import Kpis
from stream_app.views.overview import Overview
from stream_app.views.selection import open_of

#: Number of rules in the table; the page Quality has all.
TOP_RULES = 8
#: Number of currencies whose revenue is drawn; the tile has all.
CURRENCIES = 3
#: Number of open incidents in the list; the page Anomalies has all.
INCIDENTS = 4


def page() -> None:
    """Draw the page."""
    live("overview", _read, _draw)


@dataclass(frozen=True, slots=True)
class View:
    """Content of the page."""

    overview: Overview
    incidents: tuple[Incident, ...]
    report: StoredReport | None


def _read(frame: Frame) -> View | data.Down:
    overview, found, reports = data.overview(frame.chosen), data.incidents(), data.reports()
    if isinstance(overview, data.Down):
        return overview
    # A failed read of incidents or reports is shown on their own pages; the key numbers are shown nevertheless.
    return View(
        overview,
        () if isinstance(found, data.Down) else found,
        None if isinstance(reports, data.Down) else next(iter(reports), None),
    )


def _draw(view: View) -> None:
    overview = view.overview
    if not overview.received:
        waiting_for_records(workers=bool(overview.workers))
        return
    with st.container(key="tiles"):
        _tiles(overview)
    with st.container(key="notes"):
        _notes(overview)
    wide, narrow = st.columns([5, 3], gap="small")
    with wide, st.container(key="card-sales"):
        _sales(overview, view.incidents)
    with narrow, st.container(key="card-news"):
        _news(overview, view.incidents, view.report)
    left, right = st.columns([5, 3], gap="small")
    with left, st.container(key="card-quality"):
        _quality(overview)
    with right, st.container(key="card-dimensions"):
        _dimensions(overview)
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-findings"):
        _findings_over_time(overview)
    with right, st.container(key="card-rules"):
        _rules(overview)


def _tiles(overview: Overview) -> None:
    kpis = overview.kpis
    before = before_label(overview.range)
    _revenue(kpis, before)
    tile("Total orders", formats.count(kpis.orders.value), kpis.orders, before, f"Distinct clean orders.{_cancelled(kpis)}")
    tile(
        "Active customers",
        formats.count(kpis.active_customers.value),
        kpis.active_customers,
        before,
        "Customers with a clean order. Estimated to about 1 % over a range; exact over all time.",
    )
    tile(
        "Conversion rate",
        formats.percent(kpis.conversion_rate.value),
        kpis.conversion_rate,
        before,
        "Orders ÷ visits, both clean.",
        share=True,
        beside="no contract names visits" if kpis.visits is None else None,
    )
    tile(
        "Quality score",
        formats.percent(kpis.quality_score.value, 2),
        kpis.quality_score,
        before,
        "Share of checks passed: the mean of all quality dimensions, over all entities.",
        share=True,
    )


def _revenue(kpis: Kpis, before: str) -> None:
    """Draw the revenue: in one currency, or the totals of several side by side."""
    meaning = "Net revenue of clean orders."
    if kpis.revenue.value is None and kpis.revenue_by:
        amounts = formats.each({currency: one.value or 0.0 for currency, one in kpis.revenue_by.items()})
        few = len(kpis.revenue_by)
        shown = amounts if few == 1 else f"{few} currencies"
        tile("Revenue", shown, kpis.revenue, before, f"{meaning} A total for each currency.", beside=amounts)
        return
    if kpis.rates:
        meaning = f"{meaning} {formats.converted(kpis.rates, kpis.currency)}."
    tile("Revenue", formats.money(kpis.revenue.value, kpis.currency), kpis.revenue, before, meaning)


def _cancelled(kpis: Kpis) -> str:
    return "" if kpis.cancelled is None else f" Left out: {formats.count(kpis.cancelled)} records that cancel an order."


def _notes(overview: Overview) -> None:
    kpis = overview.kpis
    if kpis.cancelled:
        st.caption(f"Orders leave out {formats.count(kpis.cancelled)} records that cancel an order.")
    if kpis.rates:
        amounts = formats.each({currency: one.value or 0.0 for currency, one in kpis.revenue_by.items()})
        note("Revenue. ", f"{formats.converted(kpis.rates, kpis.currency)}. Before conversion: {amounts}", ".")
    if overview.clipped and overview.span is not None:
        st.caption(f"Totals are of all time; charts show the last {overview.span.windows} days.")
    if overview.late > 0:
        st.caption(formats.restated(overview.late))
    if overview.outside:
        note(
            "These records have no event time and are counted when they arrive, which is outside this range: ",
            ", ".join(overview.outside),
            ". Choose All to see them.",
        )


def _sales(overview: Overview, found: tuple[Incident, ...]) -> None:
    st.subheader("Sales", anchor=False)
    st.caption(
        f"Net revenue and orders of clean records, by {formats.bar_name(overview.bar_seconds)}. Bands with a triangle are "
        "anomalies: it points up for more than expected, down for less"
    )
    if not overview.sales_series:
        quiet()
        return
    currency = overview.kpis.currency
    anomalies = sales_charts.anomalies_of(found, overview.sales, currency)
    for shown in [] if currency or not overview.kpis.revenue_by else [*overview.kpis.revenue_by][:CURRENCIES]:
        series = [replace(point, revenue=point.revenue_by.get(shown, 0.0)) for point in overview.sales_series]
        revenue, _ = sales_charts.sales_over_time(series, overview.bar_seconds, shown, anomalies, height=120)
        theme.chart(revenue, key=f"revenue-{shown}", alt_text=f"Net revenue in {shown} over time, as bars.")
    revenue, orders = sales_charts.sales_over_time(overview.sales_series, overview.bar_seconds, currency, anomalies)
    if currency or not overview.kpis.revenue_by:
        theme.chart(revenue, key="revenue", alt_text="Net revenue over time, as bars.")
    theme.chart(orders, key="orders", alt_text="Orders over time, as bars.")


def _news(overview: Overview, found: tuple[Incident, ...], report: StoredReport | None) -> None:
    open_ = open_of(found)
    st.subheader(f"Open incidents: {len(open_)}" if open_ else "No open incidents", anchor=False)
    if not open_:
        quiet("All metrics are within their usual bands. Bands are learned from about a day of history.")
    incident_list(open_[:INCIDENTS], overview.kpis.currency, len(open_[INCIDENTS:]))
    st.subheader("Latest report", anchor=False)
    if report is None:
        quiet("None yet. `headrace report` writes one.")
        return
    st.caption(report_body.period(report))
    report_body.draw_summary(report, most=2)


def _quality(overview: Overview) -> None:
    st.subheader("Quality score over time", anchor=False)
    st.caption(f"Share of checks passed, by {formats.bar_name(overview.bar_seconds)}; the axis does not start at zero")
    if any(point.quality.score is not None for point in overview.quality_series):
        theme.chart(
            quality_charts.score_over_time(overview.quality_series, overview.bar_seconds, 270),
            key="quality",
            alt_text="Quality score over time, in percent.",
        )
    else:
        quiet()


def _dimensions(overview: Overview) -> None:
    st.subheader("Quality by dimension", anchor=False)
    st.caption("Share of failed checks, worst first")
    if any(share is not None for share in overview.quality.dimensions.values()):
        theme.chart(
            quality_charts.by_dimension(overview.quality),
            key="dimensions",
            alt_text="Share of failed checks by quality dimension, worst first.",
        )
    else:
        quiet()


def _findings_over_time(overview: Overview) -> None:
    st.subheader("Findings over time", anchor=False)
    st.caption(f"By rule and {formats.bar_name(overview.bar_seconds)}; a record may have several")
    if not overview.findings_series:
        st.info("No findings in this range.", icon=":material/check_circle:")
        return
    named = finding_charts.named_rules(overview.rules, st.session_state.get("named", ()))
    st.session_state["named"] = named
    starts = [point.start for point in overview.quality_series]
    theme.chart(
        finding_charts.findings_over_time(overview.findings_series, overview.rules, starts, overview.bar_seconds, named),
        key="findings",
        alt_text="Findings over time, stacked by rule.",
    )


def _rules(overview: Overview) -> None:
    st.subheader("Top rules", anchor=False)
    if not overview.rules:
        st.caption("No rule has findings in this range.")
        return
    st.caption("Rules with most findings. Rejects: the record is in the dead-letter topic. The page Quality has all rules")
    top_rules(overview.rules[:TOP_RULES])
