"""The anomalies page: incidents and findings, filtered and exported; a finding opens its record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard import data
from dashboard.parts import downloads, grid, tables
from dashboard.parts.frame import Frame
from dashboard.parts.live import live, quiet, waiting_for_records
from dashboard.parts.record_panel import record_panel
from dashboard.text import formats, incidents, markup
from dashboard.text.words import visible
from stream_app.counts.samples import RecentFinding
from stream_app.store.incidents import Incident
from stream_app.views.pulse import Pulse
from stream_app.views.ranges import Chosen, Custom

_GRAINS = {"m": "minute", "h": "hour", "d": "day"}


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows: ``since`` and ``until`` (s, event time) are the range, None for all time."""

    pulse: Pulse
    findings: tuple[RecentFinding, ...]
    incidents: tuple[Incident, ...]
    since: int | None
    until: int | None


def page() -> None:
    """Draw the page."""
    live("anomalies", _read, _draw)


def _read(frame: Frame) -> View | data.Down:
    pulse, findings, found = data.pulse(), data.findings(), data.incidents()
    for read in (pulse, findings, found):
        if isinstance(read, data.Down):
            return read
    assert isinstance(pulse, Pulse) and isinstance(findings, tuple) and isinstance(found, tuple)  # noqa: S101 for mypy
    return View(pulse, findings, found, *_bounds(frame.chosen, pulse.stream_ms))


def _bounds(chosen: Chosen, stream_ms: int | None) -> tuple[int | None, int | None]:
    if isinstance(chosen, Custom):
        return chosen.start, chosen.end
    if chosen.seconds is None or stream_ms is None:
        return None, None
    # What is rejected for a date in the future lies after the stream's time, and belongs to now.
    end = chosen.grain.start(stream_ms / 1000) + chosen.grain.seconds
    return end - chosen.seconds, None


def _draw(view: View) -> None:
    if not view.pulse.received:
        waiting_for_records(bool(view.pulse.workers))
        return
    with st.container(key="card-incidents"):
        _incidents(view)
    with st.container(key="card-findings"):
        _findings(view)


def _incidents(view: View) -> None:
    rows = [row for row in view.incidents if _inside(row, view)]
    open_ = sum(row.state == "open" for row in rows)
    st.subheader("Incidents", anchor=False)
    st.caption(
        "Periods in which sales, volume or quality left their usual band, or the input changed. "
        f"{open_} open, {len(rows) - open_} closed in this range"
    )
    if not rows:
        quiet("Nothing out of the ordinary in this range. Incidents need about a day of history to compare with.")
        return
    with st.container(key="incident-filters", horizontal=True):
        entity = _several("Entity", (row.entity for row in rows), "incident-entity")
        state = _several("State", (row.state for row in rows), "incident-state")
        severity = _several("Severity", (row.severity for row in rows), "incident-severity")
        about = _several("About", (incidents.what(row) for row in rows), "incident-what")
    rows = [
        row
        for row in rows
        if (not entity or row.entity in entity)
        and (not state or row.state in state)
        and (not severity or row.severity in severity)
        and (not about or incidents.what(row) in about)
    ]
    if not rows:
        quiet("None matches these filters.")
        return
    currency = _currency(view.pulse)
    key = f"incidents-{_mark(view, entity, state, severity, about)}"
    shown, opened = grid.chosen(key, rows)
    frame = incidents.table(shown, currency)
    grid.openable(
        frame,
        key,
        {
            "Start": st.column_config.DatetimeColumn("Start (UTC)", format="D MMM YYYY, HH:mm", timezone="UTC"),
            "Entity": st.column_config.TextColumn(width=95),
            "What": st.column_config.TextColumn(width=240),
            "Observed": st.column_config.TextColumn("Observed and expected", width=250),
            "Segment": st.column_config.TextColumn("Stands out", width=250),
        },
        rows=6,
    )
    downloads.offer_csv("Download as CSV", frame, "incidents")
    with st.container(key="incident"):
        if opened is not None:
            _incident(opened, currency)


def _inside(row: Incident, view: View) -> bool:
    return (view.since is None or row.end > view.since) and (view.until is None or row.start < view.until)


def _incident(row: Incident, currency: str | None) -> None:
    said: dict[str, markup.Part] = {
        "When": incidents.when(row),
        "Observed": incidents.reading(row, currency),
        "Expected": formats.NOTHING if row.expected is None else incidents.amount(row.expected, row.unit, currency),
        "Windows": f"{row.windows}, of one {_GRAINS.get(row.grain, row.grain)} each",
        "What to do": incidents.advice(row),
    }
    if row.segment is not None:
        said["Stands out"] = markup.data(incidents.segment(row))
    with st.container(key="panel-incident"):
        markup.show(
            markup.join(
                markup.tag("h3", incidents.heading(row), " ", markup.pill(row.severity, row.severity)),
                markup.facts(said),
            )
        )


def _findings(view: View) -> None:
    st.subheader("Findings", anchor=False)
    inside = [row for row in view.findings if _within(row, view)]
    if not view.findings:
        st.caption("What the rules found, record by record")
        quiet("No findings yet: every record so far keeps its contract.")
        return
    oldest = view.findings[-1].at
    st.caption(
        f"The newest {len(view.findings):,}, counted since {formats.moment(oldest)}; older ones are in the dead-letter topics. "
        "Choose a row to open its record"
    )
    with st.container(key="finding-filters", horizontal=True):
        entity = _several("Entity", (row.entity for row in inside), "finding-entity")
        rule = _several("Rule", (row.rule for row in inside), "finding-rule")
        severity = _several("Severity", (row.severity for row in inside), "finding-severity")
        dimension = _several("Dimension", (row.dimension for row in inside), "finding-dimension")
        segment = _several("Segment", (one for row in inside for one in _segments(row)), "finding-segment")
    rows = [
        row
        for row in inside
        if (not entity or row.entity in entity)
        and (not rule or row.rule in rule)
        and (not severity or row.severity in severity)
        and (not dimension or row.dimension in dimension)
        and (not segment or set(segment) & set(_segments(row)))
    ]
    if not rows:
        quiet("None of the newest findings matches. Take a filter away, or choose a longer range.")
        return
    key = f"findings-{_mark(view, entity, rule, severity, dimension, segment)}"
    shown, opened = grid.chosen(key, rows)
    frame = tables.findings(shown)
    if not any(row.segments for row in shown):
        frame = frame.drop(columns="Segment")
    grid.openable(
        frame,
        key,
        {
            "Event time": st.column_config.DatetimeColumn("Event time (UTC)", format=grid.TIME, timezone="UTC"),
            # Widths of their own: Streamlit measures only the first rows, and later ones have longer words.
            "Entity": st.column_config.TextColumn(width=95),
            "Rule": st.column_config.TextColumn(width=190),
            "Dimension": st.column_config.TextColumn(width=115),
            "What": st.column_config.TextColumn(width=210),
            "Segment": st.column_config.TextColumn(width=190),
            "Source": st.column_config.TextColumn(width=130),
        },
        rows=12,
    )
    seen = {(row.source, row.rule, row.path) for row in shown} if opened is not None else set()
    newer = sum((row.source, row.rule, row.path) not in seen for row in rows) if opened is not None else 0
    with st.container(key="finding-foot", horizontal=True, vertical_alignment="center"):
        downloads.offer_csv("Download as CSV", frame, "findings")
        st.caption(
            f"{newer:,} newer ones come when the record is closed" if newer else f"{len(shown):,} findings", width="content"
        )
    with st.container(key="finding"):
        if opened is not None:
            record_panel(opened, view.pulse.contracts.get(opened.entity))


def _within(row: RecentFinding, view: View) -> bool:
    if row.event_time is None:
        return True
    at = row.event_time / 1000
    return (view.since is None or at >= view.since) and (view.until is None or at < view.until)


def _segments(row: RecentFinding) -> list[str]:
    return [f"{name}: {value}" for name, value in row.segments.items()]


def _several(label: str, values: Iterable[str], key: str) -> list[str]:
    held: list[str] = st.session_state.get(key, [])
    # What was chosen stays an option when its last row is gone: no filter is lost by a refresh.
    options = sorted({*values, *held})
    return st.multiselect(label, options, format_func=visible, key=key, placeholder="All")


def _mark(view: View, *filters: Sequence[str]) -> str:
    """Names the table that these filters show: another choice is another table, of which no row is open."""
    return f"{abs(hash((view.since is None, view.until, tuple(map(tuple, filters))))):x}"


def _currency(pulse: Pulse) -> str | None:
    return next((contract.currency for contract in pulse.contracts.values() if contract.currency), None)
