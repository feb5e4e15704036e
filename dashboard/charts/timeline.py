"""The timeline of an incident: its metric window by window, with the expected band."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.axes import ANOMALY, PERCENT, SHORT, Figure, times, x_axis, y_axis
from dashboard.text.formats import bar_period
from stream_app.contract.money import in_units
from stream_app.monitor.incident import Incident
from stream_app.views.incidents import Point

#: The colour of what is expected: green-blue, distinct from anomalies and from the metric with any colour vision.
EXPECTED = "#009e73"


def timeline(points: Sequence[Point], lead: Incident, start: int, end: int, currency: str | None) -> Figure:
    """Draw a metric with its band; ``start`` to ``end`` (s): of the incident, as a pale band behind."""

    def scaled(value: float | None) -> float | None:
        return None if value is None else in_units(value, currency) if lead.unit == "money" else value

    seconds = lead.grain.seconds
    starts = [point.start + seconds / 2 for point in points]
    frame = pd.DataFrame(
        {
            "start": times(starts),
            "period": [bar_period(point.start, seconds) for point in points],
            "observed": pd.array([scaled(point.observed) for point in points], dtype="float64"),
            "expected": pd.array([scaled(point.expected) for point in points], dtype="float64"),
            "low": pd.array([scaled(point.low) for point in points], dtype="float64"),
            "high": pd.array([scaled(point.high) for point in points], dtype="float64"),
            "anomalous": [start <= point.start < end for point in points],
        }
    )
    number = ".2%" if lead.unit == "share" else ",.2f" if lead.unit == "money" else ",.0f"
    unit = {"share": "Share (%)", "money": f"Amount ({currency})" if currency else "Amount"}.get(lead.unit, "Records")
    axis = {"labelExpr": PERCENT if lead.unit == "share" else SHORT}
    tooltip = [
        alt.Tooltip("period:N", title="Window"),
        alt.Tooltip("observed:Q", title="Observed", format=number),
        alt.Tooltip("expected:Q", title="Expected", format=number),
        alt.Tooltip("low:Q", title="From", format=number),
        alt.Tooltip("high:Q", title="To", format=number),
    ]
    x = x_axis(seconds, starts, bars=False)
    span = pd.DataFrame({"start": times([start]), "end": times([end])})
    behind = alt.Chart(span).mark_rect(color=ANOMALY, opacity=0.13, aria=False)
    band = alt.Chart(frame, height=300).mark_area(color=EXPECTED, opacity=0.28, interpolate="step", aria=False)
    middle = alt.Chart(frame).mark_line(color=EXPECTED, strokeDash=[5, 4], interpolate="step", aria=False)
    line = alt.Chart(frame).mark_line(strokeWidth=1.8, aria=False)
    dots = alt.Chart(frame).mark_point(filled=True, opacity=1, aria=False)
    colour = alt.ColorValue("#4c78a8", condition={"test": "datum.anomalous", "value": ANOMALY})
    return alt.layer(
        behind.encode(x=alt.X("start:T"), x2=alt.X2("end:T")),
        band.encode(x=x, y=y_axis("low", unit, axis=axis), y2=alt.Y2("high:Q")),
        middle.encode(x=x, y=alt.Y("expected:Q")),
        line.encode(x=x, y=alt.Y("observed:Q")),
        dots.encode(x=x, y=alt.Y("observed:Q"), color=colour, tooltip=tooltip),
    )
