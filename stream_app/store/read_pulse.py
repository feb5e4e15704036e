"""How the pipeline stands at this moment: totals, workers, lag and freshness, without any window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream_app.judge.summary import ContractSummary, EntityTotals
from stream_app.store.read_values import EntityState, Freshness, Worker


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
    workers: tuple[Worker, ...]
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
    workers: tuple[Worker, ...],
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
