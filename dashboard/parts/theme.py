"""The dashboard's look beyond Streamlit's configuration: spacing, cards and tiles, for light and dark."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import altair as alt
import streamlit as st
from altair.utils import schemapi

# Altair checks each part of each chart against its schema whenever one is built: two thirds of a refresh. Our charts are
# the same ones each time, and the tests check them.
schemapi.disable_debug_mode()

_STYLE = Path(__file__).with_name("style.css")

#: The colours of words on marks and of those beside axes, by the page's theme; the last where that is not known.
_INK = {"light": ("#17222d", "#5b6975"), "dark": ("#e6edf3", "#9aaab7"), None: ("#7b8894", "#7b8894")}


def apply() -> None:
    """Put the style on the page."""
    st.html(_STYLE)


def chart(figure: Any, *, key: str, alt_text: str) -> None:
    """Show a figure in the page's colours; ``alt_text`` says in words what it shows."""
    _show(figure, key, alt_text, **_config())


def spark(figure: Any, *, key: str, alt_text: str) -> None:
    """Show a small line that has no axes."""
    figure.padding = {"left": 1, "right": 1, "top": 2, "bottom": 2}
    _show(figure, key, alt_text, view={"strokeWidth": 0})


def _show(figure: Any, key: str, alt_text: str, **config: Any) -> None:
    """Show a figure, which nobody else has: each ``configure_…`` and ``properties`` of Altair would copy it, data and all."""
    figure.background, figure.config = "transparent", alt.Config(**config)
    # It does not check itself against its schema when it is drawn.
    object.__setattr__(figure, "to_dict", partial(figure.to_dict, validate=False))
    st.altair_chart(figure, width="stretch", theme="streamlit", key=key, alt=alt_text)


def _config() -> dict[str, Any]:
    """Axes and legends as all charts have them. Colours come from Streamlit's theme, but for words on marks."""
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
