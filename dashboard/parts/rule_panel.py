"""The panel under a rule: its text in the contract, its trend, its recent findings and what to do."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard import data
from dashboard.charts.findings import rule_over_time
from dashboard.parts import grid, links, tables, theme
from dashboard.text import formats, markup
from dashboard.text.advice import no_value_at_risk, what_to_do
from stream_app.views.breakdown import RuleCount
from stream_app.views.quality import QualityView
from stream_app.views.ranges import bounds

#: Maximum number of recent findings of one rule.
RECENT = 50


def rule_panel(view: QualityView, entity: str, rule_id: str, counted: RuleCount | None) -> None:
    """Draw the panel. ``counted``: the rule's findings in the range, None if there are none."""
    contract = view.contracts[entity]
    rule = contract.rules.get(rule_id)
    with st.container(key="panel-rule"):
        left, right = st.columns([4, 5], gap="medium")
        with left:
            head = markup.tag("h3", markup.code(rule_id))
            if rule is None:
                markup.show(markup.join(head, markup.tag("p", what_to_do(rule_id, None))))
            else:
                shown: dict[str, markup.Part] = {
                    "Finds": markup.data(rule.message),
                    "Why it matters": markup.data(rule.impact) if rule.impact else None,
                    "What to do": what_to_do(rule_id, rule),
                    "Severity": markup.join(
                        markup.pill(rule.severity, rule.severity), f" {tables.effect(rule.severity)} the record"
                    ),
                    "Dimension": rule.dimension,
                    "Value at risk": at_risk_of(view, entity, rule_id, counted),
                    "Checks": markup.join(markup.code(rule.path), " of ", markup.code(entity)),
                    "Contract": markup.code(f"{contract.id}:{contract.version}"),
                }
                markup.show(markup.join(head, markup.facts(shown)))
        with right:
            share = formats.percent(counted.share, 2) if counted else formats.NOTHING
            st.caption(f"{formats.count(counted.count if counted else 0)} findings in this range, {share} of records in")
            starts = [point.start for point in view.series]
            theme.chart(
                rule_over_time(view.findings_series, entity, rule_id, starts, view.bar_seconds),
                key="rule-trend",
                alt_text="Findings of the rule over time.",
            )
            _recent(view, entity, rule_id)


def at_risk_of(view: QualityView, entity: str, rule_id: str, counted: RuleCount | None) -> str | None:
    """Return the value at risk in words, or why there is none; None if no record of the entity has a price."""
    contract = view.contracts[entity]
    if not contract.revenue:
        return None
    if contract.by_currency and not contract.currency:
        return f"{formats.NOTHING} (amounts of several currencies are given as totals only)"
    if not contract.rules[rule_id].worth or counted is None or not counted.at_risk:
        return f"{formats.NOTHING} ({no_value_at_risk(contract.rules[rule_id])})"
    return formats.money(counted.at_risk, view.currency)


def _recent(view: QualityView, entity: str, rule_id: str) -> None:
    pulse = data.pulse()
    read = (
        pulse if isinstance(pulse, data.Down) else data.found(entity, rule_id, bounds(view.range, pulse.stream_ms, data.zone()))
    )
    if isinstance(read, data.Down):
        return
    rows = read[:RECENT]
    link = links.Link(
        "All of them with their records", "anomalies", {"range": view.range.value, "entity": entity, "rule": rule_id}
    )
    if not rows:
        st.caption("No single finding of this rule is kept of this range. The dead-letter topic has the rejected records.")
        links.draw(replace(link, label="Search for its records"))
        return
    st.caption(f"Its newest {len(rows)} findings in this range")
    links.draw(link)
    grid.grid(
        tables.findings(rows)[["Event time", "Where", "Source"]],
        "rule-recent",
        {"Event time": grid.moments("Event time")},
        rows=4,
    )
