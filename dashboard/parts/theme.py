"""The dashboard's style beyond Streamlit's configuration: spacing, cards, tiles and charts, for light and dark."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import altair as alt
import streamlit as st
from altair.utils import schemapi

from dashboard.charts.axes import Figure
from dashboard.charts.drawing import Drawing

# Altair validates each part of each chart against its schema. The charts are always the same ones, and the tests validate them.
schemapi.disable_debug_mode()

_STYLE = Path(__file__).with_name("style.css")

#: Colours of text on charts and beside axes, by the page's theme; the last pair if the theme is unknown.
_INK = {"light": ("#17222d", "#5b6975"), "dark": ("#e6edf3", "#9aaab7"), None: ("#7b8894", "#7b8894")}


def apply() -> None:
    """Add the style sheet to the page."""
    st.html(_STYLE)


def chart(figure: Figure | Drawing, *, key: str, alt_text: str) -> None:
    """Draw a chart in the page's colours; ``alt_text`` describes it in words."""
    _show(figure, key, alt_text, config=_config())


def spark(figure: Drawing, *, key: str, alt_text: str) -> None:
    """Draw a sparkline."""
    padding = {"left": 1, "right": 1, "top": 2, "bottom": 2}
    _show(figure, key, alt_text, config={"view": {"strokeWidth": 0}}, padding=padding)


def _show(figure: Figure | Drawing, key: str, alt_text: str, config: dict[str, Any], **more: Any) -> None:
    if isinstance(figure, Drawing):
        spec = figure.spec(background="transparent", config=config, **more)
        st.vega_lite_chart(spec=spec, width="stretch", theme="streamlit", key=key, alt=alt_text)
        return
    # Changed in place: Altair's ``configure_…`` and ``properties`` would copy the chart with its data.
    figure.background, figure.config = "transparent", alt.Config(**config)
    # Do not validate the chart against its schema.
    object.__setattr__(figure, "to_dict", partial(figure.to_dict, validate=False))
    st.altair_chart(figure, width="stretch", theme="streamlit", key=key, alt=alt_text)


def _config() -> dict[str, Any]:
    """Return the configuration of axes and legends. Colours come from Streamlit's theme, except those of text."""
    ink, quiet = _INK.get(st.context.theme.type, _INK[None])
    return {
        "view": {"strokeWidth": 0},
        "text": {"color": ink},
        "axis": {
            "labelColor": quiet,
            "titleColor": quiet,
            "labelFontSize": 11.5,
            "titleFontSize": 11.5,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "labelPadding": 5,
            "gridOpacity": 0.6,
            "domain": False,
            "ticks": False,
            "labelOverlap": True,
        },
        "legend": {
            "orient": "bottom",
            "direction": "horizontal",
            "columns": 1,
            "title": None,
            "labelColor": quiet,
            "labelFontSize": 11.5,
            "labelLimit": 260,
            "symbolType": "square",
        },
    }
