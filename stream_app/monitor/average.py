"""The expectation of an average per window: the median of the last windows, shifted by the hour of the day."""

from __future__ import annotations

from math import sqrt

from stream_app.monitor.robust import median, short, spread
from stream_app.monitor.state import AverageState
from stream_app.monitor.tuning import Rhythm
from stream_app.windows.calendar import daily_cell

#: Averages and scores kept, and averages of the same hour after which they weigh as much as all others.
_KEPT = 168
_PRIOR = 4


class Average:
    """The expectation of one average; changes its state."""

    def __init__(self, rhythm: Rhythm, state: AverageState) -> None:
        self.rhythm, self.state = rhythm, state

    def expect(self, start: int) -> float | None:
        """Return the expected average; None during the warm-up."""
        values = self.state.values
        if len(values) < self.rhythm.warm_up:
            return None
        overall = median([value for _, value in values])
        hour = daily_cell(start, self.rhythm.grain)
        same = [value for at, value in values if at == hour]
        if same:
            overall += len(same) / (len(same) + _PRIOR) * (median(same) - overall)
        return overall

    @staticmethod
    def score(value: float, number: float, expected: float) -> float:
        """Return the deviation in units of what it would be if single values spread by as much as their mean."""
        return (value - expected) / (abs(expected) / sqrt(number)) if expected else 0.0

    def spread(self) -> float:
        """Return the standard deviation of scores."""
        return spread(self.state.scores, 0.5)

    def learn(self, start: int, value: float, score: float | None) -> None:
        """Learn from a normal window; ``score`` is None during the warm-up."""
        state = self.state
        state.values = [*state.values, (daily_cell(start, self.rhythm.grain), short(value))][-_KEPT:]
        if score is not None:
            state.scores = [*state.scores, round(score, 2)][-_KEPT:]

    def accept(self, value: float) -> None:
        """A new average is the normal one."""
        state = self.state
        state.values = [(hour, short(value)) for hour, _ in state.values[-self.rhythm.warm_up :]]
