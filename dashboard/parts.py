"""Parts that several pages have: tiles with a change and a small line."""

from __future__ import annotations

import streamlit as st

from dashboard import figures, formats, theme
from dashboard.words import plain
from stream_app.store.read_overview import Kpi
from stream_app.store.read_ranges import Chosen, Custom, TimeRange


def before_label(chosen: Chosen) -> str:
    """What a change is compared with; empty where there is nothing before."""
    if chosen is TimeRange.ALL:
        return ""
    return "vs the range before" if isinstance(chosen, Custom) else f"vs prev. {chosen.label}"


def tile(
    name: str, value: str, kpi: Kpi, before: str, meaning: str, *, share: bool = False, less_is_better: bool = False
) -> None:
    """A number with its change and, where it has a series, a small line."""
    delta = formats.points(kpi.difference) if share else formats.relative(kpi.change)
    flat = delta is None or not any(digit in delta for digit in "123456789")
    with st.container(key=f"tile-{name.lower().replace(' ', '-')}"):
        st.metric(
            name,
            plain(value).replace("\\-", "-"),
            delta=delta or "–",
            delta_color="off" if flat else "inverse" if less_is_better else "normal",
            delta_arrow="off" if flat else "auto",
            delta_description=before if delta else "no earlier figure" if before else "all time",
            help=meaning,
        )
        if sum(point is not None for point in kpi.series) > 1:
            theme.spark(figures.spark(kpi.series), key=f"spark-{name}", alt_text=f"{name} over the range, a small line.")
