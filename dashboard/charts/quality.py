"""Quality: valid and rejected records over time, and records with findings by dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from dashboard.charts.axes import ANOMALY, LINK, PERCENT, ROWS, Figure, bar_ends, bar_link, limits, times, x_axis, y_axis
from dashboard.charts.drawing import Drawing, Rows, kept, template
from dashboard.text import addresses
from dashboard.text.formats import bar_period, percent
from stream_app.counts.summary import Quality
from stream_app.views.figures import ConformityPoint, QualityPoint

#: Minimum end of the axis of records with findings, for when none has any: a tenth of a percent.
NOTHING_FOUND = 0.001
#: Choices of a link to all findings.
NO_CHOICES: Mapping[str, addresses.Value] = {}
_FOUND = "Records with findings (% of judged records)"


@kept
def valid_over_time(series: Sequence[QualityPoint], bar_seconds: int, height: int = 310) -> Drawing:
    """Draw the share of valid records as a line with a point for each bar; bars without records leave a gap."""
    rows = Rows(
        {
            "start": times([point.start + bar_seconds / 2 for point in series]),
            "period": [bar_period(point.start, bar_seconds) for point in series],
            "valid": pd.Series([point.quality.valid for point in series], dtype="float64"),
            "text": [percent(point.quality.valid, 2) for point in series],
        }
    )
    return Drawing(_valid(bar_seconds, limits([point.start for point in series]), height), rows=rows)


@template
def _valid(bar_seconds: int, starts: tuple[float, ...], height: int) -> Figure:
    base = alt.Chart(height=height).encode(
        x=x_axis(bar_seconds, starts, bars=False),
        y=y_axis(
            "valid",
            "Valid records (%)",
            # On an axis from zero all days near 100 % look alike.
            scale=alt.Scale(zero=False, nice=True, padding=6),
            axis={"labelExpr": PERCENT},
        ),
        tooltip=[alt.Tooltip("period:N", title="Period"), alt.Tooltip("text:N", title="Valid records")],
    )
    line = base.mark_line(strokeWidth=2.2, aria=False)
    return alt.layer(line, base.mark_circle(size=26, opacity=1, aria=False), data=ROWS)


@kept
def rejected_over_time(series: Sequence[ConformityPoint], bar_seconds: int) -> Drawing:
    """Draw the share of judged records that were rejected, as bars."""
    starts = [point.start for point in series]
    rows = Rows(
        {
            "start": times(starts),
            "end": bar_ends(starts, bar_seconds),
            "period": [bar_period(start, bar_seconds) for start in starts],
            "share": pd.Series([None if point.share is None else 1 - point.share for point in series], dtype="float64"),
            "text": [percent(point.share, 2) for point in series],
            "rejected": [point.rejected for point in series],
            "clean": [point.clean for point in series],
        }
    )
    return Drawing(_rejected(bar_seconds, limits(starts)), rows=rows)


@template
def _rejected(bar_seconds: int, starts: tuple[float, ...]) -> Figure:
    return (
        alt.Chart(ROWS, height=250, transform=[bar_link("anomalies", "'&severity=error'")])
        .mark_bar(aria=False, color=ANOMALY, cursor="pointer")
        .encode(
            x=x_axis(bar_seconds, starts),
            x2=alt.X2("end:T"),
            href=alt.Href(LINK),
            y=y_axis("share", "Rejected (% of records judged)", axis={"labelExpr": PERCENT}),
            tooltip=[
                alt.Tooltip("period:N", title="Period"),
                alt.Tooltip("text:N", title="Conformity"),
                alt.Tooltip("rejected:Q", title="Rejected", format=",d"),
                alt.Tooltip("clean:Q", title="Clean", format=",d"),
            ],
        )
    )


@kept
def by_dimension(measured: Quality, choices: Mapping[str, addresses.Value] = NO_CHOICES) -> Drawing:
    """Draw the share of records with findings by dimension, worst first; a bar leads to the findings of these ``choices``."""
    known = _known(measured)
    rows = Rows(
        {
            "dimension": [name.capitalize() for _, name in known],
            "link": _links(known, choices),
            "shortfall": [1 - share for share, _ in known],
            "share": [percent(1 - share, 2) for share, _ in known],
            # Space for the label after the longest bar, and an axis if nothing failed.
            "room": [max(1.3 * (1 - share), NOTHING_FOUND) for share, _ in known],
        }
    )
    return Drawing(_dimensions(), rows=rows)


@template
def _dimensions() -> Figure:
    x = alt.X(
        "shortfall:Q", title=_FOUND, scale=alt.Scale(nice=True, domainMin=0), axis=alt.Axis(tickCount=4, labelExpr=PERCENT)
    )
    tooltip = [
        alt.Tooltip("dimension:N", title="Dimension"),
        alt.Tooltip("share:N", title="Records with findings"),
    ]
    base = alt.Chart(height=alt.Step(34)).encode(y=_dimension_axis(), x=x, tooltip=tooltip)
    return alt.layer(
        base.mark_bar(height=10, cornerRadiusEnd=5, aria=False, cursor="pointer").encode(href=alt.Href(LINK)),
        base.mark_point(opacity=0, aria=False).encode(x=alt.X("room:Q")),
        base.mark_text(aria=False, align="left", dx=8, fontSize=12).encode(text=alt.Text("share:N")),
        data=ROWS,
    )


@kept
def by_dimension_compared(now: Quality, before: Quality | None, choices: Mapping[str, addresses.Value] = NO_CHOICES) -> Drawing:
    """Draw the share of records with findings by dimension, worst first: a bar, and a tick for the previous range."""
    known = _known(now)
    then = [before.dimensions.get(name) if before else None for _, name in known]
    rows = Rows(
        {
            "dimension": [name.capitalize() for _, name in known],
            "link": _links(known, choices),
            "shortfall": [1 - share for share, _ in known],
            "before": pd.Series([None if share is None else 1 - share for share in then], dtype="float64"),
            "share": [percent(share, 2) for share, _ in known],
            "share_before": [percent(share, 2) for share in then],
            "room": NOTHING_FOUND,
        }
    )
    return Drawing(_dimensions_compared(), rows=rows)


@template
def _dimensions_compared() -> Figure:
    axis = alt.Axis(tickCount=4, labelExpr=PERCENT)
    tooltip = [
        alt.Tooltip("dimension:N", title="Dimension"),
        alt.Tooltip("share:N", title="Records without findings"),
        alt.Tooltip("share_before:N", title="Previous range"),
    ]
    base = alt.Chart(height=alt.Step(36)).encode(y=_dimension_axis(), tooltip=tooltip)
    bar = base.mark_bar(height=12, cornerRadiusEnd=4, aria=False, cursor="pointer").encode(
        x=alt.X("shortfall:Q", title=_FOUND, axis=axis), href=alt.Href(LINK)
    )
    tick = base.mark_tick(thickness=2.5, size=22, color=ANOMALY, aria=False).encode(
        x=alt.X("before:Q", title=_FOUND, axis=axis)
    )
    room = base.mark_point(opacity=0, aria=False).encode(x=alt.X("room:Q", title=_FOUND, axis=axis))
    return alt.layer(room, bar, tick, data=ROWS)


def _links(known: Sequence[tuple[float, str]], choices: Mapping[str, addresses.Value]) -> list[str]:
    """Return the addresses of the findings of each dimension."""
    return [addresses.link("anomalies", {**choices, "dimension": name}) for _, name in known]


def _known(measured: Quality) -> list[tuple[float, str]]:
    """Return the measured dimensions, worst first."""
    return sorted((share, name) for name, share in measured.dimensions.items() if share is not None)


def _dimension_axis() -> alt.Y:
    """Return the axis of dimensions, worst first.

    The chart sorts them: after a refresh it would otherwise keep the order of its first rows.
    """
    worst = alt.EncodingSortField("shortfall", op="max", order="descending")
    return alt.Y("dimension:N", title=None, sort=worst, axis=alt.Axis(grid=False, labelPadding=8, labelLimit=110))
