"""Pure figures: frozen values in, Altair charts out, axes with titles and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import altair as alt
import pandas as pd

from dashboard.text.formats import percent
from stream_app.counts.summary import Quality
from stream_app.views.figures import FindingsPoint, QualityPoint, RuleCount, SalesPoint

# What costs most of a refresh is Altair looking things up in its schema and copying charts. Therefore channels are objects
# here where it would have to guess them (``X2``, ``YValue``), and layers share data that only the chart of them all holds.

#: An Altair chart of any kind; its own types do not survive its methods.
Figure = Any

#: Rules that have a colour of their own; the rest is drawn together.
NAMED_RULES = 5
OTHERS = "all other rules"

DAY = 86_400

#: How axes write numbers: ``0``, ``500``, ``1.2k``, ``1B``. Vega's own would write ``0k``, and a half as ``500m``.
SHORT = "abs(datum.value) < 1000 ? format(datum.value, ',~r') : replace(format(datum.value, '~s'), 'G', 'B')"

#: Where no check failed, the axis of failed checks ends here: a tenth of a percent.
NOTHING_FAILED = 0.001

#: The colour of anomalies: vermilion, seen on light and dark and told from blue by every reader.
MARK = "#d55e00"


def bar_name(seconds: int) -> str:
    """``5 minutes``, ``hour``, ``2 hours``, ``day``, ``week``: how long a bar lasts."""
    for size, unit in ((7 * DAY, "week"), (DAY, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            number = seconds // size
            return unit if number == 1 else f"{number} {unit}s"
    return f"{seconds} s"


def times(starts: Sequence[float]) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(list(starts), unit="s", utc=True))


def period(start: int, bar_seconds: int) -> str:
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (start, start + bar_seconds))
    if bar_seconds == DAY:
        return f"{begin:%a} {begin.day} {begin:%b %Y}"
    if bar_seconds > DAY:
        last = datetime.fromtimestamp(start + bar_seconds - DAY, UTC)
        return f"{begin.day} {begin:%b} to {last.day} {last:%b %Y}"
    return f"{begin.day} {begin:%b %Y}, {begin:%H:%M} to {end:%H:%M} UTC"


def x_axis(bar_seconds: int, *, labels: bool = True, bars: bool = True) -> alt.X:
    """The time axis. Times are UTC, whatever the viewer's clock."""
    midnight = "utcFormat(datum.value, '%H:%M') == '00:00'"
    expression = (
        "utcFormat(datum.value, '%-d %b')"
        if bar_seconds >= DAY
        else f"{midnight} ? utcFormat(datum.value, '%-d %b') : utcFormat(datum.value, '%H:%M')"
    )
    axis = alt.Axis(
        title="Event time (UTC)" if labels else None,
        labelExpr=expression,
        grid=False,
        labels=labels,
        tickCount=7,
        labelFlush=True,
    )
    # "binned" makes bars from start to end; plain times would turn them on their side.
    binned: Any = "binned" if bars else alt.Undefined
    return alt.X("start:T", bin=binned, scale=alt.Scale(type="utc"), axis=axis)


def y_axis(field: str, title: str, **more: Any) -> alt.Y:
    # The same room for labels in every chart, so that stacked charts share their time axis by eye.
    axis = alt.Axis(tickCount=4, minExtent=44, **more.pop("axis", {"labelExpr": SHORT}))
    return alt.Y(f"{field}:Q", title=title, axis=axis, **more)


def number_axis(field: str, title: str, **more: Any) -> alt.Y:
    """The axis of things that are counted: there is no half an order."""
    return y_axis(field, title, axis={"labelExpr": SHORT, "tickMinStep": 1}, **more)


def spark(series: Sequence[float | None]) -> Figure:
    """A small line without axes; what was not measured leaves a gap."""
    frame = pd.DataFrame({"at": range(len(series)), "value": pd.array(list(series), dtype="float64")})
    base = alt.Chart(frame, height=46).encode(
        x=alt.X("at:Q", axis=None, scale=alt.Scale(nice=False, zero=False)),
        y=alt.Y("value:Q", axis=None, scale=alt.Scale(zero=False, nice=False, padding=3)),
    )
    return base.mark_line(strokeWidth=1.8, aria=False, clip=False)


@dataclass(frozen=True, slots=True)
class SalesMark:
    """An anomaly on the sales: from ``start`` to ``end`` (s), ``direction`` high, low or changed, and a line of text."""

    start: int
    end: int
    direction: str
    text: str


def sales(
    series: Sequence[SalesPoint], bar_seconds: int, currency: str | None, marks: Sequence[SalesMark] = ()
) -> tuple[Figure, Figure]:
    """Revenue, and below it orders, as bars on the same time axis; a bar whose time has not ended is pale.

    Anomalies stand on the revenue as a pale band with a triangle above it: pointing down for less than expected.
    """
    frame = pd.DataFrame(
        {
            "start": times([point.start for point in series]),
            "end": times([point.start + bar_seconds * 0.88 for point in series]),
            "period": [period(point.start, bar_seconds) for point in series],
            "revenue": [point.revenue for point in series],
            "orders": [point.orders for point in series],
            "state": ["complete" if point.complete else "still counting" for point in series],
        }
    )
    unit = f"Revenue ({currency})" if currency else "Revenue"
    tooltip = [
        alt.Tooltip("period:N", title="Period"),
        alt.Tooltip("revenue:Q", title=unit, format=",.2f"),
        alt.Tooltip("orders:Q", title="Orders", format=",d"),
        alt.Tooltip("state:N", title="State"),
    ]
    opacity = alt.OpacityValue(0.4, condition={"test": "datum.state == 'complete'", "value": 1.0})

    def panel(y: alt.Y, height: int, *, labels: bool) -> Figure:
        return (
            alt.Chart(frame, height=height)
            .mark_bar(aria=False)
            .encode(x=x_axis(bar_seconds, labels=labels), x2=alt.X2("end:T"), y=y, opacity=opacity, tooltip=tooltip)
        )

    revenue = panel(y_axis("revenue", unit), 215, labels=False)
    low = series[0].start if series else 0
    high = series[-1].start + bar_seconds if series else 0
    shown = [mark for mark in marks if mark.end > low and mark.start < high]
    # Always layered, with or without marks: a chart that changes its kind would be drawn anew.
    return alt.layer(*_marks(shown, low, high), revenue), panel(number_axis("orders", "Orders"), 135, labels=True)


#: Which way the triangle points, so that nobody has to tell colours apart.
_SHAPES = {"high": "triangle-up", "low": "triangle-down", "changed": "diamond"}
#: Where it stands: pixels from the top.
_HIGH = alt.YValue(6)  # type: ignore[no-untyped-call]


def _marks(marks: Sequence[SalesMark], low: int, high: int) -> tuple[Figure, Figure]:
    frame = pd.DataFrame(
        {
            "start": times([max(mark.start, low) for mark in marks]),
            "end": times([min(mark.end, high) for mark in marks]),
            "middle": times([(max(mark.start, low) + min(mark.end, high)) / 2 for mark in marks]),
            "direction": [mark.direction for mark in marks],
            "text": [mark.text for mark in marks],
        }
    )
    tooltip = [alt.Tooltip("text:N", title="Anomaly")]
    scale = alt.Scale(domain=list(_SHAPES), range=list(_SHAPES.values()))
    # No colours of their own in light and dark: this one is seen on both.
    bands = alt.Chart(frame).mark_rect(color=MARK, opacity=0.17, aria=False)
    points = alt.Chart(frame).mark_point(filled=True, size=95, opacity=1, color=MARK, aria=False)
    return (
        bands.encode(x=alt.X("start:T"), x2=alt.X2("end:T"), tooltip=tooltip),
        points.encode(x=alt.X("middle:T"), y=_HIGH, shape=alt.Shape("direction:N", scale=scale, legend=None), tooltip=tooltip),
    )


def quality_over_time(series: Sequence[QualityPoint], bar_seconds: int, height: int = 310) -> Figure:
    """The score as a line with a point for each bar; bars without records leave a gap."""
    frame = pd.DataFrame(
        {
            "start": times([point.start + bar_seconds / 2 for point in series]),
            "period": [period(point.start, bar_seconds) for point in series],
            "score": pd.Series([point.quality.score for point in series], dtype="float64"),
            "text": [percent(point.quality.score, 2) for point in series],
        }
    )
    base = alt.Chart(height=height).encode(
        x=x_axis(bar_seconds, bars=False),
        y=y_axis(
            "score",
            "Quality score (%)",
            # Near 100 % all days look alike on an axis from zero: this one says where it starts.
            scale=alt.Scale(zero=False, nice=True, padding=6),
            axis={"labelExpr": "format(datum.value * 100, '~r')"},
        ),
        tooltip=[alt.Tooltip("period:N", title="Period"), alt.Tooltip("text:N", title="Quality score")],
    )
    line = base.mark_line(strokeWidth=2.2, aria=False)
    return alt.layer(line, base.mark_circle(size=26, opacity=1, aria=False), data=frame)


def quality_by_dimension(measured: Quality) -> Figure:
    """How far each dimension falls short of 100 %: the line's length is the shortfall, worst first."""
    known = sorted((share, name) for name, share in measured.dimensions.items() if share is not None)
    frame = pd.DataFrame(
        {
            "dimension": [name.capitalize() for _, name in known],
            "shortfall": [1 - share for share, _ in known],
            "share": [percent(share, 2) for share, _ in known],
            # Room for the words at the end of the longest line, and an axis where nothing failed.
            "room": [max(1.3 * (1 - share), NOTHING_FAILED) for share, _ in known],
        }
    )
    y = dimension_axis()
    x = alt.X(
        "shortfall:Q",
        title="Failed checks (% of checks made)",
        scale=alt.Scale(nice=True, domainMin=0),
        axis=alt.Axis(tickCount=4, labelExpr="format(datum.value * 100, '~r')"),
    )
    tooltip = [
        alt.Tooltip("dimension:N", title="Dimension"),
        alt.Tooltip("share:N", title="Quality"),
        alt.Tooltip("shortfall:Q", title="Failed checks", format=".3%"),
    ]
    base = alt.Chart(height=alt.Step(34)).encode(y=y, x=x, tooltip=tooltip)
    return alt.layer(
        base.mark_bar(height=10, cornerRadiusEnd=5, aria=False),
        base.mark_point(opacity=0, aria=False).encode(x=alt.X("room:Q")),
        base.mark_text(aria=False, align="left", dx=8, fontSize=12).encode(text=alt.Text("share:N")),
        data=frame,
    )


def dimension_axis() -> alt.Y:
    """Dimensions, worst first. The chart sorts them: it would keep the order of its first rows when a refresh brings others."""
    worst = alt.EncodingSortField("shortfall", op="max", order="descending")
    return alt.Y("dimension:N", title=None, sort=worst, axis=alt.Axis(grid=False, labelPadding=8, labelLimit=110))


def named_rules(rules: Sequence[RuleCount], before: Sequence[str] = ()) -> list[str]:
    """The rules that get a colour: those with most findings. A rule that had one keeps its place, and so its colour."""
    names = labels(rules)
    top = [names[row.entity, row.rule] for row in rules[:NAMED_RULES]]
    places: list[str | None] = [name if name in top else None for name in before[:NAMED_RULES]]
    places += [None] * (len(top) - len(places))
    fresh = iter(name for name in top if name not in places)
    return [name for name in (place or next(fresh, None) for place in places) if name is not None]


def labels(rules: Sequence[RuleCount]) -> dict[tuple[str, str], str]:
    """What charts call each rule: its id, with the entity where several entities have findings of that id."""
    holders: dict[str, set[str]] = {}
    for row in rules:
        holders.setdefault(row.rule, set()).add(row.entity)
    return {(row.entity, row.rule): f"{row.rule} ({row.entity})" if len(holders[row.rule]) > 1 else row.rule for row in rules}


#: One column of names on a telephone, two where there is room; a name that is wider than its column is cut.
_LEGEND = alt.Legend(
    columns=alt.ExprRef("width > 380 ? 2 : 1"), labelLimit=alt.ExprRef("width > 380 ? width / 2 - 40 : width - 30")
)


def findings_over_time(
    series: Sequence[FindingsPoint],
    rules: Sequence[RuleCount],
    starts: Sequence[int],
    bar_seconds: int,
    named: Sequence[str],
) -> Figure:
    """Findings stacked by rule; the rules of ``named`` in colours of their own, the others together in grey."""
    names = labels(rules)
    counted: dict[tuple[int, str], int] = {}
    for point in series:
        name = names.get((point.entity, point.rule), OTHERS)
        place = (point.start, name if name in named else OTHERS)
        counted[place] = counted.get(place, 0) + point.count
    domain = [*named, *([OTHERS] if any(name == OTHERS for _, name in counted) else [])]
    # Zeros at both ends keep the time axis that of the other charts.
    for edge in (starts[0], starts[-1]) if starts and domain else ():
        counted.setdefault((edge, domain[0]), 0)
    rows = sorted(counted.items())
    frame = pd.DataFrame(
        {
            "start": times([start for (start, _), _ in rows]),
            "end": times([start + bar_seconds * 0.88 for (start, _), _ in rows]),
            "period": [period(start, bar_seconds) for (start, _), _ in rows],
            "rule": [name for (_, name), _ in rows],
            "rank": [domain.index(name) for (_, name), _ in rows],
            "findings": [count for _, count in rows],
        }
    )
    return (
        alt.Chart(frame, height=310)
        .mark_bar(aria=False)
        .encode(
            x=x_axis(bar_seconds),
            x2=alt.X2("end:T"),
            y=number_axis("findings", "Findings", stack="zero"),
            color=alt.Color("rule:N", scale=alt.Scale(domain=domain), sort=domain, legend=_LEGEND),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("period:N", title="Period"),
                alt.Tooltip("rule:N", title="Rule"),
                alt.Tooltip("findings:Q", title="Findings", format=",d"),
            ],
        )
    )
