"""Cards of the pipeline page: workers, and what the broker guarantees."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.text import formats, markup
from dashboard.text.words import sentence
from stream_app.kafka.broker import Broker
from stream_app.store.heartbeat import Heartbeat


def worker_cards(workers: Sequence[Heartbeat], now_ms: int) -> None:
    """Draw a card for each worker."""
    markup.show(markup.tag("div", *(_worker(worker, now_ms) for worker in workers), cls="cards"))


def _worker(worker: Heartbeat, now_ms: int) -> markup.Html:
    tone = "warning" if worker.error or worker.stopped or worker.state != "running" else "good"
    facts: dict[str, markup.Part] = {
        "Pace": f"{worker.rate:,.0f} records/s",
        "Unread": formats.count(sum(worker.lag.values())),
        "Up for": formats.elapsed(worker.started, now_ms),
        "Reported": formats.ago(worker.at, now_ms),
        "Process": markup.data(f"{worker.pid} on {worker.host}"),
        "Latency": None if worker.latency_ms is None else formats.duration(worker.latency_ms),
    }
    error = (
        markup.tag("p", markup.tag("strong", "Last error "), markup.data(worker.error), cls="problem") if worker.error else None
    )
    stopped = [
        markup.tag(
            "p",
            markup.tag("strong", "Stopped "),
            markup.data(f"{one.topic}[{one.partition}] at offset {one.base}: {one.reason}"),
            cls="problem",
        )
        for one in worker.stopped
    ]
    head = markup.tag("h4", markup.code(worker.id), " ", markup.pill(worker.state, tone))
    return markup.tag("section", head, markup.facts(facts), error, *stopped)


def guarantees(broker: Broker) -> None:
    """Draw what the broker guarantees, and what it does not."""
    promises = [
        markup.tag("li", markup.pill("yes" if holds else "no", "good" if holds else "warning"), " ", text)
        for holds, text in broker.promises
    ]
    markup.show(markup.tag("ul", *promises, cls="promises"))


def problem(message: str) -> None:
    """Draw an error message."""
    markup.show(markup.tag("p", markup.data(sentence(message)), cls="problem"))
