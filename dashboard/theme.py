"""The dashboard's look beyond Streamlit's configuration: spacing, cards and tiles, for light and dark."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

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
    st.altair_chart(_unchecked(configure(figure)), width="stretch", theme="streamlit", key=key, alt=alt_text)


def spark(figure: Any, *, key: str, alt_text: str) -> None:
    """Show a small line that has no axes."""
    edge = {"left": 1, "right": 1, "top": 2, "bottom": 2}
    bare = figure.properties(background="transparent", padding=edge).configure_view(strokeWidth=0)
    st.altair_chart(_unchecked(bare), width="stretch", theme="streamlit", key=key, alt=alt_text)


def _unchecked(figure: Any) -> Any:
    """The same chart, that does not check itself against its schema when it is drawn."""
    object.__setattr__(figure, "to_dict", partial(figure.to_dict, validate=False))
    return figure


def configure(figure: Any) -> Any:
    """Axes and legends as all charts have them. Colours come from Streamlit's theme, but for words on marks."""
    ink, quiet = _INK.get(st.context.theme.type, _INK[None])
    return (
        figure.properties(background="transparent")
        .configure_view(strokeWidth=0)
        .configure_text(color=ink)
        .configure_axis(
            labelColor=quiet,
            titleColor=quiet,
            labelFontSize=11.5,
            titleFontSize=11.5,
            titleFontWeight="normal",
            titlePadding=8,
            labelPadding=5,
            gridOpacity=0.6,
            domain=False,
            ticks=False,
            labelOverlap=True,
        )
        .configure_legend(
            orient="bottom",
            direction="horizontal",
            columns=1,
            title=None,
            labelColor=quiet,
            labelFontSize=11.5,
            labelLimit=260,
            symbolType="square",
        )
    )
