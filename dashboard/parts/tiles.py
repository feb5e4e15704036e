"""Parts that several pages have: tiles with a change and a small line, the score over time, tables of rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts import figures
from dashboard.parts import theme
from dashboard.text import formats
from dashboard.text.words import plain
from stream_app.views.figures import Kpi, QualityPoint
from stream_app.views.ranges import Chosen, Custom, TimeRange


def before_label(chosen: Chosen) -> str:
    """What a change is compared with; empty where there is nothing before."""
    if chosen is TimeRange.ALL:
        return ""
    return "vs before" if isinstance(chosen, Custom) else f"vs prev. {chosen.label}"


def score_over_time(series: Sequence[QualityPoint], seconds: int, key: str, height: int) -> None:
    """The quality score as a line, ``height`` pixels high; ``seconds`` is the length of a bar."""
    theme.chart(
        figures.quality_over_time(series, seconds, height=height), key=key, alt_text="Quality score over time, in percent."
    )


def rule_columns(frame: pd.DataFrame) -> dict[str, Any]:
    """How the columns are shown that every table of rules has."""
    return {
        "Rule": st.column_config.TextColumn(width="medium"),
        "Findings": st.column_config.NumberColumn(format="localized", width="small"),
        "Share": st.column_config.ProgressColumn(
            "Share",
            help="Findings among the records in",
            format="%.2f %%",
            min_value=0.0,
            max_value=max(float(frame["Share"].max()), 0.01),
            width="small",
        ),
    }


def _incomparable(kpi: Kpi, before: str) -> str:
    if not before:
        return "all time"
    return "none before" if kpi.previous == 0 else "no earlier figure"


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
) -> None:
    """A number with its change and, where it has a series, a small line. ``beside`` stands where the change would."""
    if beside is not None:
        with st.container(key=f"tile-{name.lower().replace(' ', '-')}"):
            st.metric(name, plain(value).replace("\\-", "-"), delta=beside, delta_color="off", delta_arrow="off", help=meaning)
        return
    delta = formats.points(kpi.difference) if share else formats.relative(kpi.change)
    flat = delta is None or not any(digit in delta for digit in "123456789")
    # Streamlit knows a fall by an ASCII hyphen only.
    falls = delta is not None and delta.startswith(formats.MINUS)
    good = falls is less_is_better
    with st.container(key=f"tile-{name.lower().replace(' ', '-')}"):
        st.metric(
            name,
            plain(value).replace("\\-", "-"),
            delta=delta or "–",
            delta_color="off" if flat else "green" if good else "red",
            delta_arrow="off" if flat else "down" if falls else "up",
            delta_description=before if delta else _incomparable(kpi, before),
            help=meaning,
        )
        if sum(point is not None for point in kpi.series) > 1:
            theme.spark(figures.spark(kpi.series), key=f"spark-{name}", alt_text=f"{name} over the range, a small line.")
