"""The overview page: key numbers, sales with their anomalies, quality, findings, open incidents and the latest report."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import data
from dashboard.charts import findings as finding_charts
from dashboard.charts import quality as quality_charts
from dashboard.charts import sales as sales_charts
from dashboard.parts import links, report_body, theme
from dashboard.parts.causes import cause_list
from dashboard.parts.days import days_note
from dashboard.parts.frame import Frame
from dashboard.parts.live import live, note, quiet, waiting_for_records
from dashboard.parts.rule_table import top_rules
from dashboard.parts.status_line import judged
from dashboard.parts.tiles import before_label, tile
from dashboard.text import formats
from dashboard.text.bands import band_badge
from dashboard.text.words import plain
from stream_app.monitor.acts import Act
from stream_app.monitor.causes import causes
from stream_app.monitor.incident import Incident
from stream_app.store.reports import StoredReport
from stream_app.views.incidents import open_causes
from stream_app.views.kpis import Kpis
from stream_app.views.overview import Overview, is_doubtful
from stream_app.views.ranges import bounds
from stream_app.views.usual import Usual

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
    usual: Usual | None = None
    usual_valid: float | None = None
    acts: tuple[Act, ...] = ()


def _read(frame: Frame) -> View | data.Down:
    overview, found, usual = data.overview(frame.chosen), data.incidents(), data.usual(frame.chosen)
    usual_valid, acts = data.usual_valid(frame.chosen), data.acts()
    if isinstance(overview, data.Down):
        return overview
    # A failed read of incidents or reports is shown on their own pages; the key numbers are shown nevertheless.
    return View(
        overview,
        () if isinstance(found, data.Down) else found,
        _report(),
        None if isinstance(usual, data.Down) else usual,
        None if isinstance(usual_valid, data.Down) else usual_valid,
        () if isinstance(acts, data.Down) else acts,
    )


def _report() -> StoredReport | None:
    """Return the report to show: the daily one, or the newest."""
    reports = data.reports()
    first = None if isinstance(reports, data.Down) else reports.first
    read = None if first is None else data.report(first.id)
    return None if isinstance(read, data.Down) else read


def _draw(view: View) -> None:
    overview = view.overview
    if not overview.received:
        waiting_for_records(workers=bool(overview.workers))
        return
    with st.container(key="tiles"):
        until = bounds(overview.range, overview.stream_ms, overview.zone)[1]
        _tiles(view, open_causes(view.incidents, view.acts, until), doubtful=is_doubtful(view.incidents, overview))
    with st.container(key="notes"):
        _notes(overview)
        if view.usual is not None:
            st.caption(plain(formats.usual(view.usual)))
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


def _tiles(view: View, open_incidents: int, *, doubtful: bool) -> None:
    overview, kpis = view.overview, view.overview.kpis
    before = before_label(overview.range)
    orders = links.Link("Newest clean orders", "clean", {"entity": overview.sales})
    with _revenue(kpis, before, doubtful=doubtful):
        links.draw(orders)
    with tile(
        "Total orders", formats.count(kpis.orders.value), kpis.orders, before, f"Distinct clean orders.{_cancelled(kpis)}"
    ):
        links.draw(orders)
    with tile(
        "Active customers",
        formats.count(kpis.active_customers.value),
        kpis.active_customers,
        before,
        "Customers with a clean order.",
    ):
        links.draw(orders)
    tile(
        "Conversion rate",
        formats.percent(kpis.conversion_rate.value),
        kpis.conversion_rate,
        before,
        "Orders ÷ visits, both clean.",
        share=True,
        beside=_no_conversion(kpis.visits),
    )
    with tile(
        "Valid records",
        formats.percent(kpis.valid_records.value, 2),
        kpis.valid_records,
        before,
        "Records without an error or a warning ÷ judged records, over all entities.",
        share=True,
    ):
        if (badge := band_badge(overview.quality, open_incidents, view.usual_valid)) is not None:
            st.badge(badge[0], color=badge[1])
        links.draw(links.Link("Findings by rule", "quality", {"range": overview.range.value}))


def _revenue(kpis: Kpis, before: str, *, doubtful: bool) -> DeltaGenerator:
    """Draw the revenue: in one currency, or the totals of several side by side."""
    meaning = "Net revenue of clean orders."
    if kpis.revenue.value is None and kpis.revenue_by:
        amounts = formats.each({currency: one.value or 0.0 for currency, one in kpis.revenue_by.items()})
        few = len(kpis.revenue_by)
        shown = amounts if few == 1 else f"{few} currencies"
        return tile("Revenue", shown, kpis.revenue, before, f"{meaning} A total for each currency.", beside=amounts)
    if kpis.rates:
        meaning = f"{meaning} {formats.converted(kpis.rates, kpis.currency)}."
    less_is_better = None if doubtful else False
    shown = formats.money(kpis.revenue.value, kpis.currency)
    return tile("Revenue", shown, kpis.revenue, before, meaning, less_is_better=less_is_better)


def _no_conversion(visits: int | None) -> str | None:
    """Return what the conversion rate lacks."""
    return "no contract names visits" if visits is None else None if visits else "no visits in this range"


def _cancelled(kpis: Kpis) -> str:
    return "" if kpis.cancelled is None else f" Left out: {formats.count(kpis.cancelled)} records that cancel an order."


def _notes(overview: Overview) -> None:
    kpis = overview.kpis
    days_note(overview.span, overview.bar_seconds)
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
    st.header("Sales", anchor=False)
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
    open_ = [one for one in causes(found) if one.is_open]
    st.header(f"Open incidents: {len(open_)}" if open_ else "No open incidents", anchor=False)
    if not open_:
        status = data.status()
        if isinstance(status, data.Down) or status.until is None:
            quiet("No window has been judged yet: bands are learned from about a day of history.")
        elif status.behind:
            quiet(f"Nothing so far, but {judged(status)}.")
        else:
            quiet(f"All metrics are within their usual bands; {judged(status)}.")
    cause_list(open_[:INCIDENTS], overview.kpis.currency, len(open_[INCIDENTS:]))
    st.header("Latest report", anchor=False)
    if report is None:
        quiet("None yet. `headrace report` writes one.")
        return
    st.caption(report_body.period(report))
    report_body.draw_summary(report, most=2)


def _quality(overview: Overview) -> None:
    st.header("Valid records over time", anchor=False)
    st.caption(
        f"Records without an error or a warning, by {formats.bar_name(overview.bar_seconds)}; the axis does not start at zero"
    )
    if any(point.quality.valid is not None for point in overview.quality_series):
        theme.chart(
            quality_charts.valid_over_time(overview.quality_series, overview.bar_seconds, 270),
            key="quality",
            alt_text="Valid records over time, in percent.",
        )
    else:
        quiet()


def _dimensions(overview: Overview) -> None:
    st.header("Quality by dimension", anchor=False)
    st.caption("Share of judged records with an error or warning of the dimension, worst first")
    if any(share is not None for share in overview.quality.dimensions.values()):
        theme.chart(
            quality_charts.by_dimension(overview.quality, {"range": overview.range.value}),
            key="dimensions",
            alt_text="Share of records with findings by quality dimension, worst first.",
        )
    else:
        quiet()


def _findings_over_time(overview: Overview) -> None:
    st.header("Findings over time", anchor=False)
    st.caption(f"By rule and {formats.bar_name(overview.bar_seconds)}; a record may have several. A bar leads to its findings")
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
    st.header("Top rules", anchor=False)
    if not overview.rules:
        st.caption("No rule has findings in this range.")
        return
    st.caption("Rules with most findings. Rejects: the record is in the dead-letter topic. Choose a row to open the rule")
    top_rules(overview.rules[:TOP_RULES], overview.range.value)
