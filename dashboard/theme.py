"""The dashboard's look beyond Streamlit's configuration: spacing, cards and tiles, for light and dark."""

from __future__ import annotations

from typing import Any

import streamlit as st

# Streamlit hands its colours to no style sheet, but says whether the page is light or dark (color-scheme).
_STYLE = """
<style>
  .stApp {
    --page: light-dark(#f3f5f8, #0d1318);
    --card: light-dark(#ffffff, #151e26);
    --line: light-dark(#dfe5ea, #26333e);
    --quiet: light-dark(#5b6975, #9aaab7);
  }
  .stApp { background: var(--page); }
  .stMainBlockContainer {
    max-width: 1480px;
    padding-left: clamp(0.9rem, 2.6vw, 2.4rem);
    padding-right: clamp(0.9rem, 2.6vw, 2.4rem);
  }
  .stAppHeader { background: transparent; }
  [data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; letter-spacing: -0.01em; }

  /* What a refresh has not reached yet keeps its full colour: no flicker. */
  [data-stale="true"] { opacity: 1 !important; transition: none !important; }

  /* Headings and captions keep the distance that cards give them. */
  .stMainBlockContainer [data-testid="stMarkdownContainer"]:has(> [data-testid="stHeadingWithActionElements"]),
  .stMainBlockContainer [data-testid="stCaptionContainer"] { margin: 0; }
  .stMainBlockContainer [data-testid="stCaptionContainer"] p { margin: 0; }
  .stMainBlockContainer [data-testid="stCaptionContainer"], [data-testid="stMetricDeltaDescription"] {
    color: var(--quiet);
    opacity: 1;
  }
  .st-key-name { gap: 0.15rem; }
  .st-key-name h1 { padding: 0; letter-spacing: -0.015em; }
  .st-key-badge { row-gap: 0.3rem; column-gap: 1.3rem; }
  .st-key-badge p { font-variant-numeric: tabular-nums; }

  [class*="st-key-card-"], [class*="st-key-tile-"] {
    background: var(--card);
    border: 1px solid var(--line);
    border-radius: 12px;
  }
  [class*="st-key-card-"] { padding: 1rem 1.15rem 0.9rem; gap: 0.2rem; }
  [class*="st-key-card-"] h3 { padding: 0; }
  [class*="st-key-card-"] > :has([data-testid="stCaptionContainer"]) { margin-bottom: 0.55rem; }
  .stColumn [data-testid="stLayoutWrapper"]:has(> [class*="st-key-card-"]),
  .stColumn > [data-testid="stVerticalBlock"] { flex: 1 1 auto; }
  .stColumn [class*="st-key-card-"] { height: 100%; }

  :is(.st-key-advice, .st-key-notes):not(:has(*)),
  [data-testid="stLayoutWrapper"]:has(> :is(.st-key-advice, .st-key-notes):not(:has(*))) { display: none; }

  .st-key-card-empty { max-width: 44rem; gap: 0.7rem; padding: 1.4rem 1.5rem; }

  .st-key-tiles { display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 0.85rem; }
  .st-key-tiles > * { width: auto !important; min-width: 0; }
  [class*="st-key-tile-"] { padding: 0.8rem 1rem 0.6rem; gap: 0.35rem; }
  .st-key-tiles [data-testid="stMetricLabel"] p { color: var(--quiet); font-size: 0.92rem; }
  @media (max-width: 1100px) { .st-key-tiles { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
  @media (max-width: 640px) {
    .st-key-tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.6rem; }
    .st-key-tiles > :first-child { grid-column: 1 / -1; }
    [class*="st-key-tile-"] { padding: 0.7rem 0.8rem 0.5rem; }
    [class*="st-key-card-"] { padding: 0.9rem 0.85rem 0.8rem; }
  }
</style>
"""

#: The colours of words on marks and of those beside axes, by the page's theme; the last where that is not known.
_INK = {"light": ("#17222d", "#5b6975"), "dark": ("#e6edf3", "#9aaab7"), None: ("#7b8894", "#7b8894")}


def apply() -> None:
    """Put the style on the page."""
    st.html(_STYLE)


def chart(figure: Any, *, key: str, alt_text: str) -> None:
    """Show a figure in the page's colours; ``alt_text`` says in words what it shows."""
    st.altair_chart(configure(figure), width="stretch", theme="streamlit", key=key, alt=alt_text)


def spark(figure: Any, *, key: str, alt_text: str) -> None:
    """Show a small line that has no axes."""
    edge = {"left": 1, "right": 1, "top": 2, "bottom": 2}
    bare = figure.properties(background="transparent", padding=edge).configure_view(strokeWidth=0)
    st.altair_chart(bare, width="stretch", theme="streamlit", key=key, alt=alt_text)


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
