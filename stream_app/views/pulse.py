"""The pipeline's state at this moment: totals, workers, lag and freshness, without any window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Distinct
from stream_app.counts.summary import EntityTotals, summarise
from stream_app.store.heartbeat import Heartbeat, Problem, StoppedPartition, stopped
from stream_app.store.losses import Loss, lost_records
from stream_app.store.queries import Queries
from stream_app.store.states import Freshness
from stream_app.views.reading import Stream, read_stream
from stream_app.windows.calendar import iso

#: Key figure of ``headrace status`` → what it counts.
_DISTINCT: Mapping[str, Distinct] = {"active_customers": "customers", "orders": "orders"}


@dataclass(frozen=True, slots=True)
class Pulse:
    """Times named ``…_ms`` and ``read_at`` are ms since the epoch.

    Attributes:
        lag: unread records; an entity that no worker reports is missing.
        refusal: why Redis refuses writes, looked up while no worker reports; None if it takes them.
        losses: what partitions lost before a worker read it.
    """

    read_at: int
    stream_ms: int | None
    processed_at_ms: int | None
    contracts: Mapping[str, ContractSummary]
    totals: Mapping[str, EntityTotals]
    freshness: Mapping[str, Freshness]
    waiting: Mapping[str, int]
    workers: tuple[Heartbeat, ...]
    lag: Mapping[str, int]
    refusal: str | None = None
    losses: tuple[Loss, ...] = ()

    @property
    def received(self) -> int:
        """Records received over all time."""
        return sum(total.received for total in self.totals.values())

    @property
    def known_lag(self) -> int:
        """Unread records of the entities that workers report."""
        return sum(self.lag.values())

    @property
    def total_lag(self) -> int | None:
        """Unread records of all entities; None if no worker reports some of them."""
        return self.known_lag if set(self.lag) >= set(self.contracts) else None

    @property
    def total_waiting(self) -> int:
        """Records that wait for reference data."""
        return sum(self.waiting.values())

    @property
    def stopped(self) -> list[StoppedPartition]:
        """The partitions that have stopped at a batch that cannot be read."""
        return stopped(self.workers)

    @property
    def rate(self) -> float | None:
        """Records per second of all workers; None without a worker."""
        return sum(worker.rate for worker in self.workers) if self.workers else None

    @property
    def latency_ms(self) -> float | None:
        """Latency of the slowest worker; None if no worker reports one."""
        return max((worker.latency_ms for worker in self.workers if worker.latency_ms is not None), default=None)

    @property
    def currency(self) -> str | None:
        """The currency of the first entity that has one."""
        return next((contract.currency for contract in self.contracts.values() if contract.currency), None)


def read_pulse(queries: Queries) -> Pulse:
    """Read the pipeline's state in two round trips.

    Raises:
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    return pulse_of(read_stream(queries))


def pulse_of(stream: Stream) -> Pulse:
    """Take the pulse of a stream; pure."""
    return Pulse(
        read_at=stream.read_at,
        stream_ms=stream.stream_ms,
        processed_at_ms=stream.processed_at_ms,
        contracts=stream.contracts,
        totals=stream.totals,
        freshness={entity: state.freshness for entity, state in stream.states.items()},
        waiting=stream.waiting,
        workers=stream.workers,
        lag=stream.lag,
        refusal=stream.refusal,
        losses=stream.losses,
    )


def read_status(queries: Queries) -> dict[str, Any]:
    """Read what ``headrace status --json`` prints.

    ``lag`` of an entity is null while no worker reports it: unknown, not zero. ``estimates`` names key figures that are counted
    by a sketch. ``stopped`` lists the partitions that have stopped at a batch that cannot be read. ``trouble`` is what does not
    work in the workers, ``notes`` what they do beside the stream. ``lost`` are offsets that a topic's retention took before
    they were applied: at most as many records.

    Raises:
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    stream = read_stream(queries)
    memory = queries.memory()
    refusal = stream.refusal if stream.refusal is not None else queries.refusal()
    redis_refuses = [{"subject": "Redis", "text": refusal, "since": None, "stopped": True}] if refusal is not None else []
    return {
        **summarise(stream.contracts, stream.totals),
        "freshness": {
            entity: {
                "event_time": iso(state.freshness.event_time),
                "processed_at": iso(state.freshness.processed_at),
            }
            for entity, state in stream.states.items()
        },
        "lag": {**dict.fromkeys(stream.contracts), **stream.lag},
        "workers": len(stream.workers),
        "estimates": [
            name for name, what in _DISTINCT.items() if any(what in total.estimated for total in stream.totals.values())
        ],
        "memory": memory.to_json() if memory is not None else None,
        "stopped": [{**msgspec.structs.asdict(one), "since": iso(one.since)} for one in stopped(stream.workers)],
        "trouble": redis_refuses
        + [
            {"subject": one.subject, "text": one.text, "since": iso(one.since), "stopped": one.stopped}
            for one in open_problems(stream.workers)
        ],
        "notes": {subject: text for worker in stream.workers for subject, text in worker.notes.items()},
        "lost": {**dict.fromkeys(stream.contracts, 0), **lost_records(stream.losses)},
        "losses": [_loss(one) for one in stream.losses],
    }


def _loss(loss: Loss) -> dict[str, Any]:
    return {
        "entity": loss.entity,
        "topic": loss.topic,
        "partition": loss.partition,
        "records": loss.records,
        "last_offsets": [loss.begin, loss.end - 1],
        "since": iso(loss.since),
        "at": iso(loss.at),
    }


def open_problems(workers: Iterable[Heartbeat]) -> tuple[Problem, ...]:
    """Return the open problems of workers: stopped entities first, then the oldest; one where several say the same."""
    found: dict[tuple[str, str], Problem] = {}
    problems = [problem for worker in workers for problem in worker.problems]
    for problem in sorted(problems, key=lambda one: (not one.stopped, one.since)):
        found.setdefault((problem.subject, problem.text), problem)
    return tuple(found.values())


def entity_of(problem: Problem) -> str:
    """Return the entity that a problem is about, without its partition."""
    return problem.subject.partition("[")[0].partition(".")[0]
