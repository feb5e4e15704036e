"""The expectation of a share of records: its average over a week or so, shifted by the hour of the day.

All shares of the same records have their denominators in common, the base. In an anomalous window the share counts as
expected, so that the window leaves no trace.
"""

from __future__ import annotations

from math import sqrt

from stream_app.monitor.robust import binomial_score, short, spread
from stream_app.monitor.state import BaseState, SharesState
from stream_app.monitor.tuning import Rhythm
from stream_app.windows.calendar import daily_cell

_SCORES = 48
#: Visits over which an hour of the day is averaged, and after how many it weighs as much as the overall share.
_VISITS, _PRIOR = 10, 5
#: The smallest share that is expected: a rule that never found anything may find something once in a while.
LEAST = 0.002


class Base:
    """The records that shares are shares of; changes its state."""

    def __init__(self, rhythm: Rhythm, state: BaseState) -> None:
        self.rhythm, self.state = rhythm, state

    @property
    def ready(self) -> bool:
        """True after the warm-up."""
        return self.state.windows >= self.rhythm.warm_up and self.state.records > 0

    def share(self) -> SharesState:
        """Return a share that has been zero in all windows so far."""
        return SharesState(scores=[0.0] * min(_SCORES, self.state.windows))

    def learn(self, start: int, records: int) -> None:
        """Count a window with records; call it after the shares of the same window have learned."""
        if not records:
            return
        state = self.state
        state.windows += 1
        state.records = short(state.records * (1 - 1 / self.rhythm.memory) + records)
        hour = daily_cell(start, self.rhythm.grain)
        before, visits = state.hours.get(hour, (0.0, 0))
        state.hours[hour] = short(before * (1 - 1 / _VISITS) + records), min(visits + 1, 99)


class Shares:
    """The expectation of one share of the base's records; changes its state."""

    def __init__(self, rhythm: Rhythm, state: SharesState, base: BaseState) -> None:
        self.rhythm, self.state, self.base = rhythm, state, base

    def expect(self, start: int) -> float:
        """Return the expected share."""
        state, base = self.state, self.base
        overall = state.hits / base.records if base.records else 0.0
        hour = daily_cell(start, self.rhythm.grain)
        records, visits = base.hours.get(hour, (0.0, 0))
        if visits and records:
            weight = visits / (visits + _PRIOR)
            overall += weight * (min(1.0, state.hours.get(hour, 0.0) / records) - overall)
        return min(max(overall, 0.0), 1.0)

    @staticmethod
    def score(hits: float, records: int, share: float) -> float:
        """Return raw standard deviations from the expected share."""
        return binomial_score(hits, records, min(max(share, LEAST), 1 - LEAST))

    def spread(self) -> float:
        """Return the standard deviation of scores, at least 1: counting noise is always there."""
        return spread(self.state.scores, 1.0) if self.state.scores else 1.0

    def learn(self, start: int, hits: float, records: int, share: float, score: float | None, *, normal: bool) -> None:
        """Learn from a window; ``score`` is None during the warm-up, ``normal`` False for anomalies."""
        if not records:
            return
        state = self.state
        if not normal:
            hits = share * records
        elif score is not None:
            # What is unusual, but not yet an anomaly, must not make the next step up look usual.
            most = 3 * self.spread()
            state.scores = [*state.scores, round(min(max(score, -most), most), 2)][-_SCORES:]
            room = 4 * self.spread() * sqrt(max(share, LEAST) * records) + 1
            hits = min(hits, share * records + room)
        state.hits = short(state.hits * (1 - 1 / self.rhythm.memory) + hits)
        hour = daily_cell(start, self.rhythm.grain)
        value = state.hours.get(hour, 0.0) * (1 - 1 / _VISITS) + hits
        if value > 1e-3 or hour in state.hours:
            state.hours[hour] = short(value)

    def accept(self, share: float) -> None:
        """A new share is the normal one."""
        state, base = self.state, self.base
        state.hits = short(share * base.records)
        state.hours = {hour: short(share * records) for hour, (records, _) in base.hours.items()}
        state.scores = []
