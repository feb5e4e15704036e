"""Tables of rules with findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.parts import address, grid, tables
from dashboard.text import formats
from dashboard.text.advice import NO_VALUE
from stream_app.contract.money import digits
from stream_app.views.breakdown import RuleCount
from stream_app.views.quality import QualityView

#: Meaning of a change of counts in a table.
CHANGE = "More than in the previous range; the part that is not over yet is left out of both"


def top_rules(rows: Sequence[RuleCount], range_: str) -> None:
    """Draw a short table of rules; a row leads to the rule on the page Quality."""
    key = f"rules-{address.visit()}"
    opened = grid.chosen(key, rows, _name, param=None)[1]
    pages = st.session_state.get("pages", {})
    if opened is not None and "quality" in pages:
        st.switch_page(pages["quality"], query_params={"range": range_, "open": _name(opened)})
    frame = tables.rules(rows)[["Rule", "Entity", "Findings", "Share", "Effect"]]
    grid.openable(frame, key, _columns(frame), placeholder=formats.NOTHING)


def openable_rules(view: QualityView, rows: Sequence[RuleCount]) -> tuple[tuple[str, str], RuleCount | None] | None:
    """Draw all rules; return the opened one as (entity, rule), with its count in the range (None: no findings any more)."""
    key = f"rules-{address.visit()}-{view.range.value}-{'-'.join(sorted({row.entity for row in rows}))}"
    order: dict[tuple[str, str], RuleCount] = {(row.entity, row.rule): row for row in rows}
    ids, opened = grid.chosen(key, list(order), "/".join)
    # While a rule is open the order of rows stays, and their figures are the newest.
    frame = tables.rules([order.get(one) or _without_findings(one) for one in ids], view.trends)
    if view.counts_before is None:
        frame = frame.drop(columns="Change")
    currency = view.currency or ""
    grid.openable(
        frame,
        key,
        {
            **_columns(frame),
            "Change": st.column_config.NumberColumn(help=CHANGE, format="%+d", width="small"),
            "Value at risk": st.column_config.NumberColumn(
                f"At risk ({currency})" if currency else "At risk",
                help=f"{formats.NOTHING}: the records do not tell their value; {NO_VALUE}.",
                format="accounting" if digits(view.currency) == 2 else f"%.{digits(view.currency)}f",
                width="small",
            ),
            "Trend": st.column_config.AreaChartColumn("Trend", y_min=0, width="small"),
            "Meaning": st.column_config.TextColumn(width="medium"),
            "Why it matters": st.column_config.TextColumn(width="large"),
        },
        placeholder=formats.NOTHING,
    )
    return linked_rule(view) if opened is None else (opened, order.get(opened))


def _name(row: RuleCount) -> str:
    return f"{row.entity}/{row.rule}"


def linked_rule(view: QualityView) -> tuple[tuple[str, str], RuleCount | None] | None:
    """Return the rule that the address names, which may have no findings in the range; None if it names none."""
    entity, _, rule = address.current("open").partition("/")
    known = entity in view.contracts and rule in view.contracts[entity].rules
    return ((entity, rule), None) if known else None


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {
        "Rule": st.column_config.TextColumn(width="medium"),
        "Findings": st.column_config.NumberColumn(format="localized", width="small"),
        "Share": st.column_config.ProgressColumn(
            "Share",
            help="Findings ÷ records in",
            format="%.2f %%",
            min_value=0.0,
            max_value=max(float(frame["Share"].max()), 0.01),
            width="small",
        ),
    }


def _without_findings(rule: tuple[str, str]) -> RuleCount:
    return RuleCount(*rule, "", "", "No findings in this range any more.", None, 0, None, 0.0, None)
