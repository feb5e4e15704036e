"""The page of one cause: title, timeline with the expected band, segments, the rule, what belongs to it, and dead letters."""

from __future__ import annotations

import streamlit as st

from dashboard import data
from dashboard.charts.timeline import timeline
from dashboard.parts import csv_files, downloads, grid, tables, theme
from dashboard.parts.cause_panel import cause_belongs, cause_head, no_such_incident
from dashboard.parts.causes import cause_list
from dashboard.parts.frame import Frame
from dashboard.parts.life_card import life_card
from dashboard.parts.live import live, quiet
from dashboard.parts.older_search import Search, offer_older, older_found
from dashboard.parts.record_panel import record_panel
from dashboard.text import incidents
from dashboard.text.words import visible
from stream_app.counts.samples import RecentFinding
from stream_app.monitor.causes import Cause, causes
from stream_app.views.incidents import IncidentView, wanted_of, with_older

#: Causes on the page while no incident is chosen, and findings of one cause.
CAUSES, FINDINGS = 50, 200


def page() -> None:
    """Draw the page: ``?id=`` names the incident; without it, all causes are listed."""
    asked = st.query_params.get("id", "")
    if asked:
        live(f"incident-{asked}", lambda _frame: data.incident(asked), _draw)
    else:
        live("incidents", _read_all, _draw_all)


def _read_all(_frame: Frame) -> tuple[list[Cause], str | None] | data.Down:
    found, pulse = data.incidents(), data.pulse()
    if isinstance(found, data.Down):
        return found
    if isinstance(pulse, data.Down):
        return pulse
    return causes(found), pulse.currency


def _draw_all(view: tuple[list[Cause], str | None]) -> None:
    rows, currency = view
    with st.container(key="card-causes"):
        st.header("All incidents", anchor=False)
        st.caption("By cause: errors first, then by money and by the share of the business that is affected")
        if not rows:
            quiet("No incidents yet. They need about a day of history to compare with.")
        cause_list(rows[:CAUSES], currency, len(rows[CAUSES:]))


def _draw(view: IncidentView) -> None:
    cause = view.cause
    if cause is None:
        with st.container(key="card-empty"):
            no_such_incident()
        return
    with st.container(key="card-cause"):
        cause_head(view, cause)
    with st.container(key="card-life"):
        life_card(view, cause)
    with st.container(key="card-timeline"):
        _timeline(view, cause)
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-belongs"):
        cause_belongs(view, cause)
    with right, st.container(key="card-segments"):
        _segments(view)
    with st.container(key="card-letters"):
        _letters(view, cause)


def _timeline(view: IncidentView, cause: Cause) -> None:
    lead = cause.lead
    st.header(incidents.what(lead), anchor=False)
    st.caption("Observed, window by window; dashed: expected, with the band in which it would have been normal")
    if not view.series:
        quiet("Its windows are not kept any more.")
        return
    theme.chart(
        timeline(view.series, lead, lead.start, lead.end, view.currency),
        key="timeline",
        alt_text=f"{incidents.what(lead)} over time, with its expected band.",
    )


def _segments(view: IncidentView) -> None:
    st.header(f"By {visible(view.segment)}" if view.segment else "Segments", anchor=False)
    if not view.rows:
        quiet("No segment was counted at that time.")
        return
    st.caption("Records during the incident, and each value's share then and in the day before; largest change first")
    grid.grid(
        tables.shares(view.rows),
        "incident-segments",
        {
            "Share": st.column_config.NumberColumn("Share now", format="%.1f %%"),
            "Before": st.column_config.NumberColumn("Share before", format="%.1f %%"),
        },
        rows=6,
    )


def _letters(view: IncidentView, cause: Cause) -> None:
    st.header("Dead letters and findings", anchor=False)
    table = st.container(key="incident-letters")
    # The search stands below the table, and what it finds is in it at once.
    search = Search("incident-older", cause.lead.id, (wanted_of(cause),))
    if view.contract is not None:
        offer_older(search, {cause.lead.entity: view.contract})
    found = with_older(cause, view.findings, older_found(search))
    rows = found[:FINDINGS]
    with table:
        if not rows:
            quiet("No single finding of this time and cause is kept. The dead-letter topic has all rejected records.")
            return
        number = f"{len(rows):,}" if len(rows) == len(found) else f"{len(rows):,} of {len(found):,}"
        st.caption(f"The newest {number} findings of this time and cause that are known. Choose a row to open its record")
        shown, opened = grid.chosen("incident-findings", rows, lambda one: f"{one.source}/{one.rule}")
        grid.openable(
            tables.findings(shown),
            "incident-findings",
            {"Event time": grid.moments("Event time")},
            rows=6,
        )
        downloads.offer_csv("Download as CSV", found, "incident-findings", lambda: csv_files.findings_csv(found))
        if opened is not None:
            _opened(opened, view)


def _opened(finding: RecentFinding, view: IncidentView) -> None:
    with st.container(key="finding"):
        record_panel(finding, view.contract)
