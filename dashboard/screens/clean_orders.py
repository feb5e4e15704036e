"""The page of clean records: the newest ones as subscribers receive them, searchable, and how to subscribe."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import data
from dashboard.parts import address, downloads, grid, tables
from dashboard.parts.live import live, quiet, waiting_for_records
from dashboard.text import subscribe
from dashboard.text.words import plain
from stream_app.contract.money import digits
from stream_app.names import Topics
from stream_app.views.pulse import Pulse

#: Which of the clean records are shown.
SHOWN = ("All", "Repaired", "With warnings")

#: Records in the table before the viewer asks for more: each new one sends all rows of the table again.
MOST = 100


def page() -> None:
    """Draw the page."""
    live("clean", lambda _frame: data.pulse(), _draw)


def _draw(pulse: Pulse) -> None:
    if not pulse.contracts:
        waiting_for_records(workers=bool(pulse.workers))
        return
    entities = list(pulse.contracts)
    address.seed_one("clean-entity", "entity", entities, entities[0])
    address.seed("clean-search", lambda: address.one("search")[:200])
    address.seed_one("clean-only", "show", SHOWN, SHOWN[0])
    with st.container(key="card-clean"):
        with st.container(key="clean-choice", horizontal=True, vertical_alignment="top"):
            entity = st.segmented_control("Entity", entities, format_func=plain, key="clean-entity", required=True)
            wanted = st.text_input(
                "Search", key="clean-search", placeholder="Any value, repair or source", icon=":material/search:", max_chars=200
            )
            only = st.segmented_control("Show", SHOWN, key="clean-only", required=True)
        address.keep("entity", entity)
        address.keep("search", wanted)
        address.keep("show", None if only == SHOWN[0] else only)
        _table(pulse, entity or entities[0], wanted, only or "All")
    with st.container(key="card-subscribe"):
        _subscribe(entity or entities[0])


def _table(pulse: Pulse, entity: str, wanted: str, only: str) -> None:
    read = data.clean(entity)
    if isinstance(read, data.Down):
        quiet("The store cannot be read at the moment.")
        return
    contract = pulse.contracts[entity]
    rows = [
        row
        for row in read
        if (not wanted or tables.contains(row, wanted))
        and (only == "All" or (only == "Repaired" and row.repairs) or (only == "With warnings" and row.warnings))
    ]
    total = pulse.totals[entity].clean
    masked = ". Personal fields are masked" if any(field.personal for field in contract.fields) else ""
    if not read:
        quiet(
            "The next clean records appear here."
            if total
            else "No clean records yet. They appear here as soon as the first record satisfies its contract."
        )
        return
    st.caption(
        f"{len(rows):,} of the newest {len(read):,}, from any time; {total:,} clean in all; times in {data.zone().name}{masked}"
    )
    if not rows:
        quiet("None of them matches. Older records are in the clean topic; see below how to subscribe.")
        return
    decimals = f"%.{max(2, digits(contract.currency))}f"
    columns: dict[str, Any] = {
        field.name: grid.moments()
        if field.type == "timestamp"
        else st.column_config.NumberColumn(format=decimals if field.type == "number" else "%d")
        for field in contract.fields
        if field.type in {"timestamp", "number", "integer"} and not field.personal
    }
    most = st.session_state.get("clean-most", MOST)
    frame = tables.clean(rows[:most], contract)
    grid.grid(frame, f"clean-{entity}", columns, rows=15)
    if len(rows) > most:
        st.button(f"Show all {len(rows)}", key="more-clean", on_click=_all, type="tertiary")
    downloads.offer_csv("Download these as CSV", rows, f"clean-{entity}", lambda: tables.clean_csv(rows, contract))


def _all() -> None:
    st.session_state["clean-most"] = 1_000


def _subscribe(entity: str) -> None:
    chosen = data.settings()
    topic = Topics(entity, chosen.topic_prefix).clean
    st.header("Subscribe", anchor=False)
    st.caption(
        f"Any Kafka client can read `{topic}`: canonical JSON in UTF-8, one record per message, with the key and partition "
        "of the raw record. The header `headrace.source` names the raw record"
    )
    first, second, third = st.tabs(["kafka-python", "confluent-kafka", "Command line"])
    first.code(subscribe.kafka_python(chosen, topic), language="python", wrap_lines=True)
    second.code(subscribe.confluent(chosen, topic), language="python", wrap_lines=True)
    third.code(subscribe.command_line(chosen, topic), language="bash", wrap_lines=True)
