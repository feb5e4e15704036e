"""Revenue and orders over time, with the incidents of sales marked on the revenue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from dashboard.charts.axes import ANOMALY, ROWS, Figure, bar_ends, limits, number_axis, times, x_axis, y_axis
from dashboard.charts.drawing import Drawing, Rows, kept, template
from dashboard.text.formats import about, bar_period, count
from dashboard.text.incidents import reading, what
from stream_app.contract.money import digits
from stream_app.monitor.incident import Incident
from stream_app.views.figures import SalesPoint

#: Metrics whose incidents are marked.
METRICS = frozenset({"volume", "revenue", "average_order"})
#: Direction → symbol, so that nobody needs to distinguish colours.
_SYMBOLS = {"high": "triangle-up", "low": "triangle-down", "changed": "diamond"}
#: Vertical position of the symbols: pixels from the top.
_TOP = alt.YValue(6)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An incident on the chart: from ``start`` to ``end`` (s), ``direction`` high, low or changed, and a line of text."""

    start: int
    end: int
    direction: str
    text: str


def anomalies_of(incidents: Sequence[Incident], sales: str | None, currency: str | None) -> list[Anomaly]:
    """Return the incidents that are marked: those of the entity ``sales`` that are about its volume or money."""
    return [
        Anomaly(
            one.start,
            one.end,
            one.direction if one.direction in {"high", "low"} else "changed",
            f"{what(one)} {one.direction}: {reading(one, currency)}",
        )
        for one in incidents
        if one.entity == sales and one.metric in METRICS
    ]


@kept
def sales_over_time(
    series: Sequence[SalesPoint],
    bar_seconds: int,
    currency: str | None,
    anomalies: Sequence[Anomaly] = (),
    *,
    height: int = 215,
) -> tuple[Drawing, Drawing]:
    """Draw revenue and orders as bars, two charts on the same time axis; an unfinished bar is pale.

    ``height``: of the revenue, in pixels. Anomalies are pale bands on the revenue with a triangle above: it points down for
    less than expected.
    """
    starts = [point.start for point in series]
    rows = Rows(
        {
            "start": times(starts),
            "end": bar_ends(starts, bar_seconds),
            "period": [bar_period(start, bar_seconds) for start in starts],
            "revenue": [point.revenue for point in series],
            "orders": [point.orders for point in series],
            "counted": [about(count(point.orders)) if point.estimated else count(point.orders) for point in series],
            "state": ["complete" if point.complete else "still counting" for point in series],
        }
    )
    low = starts[0] if starts else 0
    high = starts[-1] + bar_seconds if starts else 0
    shown = [one for one in anomalies if one.end > low and one.start < high]
    axis = limits(starts)
    return (
        Drawing(_revenue(bar_seconds, axis, currency, height), rows=rows, marks=_marks(shown, low, high)),
        Drawing(_orders(bar_seconds, axis, currency), rows=rows),
    )


def _marks(anomalies: Sequence[Anomaly], low: int, high: int) -> Rows:
    return Rows(
        {
            "start": times([max(one.start, low) for one in anomalies]),
            "end": times([min(one.end, high) for one in anomalies]),
            "middle": times([(max(one.start, low) + min(one.end, high)) / 2 for one in anomalies]),
            "direction": [one.direction for one in anomalies],
            "text": [one.text for one in anomalies],
        }
    )


@template
def _revenue(bar_seconds: int, starts: tuple[float, ...], currency: str | None, height: int) -> Figure:
    x = x_axis(bar_seconds, starts, labels=False)
    # Always layered, with or without anomalies: a chart that changes its type would be redrawn from scratch.
    return alt.layer(*_marked(), _panel(x, y_axis("revenue", _unit(currency)), height, currency))


@template
def _orders(bar_seconds: int, starts: tuple[float, ...], currency: str | None) -> Figure:
    return _panel(x_axis(bar_seconds, starts), number_axis("orders", "Orders"), 135, currency)


def _unit(currency: str | None) -> str:
    return f"Revenue ({currency})" if currency else "Revenue"


def _panel(x: alt.X, y: alt.Y, height: int, currency: str | None) -> Figure:
    tooltip = [
        alt.Tooltip("period:N", title="Period"),
        alt.Tooltip("revenue:Q", title=_unit(currency), format=f",.{digits(currency)}f"),
        alt.Tooltip("counted:N", title="Orders"),
        alt.Tooltip("state:N", title="State"),
    ]
    opacity = alt.OpacityValue(0.4, condition={"test": "datum.state == 'complete'", "value": 1.0})
    bars = alt.Chart(ROWS, height=height).mark_bar(aria=False)
    return bars.encode(x=x, x2=alt.X2("end:T"), y=y, opacity=opacity, tooltip=tooltip)


def _marked() -> tuple[Figure, Figure]:
    marks = alt.NamedData("marks")
    tooltip = [alt.Tooltip("text:N", title="Anomaly")]
    scale = alt.Scale(domain=list(_SYMBOLS), range=list(_SYMBOLS.values()))
    bands = alt.Chart(marks).mark_rect(color=ANOMALY, opacity=0.17, aria=False)
    points = alt.Chart(marks).mark_point(filled=True, size=95, opacity=1, color=ANOMALY, aria=False)
    return (
        bands.encode(x=alt.X("start:T"), x2=alt.X2("end:T"), tooltip=tooltip),
        points.encode(x=alt.X("middle:T"), y=_TOP, shape=alt.Shape("direction:N", scale=scale, legend=None), tooltip=tooltip),
    )
