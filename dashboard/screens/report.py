"""The report page: the latest executive report and earlier ones, to read, download and print."""

from __future__ import annotations

import streamlit as st

from dashboard import data
from dashboard.parts import address, downloads, report_body
from dashboard.parts.live import live
from dashboard.text.words import visible
from stream_app.store.reports import StoredReport


def page() -> None:
    """Draw the page."""
    live("report", lambda _frame: data.reports(), _draw)


def _draw(reports: tuple[StoredReport, ...]) -> None:
    if not reports:
        with st.container(key="card-empty"):
            st.subheader("No report yet", anchor=False)
            st.markdown(
                "A report summarises a period of the stream: what happened, what was unusual, and what to do. "
                "Write one about the period so far:"
            )
            st.code("headrace report", language="bash")
        return
    known = {report.id: report for report in reports}
    address.seed_one("report-id", "report", known, reports[0].id)
    with st.container(key="report-head", horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        reading = st.session_state.get("report-id")
        # The report that a viewer reads stays an option when newer ones push it out of the list.
        chosen = st.selectbox(
            "Report",
            [*known] if reading is None or reading in known else [reading, *known],
            format_func=lambda one: _label(known.get(one), one),
            key="report-id",
            label_visibility="collapsed",
            width=420,
        )
        report = known.get(chosen) or reports[0]
        address.keep("report", report.id)
        with st.container(key="report-downloads", horizontal=True, width="content"):
            _download("Markdown", report.markdown, f"{report.id}.md", "text/markdown")
            _download("HTML", report.html, f"{report.id}.html", "text/html")
    with st.container(key="card-report"):
        report_body.draw(report)
    st.caption("Choose a figure to see the fact that it comes from. For a PDF, print this page or the HTML to a file.")


def _label(report: StoredReport | None, report_id: str) -> str:
    if report is None:
        return visible(report_id)
    return f"{report_body.period(report)}, {'by a model' if report.written_by == 'model' else 'from the template'}"


def _download(name: str, text: str, file: str, mime: str) -> None:
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in file)
    downloads.offer(name, text.encode("utf-8", "replace"), safe, mime, key=f"report-{name}")
