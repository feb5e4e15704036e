"""What opens under a rule: what it says in the contract, its trend, its recent findings and what to do."""

from __future__ import annotations

import streamlit as st

from dashboard import data
from dashboard.charts import quality as figures_quality
from dashboard.parts import grid, tables, theme
from dashboard.text import formats, markup
from dashboard.text.advice import what_to_do
from stream_app.views.figures import RuleCount
from stream_app.views.quality import QualityView

#: Why a rule may have no value at risk although its records have prices.
WORTHLESS = "rules that doubt quantity or price themselves, find a repeated record or only count put no known value at risk"
#: Recent findings shown of one rule.
RECENT = 50


def rule_panel(view: QualityView, entity: str, rule_id: str, counted: RuleCount | None) -> None:
    """Draw it. ``counted``: what the rule found in the range, None for nothing."""
    contract = view.contracts[entity]
    rule = contract.rules.get(rule_id)
    with st.container(key="panel-rule"):
        left, right = st.columns([4, 5], gap="medium")
        with left:
            head = markup.tag("h3", markup.code(rule_id))
            if rule is None:
                markup.show(markup.join(head, markup.tag("p", what_to_do(rule_id, None))))
            else:
                said: dict[str, markup.Part] = {
                    "Says": markup.data(rule.message),
                    "Why it matters": markup.data(rule.impact) if rule.impact else None,
                    "What to do": what_to_do(rule_id, rule),
                    "Severity": markup.join(
                        markup.pill(rule.severity, rule.severity), f" {tables.effect(rule.severity)} the record"
                    ),
                    "Dimension": rule.dimension,
                    "Value at risk": at_risk_of(view, entity, rule_id, counted),
                    "Looks at": markup.join(markup.code(rule.path), " of ", markup.code(entity)),
                    "Contract": markup.code(f"{contract.id}:{contract.version}"),
                }
                markup.show(markup.join(head, markup.facts({name: part for name, part in said.items() if part is not None})))
        with right:
            share = formats.percent(counted.share, 2) if counted else formats.NOTHING
            st.caption(f"{formats.count(counted.count if counted else 0)} findings in this range, {share} of records in")
            theme.chart(
                figures_quality.rule_over_time(
                    view.findings_series, entity, rule_id, [point.start for point in view.series], view.bar_seconds
                ),
                key="rule-trend",
                alt_text="Findings of the rule over time.",
            )
            _recent(entity, rule_id)


def at_risk_of(view: QualityView, entity: str, rule_id: str, counted: RuleCount | None) -> str | None:
    """The value at risk in words, or why there is none; None where no record of the entity has a price."""
    contract = view.contracts[entity]
    if not contract.revenue:
        return None
    if not contract.rules[rule_id].worth:
        return f"{formats.NOTHING} ({WORTHLESS})"
    if counted is None or not counted.at_risk:
        return f"{formats.NOTHING} (no quantity and price of its records could be read)"
    return formats.money(counted.at_risk, view.currency)


def _recent(entity: str, rule_id: str) -> None:
    read = data.findings()
    if isinstance(read, data.Down):
        return
    rows = [row for row in read if (row.entity, row.rule) == (entity, rule_id)][:RECENT]
    if not rows:
        st.caption("None of its findings is among the newest thousand.")
        return
    st.caption("Its newest findings, whatever the range. The page Anomalies opens their records")
    grid.grid(
        tables.findings(rows)[["Event time", "Where", "Source"]],
        "rule-recent",
        {"Event time": st.column_config.DatetimeColumn("Event time (UTC)", format=grid.TIME, timezone="UTC")},
        rows=4,
    )
