"""Pure figures of the pipeline page: the pace and the lag as this dashboard saw them."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.figures import MARK, SHORT, Figure
from dashboard.data import Sample

#: A pace is measured over at least this many ms, so that it does not jump with every batch.
SMOOTH_MS = 10_000
#: After as many ms without a sample nobody looked, and nobody knows: the line has a gap there.
UNSEEN_MS = 20_000


def paces(samples: Sequence[Sample]) -> list[tuple[int, float]]:
    """Records per second at each sample's time (ms), over the 10 s before it.

    A store that was emptied meanwhile counts from nothing again, and while nobody looked nothing was measured: there the
    pace is left out.
    """
    rows: list[tuple[int, float]] = []
    begin = 0
    for index, sample in enumerate(samples):
        if index and sample.at - samples[index - 1].at > UNSEEN_MS:
            begin = index
            continue
        while begin + 1 < index and sample.at - samples[begin + 1].at >= SMOOTH_MS:
            begin += 1
        first = samples[begin]
        if sample.at > first.at and sample.received >= first.received:
            rows.append((sample.at, 1000 * (sample.received - first.received) / (sample.at - first.at)))
    return rows


def _x() -> alt.X:
    axis = alt.Axis(title="Wall time (UTC)", labelExpr="utcFormat(datum.value, '%H:%M:%S')", grid=False, tickCount=5)
    return alt.X("at:T", scale=alt.Scale(type="utc"), axis=axis)


def pace(samples: Sequence[Sample]) -> Figure:
    """Records per second over wall time."""
    return _line(_seen(paces(samples), "pace"), "pace", "Records per second", None)


def lag(samples: Sequence[Sample]) -> Figure:
    """Records still to read over wall time; unknown leaves a gap."""
    return _line(_seen([(one.at, one.lag) for one in samples], "lag"), "lag", "Records still to read", MARK)


def _seen(rows: Sequence[tuple[int, float | None]], field: str) -> pd.DataFrame:
    """The rows, with an empty one wherever nobody looked for a while: a line breaks there."""
    whole: list[tuple[int, float | None]] = []
    for at, value in rows:
        if whole and at - whole[-1][0] > UNSEEN_MS:
            whole.append((whole[-1][0] + 1, None))
        whole.append((at, value))
    return pd.DataFrame(
        {
            "at": pd.to_datetime([at for at, _ in whole], unit="ms", utc=True),
            field: pd.Series([value for _, value in whole], dtype="float64"),
        }
    )


def _line(frame: pd.DataFrame, field: str, title: str, colour: str | None) -> Figure:
    # A line that is zero all along still needs room above it.
    scale = alt.Scale(domain=[0, float(frame[field].max())], nice=True) if frame[field].max() > 0 else alt.Scale(domain=[0, 1])
    y = alt.Y(f"{field}:Q", title=title, axis=alt.Axis(tickCount=4, tickMinStep=1, minExtent=44, labelExpr=SHORT), scale=scale)
    tooltip = [
        alt.Tooltip("at:T", title="At", format="%H:%M:%S"),
        alt.Tooltip(f"{field}:Q", title=title, format=",.0f"),
    ]
    base = alt.Chart(frame, height=190).encode(x=_x(), y=y, tooltip=tooltip)
    return base.mark_line(strokeWidth=2.2, aria=False, color=colour or alt.Undefined)
