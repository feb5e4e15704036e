"""Run one simulated stream through judge, look-ups, windows and monitor in memory, and compare it with its truth."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from headrace.check.check import Check, Observer
from headrace.evaluation.score import FAULTLESS, Alarm, RecordScores, Staged, Truth
from producers.simulator.incidents import KINDS
from producers.simulator.schedule import spread
from producers.simulator.simulator import Event, Simulation
from producers.simulator.truth import truth_of
from stream_app.contract import Shop, load_shop
from stream_app.counts.tally import Tally
from stream_app.judge import Verdict
from stream_app.monitor import Monitor, State, windows_of
from stream_app.monitor.tuning import RHYTHMS
from stream_app.windows.grain import Grain
from stream_app.windows.watermark import Watermark, stream_time

#: Start of every simulated stream: Monday 2026-01-05T00:00:00Z.
START_MS = 1_767_571_200_000
#: Maximum size of a judged record.
MAX_BYTES = 256 * 1024
_CHUNK = 500
StreamKind = Literal["quiet", "faults", "incidents"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One simulated stream.

    Attributes:
        kind: ``quiet`` breaks nothing; ``faults`` breaks a share of the records; ``incidents`` stages one incident of each
            kind over the last nine tenths of the stream.
        orders: number of orders.
        per_hour: orders per hour of event time, averaged over a week.
        shop: contracts with the fields of the built-in shop; None: the built-in shop.
    """

    kind: StreamKind
    seed: int
    orders: int
    per_hour: float
    faults: float
    shop: Path | None = None
    grain: Grain = Grain.HOUR
    grace: float = 60.0

    def simulation(self) -> Simulation:
        """Return the simulation of the stream."""
        per_second = self.per_hour / 3600
        plain = Simulation(seed=self.seed, start_ms=START_MS, per_second=per_second, count=self.orders, faults=0.0)
        if self.kind == "faults":
            return replace(plain, faults=self.faults)
        if self.kind == "quiet":
            return plain
        rng = random.Random(f"schedule {self.seed}")  # noqa: S311 - an evaluation must be repeatable, not secret
        staged = spread(KINDS, rng, START_MS + plain.span_ms // 10, START_MS + plain.span_ms)
        return replace(plain, incidents=staged)


@dataclass(slots=True)
class Outcome:
    """The result of a trial: the scores of its records, the staged incidents, the alarms.

    ``seconds``: event time after the monitor's warm-up.
    """

    trial: Trial
    records: RecordScores = field(default_factory=RecordScores)
    staged: tuple[Staged, ...] = ()
    alarms: list[Alarm] = field(default_factory=list)
    seconds: float = 0.0


class Truths(Protocol):
    """The truth about an entity's records, by number from 0."""

    def __getitem__(self, index: int, /) -> Truth: ...


def scoring(scores: RecordScores, truths: Mapping[str, Truths]) -> Observer:
    """Return an observer that compares every final verdict with the truth about its record."""

    def observe(entity: str, number: int, verdict: Verdict) -> None:
        found = [rule.id for rule in verdict.findings]
        outcome = "rejected" if verdict.rejected else "clean"
        scores.add(entity, truths[entity][number - 1], found, outcome, repaired=bool(verdict.repairs))

    return observe


class Watch:
    """Steps the monitors of all entities over final windows, and keeps the alarms."""

    def __init__(self, shop: Shop, start: int, *, grain: Grain, grace: float) -> None:
        self._grain, self._grace = grain, grace
        self._monitors = {entity: Monitor(contract, grain) for entity, contract in shop.contracts.items()}
        self._states: dict[str, State | None] = dict.fromkeys(shop.contracts)
        self._clocked = frozenset(entity for entity, contract in shop.contracts.items() if contract.event_time is not None)
        self._done = grain.start(start)
        self.alarms: list[Alarm] = []

    def advance(self, tallies: Mapping[str, Tally]) -> None:
        """Step the monitors over the windows that have become final, and drop their minutes from the tallies."""
        stream_ms = stream_time({entity: tally.stream_ms for entity, tally in tallies.items()}, self._clocked)
        final = Watermark(self._clocked, stream_ms).final_before(self._grain, self._grace)
        if final is None or final <= self._done:
            return
        for entity, tally in tallies.items():
            minutes = {minute: tally.minutes.pop(minute) for minute in list(tally.minutes) if minute * 60 < final}
            orders = {minute: tally.orders.pop(minute) for minute in list(tally.orders) if minute * 60 < final}
            for window in windows_of(minutes, self._grain, self._done, final, orders):
                self._states[entity], changes = self._monitors[entity].step(self._states[entity], window)
                for change in changes:
                    if change.kind == "opened":
                        name = f"{entity}:{change.incident.metric}"
                        self.alarms.append(Alarm(name, window.start, change.incident.end, self._grain.seconds))
        self._done = final


def run(trial: Trial) -> Outcome:
    """Simulate, judge, monitor and compare one stream."""
    plan = trial.simulation()
    outcome = Outcome(trial, staged=tuple(Staged.from_json(incident.to_json()) for incident in plan.incidents))
    shop = load_shop(trial.shop)
    truths: dict[str, list[Truth]] = {entity: [] for entity in shop.contracts}
    check = Check(shop, now_ms=START_MS, max_bytes=MAX_BYTES, observer=scoring(outcome.records, truths))
    watch = Watch(shop, START_MS // 1000, grain=trial.grain, grace=trial.grace)
    tallies = {entity: state.tally for entity, state in check.entities.items()}
    last_ms = START_MS
    for events in _chunks(plan.events(), trial.grain):
        for event in events:
            truths[event.record.entity].append(_truth(event))
        check.judge(event.record for event in events)
        watch.advance(tallies)
        last_ms = events[-1].at_ms
    check.finish()
    outcome.alarms = watch.alarms
    warm_up = RHYTHMS[trial.grain].warm_up * trial.grain.seconds
    outcome.seconds = max(0.0, (last_ms - START_MS) / 1000 - warm_up)
    return outcome


def _truth(event: Event) -> Truth:
    return FAULTLESS if event.fault is None and event.incident is None else Truth.from_json(truth_of(event))


def _chunks(events: Iterable[Event], grain: Grain) -> Iterator[list[Event]]:
    """Yield the events in chunks that end with a window, so that windows become final as in a stream."""
    iterator = iter(events)
    while piece := list(itertools.islice(iterator, _CHUNK)):
        if grain.start(piece[0].at_ms / 1000) == grain.start(piece[-1].at_ms / 1000):
            yield piece
            continue
        for _, part in itertools.groupby(piece, lambda event: grain.start(event.at_ms / 1000)):
            yield list(part)
