"""Acts of people on a cause, and a form for viewers who may act."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from dashboard import data
from dashboard.gate import writer
from dashboard.parts.live import quiet
from dashboard.text import formats, markup
from dashboard.text.words import plain, sentence
from stream_app.monitor.acts import KINDS, NAME, TEXT, Act, Kind
from stream_app.monitor.causes import Cause
from stream_app.store.acts import new_act
from stream_app.views.incidents import IncidentView

_STATES = {
    "new": "nobody has looked at it yet",
    "acknowledged": "acknowledged",
    "expected": "expected",
    "false_alarm": "false alarm",
    "resolved": "resolved",
}
_LABELS: dict[str, str] = {
    "acknowledged": "Acknowledge",
    "assigned": "Assign",
    "muted": "Mute for hours",
    "note": "Add a note",
    "expected": "Expected",
    "false_alarm": "False alarm",
    "resolved": "Resolved",
    "reopened": "Open again",
}


def life_card(view: IncidentView, cause: Cause) -> None:
    """Draw the state, who has it, every act, and a form if the viewer may act."""
    life = view.life
    st.header("Who does what", anchor=False)
    facts: dict[str, markup.Part] = {
        "State": _STATES.get(life.state, life.state) + (f", {formats.moment(life.at)}" if life.at else ""),
        "By": markup.data(life.by) if life.by else None,
        "Assigned to": markup.data(life.owner) if life.owner else None,
        "Muted until": formats.moment(life.muted * 1_000) if life.muted * 1_000 > data.now_ms() else None,
    }
    rows = [markup.tag("li", line(act)) for act in life.acts]
    markup.show(markup.join(markup.facts(facts), markup.tag("ul", *rows, cls="details") if rows else None))
    by = writer()
    if by is None:
        quiet("`headrace incidents act` writes what you do about it; pages do if HEADRACE_DASHBOARD_WRITE is on.")
    else:
        _form(view, cause, by)


def line(act: Act) -> markup.Html:
    """Return an act in one line: what, to whom, who, when and the note."""
    parts: list[markup.Part] = [act.kind.replace("_", " ").capitalize()]
    if act.to:
        parts += [" to ", markup.data(act.to)]
    if act.until is not None:
        parts.append(f" until {formats.moment(act.until * 1_000)}")
    parts += [" by ", markup.data(act.by), f", {formats.moment(act.at)}"]
    return markup.join(*parts, *((": ", markup.data(act.text)) if act.text else ()))


def _form(view: IncidentView, cause: Cause, by: str) -> None:
    with st.form("act", clear_on_submit=True, border=False):
        kind = st.selectbox("Act", KINDS, format_func=lambda one: _LABELS.get(one, one), key="act-kind")
        to = st.text_input("Assign to", max_chars=NAME, key="act-to", help="Only for Assign.")
        hours = st.number_input("Mute for hours", 1, 24 * 90, 8, key="act-hours", help="Only for Mute.")
        text = st.text_input("Note", max_chars=TEXT, key="act-text")
        if st.form_submit_button("Save", type="primary"):
            _save(view, cause, by, kind, (to, int(hours), text))


def _save(view: IncidentView, cause: Cause, by: str, kind: Kind, entered: tuple[str, int, str]) -> None:
    to, hours, text = entered
    until = data.now_ms() // 1_000 + int(timedelta(hours=hours).total_seconds())
    try:
        act = new_act(
            cause.lead, kind, by, text=text, to=to if kind == "assigned" else "", until=until if kind == "muted" else None,
            judged=view.monitored.until if view.monitored is not None else None,
        )  # fmt: skip
    except ValueError as error:
        st.warning(f"Nothing was saved: {error}.", icon=":material/info:")
        return
    problem = data.act(act)
    if problem is None:
        st.rerun()
    st.error(plain(sentence(problem)), icon=":material/cloud_off:")
