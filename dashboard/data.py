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

from stream_app.counts.samples import CleanRecord, RecentFinding
from stream_app.errors import HeadraceError
from stream_app.kafka.broker import Broker, describe
from stream_app.settings import Settings, load_settings
from stream_app.store.incidents import Incident
from stream_app.store.queries import Queries, open_queries
from stream_app.store.reports import StoredReport
from stream_app.views import overview as overview_view
from stream_app.views import pulse as pulse_view
from stream_app.views.overview import Overview
from stream_app.views.pulse import Pulse
from stream_app.views.quality import QualityView, read_quality
from stream_app.views.ranges import Chosen, TimeRange

#: Seconds between two refreshes of a page, and how long one read serves all viewers.
EVERY = 3.0
SHARED_FOR = 2.5
#: Seconds that one answer of Kafka serves all viewers: brokers and topics change seldom.
BROKER_SHARED_FOR = 60
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
def _queries() -> Queries:
    return open_queries(settings())


def _read(read: Callable[[Queries], T]) -> T | Down:
    try:
        return read(_queries())
    except HeadraceError as error:
        return Down(str(error), now_ms())


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def overview(chosen: Chosen) -> Overview | Down:
    """The overview of a range."""
    return _read(lambda queries: overview_view.read_overview(queries, chosen, findings=0, records=0))


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def quality(chosen: Chosen) -> QualityView | Down:
    """The quality of a range in depth."""
    return _read(lambda queries: read_quality(queries, chosen))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def findings() -> tuple[RecentFinding, ...] | Down:
    """The newest findings."""
    return _read(lambda queries: queries.findings())


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def incidents() -> tuple[Incident, ...] | Down:
    """The newest incidents, open and closed."""
    return _read(lambda queries: queries.incidents(limit=INCIDENTS))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def reports() -> tuple[StoredReport, ...] | Down:
    """The last reports, newest first."""
    return _read(lambda queries: queries.reports(limit=REPORTS))


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def clean(entity: str) -> tuple[CleanRecord, ...] | Down:
    """The newest clean records of an entity."""
    return _read(lambda queries: queries.clean(entity))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def pulse() -> Pulse | Down:
    """How the pipeline stands."""
    read = _read(pulse_view.read_pulse)
    if isinstance(read, Pulse) and read.contracts:
        known = set(read.lag) >= set(read.contracts)
        _samples().append(Sample(read.read_at, read.received, sum(read.lag.values()) if known else None))
    return read


@st.cache_resource(ttl=BROKER_SHARED_FOR, show_spinner=False)
def broker(entities: tuple[str, ...]) -> Broker | str:
    """The broker and the topics of these entities, or why it cannot be asked."""
    try:
        return describe(settings(), entities)
    except HeadraceError as error:
        return str(error)


@st.cache_resource(show_spinner=False)
def _samples() -> deque[Sample]:
    return deque(maxlen=SAMPLES)


def samples() -> tuple[Sample, ...]:
    """The pipeline's pace as this dashboard saw it, oldest first, while somebody looked."""
    return tuple(_samples())


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def suggested_range() -> TimeRange | None:
    """The range a new viewer starts with; None while Redis is away."""
    read = _read(overview_view.suggested_range)
    return None if isinstance(read, Down) else read
