"""The overview page: what a manager opens in the morning. Key numbers, sales with their anomalies, quality, findings."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard import data
from dashboard.charts import figures
from dashboard.charts.marks import marks as sales_marks
from dashboard.parts import grid, report_body, tables, theme
from dashboard.parts.frame import Frame
from dashboard.parts.live import live, quiet, waiting_for_records
from dashboard.parts.tiles import before_label, rule_columns, score_over_time, tile
from dashboard.text import formats, incidents, markup
from stream_app.store.incidents import Incident
from stream_app.store.reports import StoredReport
from stream_app.views.overview import Overview

#: Rules in the table; the quality page has them all.
TOP_RULES = 8
#: Open incidents in the list; the page Anomalies has them all.
INCIDENTS = 4


def page() -> None:
    """Draw the page."""
    live("overview", _read, _draw)


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows."""

    overview: Overview
    incidents: tuple[Incident, ...]
    report: StoredReport | None


def _read(frame: Frame) -> View | data.Down:
    overview, found, reports = data.overview(frame.chosen), data.incidents(), data.reports()
    if isinstance(overview, data.Down):
        return overview
    # What else is wrong is said on their own pages; the key numbers are shown all the same.
    return View(
        overview,
        () if isinstance(found, data.Down) else found,
        None if isinstance(reports, data.Down) else next(iter(reports), None),
    )


def _draw(view: View) -> None:
    overview = view.overview
    if not overview.received:
        waiting_for_records(bool(overview.workers))
        return
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


def _quality(overview: Overview) -> None:
    st.subheader("Quality score over time", anchor=False)
    st.caption(f"Checks passed, by {figures.bar_name(overview.bar_seconds)}; the axis does not start at zero")
    if any(point.quality.score is not None for point in overview.quality_series):
        score_over_time(overview.quality_series, overview.bar_seconds, "quality", 270)
    else:
        quiet()


def _dimensions(overview: Overview) -> None:
    st.subheader("Quality by dimension", anchor=False)
    st.caption("Failed checks of each kind, worst first")
    if any(share is not None for share in overview.quality.dimensions.values()):
        theme.chart(
            figures.quality_by_dimension(overview.quality),
            key="dimensions",
            alt_text="Share of failed checks by quality dimension, worst first.",
        )
    else:
        quiet()


def _news(overview: Overview, found: tuple[Incident, ...], report: StoredReport | None) -> None:
    open_ = incidents.gravest([row for row in found if row.state == "open"])
    st.subheader(f"Open incidents: {len(open_)}" if open_ else "No open incidents", anchor=False)
    if not open_:
        quiet("Nothing has left its usual band. Bands are learned from about a day of history.")
    rows = [_incident(row, overview.kpis.currency) for row in open_[:INCIDENTS]]
    if rows:
        more = f"and {len(open_) - INCIDENTS} more" if len(open_) > INCIDENTS else None
        markup.show(markup.tag("ul", *rows, markup.tag("li", more, cls="quiet") if more else None, cls="news"))
    st.subheader("Latest report", anchor=False)
    if report is None:
        quiet("None yet. `headrace report` writes one.")
        return
    st.caption(report_body.period(report))
    markup.show(report_body.summary(report, most=2))


def _incident(row: Incident, currency: str | None) -> markup.Html:
    return markup.tag(
        "li",
        markup.pill(row.severity, row.severity),
        markup.tag(
            "div",
            incidents.heading(row),
            markup.tag("div", f"{incidents.reading(row, currency)}, {incidents.when(row)}", cls="quiet"),
        ),
    )


def _tiles(overview: Overview) -> None:
    kpis = overview.kpis
    before = before_label(overview.range)
    with st.container(key="tiles"):
        tile("Revenue", formats.money(kpis.revenue.value, kpis.currency), kpis.revenue, before, "Net, of clean orders.")
        tile("Total orders", formats.count(kpis.orders.value), kpis.orders, before, "Distinct clean orders.")
        tile(
            "Active customers",
            formats.count(kpis.active_customers.value),
            kpis.active_customers,
            before,
            "Customers with a clean order. Over a range an estimate, within about 1 %; exact over all time.",
        )
        tile(
            "Conversion rate",
            formats.percent(kpis.conversion_rate.value),
            kpis.conversion_rate,
            before,
            "Active customers among all known customers.",
            share=True,
        )
        tile(
            "Quality score",
            formats.percent(kpis.quality_score.value, 2),
            kpis.quality_score,
            before,
            "Checks passed: the mean of all quality dimensions, over all entities.",
            share=True,
        )


def _notes(overview: Overview) -> None:
    if overview.clipped and overview.span is not None:
        st.caption(f"Totals are of all time; charts and lines show the last {overview.span.windows} days.")
    if overview.outside:
        markup.show(
            markup.tag(
                "p",
                "Records of ",
                markup.data(", ".join(overview.outside)),
                " carry no event time: they are counted when they arrive, which is not within this range of the stream. "
                "Choose All to see them.",
                cls="quiet",
            )
        )


def _sales(overview: Overview, found: tuple[Incident, ...]) -> None:
    st.subheader("Sales", anchor=False)
    st.caption(
        f"Net revenue and orders of clean records, by {figures.bar_name(overview.bar_seconds)}. Bands with a triangle are "
        "anomalies: pointing up for more than expected, down for less"
    )
    if not overview.sales_series:
        quiet()
        return
    marks = sales_marks(found, overview.sales, overview.kpis.currency)
    revenue, orders = figures.sales(overview.sales_series, overview.bar_seconds, overview.kpis.currency, marks)
    theme.chart(revenue, key="revenue", alt_text="Net revenue over time, as bars.")
    theme.chart(orders, key="orders", alt_text="Orders over time, as bars.")


def _findings_over_time(overview: Overview) -> None:
    st.subheader("Findings over time", anchor=False)
    st.caption(f"By rule and {figures.bar_name(overview.bar_seconds)}; a record may have several")
    if not overview.findings_series:
        st.info("No findings in this range.", icon=":material/check_circle:")
        return
    named = figures.named_rules(overview.rules, st.session_state.get("named", ()))
    st.session_state["named"] = named
    starts = [point.start for point in overview.quality_series]
    theme.chart(
        figures.findings_over_time(overview.findings_series, overview.rules, starts, overview.bar_seconds, named),
        key="findings",
        alt_text="Findings over time, stacked by rule.",
    )


def _rules(overview: Overview) -> None:
    st.subheader("Top rules", anchor=False)
    if not overview.rules:
        st.caption("No rule found anything in this range.")
        return
    st.caption("What the rules found. Rejects: the record went to the dead-letter topic. The page Quality has them all")
    frame = tables.rules(overview.rules[:TOP_RULES])[["Rule", "Entity", "Findings", "Share", "Effect"]]
    grid.grid(
        frame,
        "rules",
        rule_columns(frame),
        placeholder=formats.NOTHING,
    )
