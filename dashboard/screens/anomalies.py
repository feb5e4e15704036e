"""The anomalies page: incidents and findings, filtered and exported; a finding opens its record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard import data
from dashboard.parts import address, csv_files, downloads, grid, tables
from dashboard.parts.causes import cause_list
from dashboard.parts.frame import Frame
from dashboard.parts.incidents import incident_table
from dashboard.parts.live import live, quiet, waiting_for_records
from dashboard.parts.older_search import Search, offer_older, older_found
from dashboard.parts.record_panel import record_panel
from dashboard.text import formats, incidents
from dashboard.text.words import visible
from stream_app.counts.samples import RecentFinding
from stream_app.monitor.causes import causes
from stream_app.monitor.incident import Incident
from stream_app.names import Topics
from stream_app.views.older import Wanted
from stream_app.views.pulse import Pulse
from stream_app.views.ranges import Chosen, bounds
from stream_app.views.selection import Bounds, findings_within, incidents_within

#: Causes above the table of all incidents.
CAUSES = 5
#: Findings in the table before the viewer asks for more: each new one sends all rows of the table again.
MOST = 100


@dataclass(frozen=True, slots=True)
class View:
    """Content of the page: the range's limits, and what is stored, whatever the range."""

    pulse: Pulse
    findings: tuple[RecentFinding, ...]
    incidents: tuple[Incident, ...]
    bounds: Bounds
    chosen: Chosen


def page() -> None:
    """Draw the page."""
    live("anomalies", _read, _draw)


def _read(frame: Frame) -> View | data.Down:
    pulse, findings, found = data.pulse(), data.findings(), data.incidents()
    if isinstance(pulse, data.Down):
        return pulse
    if isinstance(findings, data.Down):
        return findings
    if isinstance(found, data.Down):
        return found
    return View(pulse, findings, found, bounds(frame.chosen, pulse.stream_ms, data.zone()), frame.chosen)


def _draw(view: View) -> None:
    if not view.pulse.received:
        waiting_for_records(workers=bool(view.pulse.workers))
        return
    with st.container(key="card-incidents"):
        _incidents(view)
    with st.container(key="card-findings"):
        _findings(view)


def _incidents(view: View) -> None:
    rows = incidents_within(view.incidents, view.bounds)
    open_ = len([row for row in rows if row.state == "open"])
    closed = len([row for row in rows if row.state != "open"])
    st.header("Incidents", anchor=False)
    st.caption(
        "Periods in which sales, volume or quality left their usual band, or the input changed. "
        f"{open_} open, {closed} closed in this range"
    )
    if not rows:
        quiet("No incidents in this range. They need about a day of history to compare with.")
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
        quiet("No incident matches these filters.")
        return
    found = causes(rows)
    cause_list(found[:CAUSES], view.pulse.currency, len(found[CAUSES:]))
    incident_table(rows, view.pulse.currency, f"incidents-{_table_id(view, entity, state, severity, about)}")


def _findings(view: View) -> None:
    st.header("Findings", anchor=False)
    if not view.findings:
        st.caption("What the rules found, record by record")
        quiet("No findings yet: every record so far satisfies its contract.")
        return
    inside = findings_within(view.findings, view.bounds)
    oldest = view.findings[-1].at
    st.caption(
        f"The newest {len(view.findings):,}, counted since {formats.moment(oldest)}, and of a rule that you choose the newest "
        "of each hour and day; all are in the dead-letter topics. Choose a row to open its record"
    )
    with st.container(key="finding-filters", horizontal=True):
        entity = _several("Entity", (row.entity for row in inside), "finding-entity")
        rule = _several("Rule", (row.rule for row in inside), "finding-rule")
        inside = _with_found(view, inside, entity, rule)
        severity = _several("Severity", (row.severity for row in inside), "finding-severity")
        dimension = _several("Dimension", (row.dimension for row in inside), "finding-dimension")
        segment = _several("Segment", (one for row in inside for one in _segments(row)), "finding-segment")
    choice = entity, rule, severity, dimension, segment
    table = st.container(key="finding-table")
    # The search stands below the table, and what it finds is in it at once.
    offer_older(_search(view, *choice), view.pulse.contracts)
    rows = [
        row
        for row in _with_older(view, inside, choice)
        if (not entity or row.entity in entity)
        and (not rule or row.rule in rule)
        and (not severity or row.severity in severity)
        and (not dimension or row.dimension in dimension)
        and (not segment or set(segment) & set(_segments(row)))
    ]
    with table:
        if not rows:
            quiet("None of the newest findings matches. Remove a filter, choose a longer range, or search for older ones.")
            _panel(view, None)
            return
        _finding_table(view, rows, f"findings-{_table_id(view, *choice)}")


def _search(
    view: View, entity: list[str], rule: list[str], severity: list[str], dimension: list[str], segment: list[str]
) -> Search:
    """Return the search for what the viewer has chosen: of each entity that may have it."""
    since, until = view.bounds
    pairs = frozenset((name, value) for name, _, value in (one.partition(": ") for one in segment))
    rules = {name: [one for one in rule if one in contract.rules] for name, contract in view.pulse.contracts.items()}
    wanted = tuple(
        Wanted(name, since, until, frozenset(rules[name]), frozenset(severity), frozenset(dimension), pairs)
        for name in view.pulse.contracts
        if (not entity or name in entity) and (not rule or rules[name])
    )
    # The range moves with the stream; the search stays the same.
    return Search("finding-older", repr((view.chosen, entity, rule, severity, dimension, segment)), wanted)


def _with_older(view: View, inside: list[RecentFinding], choice: tuple[list[str], ...]) -> list[RecentFinding]:
    """Add what the viewer has found in Kafka: the store says when it counted its findings, so they come first."""
    known = {(row.source, row.rule) for row in inside}
    older = findings_within(older_found(_search(view, *choice)), view.bounds)
    return [*inside, *(row for row in older if (row.source, row.rule) not in known)]


def _with_found(view: View, inside: list[RecentFinding], entity: list[str], rules: list[str]) -> list[RecentFinding]:
    """Add what is kept of the chosen rules in the range, which other rules may have driven out of the newest findings."""
    known = {(row.source, row.rule) for row in inside}
    more: list[RecentFinding] = []
    for name, contract in view.pulse.contracts.items():
        for rule in rules if not entity or name in entity else ():
            read = data.found(name, rule, view.bounds) if rule in contract.rules else ()
            more += () if isinstance(read, data.Down) else (row for row in read if (row.source, row.rule) not in known)
    return sorted([*inside, *more], key=lambda row: -(row.at or 0)) if more else inside


def _finding_table(view: View, rows: list[RecentFinding], key: str) -> None:
    most = st.session_state.get("findings-most", MOST)
    shown, opened = grid.chosen(key, rows[:most], name_of)
    every = shown if opened is not None else rows
    frame = tables.findings(shown)
    if not any(row.segments for row in shown):
        frame = frame.drop(columns="Segment")
    grid.openable(
        frame,
        key,
        {
            "Event time": grid.moments("Event time"),
            # Explicit widths: Streamlit measures only the first rows, and later ones have longer words.
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
    newer = len([row for row in rows[:most] if (row.source, row.rule, row.path) not in seen]) if opened is not None else 0
    with st.container(key="finding-foot", horizontal=True, vertical_alignment="center"):
        downloads.offer_csv("Download as CSV", every, "findings", lambda: csv_files.findings_csv(every))
        st.caption(
            f"{newer:,} newer ones appear when the record is closed"
            if newer
            else f"{len(shown):,} of {len(rows):,} findings"
            if len(shown) < len(rows)
            else f"{len(shown):,} findings",
            width="content",
        )
        if len(shown) < len(rows) and opened is None:
            st.button("Show more", key="more-findings", on_click=_more, args=(most,), type="tertiary")
    _panel(view, opened)


def _more(shown: int) -> None:
    st.session_state["findings-most"] = 4 * shown


def _panel(view: View, opened: RecentFinding | None) -> None:
    """Draw the record of the open row, or of the address, if its finding is not in the table any more."""
    linked = _linked(view) if opened is None else None
    found = opened or linked
    with st.container(key="finding"):
        if found is not None:
            record_panel(found, view.pulse.contracts.get(found.entity))
        if linked is not None and st.button("Close", key="close-record"):
            address.keep("open", None)
            address.write()
            st.rerun(scope="fragment")


def _linked(view: View) -> RecentFinding | None:
    source, _, rule = address.current("open").partition("/")
    prefix = data.settings().topic_prefix
    entity = next((name for name in view.pulse.contracts if Topics(name, prefix).raw == source.partition(":")[0]), None)
    return None if entity is None or not rule else RecentFinding(entity=entity, rule=rule, source=source)


def name_of(row: RecentFinding) -> str:
    """Return the name of a finding in the address: its record and its rule."""
    return f"{row.source}/{row.rule}"


def _segments(row: RecentFinding) -> list[str]:
    return [f"{name}: {value}" for name, value in row.segments.items()]


def _several(label: str, values: Iterable[str], key: str) -> list[str]:
    param = key.removeprefix("finding-")
    address.seed(key, lambda: address.asked(param))
    chosen: list[str] = st.session_state.get(key, [])
    # A chosen value stays an option when its last row is gone, so that no refresh removes a filter.
    options = sorted({*values, *chosen})
    several = st.multiselect(label, options, format_func=visible, key=key, placeholder="All")
    address.keep(param, several)
    return several


def _table_id(view: View, *filters: Sequence[str]) -> str:
    """Return the id of the table with these filters: another choice is another table, in which no row is open."""
    since, until = view.bounds
    return f"{address.visit()}-{abs(hash((since is None, until, tuple(map(tuple, filters))))):x}"
