"""Cards of the pipeline page: workers, and what the broker guarantees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboard.text import formats, markup
from dashboard.text.words import sentence
from stream_app.kafka.broker import Broker
from stream_app.store.heartbeat import Heartbeat, Problem
from stream_app.store.losses import lost_records
from stream_app.store.server import Problem as ServerProblem
from stream_app.views.pulse import Pulse

#: Severity → word and tone.
_TONES = {"refuse": ("no", "error"), "warn": ("note", "warning")}


def worker_cards(workers: Sequence[Heartbeat], now_ms: int) -> None:
    """Draw a card for each worker."""
    markup.show(markup.tag("div", *(_worker(worker, now_ms) for worker in workers), cls="cards"))


def _worker(worker: Heartbeat, now_ms: int) -> markup.Html:
    trouble = worker.problems or worker.stopped or worker.state != "running"
    tone = "error" if worker.state == "stopped" else "warning" if trouble else "good"
    facts: dict[str, markup.Part] = {
        "Pace": f"{worker.rate:,.0f} records/s",
        "Unread": formats.count(sum(worker.lag.values())),
        "Up for": formats.elapsed(worker.started, now_ms),
        "Reported": formats.ago(worker.at, now_ms),
        "Process": markup.data(f"{worker.pid} on {worker.host}"),
        "Latency": None if worker.latency_ms is None else formats.duration(worker.latency_ms),
    }
    lines = [
        *(_line(subject, text) for subject, text in worker.notes.items()),
        *(_problem(one, now_ms) for one in worker.problems),
        *(
            _line("Stopped", f"{one.topic}[{one.partition}] at offset {one.base}: {one.reason}", cls="problem")
            for one in worker.stopped
        ),
    ]
    head = markup.tag("h3", markup.code(worker.id), " ", markup.pill(worker.state, tone))
    return markup.tag("section", head, markup.facts(facts), *lines)


def _problem(one: Problem, now_ms: int) -> markup.Html:
    state = "stopped" if one.stopped else "retries"
    return _line(f"{one.subject} {state}".lstrip(), f"{one.text} (for {formats.elapsed(one.since, now_ms)})", cls="problem")


def _line(begin: str, text: str, cls: str = "") -> markup.Html:
    return markup.tag("p", markup.tag("strong", markup.data(begin), " "), markup.data(text), cls=cls)


def guarantees(broker: Broker) -> None:
    """Draw what the broker guarantees, and what it does not."""
    promises = [
        markup.tag("li", markup.pill("yes" if holds else "no", "good" if holds else "warning"), " ", text)
        for holds, text in broker.promises
    ]
    markup.show(markup.tag("ul", *promises, cls="promises"))


def server(facts: Mapping[str, str], problems: Sequence[ServerProblem]) -> None:
    """Draw the facts of the Redis server, and the checks that it does not pass."""
    lines = [markup.tag("li", markup.pill(*_TONES[one.severity]), " ", markup.data(sentence(one.text))) for one in problems]
    shown = {name: markup.data(value) for name, value in facts.items()}
    markup.show(markup.join(markup.facts(shown), markup.tag("ul", *lines, cls="promises") if lines else None))


def losses(pulse: Pulse) -> None:
    """Draw lost records; nothing if there are none."""
    for entity, records in lost_records(pulse.losses).items():
        problem(
            f"{entity}: up to {records:,} records are lost: they were deleted from the topic before a worker read them. "
            "The page Anomalies says when. Lengthen the topic's retention, or add workers; ask the source to send them again."
        )


def problem(message: str) -> None:
    """Draw an error message."""
    markup.show(markup.tag("p", markup.data(sentence(message)), cls="problem"))
