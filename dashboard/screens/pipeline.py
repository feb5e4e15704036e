"""The pipeline page: pace, lag, workers and their errors, contracts in force, and what the broker guarantees."""

from __future__ import annotations

import streamlit as st

from dashboard import data
from dashboard.charts import pipeline as charts
from dashboard.parts import grid, pipeline_cards, tables, theme
from dashboard.parts.live import live, quiet, waiting_for_records
from dashboard.parts.tiles import number
from dashboard.text import formats
from stream_app.views.pace import paces
from stream_app.views.pulse import Pulse
from stream_app.views.server import described, problems_of


def page() -> None:
    """Draw the page."""
    live("pipeline", lambda _frame: data.pulse(), _draw)


def _draw(pulse: Pulse) -> None:
    if not pulse.contracts:
        waiting_for_records(workers=bool(pulse.workers))
        return
    pipeline_cards.losses(pulse)
    with st.container(key="tiles"):
        _tiles(pulse)
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-pace"):
        _pace()
    with right, st.container(key="card-lag"):
        _lag()
    with st.container(key="card-entities"):
        _entities(pulse)
    with st.container(key="card-workers"):
        _workers(pulse)
    with st.container(key="card-redis"):
        _redis()
    with st.container(key="card-broker"):
        _broker(pulse)


def _tiles(pulse: Pulse) -> None:
    rate, latency, lag = pulse.rate, pulse.latency_ms, pulse.total_lag
    number("Throughput", formats.NOTHING if rate is None else f"{rate:,.0f} /s", "Records per second, all workers.")
    number(
        "Unread",
        "unknown" if lag is None else formats.count(lag),
        "Records in the raw topics that no worker has applied yet.",
    )
    number(
        "Latency",
        formats.NOTHING if latency is None else formats.duration(latency),
        "From a record's Kafka timestamp until it is counted, of the slowest worker. Empty while no records come in.",
    )
    number("Workers", str(len(pulse.workers)), "Workers that reported within the last 15 s.")
    number(
        "Waiting",
        formats.count(pulse.total_waiting),
        "Records that wait for the reference data they refer to. They are rejected when the grace has passed.",
    )


def _pace() -> None:
    st.header("Throughput", anchor=False)
    st.caption("Records in per second, measured while this dashboard was open")
    samples = data.samples()
    if len(paces(samples)) < 2:
        quiet("Measuring: the line begins within seconds.")
        return
    theme.chart(charts.pace(samples), key="pace", alt_text="Records per second over wall time.")


def _lag() -> None:
    st.header("Lag", anchor=False)
    st.caption("Unread records in the raw topics, measured while this dashboard was open")
    samples = data.samples()
    if len([one for one in samples if one.lag is not None]) < 2:
        quiet("Unknown until workers report the lag of every entity.")
        return
    theme.chart(charts.lag(samples), key="lag", alt_text="Unread records over wall time.")


def _entities(pulse: Pulse) -> None:
    st.header("Entities and their contracts", anchor=False)
    st.caption("All-time counts. A record that came in is clean, rejected, waiting or deletes another")
    numbers = ("In", "Clean", "Rejected", "Waiting", "Deleted", "Unreadable", "Unread")
    columns = {name: st.column_config.NumberColumn(format="localized", width="small") for name in numbers}
    grid.grid(tables.entities(pulse, data.now_ms()), "entities", columns, placeholder="unknown")


def _workers(pulse: Pulse) -> None:
    st.header("Workers", anchor=False)
    if not pulse.workers:
        st.caption("None has reported within the last 15 s. Start one; several workers share the partitions:")
        st.code("headrace worker", language="bash")
        return
    st.caption("Workers share the partitions of one consumer group; if one stops, the others take over its partitions")
    pipeline_cards.worker_cards(pulse.workers, data.now_ms())


def _redis() -> None:
    st.header("Redis", anchor=False)
    st.caption("Counts, references and order keys are here; what a server must be like is in the guide “Which Redis”")
    server = data.server()
    if isinstance(server, data.Down):
        pipeline_cards.problem(server.reason)
        return
    pipeline_cards.server(described(server), problems_of(server))


def _broker(pulse: Pulse) -> None:
    st.header("Broker and guarantees", anchor=False)
    broker = data.broker(tuple(pulse.contracts))
    if isinstance(broker, str):
        st.caption("The dashboard reads this and dead-letter records from Kafka; everything else is in Redis")
        pipeline_cards.problem(broker)
        return
    name = "The embedded broker, for demos and tests" if broker.embedded else "Apache Kafka, or a compatible broker"
    brokers = f"{broker.brokers} broker{'s' if broker.brokers != 1 else ''}"
    st.caption(f"{name}: {brokers}, {len(broker.topics)} topics of these entities")
    pipeline_cards.guarantees(broker)
    grid.grid(tables.topics(broker.topics), "topics", {}, rows=12)
