"""The pipeline page: pace, lag, workers and their errors, contracts in force, and what the broker in use promises."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.charts import pipeline as figures_pipeline
from dashboard.parts import grid, theme
from dashboard.parts.live import live, quiet, waiting_for_records
from dashboard.text import formats, markup
from dashboard.text.words import sentence
from stream_app.store.heartbeat import Heartbeat
from stream_app.views.pulse import Pulse


def page() -> None:
    """Draw the page."""
    live("pipeline", lambda frame: data.pulse(), _draw)


def _draw(pulse: Pulse) -> None:
    if not pulse.contracts:
        waiting_for_records(bool(pulse.workers))
        return
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
    with st.container(key="card-broker"):
        _broker(pulse)


def _tiles(pulse: Pulse) -> None:
    known = set(pulse.lag) >= set(pulse.contracts)
    rate = sum(worker.rate for worker in pulse.workers)
    latencies = [worker.latency_ms for worker in pulse.workers if worker.latency_ms is not None]
    with st.container(key="tiles"):
        _tile("Throughput", f"{rate:,.0f} /s" if pulse.workers else formats.NOTHING, "Records per second, all workers.")
        _tile(
            "Still to read",
            formats.count(sum(pulse.lag.values())) if known else "unknown",
            "Records in the raw topics that no worker has applied yet.",
        )
        _tile(
            "Latency",
            formats.lasting(max(latencies)) if latencies else formats.NOTHING,
            "From a record's time in Kafka to its count, of the slowest worker. Nothing while no records come in.",
        )
        _tile("Workers", str(len(pulse.workers)), "Workers that reported within the last 15 s.")
        _tile(
            "Waiting",
            formats.count(sum(pulse.waiting.values())),
            "Records that wait for the reference data they name; after the grace they are rejected.",
        )


def _tile(name: str, value: str, meaning: str) -> None:
    with st.container(key=f"tile-{name.lower().replace(' ', '-')}"):
        st.metric(name, value, help=meaning)


def _pace() -> None:
    st.subheader("Throughput", anchor=False)
    st.caption("Records in per second, as this dashboard saw it while somebody looked")
    samples = data.samples()
    if len(figures_pipeline.paces(samples)) < 2:
        quiet("Being measured: the line begins within seconds.")
        return
    theme.chart(figures_pipeline.pace(samples), key="pace", alt_text="Records per second over wall time.")


def _lag() -> None:
    st.subheader("Lag", anchor=False)
    st.caption("Records that wait in the raw topics, as this dashboard saw it")
    samples = data.samples()
    if sum(one.lag is not None for one in samples) < 2:
        quiet("Unknown while no worker reports it for every entity.")
        return
    theme.chart(figures_pipeline.lag(samples), key="lag", alt_text="Records still to read over wall time.")


def _entities(pulse: Pulse) -> None:
    st.subheader("Entities and their contracts", anchor=False)
    st.caption("Counts are of all time. Records in are clean, rejected or waiting")
    now = data.now_ms()
    rows = list(pulse.contracts.items())
    frame = pd.DataFrame(
        {
            "Entity": [entity for entity, _ in rows],
            "Contract in force": [f"{contract.id}:{contract.version}" for _, contract in rows],
            "Rules": [len(contract.rules) for _, contract in rows],
            "In": [pulse.totals[entity].received for entity, _ in rows],
            "Clean": [pulse.totals[entity].clean for entity, _ in rows],
            "Rejected": [pulse.totals[entity].rejected for entity, _ in rows],
            "Waiting": [pulse.totals[entity].pending for entity, _ in rows],
            "Still to read": pd.Series([pulse.lag.get(entity) for entity, _ in rows], dtype="Int64"),
            "Stream time": [formats.moment(pulse.freshness[entity].event_time) for entity, _ in rows],
            "Processed": [formats.ago(pulse.freshness[entity].processed_at, now) for entity, _ in rows],
        }
    )
    numbers = ("In", "Clean", "Rejected", "Waiting", "Still to read")
    columns = {name: st.column_config.NumberColumn(format="localized", width="small") for name in numbers}
    grid.grid(frame, "entities", columns, placeholder="unknown")


def _workers(pulse: Pulse) -> None:
    st.subheader("Workers", anchor=False)
    if not pulse.workers:
        st.caption("None has reported within the last 15 s. Start one; several share the partitions:")
        st.code("headrace worker", language="bash")
        return
    st.caption("They share the partitions of one consumer group; when one is gone, the others take over")
    now = data.now_ms()
    markup.show(markup.tag("div", *(_worker(worker, now) for worker in pulse.workers), cls="cards"))


def _worker(worker: Heartbeat, now: int) -> markup.Html:
    tone = "warning" if worker.error or worker.state != "running" else "good"
    said: dict[str, markup.Part] = {
        "Pace": f"{worker.rate:,.0f} records/s",
        "Still to read": formats.count(sum(worker.lag.values())),
        "Up for": formats.ago(worker.started, now).removesuffix(" ago"),
        "Reported": formats.ago(worker.at, now),
        "Process": markup.data(f"{worker.pid} on {worker.host}"),
    }
    if worker.latency_ms is not None:
        said["Latency"] = formats.lasting(worker.latency_ms)
    error = (
        markup.tag("p", markup.tag("strong", "Last error "), markup.data(worker.error), cls="problem") if worker.error else None
    )
    return markup.tag(
        "section",
        markup.tag("h4", markup.code(worker.id), " ", markup.pill(worker.state, tone)),
        markup.facts(said),
        error,
    )


def _broker(pulse: Pulse) -> None:
    st.subheader("The broker and what it promises", anchor=False)
    found = data.broker(tuple(pulse.contracts))
    if isinstance(found, str):
        st.caption("The dashboard asks Kafka for this and for dead-letter records; all else on these pages is in Redis")
        markup.show(markup.tag("p", markup.data(sentence(found)), cls="problem"))
        return
    name = "The embedded broker, for demos and tests" if found.embedded else "Apache Kafka, or one that speaks its protocol"
    brokers = f"{found.brokers} broker{'s' if found.brokers != 1 else ''}"
    st.caption(f"{name}: {brokers}, {len(found.topics)} topics of these entities")
    promises = [
        markup.tag("li", markup.pill("yes" if holds else "no", "good" if holds else "warning"), " ", text)
        for holds, text in found.promises
    ]
    markup.show(markup.tag("ul", *promises, cls="promises"))
    frame = pd.DataFrame(
        {
            "Topic": [topic.name for topic in found.topics],
            "Partitions": [topic.partitions for topic in found.topics],
            "Copies": [topic.replicas for topic in found.topics],
            "Records are kept for": [_kept(topic.kept_ms) for topic in found.topics],
        }
    )
    grid.grid(frame, "topics", {}, rows=12)


def _kept(ms: int | None) -> str:
    if ms is None:
        return "not said by the broker"
    return "ever" if ms < 0 else f"{ms / 3_600_000:,.0f} h" if ms < 7_200_000 * 24 else f"{ms / 86_400_000:,.0f} days"
