"""Tiles: a number with its change and a sparkline."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.charts.axes import spark
from dashboard.parts import theme
from dashboard.text import formats
from dashboard.text.words import plain
from stream_app.views.kpis import Kpi
from stream_app.views.ranges import Chosen, Custom, TimeRange

#: Said with each change.
_ALIKE = "The change leaves out what is not over yet, in this range and in the previous one."


def before_label(chosen: Chosen) -> str:
    """Return what a change is compared with; empty for all time."""
    if chosen is TimeRange.ALL:
        return ""
    return "vs before" if isinstance(chosen, Custom) else f"vs prev. {chosen.label}"


def _incomparable(kpi: Kpi, before: str) -> str:
    if not before:
        return "all time"
    return "none before" if kpi.previous == 0 else "nothing to compare with"


def tile(
    name: str,
    value: str,
    kpi: Kpi,
    before: str,
    meaning: str,
    *,
    share: bool = False,
    less_is_better: bool = False,
    beside: str | None = None,
) -> DeltaGenerator:
    """Draw a number with its change and, if it has a series, a sparkline; return the tile, which may get a link.

    Args:
        share: the number is a share, whose change is in percentage points.
        beside: text instead of the change.
    """
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
    with drawn:
        st.metric(
            name,
            plain(value).replace("\\-", "-"),
            delta=delta or "–",
            delta_color="off" if flat else "green" if good else "red",
            delta_arrow="off" if flat else "down" if falls else "up",
            delta_description=before if delta else _incomparable(kpi, before),
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
