"""Pure figures: frozen values in, Altair charts out, axes with titles and units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard.formats import percent
from stream_app.judge.summary import Quality
from stream_app.store.read_overview import FindingsPoint, QualityPoint, RuleCount, SalesPoint

#: Rules that have a colour of their own; the rest is drawn together.
NAMED_RULES = 5
OTHERS = "all other rules"

DAY = 86_400


def bar_name(seconds: int) -> str:
    """``5 minutes``, ``hour``, ``2 hours``, ``day``, ``week``: how long a bar lasts."""
    for size, unit in ((7 * DAY, "week"), (DAY, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            number = seconds // size
            return unit if number == 1 else f"{number} {unit}s"
    return f"{seconds} s"


def _times(starts: Sequence[int]) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(list(starts), unit="s", utc=True))


def _x(bar_seconds: int, *, labels: bool = True) -> alt.X:
    """The time axis. Times are UTC, whatever the viewer's clock."""
    words = "%-d %b" if bar_seconds >= DAY else ["%-d %b", "%H:%M"]
    expression = (
        "utcFormat(datum.value, '%-d %b')"
        if isinstance(words, str)
        else "utcFormat(datum.value, '%H:%M') == '00:00' ? utcFormat(datum.value, '%-d %b') : utcFormat(datum.value, '%H:%M')"
    )
    axis = alt.Axis(
        title="Event time (UTC)" if labels else None,
        labelExpr=expression,
        grid=False,
        labels=labels,
        tickCount=8,
        labelFlush=True,
    )
    return alt.X("start:T", scale=alt.Scale(type="utc"), axis=axis)


def sales(series: Sequence[SalesPoint], bar_seconds: int, currency: str | None) -> alt.VConcatChart:
    """Revenue as bars above orders as bars, on one time axis; a bar whose time has not ended is pale."""
    frame = pd.DataFrame(
        {
            "start": _times([point.start for point in series]),
            "end": _times([point.start + bar_seconds for point in series]),
            "revenue": [point.revenue for point in series],
            "orders": [point.orders for point in series],
            "state": ["" if point.complete else "still counting" for point in series],
        }
    )
    unit = f"Revenue ({currency})" if currency else "Revenue"
    tooltip = [
        alt.Tooltip("start:T", title="From (UTC)", format="%-d %b %Y %H:%M", formatType="utc"),
        alt.Tooltip("revenue:Q", title=unit, format=",.2f"),
        alt.Tooltip("orders:Q", title="Orders", format=",d"),
        alt.Tooltip("state:N", title="State"),
    ]
    opacity = alt.condition("datum.state == ''", alt.value(1.0), alt.value(0.4))

    def panel(field: str, title: str, height: int, colour: int, *, labels: bool) -> alt.Chart:
        return (
            alt.Chart(frame, height=height, width="container")
            .mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2)
            .encode(
                x=_x(bar_seconds, labels=labels),
                x2="end:T",
                y=alt.Y(f"{field}:Q", title=title, axis=alt.Axis(format="~s", tickCount=4)),
                opacity=opacity,
                tooltip=tooltip,
            )
        )

    return alt.vconcat(
        panel("revenue", unit, 165, 0, labels=False), panel("orders", "Orders", 85, 1, labels=True), spacing=10
    )
