"""Run the trials of an evaluation, several in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

from headrace.evaluation.report import Report, of_trials
from headrace.evaluation.run import Outcome, StreamKind, Trial, run
from producers.simulator.faults import PRICE_TIMES, QUANTITY_TIMES
from stream_app.contract import load_shop
from stream_app.errors import SettingsError

STREAMS: tuple[StreamKind, ...] = get_args(StreamKind)


def streams_of(text: str) -> tuple[StreamKind, ...]:
    """Return the kinds of streams of ``quiet,faults``.

    Raises:
        SettingsError: unknown kind.
    """
    asked = [part.strip() for part in text.split(",")]
    for name in asked:
        if name not in STREAMS:
            raise SettingsError(f"unknown stream {name!r}; streams: {', '.join(STREAMS)}")
    return tuple(name for name in STREAMS if name in asked)


@dataclass(frozen=True, slots=True)
class Plan:
    """The streams to simulate: one of each kind for each seed."""

    seeds: tuple[int, ...]
    records: int
    per_hour: float
    faults: float
    streams: tuple[StreamKind, ...] = STREAMS
    shop: Path | None = None

    def trials(self) -> list[Trial]:
        """Return one trial per stream."""
        return [
            Trial(kind, seed, self.records, self.per_hour, self.faults, self.shop)
            for seed in self.seeds
            for kind in self.streams
        ]

    def about(self) -> str:
        """Describe the streams in a few sentences."""
        weeks = self.records / self.per_hour / 168
        return (
            f"Seeds {', '.join(map(str, self.seeds))}; for each, one stream of {self.records:,} orders of every kind "
            f"({', '.join(self.streams)}), {self.per_hour:g} orders per hour, {weeks:.1f} weeks of event time; "
            f"faults in {self.faults:.1%} of the records. An outlying price is {PRICE_TIMES} times, an outlying quantity "
            f"{QUANTITY_TIMES} times the usual one of its product."
        )


def evaluate(plan: Plan, jobs: int, say: Callable[[str], None] = lambda _: None) -> Report:
    """Run all trials, ``jobs`` in parallel, and sum them up; ``say`` gets a line after each.

    Raises:
        SettingsError: the streams are too short for the incidents.
    """
    trials = plan.trials()
    if jobs == 1 or len(trials) == 1:
        return of_trials(load_shop(plan.shop), _announced(map(run, trials), len(trials), say))
    # Spawned, because a forked child would inherit the caller's threads in an undefined state.
    with get_context("spawn").Pool(min(jobs, len(trials))) as pool:
        return of_trials(load_shop(plan.shop), _announced(pool.imap(run, trials), len(trials), say))


def _announced(outcomes: Iterable[Outcome], count: int, say: Callable[[str], None]) -> Iterator[Outcome]:
    for number, outcome in enumerate(outcomes, 1):
        say(f"{number} of {count}: seed {outcome.trial.seed}, {outcome.trial.kind}, {outcome.records.records:,} records")
        yield outcome
