"""Tiles: a number with its change and a sparkline."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.charts.axes import spark
from dashboard.parts import theme
from dashboard.text import formats
from dashboard.text.words import plain
from stream_app.counts.estimates import ERROR
from stream_app.views.kpis import Kpi
from stream_app.views.ranges import Chosen, Custom, TimeRange

#: Said with each change.
_ALIKE = "The change leaves out what is not over yet, in this range and in the previous one."
#: Said with each estimate.
_ESTIMATE = (
    f"≈: an estimate, within {ERROR:.1%} of the exact number in 997 of 1,000 cases. A change within that error is not shown."
)


def before_label(chosen: Chosen) -> str:
    """Return what a change is compared with; empty for all time."""
    if chosen is TimeRange.ALL:
        return ""
    return "vs before" if isinstance(chosen, Custom) else f"vs prev. {chosen.label}"


def _incomparable(kpi: Kpi, before: str) -> str:
    if not before:
        return "all time"
    if kpi.unclear:
        return "no clear change"
    return "none before" if kpi.previous == 0 else "nothing to compare with"


def tile(
    name: str,
    value: str,
    kpi: Kpi,
    before: str,
    meaning: str,
    *,
    share: bool = False,
    less_is_better: bool | None = False,
    beside: str | None = None,
) -> DeltaGenerator:
    """Draw a number with its change and, if it has a series, a sparkline; return the container that they are in.

    Args:
        share: the number is a share, whose change is in percentage points.
        less_is_better: None: a change is neither good nor bad, because an incident makes the number doubtful.
        beside: text instead of the change.
    """
    if kpi.estimated:
        value, meaning = formats.about(value), f"{meaning} {_ESTIMATE}"
    drawn = st.container(key=_key(name))
    if beside is not None:
        with drawn:
            st.metric(name, plain(value).replace("\\-", "-"), delta=beside, delta_color="off", delta_arrow="off", help=meaning)
        return drawn
    delta = formats.points(kpi.difference) if share else formats.relative(kpi.change)
    flat = delta is None or not any(digit in delta for digit in "123456789")
    # Streamlit recognises a fall by an ASCII hyphen only.
    falls = delta is not None and delta.startswith(formats.MINUS)
    good = falls is less_is_better
    compared = f"{before}, in doubt" if less_is_better is None else before
    with drawn:
        st.metric(
            name,
            plain(value).replace("\\-", "-"),
            delta=delta or "–",
            delta_color="off" if flat or less_is_better is None else "green" if good else "red",
            delta_arrow="off" if flat else "down" if falls else "up",
            delta_description=compared if delta else _incomparable(kpi, before),
            help=f"{meaning} {_ALIKE}" if delta else meaning,
        )
        if sum(point is not None for point in kpi.series) > 1:
            theme.spark(spark(kpi.series), key=f"spark-{name}", alt_text=f"{name} over the range, a sparkline.")
    return drawn


def number(name: str, value: str, meaning: str) -> None:
    """Draw a number without a comparison."""
    with st.container(key=_key(name)):
        st.metric(name, value, help=meaning)


def _key(name: str) -> str:
    return f"tile-{name.lower().replace(' ', '-')}"
