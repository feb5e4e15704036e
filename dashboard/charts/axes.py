"""Axes that all charts share, and the sparkline, which has none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.drawing import Drawing, Rows, kept, template
from dashboard.text import local
from stream_app.views.ranges import bar_end, bar_start

# Channels are objects wherever Altair would have to infer them (``X2``, ``YValue``), and only the outermost chart of a layered
# one has data: Altair is slow at looking up its schema and copying charts.

#: An Altair chart of any kind; Altair's own types are lost by its methods.
Figure = Any
#: The data of a specification that is made before there are any rows (see ``drawing.template``).
ROWS = alt.NamedData("rows")

#: The colour of anomalies: vermilion, visible on light and dark, and distinct from blue with any colour vision.
ANOMALY = "#d55e00"

#: Number format of axes: ``0``, ``500``, ``1.2k``, ``1B``. Vega's own writes ``0k``, and a half as ``500m``.
SHORT = "abs(datum.value) < 1000 ? format(datum.value, ',~r') : replace(format(datum.value, '~s'), 'G', 'B')"
#: Axis labels of shares, in percent.
PERCENT = "format(datum.value * 100, '~r')"

#: Part of a bar's length that is drawn; the rest is the gap to the next one.
_DRAWN = 0.88
_DAY = 86_400
#: About as many ticks has an axis of time; and seconds between two of them.
_TICKS = 7
_STEPS = (60, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, *(days * _DAY for days in (1, 2, 7, 14, 28, 56, 364)))


def times(starts: Sequence[float]) -> pd.Series[Any]:
    """Return moments (s since the epoch) as a column."""
    return pd.Series(pd.to_datetime(list(starts), unit="s", utc=True))


def bar_ends(starts: Sequence[int], bar_seconds: int) -> pd.Series[Any]:
    """Return where the bars that begin at ``starts`` end."""
    zone = local.zone()
    return times([start + (bar_end(start, bar_seconds, zone) - start) * _DRAWN for start in starts])


def limits(starts: Sequence[float]) -> tuple[float, ...]:
    """Return what an axis of time needs to know of the bars' starts: nothing in UTC, else the first and the last one."""
    return (min(starts), max(starts)) if starts and not local.zone().is_utc else ()


def x_axis(bar_seconds: int, starts: Sequence[float] = (), *, labels: bool = True, bars: bool = True) -> alt.X:
    """Return the axis of event time, by the clocks of the settings' zone; ``starts``: of the bars, or their ``limits``.

    Vega knows UTC and the viewer's zone only: for another zone, the ticks and their labels are made here.
    """
    midnight = "utcFormat(datum.value, '%H:%M') == '00:00'"
    expression = (
        "utcFormat(datum.value, '%-d %b')"
        if bar_seconds >= _DAY
        else f"{midnight} ? utcFormat(datum.value, '%-d %b') : utcFormat(datum.value, '%H:%M')"
    )
    values: Any = alt.Undefined
    if not local.zone().is_utc and starts:
        found = ticks(int(min(starts)), int(max(starts)) + bar_seconds)
        # An expression: of a list, Vega-Lite makes calls that Vega's interpreter, which needs no `eval`, does not understand.
        values = alt.ExprRef(json.dumps([at * 1000 for at in found]))
        expression = f"{json.dumps({str(at * 1000): text for at, text in found.items()})}[toNumber(datum.value)]"
    axis = alt.Axis(
        title=f"Event time ({local.zone().name})" if labels else None,
        labelExpr=expression,
        grid=False,
        labels=labels,
        tickCount=_TICKS,
        values=values,
        labelFlush=True,
    )
    # "binned" draws bars from start to end; with plain times they would be horizontal.
    binned: Any = "binned" if bars else alt.Undefined
    return alt.X("start:T", bin=binned, scale=alt.Scale(type="utc"), axis=axis)


def ticks(start: int, end: int) -> dict[int, str]:
    """Return moments from ``start`` up to ``end`` (s) where the clocks show something round, and the labels of these."""
    zone = local.zone()
    step = next((one for one in _STEPS if (end - start) / one <= _TICKS + 1), _STEPS[-1])
    at, found = bar_start(start, step, zone), {}
    while at < end:
        if at >= start:
            clock = zone.local(at)
            day = zone.date_of(at)
            found[at] = f"{day.day} {day:%b}" if step >= _DAY or zone.day(at) == at else f"{clock:%H:%M}"
        at = bar_end(at, step, zone)
    return found


def y_axis(field: str, title: str, **more: Any) -> alt.Y:
    """Return a vertical axis; ``more`` are its other properties."""
    # Equal space for labels in every chart, so that the time axes of stacked charts are aligned.
    axis = alt.Axis(tickCount=4, minExtent=44, **more.pop("axis", {"labelExpr": SHORT}))
    return alt.Y(f"{field}:Q", title=title, axis=axis, **more)


def number_axis(field: str, title: str, **more: Any) -> alt.Y:
    """Return the vertical axis of a count, without fractions."""
    return y_axis(field, title, axis={"labelExpr": SHORT, "tickMinStep": 1}, **more)


def from_zero(values: Sequence[float]) -> alt.Scale:
    """Return a scale of shares that begins at zero, and keeps its zero at the left if nothing is above zero."""
    return alt.Scale(nice=True, domainMin=0) if any(value > 0 for value in values) else alt.Scale(domain=[0, 1])


def bar_link(page: str, more: str = "''") -> alt.CalculateTransform:
    """Return the column ``link``: the address of a page with the range of a bar. ``more``: a Vega expression of its rest."""
    moment = "utcFormat({}, '%Y-%m-%dT%H:%M')"
    # A day of a time zone has 23 hours, or 25, where the clocks change.
    minutes = f"round((toNumber(datum.end) - toNumber(datum.start)) / {_DRAWN} / 60000)"
    until = moment.format(f"toNumber(datum.start) + {minutes} * 60000")
    calculate = f"'{page}?range=' + {moment.format('datum.start')} + '_' + {until} + {more}"
    return alt.CalculateTransform(calculate=calculate, **{"as": "link"})


#: The channel of a bar that leads to the address in its column ``link``.
LINK = "link:N"


@kept
def spark(series: Sequence[float | None]) -> Drawing:
    """Draw a sparkline; an unmeasured value leaves a gap."""
    return Drawing(_spark(), rows=Rows({"at": range(len(series)), "value": pd.array(list(series), dtype="float64")}))


@template
def _spark() -> Figure:
    base = alt.Chart(ROWS, height=46).encode(
        x=alt.X("at:Q", axis=None, scale=alt.Scale(nice=False, zero=False)),
        y=alt.Y("value:Q", axis=None, scale=alt.Scale(zero=False, nice=False, padding=3)),
    )
    return base.mark_line(strokeWidth=1.8, aria=False, clip=False)
