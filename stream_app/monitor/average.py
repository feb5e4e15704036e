"""What an average per window is expected to be: the median of the last windows, shifted by the hour of the day."""

from __future__ import annotations

from math import sqrt
from typing import Any

from stream_app.monitor.robust import median, short, spread
from stream_app.monitor.tuning import Rhythm

_KEPT = 168
_PRIOR = 4


class Average:
    """The functions over a state: ``v`` of the last windows as [hour, average], ``z`` scores."""

    def __init__(self, rhythm: Rhythm) -> None:
        self.rhythm = rhythm

    @staticmethod
    def new() -> dict[str, Any]:
        """An empty state."""
        return {"v": [], "z": []}

    def expect(self, state: dict[str, Any], start: int) -> float | None:
        """The expected average; None during the warm-up."""
        if len(state["v"]) < self.rhythm.warm_up:
            return None
        overall = median([value for _, value in state["v"]])
        hour = self.rhythm.hour(start)
        same = [value for at, value in state["v"] if at == hour]
        if same:
            overall += len(same) / (len(same) + _PRIOR) * (median(same) - overall)
        return overall

    @staticmethod
    def score(value: float, number: float, expected: float) -> float:
        """The deviation in units of what it would be if single values spread by as much as their mean."""
        return (value - expected) / (abs(expected) / sqrt(number)) if expected else 0.0

    @staticmethod
    def spread(state: dict[str, Any]) -> float:
        """The standard deviation of scores."""
        return spread(state["z"], 0.5)

    def learn(self, state: dict[str, Any], start: int, value: float, score: float | None) -> None:
        """Take a normal window into account."""
        state["v"] = [*state["v"], [self.rhythm.hour(start), short(value)]][-_KEPT:]
        if score is not None:
            state["z"] = [*state["z"], round(score, 2)][-_KEPT:]

    def accept(self, state: dict[str, Any], value: float) -> None:
        """A new average is the normal one."""
        hours = [hour for hour, _ in state["v"][-self.rhythm.warm_up :]]
        state["v"] = [[hour, short(value)] for hour in hours]
