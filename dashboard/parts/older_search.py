"""The search for findings that the store does not keep any more: a button, because it costs time, and what it found."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from dashboard import data
from dashboard.text import markup
from dashboard.text.words import sentence
from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import RecentFinding
from stream_app.views.older import Older, Wanted

#: Seconds between two steps of the progress bar.
STEP = 0.15
#: Why a search stopped early.
_STOPPED = {
    "records": f"stopped after {data.SEARCH_LIMITS.records:,} records",
    "seconds": f"stopped after {data.SEARCH_LIMITS.seconds:.0f} s",
    "found": f"stopped once it had {data.SEARCH_LIMITS.found:,} findings",
}


@dataclass(frozen=True, slots=True)
class Search:
    """A search that a viewer may start.

    Attributes:
        key: of its container on the page.
        choice: what the viewer has chosen on the page; another choice is another search.
        wanted: of each entity.
    """

    key: str
    choice: str
    wanted: tuple[Wanted, ...]


@dataclass(slots=True)
class _State:
    """Of one search: entity → its result, and an error message."""

    choice: str
    found: dict[str, Older] = field(default_factory=dict)
    problem: str = ""

    @property
    def rest(self) -> list[str]:
        """Entities with a rest."""
        return [entity for entity, one in self.found.items() if one.outcome.rest]


def older_found(search: Search) -> list[RecentFinding]:
    """Return what the viewer has found by this search, the newest event time first."""
    found = [one for result in _state(search).found.values() for one in result.findings]
    return sorted(found, key=lambda one: -1 if one.event_time is None else one.event_time, reverse=True)


def offer_older(search: Search, contracts: Mapping[str, ContractSummary]) -> None:
    """Draw the button, while it runs its progress, and what came of it."""
    if not search.wanted:
        return
    state = _state(search)
    with st.container(key=search.key):
        row = st.container(key=f"{search.key}-row", horizontal=True, vertical_alignment="center")
        with row:
            done = bool(state.found) and not state.rest and not state.problem and len(state.found) == len(search.wanted)
            label = "Search again" if done else "Search on" if state.found else "Search the dead-letter topic"
            clicked = st.button(label, key=f"{search.key}-button", icon=":material/manage_search:")
        if clicked:
            if done:
                state.found.clear()
            _run(search, state, contracts)
        with row:
            st.caption(_said(search, state), width="content")
        if state.problem:
            markup.show(markup.tag("p", markup.data(sentence(state.problem)), cls="problem"))
        for problem in {one for result in state.found.values() for one in result.problems}:
            markup.show(markup.tag("p", "Left out: ", markup.data(sentence(problem)), cls="problem"))


def _state(search: Search) -> _State:
    state: _State | None = st.session_state.get(f"{search.key}-state")
    if state is None or state.choice != search.choice:
        state = st.session_state[f"{search.key}-state"] = _State(search.choice)
    return state


def _run(search: Search, state: _State, contracts: Mapping[str, ContractSummary]) -> None:
    """Search one entity after the other, until one has a rest."""
    state.problem, began = "", time.monotonic()
    bar = st.progress(0.0, "Connecting to Kafka")
    drawn = 0.0
    for wanted in search.wanted:
        before = state.found.get(wanted.entity)
        if before is not None and not before.outcome.rest:
            continue

        def show(read: int, of: int, number: int, entity: str = wanted.entity) -> None:
            nonlocal drawn
            if time.monotonic() - drawn > STEP:
                drawn = time.monotonic()
                text = f"{entity}: {read:,} of about {of:,} records read, {number:,} found"
                bar.progress(min(1.0, read / max(1, of)), text)

        seconds = data.SEARCH_LIMITS.seconds - (time.monotonic() - began)
        if seconds <= 0:
            break
        found = data.older(wanted, contracts[wanted.entity], seconds, show, before)
        if isinstance(found, str):
            state.problem = found
            break
        state.found[wanted.entity] = found
        if found.outcome.rest:
            break
    bar.empty()


def _said(search: Search, state: _State) -> str:
    if not state.found:
        return "" if state.problem else "for older ones, which the store does not keep; this takes some seconds"
    records = sum(one.records for one in state.found.values())
    found = sum(len(one.findings) for one in state.found.values())
    topics = ", ".join(f"`{topic}`" for one in state.found.values() for topic in one.topics)
    read = f"{found:,} {'finding' if found == 1 else 'findings'} in {records:,} records of {topics}"
    if not state.rest and len(state.found) == len(search.wanted):
        return f"{read}; all were read"
    last = next((state.found[entity] for entity in state.rest), None)
    why = _STOPPED.get(last.outcome.stopped, "not all were read") if last is not None else _STOPPED["seconds"]
    if last is not None and last.outcome.likely_left:
        return f"{read}; {why}, not all that Kafka dates in this range are read"
    return f"{read}; {why}. All that Kafka dates in this range are read; late and replayed ones are not"
