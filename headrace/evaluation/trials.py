"""All trials of an evaluation, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

from headrace.evaluation.report import Report, report
from headrace.evaluation.run import Outcome, Trial, What, run
from producers.simulator.faults import PRICE_TIMES, QUANTITY_TIMES
from stream_app.contract import load_shop
from stream_app.errors import SettingsError

STREAMS: tuple[What, ...] = get_args(What)


def streams_of(text: str) -> tuple[What, ...]:
    """Sorts of streams out of ``quiet,faults``.

    Raises:
        SettingsError: there is no such sort.
    """
    asked = [part.strip() for part in text.split(",")]
    for name in asked:
        if name not in STREAMS:
            raise SettingsError(f"{name!r} is no stream; there are {', '.join(STREAMS)}")
    return tuple(name for name in STREAMS if name in asked)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate: one stream of each sort for each seed."""

    seeds: tuple[int, ...]
    records: int
    per_hour: float
    faults: float
    streams: tuple[What, ...] = STREAMS
    shop: Path | None = None

    def trials(self) -> list[Trial]:
        """The streams, one by one."""
        return [
            Trial(what, seed, self.records, self.per_hour, self.faults, self.shop)
            for seed in self.seeds
            for what in self.streams
        ]

    def about(self) -> str:
        """What is simulated, in a few sentences."""
        weeks = self.records / self.per_hour / 168
        return (
            f"Seeds {', '.join(map(str, self.seeds))}; of each, one stream of {self.records:,} orders for every sort "
            f"({', '.join(self.streams)}), {self.per_hour:g} orders an hour, {weeks:.1f} weeks of event time; "
            f"faults in {self.faults:.1%} of the records. An outlying price is {PRICE_TIMES} times, an outlying quantity "
            f"{QUANTITY_TIMES} times the product's usual."
        )


def evaluate(plan: Plan, jobs: int, say: Callable[[str], None] = lambda line: None) -> Report:
    """Run all trials, ``jobs`` of them at a time, and add them up; ``say`` gets a line as each is done.

    Raises:
        SettingsError: the streams are too short for the incidents.
    """
    trials = plan.trials()
    if jobs == 1 or len(trials) == 1:
        return report(load_shop(plan.shop), _told(map(run, trials), len(trials), say))
    # Started afresh: a forked child would inherit the caller's threads in whatever state they are.
    with get_context("spawn").Pool(min(jobs, len(trials))) as pool:
        return report(load_shop(plan.shop), _told(pool.imap(run, trials), len(trials), say))


def _told(outcomes: Iterable[Outcome], count: int, say: Callable[[str], None]) -> Iterator[Outcome]:
    for number, outcome in enumerate(outcomes, 1):
        say(f"{number} of {count}: seed {outcome.trial.seed}, {outcome.trial.what}, {outcome.records.records:,} records")
        yield outcome
