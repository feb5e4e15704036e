"""Reads what the pages show, once per interval for all viewers; the only module of the dashboard that opens a connection.

A cached function computes a value once, and concurrent callers wait for it, so twenty viewers of a range cost Redis as much as
one. Values are frozen, so that all viewers can share them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import streamlit as st

from stream_app.contract import load_shop
from stream_app.contract.planned import Planned, read_planned
from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import CleanRecord, RecentFinding
from stream_app.errors import HeadraceError
from stream_app.judge.judge import Judge
from stream_app.kafka.acts import send
from stream_app.kafka.broker import Broker, describe
from stream_app.kafka.older import Limits, Progress
from stream_app.kafka.search import find
from stream_app.monitor.acts import Act
from stream_app.monitor.incident import Incident
from stream_app.settings import Settings, load_settings
from stream_app.store.acts import write
from stream_app.store.queries import Queries, open_queries
from stream_app.store.reports import StoredReport
from stream_app.store.server import ServerFacts
from stream_app.views import overview as overview_view
from stream_app.views.incidents import IncidentView, Status, read_incident, status_of
from stream_app.views.older import Older, Wanted
from stream_app.views.older import search as search_older
from stream_app.views.overview import Overview
from stream_app.views.pace import Sample, sample_of
from stream_app.views.pulse import Pulse, read_pulse
from stream_app.views.quality import QualityView, read_quality
from stream_app.views.ranges import Chosen, TimeRange
from stream_app.views.reading import read_range
from stream_app.views.record import Opened, opened
from stream_app.views.report_list import ReportList, report_list
from stream_app.views.selection import Bounds
from stream_app.views.usual import Usual, usual_of_range
from stream_app.views.usual_valid import usual_valid_of_range
from stream_app.windows.zone import Zone

#: Seconds between two refreshes of a page, and for which one read serves all viewers.
EVERY = 3.0
SHARED_FOR = 2.5
#: Seconds for which one answer of Kafka serves all viewers: brokers and topics rarely change, and records never.
BROKER_SHARED_FOR = 60
RECORD_SHARED_FOR = 300
#: Seconds for which the facts of the Redis server serve all viewers.
SERVER_SHARED_FOR = 10
#: Seconds after which a record that was not found is searched again.
RECORD_RETRIED_AFTER = 10
#: Seconds for which the usual sales of a range serve all viewers: they change by the hour.
USUAL_SHARED_FOR = 60
#: Where one search for older findings stops; the viewer may go on.
SEARCH_LIMITS = Limits()
#: Searches for older findings that run at once; the next viewer waits. Each one keeps a core busy for some seconds.
_SEARCHES = threading.BoundedSemaphore(2)
#: Samples of the pipeline's pace: an hour of refreshes.
SAMPLES = 1_200
#: Maximum number of findings of one rule on a page.
FOUND = 200
#: Maximum number of incidents on a page.
INCIDENTS = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Down:
    """A failed read. ``reason``: what is wrong and what to do; ``at``: wall time in ms."""

    reason: str
    at: int


def now_ms() -> int:
    """Return the wall time in ms."""
    return time.time_ns() // 1_000_000


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings, read once."""
    return load_settings()


def zone() -> Zone:
    """Return the time zone of all pages."""
    return Zone(settings().timezone)


@st.cache_resource(show_spinner=False)
def planned() -> tuple[Planned, ...] | Down:
    """Read the planned events once."""
    try:
        return read_planned(settings().calendar)
    except HeadraceError as error:
        return Down(str(error), now_ms())


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
    """Read the overview of a range."""
    return _read(lambda queries: overview_view.read_overview(queries, chosen, findings=0, records=0, zone=zone()))


@st.cache_resource(ttl=USUAL_SHARED_FOR, max_entries=16, show_spinner=False)
def usual(chosen: Chosen) -> Usual | Down | None:
    """Read which sales are usual for the complete hours of a range."""
    return _read(lambda queries: usual_of_range(queries, read_range(queries, chosen, zone=zone())))


@st.cache_resource(ttl=USUAL_SHARED_FOR, max_entries=16, show_spinner=False)
def usual_valid(chosen: Chosen) -> float | Down | None:
    """Read which share of valid records is usual for the complete hours of a range."""
    return _read(lambda queries: usual_valid_of_range(queries, read_range(queries, chosen, zone=zone())))


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def quality(chosen: Chosen) -> QualityView | Down:
    """Read the quality of a range in depth."""
    return _read(lambda queries: read_quality(queries, chosen, zone=zone()))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def findings() -> tuple[RecentFinding, ...] | Down:
    """Read the newest findings."""
    return _read(lambda queries: queries.findings())


@st.cache_resource(ttl=SHARED_FOR, max_entries=32, show_spinner=False)
def found(entity: str, rule: str, bounds: Bounds) -> tuple[RecentFinding, ...] | Down:
    """Read the newest findings of a rule in a range."""
    return _read(lambda queries: queries.found(entity, rule, bounds, FOUND))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def incidents() -> tuple[Incident, ...] | Down:
    """Read the newest incidents, open and closed."""
    return _read(lambda queries: queries.incidents(limit=INCIDENTS))


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def incident(incident_id: str) -> IncidentView | Down:
    """Read the cause that an incident belongs to, in depth."""
    return _read(lambda queries: read_incident(queries, incident_id))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def status() -> Status | Down:
    """Read the state of the last 24 hours of the stream."""
    found, now = incidents(), pulse()
    if isinstance(found, Down):
        return found
    if isinstance(now, Down):
        return now
    read = _read(lambda queries: (queries.monitored(list(now.contracts)), queries.acts()))
    if isinstance(read, Down):
        return read
    entities = [entity for entity, totals in now.totals.items() if totals.received]
    return status_of(found, now.stream_ms, *read, entities)


def act(act: Act) -> str | None:
    """Write what the viewer does about an incident; None, or an error message."""
    try:
        write(settings(), act, partial(send, settings()))
    except HeadraceError as error:
        return str(error)
    incident.clear()
    status.clear()
    return None


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def reports() -> ReportList | Down:
    """Read which reports there are."""
    return _read(lambda queries: report_list(queries.report_ids(), zone(), settings().report_language))


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def report(report_id: str) -> StoredReport | Down | None:
    """Read one report; None if there is none of this id."""
    return _read(lambda queries: queries.report(report_id))


@st.cache_resource(ttl=SHARED_FOR, max_entries=16, show_spinner=False)
def clean(entity: str) -> tuple[CleanRecord, ...] | Down:
    """Read the newest clean records of an entity."""
    return _read(lambda queries: queries.clean(entity))


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def pulse() -> Pulse | Down:
    """Read the pipeline's state, and take a sample of its pace."""
    read = _read(read_pulse)
    if isinstance(read, Pulse) and read.contracts:
        _samples().append(sample_of(read))
    return read


@st.cache_resource(ttl=SERVER_SHARED_FOR, show_spinner=False)
def server() -> ServerFacts | Down:
    """Read the facts of the Redis server."""
    return _read(lambda queries: queries.server())


@st.cache_resource(ttl=BROKER_SHARED_FOR, show_spinner=False)
def broker(entities: tuple[str, ...]) -> Broker | str:
    """Read the broker and the topics of these entities from Kafka; an error message if that fails."""
    try:
        return describe(settings(), entities)
    except HeadraceError as error:
        return str(error)


@st.cache_resource(ttl=RECORD_RETRIED_AFTER, max_entries=200, show_spinner=False)
def record(entity: str, source: str, _contract: ContractSummary) -> Opened | str:
    """Read a finding's record from Kafka, masked; an error message if that fails."""
    try:
        return _record(entity, source, _contract)
    except HeadraceError as error:
        return str(error)


@st.cache_resource(ttl=RECORD_SHARED_FOR, max_entries=200, show_spinner=False)
def _record(entity: str, source: str, contract: ContractSummary) -> Opened:
    return opened(find(settings(), entity, source), contract)


def older(
    wanted: Wanted,
    contract: ContractSummary,
    seconds: float,
    progress: Callable[[int, int, int], object],
    before: Older | None = None,
) -> Older | str:
    """Search Kafka for findings that the store does not keep any more; an error message if that fails.

    ``progress`` gets how many offsets were read, of how many, and what was found. ``before``: an earlier result with a rest, to
    go on with.
    """
    limits = SEARCH_LIMITS._replace(seconds=seconds)

    def show(now: Progress) -> None:
        progress(*now)

    try:
        judge = _judges().get(wanted.entity)
        if judge is None or judge.contract.id != contract.id:
            return (
                f"the dashboard cannot tell the event time of dead letters of {wanted.entity}: its contract is not the one "
                "that workers use; start the dashboard with the same HEADRACE_SHOP"
            )
        with _SEARCHES:
            return search_older(settings(), judge, wanted, _queries().references, limits, show, before)
    except HeadraceError as error:
        return str(error)


@st.cache_resource(show_spinner=False)
def _judges() -> Mapping[str, Judge]:
    contracts = load_shop(settings().shop).contracts
    return {entity: Judge(contract, settings().max_record_bytes) for entity, contract in contracts.items()}


@st.cache_resource(show_spinner=False)
def _samples() -> deque[Sample]:
    return deque(maxlen=SAMPLES)


def samples() -> tuple[Sample, ...]:
    """Return the samples taken while a page was open, oldest first."""
    return tuple(_samples())


@st.cache_resource(ttl=SHARED_FOR, show_spinner=False)
def suggested_range() -> TimeRange | None:
    """Return the range that a new viewer starts with; None while Redis is unavailable."""
    read = _read(overview_view.suggested_range)
    return None if isinstance(read, Down) else read
