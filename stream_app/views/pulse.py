"""How the pipeline stands at this moment: totals, workers, lag and freshness, without any window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stream_app.contract.summary import ContractSummary
from stream_app.counts.summary import EntityTotals, summarise
from stream_app.store.heartbeat import Heartbeat, total_lag
from stream_app.store.queries import Queries
from stream_app.store.states import EntityState, Freshness, stream_ms


@dataclass(frozen=True, slots=True)
class Pulse:
    """Times named ``…_ms`` and ``read_at`` are ms since the epoch; ``lag`` holds only entities that a worker reports."""

    read_at: int
    stream_ms: int | None
    processed_at_ms: int | None
    contracts: Mapping[str, ContractSummary]
    totals: Mapping[str, EntityTotals]
    freshness: Mapping[str, Freshness]
    waiting: Mapping[str, int]
    workers: tuple[Heartbeat, ...]
    lag: Mapping[str, int]

    @property
    def received(self) -> int:
        """Records that came in over all time."""
        return sum(total.received for total in self.totals.values())


def pulse_of(
    read_at: int,
    stream_ms: int | None,
    contracts: Mapping[str, ContractSummary],
    states: Mapping[str, EntityState],
    workers: tuple[Heartbeat, ...],
    lag: Mapping[str, int],
) -> Pulse:
    """The pulse of what was read; pure."""
    return Pulse(
        read_at=read_at,
        stream_ms=stream_ms,
        processed_at_ms=last_applied(states),
        contracts=contracts,
        totals={entity: state.totals for entity, state in states.items()},
        freshness={entity: state.freshness for entity, state in states.items()},
        waiting={entity: state.waiting for entity, state in states.items()},
        workers=workers,
        lag=lag,
    )


def last_applied(states: Mapping[str, EntityState]) -> int | None:
    """When the last batch of any entity was applied, wall time in ms."""
    return max((at for state in states.values() if (at := state.freshness.processed_at) is not None), default=None)


def read_pulse(queries: Queries) -> Pulse:
    """How the pipeline stands, in two round trips, whatever the range.

    Raises:
        StoreError: Redis is down, or its keys are not ours.
    """
    contracts, workers, _ = queries.announced()
    states = queries.states(contracts)
    return pulse_of(queries.now(), stream_ms(contracts, states), contracts, states, workers, total_lag(workers))


def read_status(queries: Queries) -> dict[str, Any]:
    """What ``headrace status --json`` prints.

    ``lag`` of an entity is null while no worker reports it: unknown, which is not the same as caught up.

    Raises:
        StoreError: Redis is down, or its keys are not ours.
    """
    contracts, workers, _ = queries.announced()
    states = queries.states(contracts)
    return {
        **summarise(contracts, {entity: state.totals for entity, state in states.items()}),
        "freshness": {
            entity: {
                "event_time": _iso(state.freshness.event_time),
                "processed_at": _iso(state.freshness.processed_at),
            }
            for entity, state in states.items()
        },
        "lag": {**dict.fromkeys(contracts), **total_lag(workers)},
        "workers": len(workers),
    }


def _iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
