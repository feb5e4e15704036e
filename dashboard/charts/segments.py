"""Rejected records, or the findings of one rule, by segment value."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.axes import LINK, ROWS, Figure, from_zero
from dashboard.charts.drawing import Drawing, Rows, kept, template
from dashboard.text import addresses
from dashboard.text.formats import count
from dashboard.text.words import visible
from stream_app.views.breakdown import SegmentRow

#: Maximum number of segment values in the chart: those with most records.
MOST_SHOWN = 12
#: Records of a segment value from which on its share says something.
ENOUGH = 30
_LONGEST_LABEL = 40


def worst_field(rows: Sequence[SegmentRow]) -> tuple[str, str] | None:
    """Return the (entity, segment field) of the value with the largest rejected share; one with few records does not count."""
    enough = [row for row in rows if row.received >= ENOUGH] or rows
    worst = max(enough, key=lambda row: (row.share_of(None), row.received), default=None)
    return None if worst is None else (worst.entity, worst.field)


@kept
def segments(rows: Sequence[SegmentRow], rule: str | None = None, range_: str = "") -> Drawing:
    """Draw the share of rejected records, or of findings of ``rule``, by segment value, worst first; a bar leads to them."""
    counted = "Rejected" if rule is None else "Findings"
    top = sorted(rows, key=lambda row: -row.received)[:MOST_SHOWN]
    top.sort(key=lambda row: -row.share_of(rule))
    shares = [100 * row.share_of(rule) for row in top]
    values = [visible(row.value) for row in top]
    labels = [value if len(value) <= _LONGEST_LABEL else f"{value[: _LONGEST_LABEL - 1]}…" for value in values]
    drawn = Rows(
        {
            "value": pd.Series(values, dtype="str"),
            "records": [row.received for row in top],
            "counted": [row.counted(rule) for row in top],
            "share": shares,
            "link": [_findings(row, rule, range_) for row in top],
            "text": [f"{share:.2f} % of {count(row.received)}" for row, share in zip(top, shares, strict=True)],
            "label": labels,
            # Space for the text after the longest bar.
            "room": [share * 1.6 for share in shares],
        }
    )
    return Drawing(_bars(counted, tuple(labels), any(share > 0 for share in shares)), rows=drawn)


@template
def _bars(counted: str, labels: tuple[str, ...], above_zero: bool) -> Figure:  # noqa: FBT001 - hashed as it comes
    y = alt.Y("label:N", title=None, sort=list(labels), axis=alt.Axis(grid=False, labelPadding=8, labelLimit=150))
    x = alt.X(
        "share:Q",
        title=f"{counted} (% of records in)",
        axis=alt.Axis(tickCount=4, labelExpr="format(datum.value, '~r')"),
        scale=from_zero([float(above_zero)]),
    )
    tooltip = [
        alt.Tooltip("value:N", title="Value"),
        alt.Tooltip("text:N", title=counted),
        alt.Tooltip("counted:Q", title="Number", format=",d"),
        alt.Tooltip("records:Q", title="Records in", format=",d"),
    ]
    base = alt.Chart(height=alt.Step(26)).encode(y=y, x=x, tooltip=tooltip)
    return alt.layer(
        base.mark_bar(height=11, cornerRadiusEnd=4, aria=False, cursor="pointer").encode(href=alt.Href(LINK)),
        base.mark_point(opacity=0, aria=False).encode(x=alt.X("room:Q")),
        base.mark_text(aria=False, align="left", dx=7, fontSize=11.5).encode(text=alt.Text("text:N")),
        data=ROWS,
    )


def _findings(row: SegmentRow, rule: str | None, range_: str) -> str:
    """Return the address of the findings that a bar counts."""
    counted = {"severity": "error"} if rule is None else {"rule": rule}
    choices = {"range": range_, "entity": row.entity, "segment": f"{row.field}: {row.value}", **counted}
    return addresses.link("anomalies", choices)
