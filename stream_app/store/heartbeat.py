"""The heartbeats of workers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stream_app.counts.fields import text

#: A worker that has not reported for this long is gone (seconds).
WORKER_GONE_AFTER = 15.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's last heartbeat: times in ms since the epoch, ``rate`` in records per second, ``lag`` in records.

    ``latency_ms``: from a record's arrival in Kafka to its count, lately; None where the worker does not say. ``behind``: the
    least event time (ms) that one of its partitions with unread records has reached; None where there is none.
    """

    id: str
    at: int
    started: int
    pid: int
    host: str
    rate: float
    lag: Mapping[str, int]
    state: str
    error: str | None = None
    latency_ms: float | None = None
    behind: int | None = None


def workers(raw: Mapping[Any, Any], now_ms: int) -> tuple[Worker, ...]:
    """The workers that reported lately, by id; one that wrote no readable heartbeat is left out."""
    alive = []
    for worker_id, value in raw.items():
        try:
            beat = json.loads(text(value))
            worker = Worker(
                id=text(worker_id),
                at=int(beat["at"]),
                started=int(beat.get("started") or beat["at"]),
                pid=int(beat.get("pid") or 0),
                host=str(beat.get("host") or ""),
                rate=float(beat.get("rate") or 0.0),
                lag={str(name): int(lag) for name, lag in (beat.get("lag") or {}).items()},
                state=str(beat.get("state") or "running"),
                error=None if beat.get("error") is None else str(beat["error"]),
                latency_ms=None if beat.get("latency_ms") is None else float(beat["latency_ms"]),
                behind=None if beat.get("behind") is None else int(beat["behind"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if now_ms - worker.at < WORKER_GONE_AFTER * 1000:
            alive.append(worker)
    return tuple(sorted(alive, key=lambda worker: worker.id))


def total_lag(alive: Iterable[Worker]) -> dict[str, int]:
    """Records that wait in the raw topics, by entity, over all workers; an entity that none reports is left out."""
    lag: dict[str, int] = {}
    for worker in alive:
        for entity, behind in worker.lag.items():
            lag[entity] = lag.get(entity, 0) + behind
    return lag
