"""The frame of every page: title, time range, pause, and the badge that says how fresh the figures are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

import streamlit as st

from dashboard import data
from dashboard.gate import log_out
from dashboard.parts import address
from dashboard.parts.status_line import status_line
from dashboard.text import markup
from dashboard.text.formats import clock, moment
from dashboard.text.health import Health, facts, health
from dashboard.text.words import plain, sentence
from stream_app.store.server import refusal
from stream_app.views.ranges import Chosen, Custom, TimeRange, bounds
from stream_app.views.server import problems_of

#: The option of the range control that opens a choice of two moments.
CUSTOM = "custom"

_Colour = Literal["green", "blue", "orange", "gray"]
_COLOURS: dict[str, _Colour] = {
    "live": "green",
    "idle": "green",
    "quiet": "gray",
    "behind": "blue",
    "trouble": "orange",
    "stopped": "orange",
    "empty": "gray",
}
_ICONS = {
    "live": ":material/radio_button_checked:",
    "idle": ":material/check_circle:",
    "quiet": ":material/bedtime:",
    "behind": ":material/fast_forward:",
    "trouble": ":material/warning:",
    "stopped": ":material/pause_circle:",
    "empty": ":material/hourglass_empty:",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """A viewer's choices for all pages."""

    chosen: Chosen
    paused: bool

    @property
    def every(self) -> float | None:
        """Seconds between two refreshes; None while paused."""
        return None if self.paused else data.EVERY


def frame() -> Frame:
    """Return the viewer's choices; ``header`` must have run."""
    return cast("Frame", st.session_state["frame"])


def header(title: str, *, ranged: bool = True) -> None:
    """Draw the head of a page and store the viewer's choices. ``ranged``: the page has a time range."""
    if address.opened(title) and address.one("range"):
        st.session_state.pop("range", None)
    with st.container(key="head", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(key="title", gap=None, width="content"):
            if name := data.settings().shop_name:
                markup.show(markup.tag("p", markup.data(name), cls="shop"))
            st.title(title, anchor=False, width="content")
        with st.container(key="filters", horizontal=True, vertical_alignment="center", width="content"):
            chosen = _choose() if ranged else _kept()
            paused = st.toggle("Pause", key="paused", help="Stop refreshing: all figures stay as they are.")
            log_out()
    st.session_state["frame"] = Frame(chosen, paused)
    st.fragment(_badge, run_every=None if paused else data.EVERY)(title, chosen if ranged else None, paused=paused)


def _choose() -> Chosen:
    if "range" not in st.session_state and "range-kept" in st.session_state and not address.one("range"):
        # Streamlit deletes the value of a widget while no page draws it.
        st.session_state["range"] = st.session_state["range-kept"]
    known = "range" in st.session_state or _from_address()
    value = st.segmented_control(
        "Time range, on the stream's clock",
        [*(one.value for one in TimeRange), CUSTOM],
        format_func=lambda value: "Custom" if value == CUSTOM else TimeRange(value).label,
        key="range",
        required=True,
        label_visibility="collapsed",
    )
    chosen: Chosen = _custom() if value == CUSTOM else TimeRange(value or TimeRange.LAST_DAY.value)
    if known:
        st.session_state["range-kept"] = value
        # A link to this page shows the same range.
        address.keep("range", chosen.value)
        address.write()
    return chosen


def _kept() -> Chosen:
    kept = st.session_state.get("range-kept", TimeRange.LAST_DAY.value)
    return st.session_state.get("custom", TimeRange.LAST_DAY) if kept == CUSTOM else TimeRange(kept)


def _from_address() -> bool:
    asked = st.query_params.get("range", "")
    if asked in {one.value for one in TimeRange}:
        st.session_state["range"] = asked
        return True
    try:
        custom = Custom.parse(asked)
    except ValueError:
        pass
    else:
        st.session_state["range"] = CUSTOM
        st.session_state["custom"] = custom
        return True
    suggested = data.suggested_range()
    if suggested is None:
        return False
    st.session_state["range"] = suggested.value
    return True


def _custom() -> Custom:
    current = st.session_state.get("custom")
    if current is None:
        current = _last_day()
    zone = data.zone()
    begin, end = (zone.local(at).replace(tzinfo=None) for at in (current.start, current.end))
    low, high = datetime(1970, 1, 2), datetime(9998, 12, 30)  # noqa: DTZ001 the widget has no time zones; its label names it
    with st.popover(f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} {zone.label(current.end)}", width="content"):
        low, high = min(low, begin), max(high, end)
        start = st.datetime_input(f"From ({zone.name})", begin, low, high, format="YYYY-MM-DD", step=timedelta(minutes=15))
        until = st.datetime_input(f"To ({zone.name})", end, low, high, format="YYYY-MM-DD", step=timedelta(minutes=15))
        if start is None or until is None or start >= until:
            st.warning("The range must start before it ends. The previous range is still shown.", icon=":material/info:")
            return current
    custom = Custom(*(int(one.replace(tzinfo=zone.info).timestamp()) for one in (start, until)))
    st.session_state["custom"] = custom
    return custom


def _titled(title: str) -> list[markup.Part]:
    """Return a page's title with the shop's name before it."""
    name = data.settings().shop_name
    return [markup.data(name), ": ", title] if name else [title]


def printed_range(chosen: Chosen, stream_ms: int | None) -> str:
    """Return a range in words, with its limits: ``24 h: 29 Nov 2026, 12:00 UTC to 30 Nov 2026, 11:41 UTC``."""
    since, until = bounds(chosen, stream_ms, data.zone())
    end = stream_ms if until is None else until * 1_000
    if since is None:
        return f"All time up to {moment(end)}"
    return f"{chosen.label}: {moment(since * 1_000)} to {moment(end)}"


def _last_day() -> Custom:
    read = data.pulse()
    stream = None if isinstance(read, data.Down) else read.stream_ms
    end = (data.now_ms() if stream is None else stream) // 1_000 // 900 * 900 + 900
    return Custom(max(0, end - 86_400), end)


def _badge(title: str, chosen: Chosen | None, *, paused: bool) -> None:
    read = data.pulse()
    with st.container(key="print-head"):
        stream = None if isinstance(read, data.Down) else read.stream_ms
        said = markup.tag("p", printed_range(chosen, stream)) if chosen is not None else None
        markup.show(
            markup.join(
                markup.tag("p", *_titled(title), cls="title"), said, markup.tag("p", f"Printed at {moment(data.now_ms())}")
            )
        )
    state: Health | None = None
    with st.container(key="badge", horizontal=True, vertical_alignment="center", gap="small"):
        if isinstance(read, data.Down):
            st.badge("Store unreachable", icon=":material/cloud_off:", color="red")
        else:
            now = data.now_ms()
            state = health(read, now)
            if paused:
                at = st.session_state.setdefault("paused-at", now)
                st.badge(f"Paused at {clock(at)}", icon=":material/pause:", color="gray")
            else:
                st.session_state.pop("paused-at", None)
                st.badge(state.label, icon=_ICONS[state.level], color=_COLOURS[state.level])
            if read.received:
                markup.show(markup.facts(facts(read, now), cls="facts inline"))
    # A container of its own, for the same reason as the one below.
    with st.container(key="status"):
        if not isinstance(read, data.Down) and read.received and not paused:
            status_line(read)
    # A container of its own, even if empty: a message that appears above the figures must not make Streamlit redraw them.
    with st.container(key="advice"):
        if isinstance(read, data.Down):
            st.error(
                f"**The store cannot be read.** {plain(sentence(read.reason))} The page retries every {data.EVERY:.0f} s.",
                icon=":material/cloud_off:",
            )
        elif state is not None and state.advice and not paused:
            st.warning(state.advice, icon=":material/info:")
    with st.container(key="server"):
        server = None if isinstance(read, data.Down) else data.server()
        if server is not None and not isinstance(server, data.Down) and (text := refusal(problems_of(server))) is not None:
            st.error(f"**Figures may be wrong.** {plain(sentence(text))}", icon=":material/database_off:")
