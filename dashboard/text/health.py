"""The stream's health in one word and one line: the badge on every page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dashboard.text.formats import ago, count, elapsed, moment
from dashboard.text.words import sentence
from stream_app.views.pulse import Pulse, entity_of, open_problems

Level = Literal["live", "idle", "quiet", "behind", "trouble", "stopped", "empty"]

#: A stream is live if records were applied within this many ms; with unread records, a silence of STUCK_MS means trouble.
LIVE_MS = 15_000
STUCK_MS = 30_000
#: After this many ms without a record the badge says so, because "Caught up" would hide that the input has stopped.
QUIET_MS = 15 * 60_000
#: More unread records than this mean that the workers are catching up.
MANY_UNREAD = 10_000


@dataclass(frozen=True, slots=True)
class Health:
    """``label`` names the state; ``advice`` says what to do, and is empty if there is nothing to do."""

    level: Level
    label: str
    advice: str = ""


def health(pulse: Pulse, now_ms: int) -> Health:
    """Return the health of the stream at ``now_ms``, wall time."""
    if pulse.stopped:
        first = pulse.stopped[0]
        return Health(
            "trouble",
            "Partition stopped" if len(pulse.stopped) == 1 else f"{len(pulse.stopped)} partitions stopped",
            f"{first.topic}[{first.partition}] has stopped at offset {first.base}: the batch there cannot be read "
            f"({first.reason}). The other partitions go on. HEADRACE_UNREADABLE_BATCHES=skip keeps its bytes and goes on.",
        )
    if not pulse.received:
        return Health("empty", "No records yet")
    silent = now_ms - pulse.processed_at_ms if pulse.processed_at_ms is not None else None
    unread = pulse.known_lag
    if not pulse.workers and pulse.refusal is not None:
        return Health("trouble", "Redis refuses writes", sentence(pulse.refusal))
    if not pulse.workers:
        return Health(
            "stopped",
            "No worker running",
            f"The figures do not change: the last records were processed {ago(pulse.processed_at_ms, now_ms)}. "
            "Start a worker with `headrace worker`.",
        )
    problems = open_problems(pulse.workers)
    if problems and problems[0].stopped:
        return Health(
            "trouble",
            f"{entity_of(problems[0])} is stopped",
            f"{sentence(problems[0].text)} Its records stay in Kafka; the other entities go on.",
        )
    if any(worker.state == "retrying" for worker in pulse.workers):
        cause = sentence(problems[0].text) if problems else "Its log names the cause."
        return Health(
            "trouble",
            "Worker is retrying",
            f"A worker cannot reach Kafka or Redis and retries; no record is lost. {cause}",
        )
    if unread and (silent is None or silent > STUCK_MS):
        return Health(
            "trouble",
            "Stale",
            f"{count(unread)} records are unread, and none was processed for {elapsed(pulse.processed_at_ms, now_ms)}. "
            "Look into the workers' log.",
        )
    if silent is not None and silent <= LIVE_MS:
        return Health("behind", "Catching up") if unread > MANY_UNREAD else Health("live", "Live")
    if silent is not None and silent >= QUIET_MS:
        return Health("quiet", f"No new records for {elapsed(pulse.processed_at_ms, now_ms)}")
    return Health("idle", "Caught up")


def facts(pulse: Pulse, now_ms: int) -> Mapping[str, str]:
    """Return the facts beside the badge, name → value."""
    return {
        "Stream time": moment(pulse.stream_ms),
        "Processed": ago(pulse.processed_at_ms, now_ms),
        "Unread": "unknown" if pulse.total_lag is None else count(pulse.total_lag),
        "Waiting for reference data": count(pulse.total_waiting),
    }
