"""The refreshing part of a page, and what it shows while there is nothing to show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from dashboard import data
from dashboard.parts import address
from dashboard.parts.frame import Frame, frame
from dashboard.text import markup
from dashboard.text.formats import clock

T = TypeVar("T")


def live(name: str, read: Callable[[Frame], T | data.Down], draw: Callable[[T], None]) -> None:
    """Draw the page ``name`` at each refresh; only what has changed is redrawn.

    While the viewer has paused, or Redis is unavailable, the last figures of the same range stay.
    """
    chosen = frame()
    st.fragment(_refresh, run_every=chosen.every)(name, chosen, read, draw)


def _refresh(name: str, chosen: Frame, read: Callable[[Frame], T | data.Down], draw: Callable[[T], None]) -> None:
    # What a run noted that the next refresh interrupted.
    address.write()
    _draw(name, chosen, read, draw)
    address.write()


def _draw(name: str, chosen: Frame, read: Callable[[Frame], T | data.Down], draw: Callable[[T], None]) -> None:
    key = f"last-{name}"
    last: tuple[object, T, int] | None = st.session_state.get(key)
    if last is not None and last[0] != chosen.chosen:
        last = None
    if chosen.paused and last is not None:
        draw(last[1])
        return
    fresh = read(chosen)
    if not isinstance(fresh, data.Down):
        st.session_state[key] = (chosen.chosen, fresh, data.now_ms())
        draw(fresh)
        return
    if last is None:
        with st.container(key="card-empty"):
            st.header("Nothing to show yet", anchor=False)
            markup.show(markup.data("This page fills by itself as soon as the store answers."))
        return
    with st.container(key="as-of"):
        markup.show(markup.tag("p", f"Figures as of {clock(last[2])}", cls="quiet"))
    draw(last[1])


def waiting_for_records(*, workers: bool) -> None:
    """Draw what to do before the first record. ``workers``: one is running."""
    with st.container(key="card-empty"):
        st.header("No records yet", anchor=False)
        if workers:
            st.markdown("A worker is running and waits for records. Send some, for example from a simulated shop:")
        else:
            st.markdown("The store is available, but no worker is running. Start one:")
            st.code("headrace worker", language="bash")
            st.markdown("Then send records, for example from a simulated shop:")
        st.code("headrace simulate", language="bash")
        st.markdown("Or start everything at once, without any set-up:")
        st.code("headrace demo", language="bash")


def quiet(text: str = "Nothing in this range.") -> None:
    """Draw a line of text instead of an empty chart or table."""
    st.caption(text)


def note(before: str, names: str, after: str) -> None:
    """Draw a quiet line with foreign names in it."""
    markup.show(markup.tag("p", before, markup.data(names), after, cls="quiet"))
