"""Incidents on a page: a table and a panel."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.parts import downloads, grid, tables
from dashboard.text import incidents, markup
from stream_app.monitor.incident import Incident


def incident_table(rows: Sequence[Incident], currency: str | None, key: str) -> None:
    """Draw incidents as a table that can be downloaded; the row that the viewer chooses opens a panel."""
    shown, opened = grid.chosen(key, rows, lambda row: row.id, "incident")
    frame = tables.incidents(shown, currency)
    grid.openable(
        frame,
        key,
        {
            "Start": grid.moments("Start", seconds=False),
            "Entity": st.column_config.TextColumn(width=95),
            "What": st.column_config.TextColumn(width=150),
            "Observed": st.column_config.TextColumn("Observed and expected", width=230),
            "Segment": st.column_config.TextColumn("Stands out", width=250),
        },
        rows=6,
    )
    downloads.offer_csv("Download as CSV", shown, "incidents", lambda: tables.incidents_csv(shown, currency))
    with st.container(key="incident"):
        if opened is not None:
            _panel(opened, currency)


def _panel(row: Incident, currency: str | None) -> None:
    facts: dict[str, markup.Part] = {
        "When": incidents.when(row),
        "Observed": incidents.reading(row, currency),
        "Expected": incidents.expected(row, currency),
        "Windows": incidents.windows(row),
        "What to do": incidents.advice(row),
        "Stands out": markup.data(incidents.segment(row)) if row.segment is not None else None,
    }
    with st.container(key="panel-incident"):
        head = markup.tag("h3", _heading(row), " ", markup.pill(row.severity, row.severity))
        markup.show(markup.join(head, markup.facts(facts)))


def _heading(row: Incident) -> markup.Html:
    return markup.join(
        markup.tag("strong", incidents.what(row)), markup.tag("span", " · ", cls="quiet"), markup.code(row.entity)
    )
