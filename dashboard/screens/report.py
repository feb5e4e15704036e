"""The report page: the daily report, earlier ones and those about incidents, to read, download and print."""

from __future__ import annotations

import streamlit as st

from dashboard import data
from dashboard.parts import address, downloads, report_body
from dashboard.parts.live import live, quiet
from dashboard.text import formats
from dashboard.text.words import visible
from stream_app.views.report_list import Listed, ReportList

#: The lists of reports.
REGULAR, INCIDENTS = "Regular reports", "Incident reports"


def page() -> None:
    """Draw the page."""
    live("report", lambda _frame: data.reports(), _draw)


def _draw(reports: ReportList) -> None:
    if reports.first is None:
        with st.container(key="card-empty"):
            st.header("No report yet", anchor=False)
            st.markdown(
                "A report summarises a period of the stream: what happened, what was unusual, and what to do. "
                "Write one about the period so far:"
            )
            st.code("headrace report", language="bash")
        return
    with st.container(key="report-head", horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(key="report-choice", horizontal=True, vertical_alignment="bottom", width="content"):
            chosen = _choose(reports)
        read = data.report(chosen)
        report = None if isinstance(read, data.Down) else read
        if report is not None:
            with st.container(key="report-downloads", horizontal=True, width="content"):
                _download("Markdown", report.markdown, f"{report.id}.md", "text/markdown")
                _download("HTML", report.html, f"{report.id}.html", "text/html")
    if report is None:
        quiet("This report is no longer kept, or the store cannot be read at the moment.")
        return
    with st.container(key="card-report"):
        report_body.draw(report)
    st.caption("Choose a figure to see the fact that it comes from. For a PDF, print this page or the HTML to a file.")


def _choose(reports: ReportList) -> str:
    """Draw which list is read, and its reports; return the id of the chosen one and note it in the address."""
    lists = {REGULAR: _daily_first(reports), INCIDENTS: reports.incidents}
    asked = address.one("report")
    default = INCIDENTS if asked in {one.id for one in reports.incidents} or not reports.regular else REGULAR
    address.seed("report-list", lambda: default)
    if reports.incidents:
        of = st.segmented_control(
            "Reports",
            [REGULAR, INCIDENTS],
            format_func=lambda one: f"{one} ({len(lists[one])})",
            key="report-list",
            required=True,
            label_visibility="collapsed",
        )
    else:
        of = REGULAR
    rows = {one.id: one for one in lists[of or REGULAR]}
    if not rows:
        quiet("None yet.")
        return reports.first.id if reports.first else ""
    key = "report-id" if of == REGULAR else "report-incident"
    first = next(iter(rows))
    address.seed_one(key, "report", rows, first)
    reading = st.session_state.get(key)
    # The report that a viewer reads stays an option when newer ones push it out of the list.
    chosen = st.selectbox(
        "Report",
        [*rows] if reading is None or reading in rows else [reading, *rows],
        format_func=lambda one: _label(rows.get(one), one, reports),
        key=key,
        label_visibility="collapsed",
        width=420,
    )
    # Who has chosen nothing reads the daily report, also tomorrow.
    address.keep("report", None if chosen == first and of == REGULAR else chosen)
    return str(chosen)


def _daily_first(reports: ReportList) -> tuple[Listed, ...]:
    daily = reports.daily
    return reports.regular if daily is None else (daily, *(one for one in reports.regular if one != daily))


def _label(one: Listed | None, report_id: str, reports: ReportList) -> str:
    if one is None or not one.end:
        return visible(report_id)
    languages = {other.language for other in (*reports.regular, *reports.incidents)}
    text = formats.span(one.start, one.end) + (", provisional" if one.provisional else "")
    if len(languages) > 1:
        text = f"{text} ({one.language})"
    return f"Daily report: {text}" if one == reports.daily else text


def _download(name: str, text: str, file: str, mime: str) -> None:
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in file)
    downloads.offer(name, text.encode("utf-8", "replace"), safe, mime, key=f"report-{name}")
