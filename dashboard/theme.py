"""The dashboard's look beyond Streamlit's configuration: spacing, cards and tiles, for light and dark."""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

#: Heights of charts, in pixels.
TALL, SHORT = 290, 230

_STYLE = """
<style>
  .stMainBlockContainer { max-width: 1480px; padding-left: clamp(0.9rem, 2.6vw, 2.4rem); padding-right: clamp(0.9rem, 2.6vw, 2.4rem); }
  .stAppHeader { background: transparent; }
  .stMetric, [data-testid="stMetricValue"], .stDataFrame { font-variant-numeric: tabular-nums; }

  /* What a refresh has not reached yet keeps its full colour: no flicker. */
  [data-stale="true"] { opacity: 1 !important; transition: none !important; }

  [class*="st-key-card-"] {
    background: var(--st-secondary-background-color);
    border: 1px solid var(--st-border-color);
    border-radius: 12px;
    padding: 1.05rem 1.15rem 0.85rem;
    height: 100%;
  }
  [class*="st-key-card-"] h3 { padding: 0; }
  [class*="st-key-card-"] [data-testid="stCaptionContainer"] { margin-top: -0.55rem; }

  .st-key-tiles { display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 0.85rem; }
  .st-key-tiles > * { width: auto !important; min-width: 0; }
  .st-key-tiles .stMetric {
    background: var(--st-secondary-background-color);
    border: 1px solid var(--st-border-color);
    border-radius: 12px;
    padding: 0.85rem 1rem 0.7rem;
  }
  @media (max-width: 1100px) { .st-key-tiles { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
  @media (max-width: 640px) {
    .st-key-tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.6rem; }
    .st-key-tiles > :first-child { grid-column: 1 / -1; }
  }
</style>
"""


def apply() -> None:
    """Put the style on the page."""
    st.html(_STYLE)


def chart(figure: alt.Chart | alt.LayerChart | alt.VConcatChart, *, key: str, alt_text: str) -> None:
    """Show a figure in the page's colours; ``alt_text`` says in words what it shows."""
    st.altair_chart(configure(figure), width="stretch", theme="streamlit", key=key, alt=alt_text)


def configure(figure: Any) -> Any:
    """Axes and legends as all charts have them. Colours come from the theme."""
    return (
        figure.configure_view(strokeWidth=0)
        .configure_axis(
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
            orient="bottom", direction="horizontal", columns=3, title=None, labelFontSize=11.5, labelLimit=190, symbolType="square"
        )
    )
