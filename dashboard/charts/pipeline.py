"""The pipeline's pace and lag over wall time, as this dashboard measured them."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.axes import ANOMALY, SHORT, Figure
from dashboard.text import local
from stream_app.views.pace import UNSEEN_MS, Sample, paces


def pace(samples: Sequence[Sample]) -> Figure:
    """Draw records per second."""
    return _line(_with_gaps(paces(samples), "pace"), "pace", "Records per second", None)


def lag(samples: Sequence[Sample]) -> Figure:
    """Draw the number of unread records; an unknown lag leaves a gap."""
    return _line(_with_gaps([(one.at, one.lag) for one in samples], "lag"), "lag", "Unread records", ANOMALY)


def _with_gaps(rows: Sequence[tuple[int, float | None]], field: str) -> pd.DataFrame:
    """Return the rows, with an empty one after each gap in the samples, so that the line breaks there."""
    complete: list[tuple[int, float | None]] = []
    for at, value in rows:
        if complete and at - complete[-1][0] > UNSEEN_MS:
            complete.append((complete[-1][0] + 1, None))
        complete.append((at, value))
    return pd.DataFrame(
        {
            "at": pd.to_datetime([at for at, _ in complete], unit="ms", utc=True),
            field: pd.Series([value for _, value in complete], dtype="float64"),
        }
    )


def _line(frame: pd.DataFrame, field: str, title: str, colour: str | None) -> Figure:
    # A line that is always zero still needs space above it.
    scale = alt.Scale(domain=[0, float(frame[field].max())], nice=True) if frame[field].max() > 0 else alt.Scale(domain=[0, 1])
    zone = local.zone()
    last = frame["at"].max()
    ahead = 0 if pd.isna(last) else last.tz_convert(zone.info).utcoffset().total_seconds() * 1000
    clock = f"utcFormat(toNumber({{}}) + {ahead:.0f}, '%H:%M:%S')"
    x_axis = alt.Axis(title=f"Wall time ({zone.name})", labelExpr=clock.format("datum.value"), grid=False, tickCount=5)
    y_axis = alt.Axis(tickCount=4, tickMinStep=1, minExtent=44, labelExpr=SHORT)
    tooltip = [
        # Of a time, Vega shows that of the viewer's zone.
        alt.Tooltip("clock:N", title="At"),
        alt.Tooltip(f"{field}:Q", title=title, format=",.0f"),
    ]
    shown = alt.CalculateTransform(calculate=clock.format("datum.at"), **{"as": "clock"})
    base = alt.Chart(frame, height=190, transform=[shown]).encode(
        x=alt.X("at:T", scale=alt.Scale(type="utc"), axis=x_axis),
        y=alt.Y(f"{field}:Q", title=title, axis=y_axis, scale=scale),
        tooltip=tooltip,
    )
    return base.mark_line(strokeWidth=2.2, aria=False, color=colour or alt.Undefined)
