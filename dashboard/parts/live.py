"""The live part of a page: read, held while paused, and a word for each state in which there is nothing to show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from dashboard import data
from dashboard.parts.frame import Frame, frame
from dashboard.text import markup
from dashboard.text.formats import clock

T = TypeVar("T")


def live(name: str, read: Callable[[Frame], T | data.Down], draw: Callable[[T], None]) -> None:
    """Draw the page called ``name`` again and again; only what changed moves.

    While the viewer has paused, or Redis is away, the last figures of the same range stay.
    """
    chosen = frame()
    st.fragment(_again, run_every=chosen.every)(name, chosen, read, draw)


def _again(name: str, chosen: Frame, read: Callable[[Frame], T | data.Down], draw: Callable[[T], None]) -> None:
    place = f"held-{name}"
    held: tuple[object, T, int] | None = st.session_state.get(place)
    if held is not None and held[0] != chosen.chosen:
        held = None
    if chosen.paused and held is not None:
        draw(held[1])
        return
    fresh = read(chosen)
    if not isinstance(fresh, data.Down):
        st.session_state[place] = (chosen.chosen, fresh, data.now_ms())
        draw(fresh)
        return
    if held is None:
        with st.container(key="card-empty"):
            st.subheader("Nothing to show yet", anchor=False)
            markup.show(markup.data("As soon as the store answers, this page fills by itself."))
        return
    with st.container(key="as-of"):
        markup.show(markup.tag("p", f"Figures as of {clock(held[2])}", cls="quiet"))
    draw(held[1])


def waiting_for_records(workers: bool) -> None:
    """What to do while nothing has come in."""
    with st.container(key="card-empty"):
        st.subheader("No records yet", anchor=False)
        if workers:
            st.markdown("A worker is running and waits for records. Send it some, for example a simulated shop:")
        else:
            st.markdown("The store is up, and no worker is running. Start one:")
            st.code("headrace worker", language="bash")
            st.markdown("then send it something, for example a simulated shop:")
        st.code("headrace simulate", language="bash")
        st.markdown("Or see everything at once, with nothing to set up:")
        st.code("headrace demo", language="bash")


def quiet(text: str = "Nothing in this range.") -> None:
    """A word where a chart or table has nothing."""
    st.caption(text)
