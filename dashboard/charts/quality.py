"""Pure figures of the quality page: records by outcome, a rule's trend, dimensions and segments."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.figures import MARK, NOTHING_FAILED, Figure, dimension_axis, number_axis, period, times, x_axis, y_axis
from dashboard.text.formats import percent
from stream_app.counts.summary import Quality
from stream_app.views.figures import FindingsPoint
from stream_app.views.quality import ConformityPoint

#: A chart of segment values shows this many; the table has them all.
SEGMENTS_SHOWN = 12


def outcomes(series: Sequence[ConformityPoint], bar_seconds: int) -> Figure:
    """The share of judged records that were rejected, as bars: what is not rejected is clean."""
    frame = pd.DataFrame(
        {
            "start": times([point.start for point in series]),
            "end": times([point.start + bar_seconds * 0.88 for point in series]),
            "period": [period(point.start, bar_seconds) for point in series],
            "rejected": pd.Series([None if point.share is None else 1 - point.share for point in series], dtype="float64"),
            "text": [percent(point.share, 2) for point in series],
            "bad": [point.rejected for point in series],
            "good": [point.clean for point in series],
        }
    )
    return (
        alt.Chart(frame, height=250)
        .mark_bar(aria=False, color=MARK)
        .encode(
            x=x_axis(bar_seconds),
            x2=alt.X2("end:T"),
            y=y_axis("rejected", "Rejected (% of records judged)", axis={"labelExpr": "format(datum.value * 100, '~r')"}),
            tooltip=[
                alt.Tooltip("period:N", title="Period"),
                alt.Tooltip("text:N", title="Conformity"),
                alt.Tooltip("bad:Q", title="Rejected", format=",d"),
                alt.Tooltip("good:Q", title="Clean", format=",d"),
            ],
        )
    )


def rule_over_time(series: Sequence[FindingsPoint], entity: str, rule: str, starts: Sequence[int], bar_seconds: int) -> Figure:
    """Findings of one rule, a bar for each part of the range, zeros included."""
    counted = {point.start: point.count for point in series if (point.entity, point.rule) == (entity, rule)}
    frame = pd.DataFrame(
        {
            "start": times(list(starts)),
            "end": times([start + bar_seconds * 0.88 for start in starts]),
            "period": [period(start, bar_seconds) for start in starts],
            "findings": [counted.get(start, 0) for start in starts],
        }
    )
    return (
        alt.Chart(frame, height=170)
        .mark_bar(aria=False)
        .encode(
            x=x_axis(bar_seconds),
            x2=alt.X2("end:T"),
            y=number_axis("findings", "Findings"),
            tooltip=[alt.Tooltip("period:N", title="Period"), alt.Tooltip("findings:Q", title="Findings", format=",d")],
        )
    )


def dimensions(now: Quality, before: Quality | None) -> Figure:
    """Failed checks by dimension, worst first: a bar for this range, a tick for the one before."""
    known = sorted((share, name) for name, share in now.dimensions.items() if share is not None)
    then = [before.dimensions.get(name) if before else None for _, name in known]
    frame = pd.DataFrame(
        {
            "dimension": [name.capitalize() for _, name in known],
            "shortfall": [1 - share for share, _ in known],
            "before": pd.Series([None if share is None else 1 - share for share in then], dtype="float64"),
            "share": [percent(share, 2) for share, _ in known],
            "share_before": [percent(share, 2) for share in then],
            "room": NOTHING_FAILED,
        }
    )
    y = dimension_axis()
    axis = alt.Axis(tickCount=4, labelExpr="format(datum.value * 100, '~r')")
    title = "Failed checks (% of checks made)"
    tooltip = [
        alt.Tooltip("dimension:N", title="Dimension"),
        alt.Tooltip("share:N", title="Quality"),
        alt.Tooltip("share_before:N", title="Range before"),
    ]
    base = alt.Chart(height=alt.Step(36)).encode(y=y, tooltip=tooltip)
    bar = base.mark_bar(height=12, cornerRadiusEnd=4, aria=False).encode(x=alt.X("shortfall:Q", title=title, axis=axis))
    tick = base.mark_tick(thickness=2.5, size=22, color=MARK, aria=False).encode(x=alt.X("before:Q", title=title, axis=axis))
    room = base.mark_point(opacity=0, aria=False).encode(x=alt.X("room:Q", title=title, axis=axis))
    return alt.layer(room, bar, tick, data=frame)


def from_zero(values: Sequence[float]) -> alt.Scale:
    """A scale for shares (0 to 1) or percents that begins at zero, and keeps its zero at the left where nothing is above it."""
    return alt.Scale(nice=True, domainMin=0) if any(value > 0 for value in values) else alt.Scale(domain=[0, 1])


def segments(frame: pd.DataFrame, counted: str) -> Figure:
    """Shares by segment value, those with most records; ``frame`` as ``tables.segments`` makes it."""
    top = frame.nlargest(SEGMENTS_SHOWN, "records").sort_values("share", ascending=False)
    top = top.assign(
        text=[f"{share:.2f} %" for share in top["share"]],
        label=[value if len(value) <= 40 else f"{value[:39]}…" for value in top["value"]],
        room=top["share"] * 1.25,
    )
    y = alt.Y("label:N", title=None, sort=list(top["label"]), axis=alt.Axis(grid=False, labelPadding=8, labelLimit=150))
    x = alt.X(
        "share:Q",
        title=f"{counted} (% of records in)",
        axis=alt.Axis(tickCount=4, labelExpr="format(datum.value, '~r')"),
        scale=from_zero(list(top["share"])),
    )
    tooltip = [
        alt.Tooltip("value:N", title="Value"),
        alt.Tooltip("text:N", title=counted),
        alt.Tooltip("counted:Q", title="Number", format=",d"),
        alt.Tooltip("records:Q", title="Records in", format=",d"),
    ]
    base = alt.Chart(height=alt.Step(26)).encode(y=y, x=x, tooltip=tooltip)
    return alt.layer(
        base.mark_bar(height=11, cornerRadiusEnd=4, aria=False),
        base.mark_point(opacity=0, aria=False).encode(x=alt.X("room:Q")),
        base.mark_text(aria=False, align="left", dx=7, fontSize=11.5).encode(text=alt.Text("text:N")),
        data=top,
    )
