"""What the pages show, read once per interval for all viewers."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from stream_app.errors import HeadraceError
from stream_app.settings import load_settings
from stream_app.store.read import ReadModel, open_read_model
from stream_app.store.read_overview import Overview
from stream_app.store.read_ranges import TimeRange

#: Seconds between two refreshes of a page, and how long one read serves all viewers.
EVERY = 3.0
SHARED_FOR = 2.5


@dataclass(frozen=True, slots=True)
class Down:
    """Nothing could be read; ``reason`` says why and what to do. ``at``: wall time in ms."""

    reason: str
    at: int


def now_ms() -> int:
    """Wall time in ms."""
    return time.time_ns() // 1_000_000


@st.cache_resource(show_spinner=False)
def _model() -> ReadModel:
    return open_read_model(load_settings())


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def overview(chosen: TimeRange) -> Overview | Down:
    """The overview of a range; frozen, so that all viewers may hold the same one."""
    try:
        return _model().overview(chosen)
    except HeadraceError as error:
        return Down(str(error), now_ms())


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def suggested_range() -> TimeRange | None:
    """The range a new viewer starts with; None while Redis is away."""
    try:
        return _model().suggest_range()
    except HeadraceError:
        return None
