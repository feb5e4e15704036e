"""The quality page: conformity and score, findings by rule, dimension and segment, repairs, and fields that drift."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import data
from dashboard.charts import figures
from dashboard.charts import quality as figures_quality
from dashboard.parts import grid, tables, theme
from dashboard.parts.live import live, quiet, waiting_for_records
from dashboard.parts.rule_panel import WORTHLESS, rule_panel
from dashboard.parts.tiles import before_label, rule_columns, score_over_time, tile
from dashboard.text import formats
from dashboard.text.words import plain, visible
from stream_app.views.figures import RuleCount
from stream_app.views.quality import QualityView
from stream_app.views.ranges import TimeRange


def page() -> None:
    """Draw the page."""
    live("quality", lambda frame: data.quality(frame.chosen), _draw)


def _draw(view: QualityView) -> None:
    if not any(counts.received for counts in view.counts.values()) and view.span is None:
        pulse = data.pulse()
        waiting_for_records(not isinstance(pulse, data.Down) and bool(pulse.workers))
        return
    entity = _entity(view)
    _tiles(view, entity)
    if view.clipped and view.span is not None:
        st.caption(f"Totals are of all time; charts and segments show the last {view.span.windows} days.")
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-score"):
        _score(view)
    with right, st.container(key="card-conformity"):
        _conformity(view)
    rules = [row for row in view.rules if entity is None or row.entity == entity]
    with st.container(key="card-rules"):
        _rules(view, rules)
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-dimensions"):
        _dimensions(view, entity)
    with right, st.container(key="card-segments"):
        _segments(view, entity)
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-repairs"):
        _repairs(view, entity)
    with right, st.container(key="card-drift"):
        _drift(view, entity)


def _entity(view: QualityView) -> str | None:
    options = ["", *view.contracts]
    asked = st.query_params.get("entity", "")
    if "quality-entity" not in st.session_state and asked in options:
        st.session_state["quality-entity"] = asked
    value = st.segmented_control(
        "Entity",
        options,
        format_func=lambda value: plain(value) if value else "All entities",
        key="quality-entity",
        default=None if "quality-entity" in st.session_state else "",
        required=True,
        label_visibility="collapsed",
    )
    return value or None


def _tiles(view: QualityView, entity: str | None) -> None:
    kpis = view.kpis(entity)
    chosen = [counts for name, counts in view.counts.items() if entity in (None, name)]
    rejected, judged = sum(one.rejected for one in chosen), sum(one.clean + one.rejected for one in chosen)
    before = before_label(view.range)
    with st.container(key="tiles"):
        tile(
            "Quality score",
            formats.percent(kpis.score.value, 2),
            kpis.score,
            before,
            "Checks passed: the mean of all quality dimensions.",
            share=True,
        )
        tile(
            "Conformity",
            formats.percent(kpis.conformity.value, 2),
            kpis.conformity,
            before,
            f"Clean records among those judged: {formats.count(rejected)} of {formats.count(judged)} were rejected.",
            share=True,
        )
        tile(
            "Records in",
            formats.count(kpis.received.value),
            kpis.received,
            before,
            "Records that came in, those that wait included.",
        )
        tile(
            "Findings",
            formats.count(kpis.findings.value),
            kpis.findings,
            before,
            "A record may have several.",
            less_is_better=True,
        )
        tile(
            "Value at risk",
            formats.money(kpis.at_risk.value, view.currency),
            kpis.at_risk,
            before,
            f"Quantity × price of the records with findings. A record counts under each rule; {WORTHLESS}.",
            less_is_better=True,
            beside=None
            if kpis.at_risk.value is not None
            else "no prices"
            if entity is None
            else f"no prices in {plain(entity)}",
        )


def _score(view: QualityView) -> None:
    st.subheader("Quality score over time", anchor=False)
    st.caption(f"All entities, by {figures.bar_name(view.bar_seconds)}; the axis does not start at zero")
    if any(point.quality.score is not None for point in view.series):
        score_over_time(view.series, view.bar_seconds, "score", 250)
    else:
        quiet()


def _conformity(view: QualityView) -> None:
    st.subheader("Rejected records over time", anchor=False)
    st.caption(f"Share of judged records, all entities, by {figures.bar_name(view.bar_seconds)}; the rest is clean")
    if any(point.share is not None for point in view.outcomes):
        theme.chart(
            figures_quality.outcomes(view.outcomes, view.bar_seconds),
            key="outcomes",
            alt_text="Share of judged records that were rejected, over time.",
        )
    else:
        quiet()


def _rules(view: QualityView, rules: list[RuleCount]) -> None:
    st.subheader("Findings by rule", anchor=False)
    if not rules:
        st.caption("No rule found anything in this range.")
        return
    number = f"{len(rules)} {'rule' if len(rules) == 1 else 'rules'}, most findings first"
    st.caption(f"{number}. Choose a row to see what the rule says, its trend, its recent findings and what to do")
    key = f"rules-{view.range.value}-{'-'.join(sorted({row.entity for row in rules}))}"
    order: dict[tuple[str, str], RuleCount] = {(row.entity, row.rule): row for row in rules}
    ids, opened = grid.chosen(key, list(order))
    # Places are held while a rule is open, and the figures in them are new.
    shown = [order.get(one) or _gone(one) for one in ids]
    frame = tables.rules(shown, view.trends)
    if view.range is TimeRange.ALL or frame["Before"].isna().all():
        frame = frame.drop(columns="Before")
    currency = view.currency or ""
    grid.openable(
        frame,
        key,
        {
            **rule_columns(frame),
            "Before": st.column_config.NumberColumn(help="In the range before", format="localized", width="small"),
            "Value at risk": st.column_config.NumberColumn(
                f"At risk ({currency})" if currency else "At risk",
                help=f"{formats.NOTHING}: the records do not say what they are worth; {WORTHLESS}.",
                format="accounting",
                width="small",
            ),
            "Trend": st.column_config.AreaChartColumn("Trend", y_min=0, width="small"),
            "Meaning": st.column_config.TextColumn(width="medium"),
            "Why it matters": st.column_config.TextColumn(width="large"),
        },
        placeholder=formats.NOTHING,
    )
    with st.container(key="rule"):
        if opened is not None:
            rule_panel(view, *opened, order.get(opened))


def _gone(place: tuple[str, str]) -> RuleCount:
    return RuleCount(*place, "", "", "Found nothing in this range any more.", None, 0, None, 0.0, None)


def _dimensions(view: QualityView, entity: str | None) -> None:
    st.subheader("By dimension", anchor=False)
    measured, before = view.quality(entity)
    st.caption("Failed checks of each kind, worst first" + ("; the tick is the range before" if before is not None else ""))
    if any(share is not None for share in measured.dimensions.values()):
        theme.chart(
            figures_quality.dimensions(measured, before),
            key="dimensions",
            alt_text="Share of failed checks by quality dimension, worst first, beside the range before.",
        )
    else:
        quiet()


def _segments(view: QualityView, entity: str | None) -> None:
    st.subheader("By segment", anchor=False)
    st.caption("Where records are rejected, or a rule finds something, more often than elsewhere")
    rows = [row for row in view.segments if entity in (None, row.entity)]
    if not rows:
        quiet("No contract names segments, or nothing came in. A contract names them in its property `segments`.")
        return
    places: Mapping[str, tuple[str, str]] = {f"{row.entity}.{row.field}": (row.entity, row.field) for row in rows}
    found = sorted({rule for row in rows for rule in row.findings})
    with st.container(key="segment-choice", horizontal=True):
        # A segment's or a rule's name may be anything; Streamlit stops the page at a lone surrogate in an option.
        place = st.selectbox(
            "Segment field", list(places), format_func=visible, key=f"segment-{entity or ''}", label_visibility="collapsed"
        )
        what = st.selectbox(
            "Count", ["Rejected", *found], format_func=visible, key=f"segment-what-{entity or ''}", label_visibility="collapsed"
        )
    frame = tables.segments(
        [row for row in rows if (row.entity, row.field) == places[place]], None if what == "Rejected" else what
    )
    theme.chart(
        figures_quality.segments(frame, "Rejected" if what == "Rejected" else "Findings"),
        key="segments",
        alt_text="Share of records by segment value.",
    )
    if len(frame) > figures_quality.SEGMENTS_SHOWN:
        st.caption(f"The {figures_quality.SEGMENTS_SHOWN} values with most records, of {len(frame)}.")


def _repairs(view: QualityView, entity: str | None) -> None:
    st.subheader("Repairs", anchor=False)
    st.caption("What cleaning changed without asking; each clean record names its repairs")
    rows = [row for row in view.repairs if entity in (None, row.entity)]
    if not rows:
        quiet("Nothing had to be repaired in this range.")
        return
    grid.grid(
        tables.repairs(rows),
        "repairs",
        {
            "Records": st.column_config.NumberColumn(format="localized"),
            "Share": st.column_config.NumberColumn("Share of records", format="%.2f %%"),
        },
        rows=6,
    )


def _drift(view: QualityView, entity: str | None) -> None:
    st.subheader("Drift of the input", anchor=False)
    st.caption("Fields that the contract does not know, and optional fields that are empty")
    unknown = [row for row in view.unknown if entity in (None, row.entity)]
    nulls = [row for row in view.nulls if entity in (None, row.entity)]
    if not unknown and not nulls:
        quiet("No unknown fields, and no optional field was empty in this range.")
        return
    if unknown:
        grid.grid(
            tables.unknown(unknown),
            "unknown",
            {
                "Field": st.column_config.TextColumn("Unknown field"),
                "Records": st.column_config.NumberColumn(format="localized"),
                "Before": st.column_config.NumberColumn("Range before", format="localized"),
            },
            rows=4,
            placeholder=formats.NOTHING,
        )
    if unknown and nulls:
        st.space("xsmall")
    if nulls:
        grid.grid(
            tables.nulls(nulls),
            "nulls",
            {
                "Field": st.column_config.TextColumn("Optional field"),
                "Empty": st.column_config.NumberColumn(format="%.2f %%"),
                "Before": st.column_config.NumberColumn("Range before", format="%.2f %%"),
                "Records": st.column_config.NumberColumn(format="localized"),
            },
            rows=4,
            placeholder=formats.NOTHING,
        )
