"""What the pages show, read once per interval for all viewers.

A cached function computes a value once, whoever asks, and the others wait for it: twenty viewers of a range cost Redis as
much as one. Values are frozen, so that all viewers may hold the same one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from stream_app.errors import HeadraceError
from stream_app.settings import Settings, load_settings
from stream_app.store.incidents import Incident
from stream_app.store.read import ReadModel, open_read_model
from stream_app.store.read_overview import Overview
from stream_app.store.read_pulse import Pulse
from stream_app.store.read_quality import QualityView
from stream_app.store.read_ranges import Chosen, TimeRange
from stream_app.store.read_values import CleanRecord, RecentFinding
from stream_app.store.reports import StoredReport

#: Seconds between two refreshes of a page, and how long one read serves all viewers.
EVERY = 3.0
SHARED_FOR = 2.5
#: How many samples of the pipeline's pace are kept: an hour of refreshes.
SAMPLES = 1_200
#: How many of the newest a page can show.
INCIDENTS = 200
REPORTS = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Down:
    """Nothing could be read; ``reason`` says why and what to do. ``at``: wall time in ms."""

    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The pipeline's pace at one moment: ``at`` wall time in ms, records in so far, and lag (None: unknown)."""

    at: int
    received: int
    lag: int | None


def now_ms() -> int:
    """Wall time in ms."""
    return time.time_ns() // 1_000_000


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings, read once."""
    return load_settings()


@st.cache_resource(show_spinner=False)
def _model() -> ReadModel:
    return open_read_model(settings())


def _read(read: Callable[[ReadModel], T]) -> T | Down:
    try:
        return read(_model())
    except HeadraceError as error:
        return Down(str(error), now_ms())


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def overview(chosen: Chosen) -> Overview | Down:
    """The overview of a range."""
    return _read(lambda model: model.overview(chosen, findings=0, records=0))


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def quality(chosen: Chosen) -> QualityView | Down:
    """The quality of a range in depth."""
    return _read(lambda model: model.quality(chosen))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def findings() -> tuple[RecentFinding, ...] | Down:
    """The newest findings."""
    return _read(lambda model: model.findings())


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def incidents() -> tuple[Incident, ...] | Down:
    """The newest incidents, open and closed."""
    return _read(lambda model: model.incidents(limit=INCIDENTS))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def reports() -> tuple[StoredReport, ...] | Down:
    """The last reports, newest first."""
    return _read(lambda model: model.reports(limit=REPORTS))


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def clean(entity: str) -> tuple[CleanRecord, ...] | Down:
    """The newest clean records of an entity."""
    return _read(lambda model: model.clean(entity))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def pulse() -> Pulse | Down:
    """How the pipeline stands."""
    read = _read(lambda model: model.pulse())
    if isinstance(read, Pulse) and read.contracts:
        known = set(read.lag) >= set(read.contracts)
        _samples().append(Sample(read.read_at, read.received, sum(read.lag.values()) if known else None))
    return read


@st.cache_resource(show_spinner=False)
def _samples() -> deque[Sample]:
    return deque(maxlen=SAMPLES)


def samples() -> tuple[Sample, ...]:
    """The pipeline's pace as this dashboard saw it, oldest first, while somebody looked."""
    return tuple(_samples())


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def suggested_range() -> TimeRange | None:
    """The range a new viewer starts with; None while Redis is away."""
    read = _read(lambda model: model.suggest_range())
    return None if isinstance(read, Down) else read
