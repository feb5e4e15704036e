"""How the stream stands, in one word and one line: what the badge on every page says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dashboard.text.formats import ago, count, moment
from stream_app.views.pulse import Pulse

Level = Literal["live", "idle", "quiet", "behind", "trouble", "stopped", "empty"]

#: Records applied within this many ms make a stream live; with more to read, longer silence means trouble.
LIVE_MS = 15_000
STUCK_MS = 30_000
#: After as long without a record, "Caught up" would hide that nothing comes any more.
QUIET_MS = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Health:
    """``label`` names the state; ``advice`` says what to do about it, empty where nothing is to be done."""

    level: Level
    label: str
    advice: str = ""


def health(pulse: Pulse, now_ms: int) -> Health:
    """The state of the stream as of ``now_ms``, wall time."""
    if not pulse.received:
        return Health("empty", "No records yet")
    silent = now_ms - pulse.processed_at_ms if pulse.processed_at_ms is not None else None
    behind = sum(pulse.lag.values())
    if not pulse.workers:
        return Health(
            "stopped",
            "No worker running",
            f"These figures stand still: the last records were processed {ago(pulse.processed_at_ms, now_ms)}. "
            "Start a worker with `headrace worker`.",
        )
    retrying = next((worker for worker in pulse.workers if worker.state == "retrying"), None)
    if retrying is not None:
        return Health(
            "trouble",
            "Worker is retrying",
            "A worker cannot reach Kafka or Redis and tries again; nothing is lost. Its log says why.",
        )
    if behind and (silent is None or silent > STUCK_MS):
        return Health(
            "trouble",
            "Stale",
            f"{count(behind)} records wait to be read, and none was processed for "
            f"{ago(pulse.processed_at_ms, now_ms).removesuffix(' ago')}. Look into the workers' log.",
        )
    if silent is not None and silent <= LIVE_MS:
        return Health("behind", "Catching up") if behind > 10_000 else Health("live", "Live")
    if silent is not None and silent >= QUIET_MS:
        return Health("quiet", f"No new records for {ago(pulse.processed_at_ms, now_ms).removesuffix(' ago')}")
    return Health("idle", "Caught up")


def facts(pulse: Pulse, now_ms: int) -> Mapping[str, str]:
    """The facts beside the badge, name → value."""
    waiting = sum(pulse.waiting.values())
    known = set(pulse.lag) >= set(pulse.contracts)
    return {
        "Stream time": moment(pulse.stream_ms),
        "Processed": ago(pulse.processed_at_ms, now_ms),
        "Still to read": count(sum(pulse.lag.values())) if known else "unknown",
        "Waiting for reference data": count(waiting),
    }
