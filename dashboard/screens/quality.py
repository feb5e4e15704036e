"""The quality page: conformity and valid records, findings by rule, dimension and segment, repairs, and fields that drift."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import data
from dashboard.charts import quality as charts
from dashboard.charts import segments as segment_charts
from dashboard.parts import address, grid, links, tables, theme
from dashboard.parts.live import live, quiet, waiting_for_records
from dashboard.parts.rule_panel import rule_panel
from dashboard.parts.rule_table import CHANGE, linked_rule, openable_rules
from dashboard.parts.tiles import before_label, tile
from dashboard.text import formats
from dashboard.text.words import plain, visible
from stream_app.views.breakdown import RuleCount
from stream_app.views.quality import QualityView


def page() -> None:
    """Draw the page."""
    live("quality", lambda frame: data.quality(frame.chosen), _draw)


def _draw(view: QualityView) -> None:
    if not view.received and view.span is None:
        pulse = data.pulse()
        waiting_for_records(workers=not isinstance(pulse, data.Down) and bool(pulse.workers))
        return
    entity = _entity(view)
    with st.container(key="tiles"):
        _tiles(view, entity)
    if view.clipped and view.span is not None:
        st.caption(f"Totals are of all time; charts and segments show the last {view.span.windows} days.")
    if view.late > 0:
        st.caption(formats.restated(view.late))
    kpis = view.kpis(entity)
    if kpis.unvalued:
        st.caption(formats.unvalued(kpis.unvalued, kpis.usual_worth, view.currency))
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-valid"):
        _valid(view)
    with right, st.container(key="card-conformity"):
        _rejected(view)
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
    address.seed_one("quality-entity", "entity", options, "")
    value = st.segmented_control(
        "Entity",
        options,
        format_func=lambda value: plain(value) if value else "All entities",
        key="quality-entity",
        required=True,
        label_visibility="collapsed",
    )
    address.keep("entity", value)
    return value or None


def _tiles(view: QualityView, entity: str | None) -> None:
    kpis = view.kpis(entity)
    before = before_label(view.range)
    choices: dict[str, str | None] = {"range": view.range.value, "entity": entity}
    findings = links.Link("Findings", "anomalies", choices)
    with tile(
        "Valid records",
        formats.percent(kpis.valid.value, 2),
        kpis.valid,
        before,
        "Records without an error or a warning ÷ judged records.",
        share=True,
    ):
        links.draw(findings)
    with tile(
        "Conformity",
        formats.percent(kpis.conformity.value, 2),
        kpis.conformity,
        before,
        f"Clean ÷ judged records. {formats.count(kpis.rejected)} of {formats.count(kpis.judged)} were rejected.",
        share=True,
    ):
        links.draw(links.Link("Rejected records", "anomalies", {**choices, "severity": "error"}))
    with tile(
        "Records in",
        formats.count(kpis.received.value),
        kpis.received,
        before,
        "Records that came in, waiting ones included.",
    ):
        links.draw(links.Link("Newest clean records", "clean", {"entity": entity}))
    with tile(
        "Findings",
        formats.count(kpis.findings.value),
        kpis.findings,
        before,
        "Errors and warnings; a record may have several. Rules of severity info only count.",
        less_is_better=True,
    ):
        links.draw(findings)
    no_prices = "no prices" if entity is None else f"no prices in {plain(entity)}"
    several = kpis.at_risk.value is None and kpis.at_risk_by
    risk = kpis.at_risk.value
    money = formats.money(risk, view.currency)
    if kpis.usual_worth:
        money = formats.about(money)
    with tile(
        "Value at risk",
        f"{len(kpis.at_risk_by)} currencies" if several else money,
        kpis.at_risk,
        before,
        "Quantity × price of the records with findings, each record once. Repeated records are worth nothing.",
        less_is_better=True,
        beside=formats.each(kpis.at_risk_by) if several else no_prices if kpis.at_risk.value is None else None,
    ):
        links.draw(findings)


def _valid(view: QualityView) -> None:
    st.header("Valid records over time", anchor=False)
    st.caption(f"All entities, by {formats.bar_name(view.bar_seconds)}; the axis does not start at zero")
    if any(point.quality.valid is not None for point in view.series):
        theme.chart(
            charts.valid_over_time(view.series, view.bar_seconds, 250),
            key="valid",
            alt_text="Valid records over time, in percent.",
        )
    else:
        quiet()


def _rejected(view: QualityView) -> None:
    st.header("Rejected records over time", anchor=False)
    st.caption(f"Share of judged records, all entities, by {formats.bar_name(view.bar_seconds)}; the rest is clean")
    if any(point.share is not None for point in view.outcomes):
        theme.chart(
            charts.rejected_over_time(view.outcomes, view.bar_seconds),
            key="outcomes",
            alt_text="Share of judged records that were rejected, over time.",
        )
    else:
        quiet()


def _rules(view: QualityView, rules: list[RuleCount]) -> None:
    st.header("Findings by rule", anchor=False)
    if rules:
        number = f"{len(rules)} {'rule' if len(rules) == 1 else 'rules'}, most findings first"
        st.caption(f"{number}. Choose a row to see the rule's meaning, trend and recent findings, and what to do")
        opened = openable_rules(view, rules)
    else:
        st.caption("No rule has findings in this range.")
        opened = linked_rule(view)
    with st.container(key="rule"):
        if opened is not None:
            (entity, rule_id), counted = opened
            rule_panel(view, entity, rule_id, counted)


def _dimensions(view: QualityView, entity: str | None) -> None:
    st.header("By dimension", anchor=False)
    measured, before = view.quality(entity)
    st.caption(
        "Share of judged records with an error or warning of the dimension, worst first"
        + ("; the tick is the previous range" if before is not None else "")
    )
    if any(share is not None for share in measured.dimensions.values()):
        theme.chart(
            charts.by_dimension_compared(measured, before, {"range": view.range.value, "entity": entity}),
            key="dimensions",
            alt_text="Share of records with findings by quality dimension, worst first, beside the previous range.",
        )
    else:
        quiet()


def _segments(view: QualityView, entity: str | None) -> None:
    st.header("By segment", anchor=False)
    st.caption("Segments whose records are rejected, or have findings of a rule, more often than others")
    rows = [row for row in view.segments if entity in (None, row.entity)]
    if not rows:
        quiet("The contracts name no segments, or no records came in. A contract names them in its property `segments`.")
        return
    fields: Mapping[str, tuple[str, str]] = {f"{row.entity}.{row.field}": (row.entity, row.field) for row in rows}
    found = sorted({rule for row in rows for rule in row.findings})
    worst = next((name for name, of in fields.items() if of == segment_charts.worst_field(rows)), next(iter(fields)))
    address.seed_one(f"segment-{entity or ''}", "segment", fields, worst)
    address.seed_one(f"segment-what-{entity or ''}", "count", found, "Rejected")
    with st.container(key="segment-choice", horizontal=True):
        # Names of segments and rules are foreign: Streamlit fails on a lone surrogate in an option.
        field = st.selectbox(
            "Segment field", list(fields), format_func=visible, key=f"segment-{entity or ''}", label_visibility="collapsed"
        )
        what = st.selectbox(
            "Count", ["Rejected", *found], format_func=visible, key=f"segment-what-{entity or ''}", label_visibility="collapsed"
        )
    address.keep("segment", None if field == worst else field)
    address.keep("count", None if what == "Rejected" else what)
    of_field = [row for row in rows if (row.entity, row.field) == fields[field]]
    theme.chart(
        segment_charts.segments(of_field, None if what == "Rejected" else what, view.range.value),
        key="segments",
        alt_text="Share of records by segment value.",
    )
    if len(of_field) > segment_charts.MOST_SHOWN:
        st.caption(f"The {segment_charts.MOST_SHOWN} values with most records, of {len(of_field)}.")


def _repairs(view: QualityView, entity: str | None) -> None:
    st.header("Repairs", anchor=False)
    st.caption("Changes that cleaning made; each clean record names its repairs")
    rows = [row for row in view.repairs if entity in (None, row.entity)]
    if not rows:
        quiet("No repairs in this range.")
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
    st.header("Drift of the input", anchor=False)
    st.caption("Fields that are not in the contract, and optional fields that are empty")
    unknown = [row for row in view.unknown if entity in (None, row.entity)]
    nulls = [row for row in view.nulls if entity in (None, row.entity)]
    if not unknown and not nulls:
        quiet("No unknown fields and no empty optional fields in this range.")
        return
    if unknown:
        grid.grid(
            tables.unknown(unknown),
            "unknown",
            {
                "Field": st.column_config.TextColumn("Unknown field"),
                "Records": st.column_config.NumberColumn(format="localized"),
                "Change": st.column_config.NumberColumn(help=CHANGE, format="%+d"),
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
                "Before": st.column_config.NumberColumn("Previous range", format="%.2f %%"),
                "Records": st.column_config.NumberColumn(format="localized"),
            },
            rows=4,
            placeholder=formats.NOTHING,
        )
