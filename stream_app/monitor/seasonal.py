"""The expectation of a sum per window (records, money): a level times the profile of the week.

Each hour of the week keeps its last few sums as multiples of the level of their time; their median is its profile.
While an hour has fewer sums than ``Rhythm.enough``, the same hour of similar days (times how busy this day of the week
is), or of all days with the windows just before, are candidates too, and a sum is only too low if it is below all of
them, too high if it is above all.
"""

from __future__ import annotations

from math import log, sqrt
from typing import NamedTuple

from stream_app.monitor.robust import median, short, spread
from stream_app.monitor.state import SeasonalState
from stream_app.monitor.tuning import Rhythm
from stream_app.windows.calendar import alike, cell, weekday
from stream_app.windows.grain import Grain

#: Sums kept for the range of the windows just before.
_RECENT = 8
#: Scores kept for the spread.
_SCORES = 168
#: Records, of independent ones, that an hour of the week must have had to stand alone: their noise is 16 % of them.
_EVIDENCE = 40
#: A day that is less busy than this part of others says nothing about them.
_HARDLY = 0.05
#: Records that are expected in a busy window.
BUSY = 20
#: A level that many times as high, or as low, is another shop.
_AFRESH = 20
#: How far the range of candidates is widened while there is one sum of this hour of the week, or two; and while there is
#: none.
_SAME_HOUR, _OTHER_DAYS = 0.05, 0.4


class Expected(NamedTuple):
    """A sum, and the range of candidates for it: nothing within is unusual."""

    value: float
    low: float
    high: float


class Seasonal:
    """The expectation of one sum; changes its state."""

    def __init__(self, rhythm: Rhythm, state: SeasonalState) -> None:
        self.rhythm, self.state = rhythm, state

    def expect(self, start: int, scale: float = 1.0) -> Expected | None:
        """Return the expectation of the window at ``start``; None during the warm-up and where nothing is comparable.

        ``scale``: records a unit of the sum (1 for records themselves).
        """
        state, rhythm = self.state, self.rhythm
        level = state.level
        if level is None:
            return None
        at = cell(start, rhythm.grain)
        own = state.cells.get(at, [])
        if start % 3_600 == 0:
            state.days = self._days()
        similar, every = alike(at, rhythm.grain)
        backup = self._pooled(at, similar)
        if len(own) >= rhythm.enough and backup is not None:
            value = median(own) * level
            # The median of a few small numbers is a poor guide: then the other days have a say.
            if len(own) * abs(backup * level) * scale / self.spread() ** 2 >= _EVIDENCE:
                return Expected(value, value, value)
            return Expected(value, min(value, backup * level), max(value, backup * level))
        others = None if own else self._pooled(at, every)
        candidates = [one for one in (median(own) if own else None, backup, others) if one is not None]
        if not candidates:
            return None
        value = sum(candidates) / len(candidates) * level
        # Days differ, and so do weeks: how much is not known yet.
        room = _SAME_HOUR if own else _OTHER_DAYS
        low, high = sorted((min(candidates) * level, max(candidates) * level))
        low, high = low - room * abs(low), high + room * abs(high)
        if not own or rhythm.grain is Grain.MINUTE:
            recent = median(state.recent)
            low, high = min(low, recent), max(high, recent)
        return Expected(value, low, high)

    def _pooled(self, at: int, cells: tuple[int, ...]) -> float | None:
        """The ratio of this hour on other days, as busy as this day is."""
        state, grain = self.state, self.rhythm.grain
        ratios = []
        for each in cells:
            factor = state.days.get(weekday(each, grain), 1.0)
            if factor >= _HARDLY:
                ratios += [ratio / factor for ratio in state.cells.get(each, ())]
        return median(ratios) * state.days.get(weekday(at, grain), 1.0) if ratios else None

    def _days(self) -> dict[int, float]:
        """How busy each day of the week is, compared with days of its kind; without days seen less than half."""
        cells, grain = self.state.cells, self.rhythm.grain
        usual: dict[tuple[int, ...], float] = {}
        sums: dict[int, list[float]] = {}
        for each, ring in cells.items():
            similar = alike(each, grain)[0]
            if similar not in usual:
                usual[similar] = median([ratio for one in similar for ratio in cells.get(one, ())])
            row = sums.setdefault(weekday(each, grain), [0.0, 0.0, 0.0])
            row[0] += median(ring)
            row[1] += usual[similar]
            row[2] += 1
        half = 1 if grain is Grain.DAY else 12
        return {
            day: short(min(max(0.0, found / wanted), 1 / _HARDLY))
            for day, (found, wanted, seen) in sums.items()
            if wanted > 0 and seen >= half
        }

    def spread(self, side: int = 0) -> float:
        """Return the standard deviation of scores, at least 1: counting noise is always there.

        ``side``: -1 of those below, 1 of those above the expected: money and bunches of records spread further upwards.
        """
        return spread([one for one in self.state.scores if one * side >= 0], 1.0)

    def silence(self, observed: float, expected: Expected) -> float:
        """Return the score of busy windows without a record, in a row: how often that was so, to the power of their number.

        Where records come in bunches an empty hour is within the spread, but a morning of empty hours is not.
        """
        if expected.low < BUSY:
            return 0.0
        silence = self.state.silence
        silence.run = silence.run + 1 if observed <= 0 else 0
        return -sqrt(2 * silence.run * log((silence.windows + 25) / (silence.empty + 0.5)))

    def learn(self, start: int, observed: int, expected: Expected | None, score: float) -> None:
        """Learn from a normal window; ``score`` is the raw one, of ``expected.value``."""
        state = self.state
        state.recent = [*state.recent, short(observed)][-_RECENT:]
        if state.level is None:
            state.warm_up.append((start, observed))
            if len(state.warm_up) >= self.rhythm.warm_up:
                state.level = sum(each for _, each in state.warm_up) / len(state.warm_up) or 1e-6
                for at, each in state.warm_up:
                    self._remember(at, each / state.level)
                state.warm_up = []
            return
        self._remember(start, observed / state.level)
        if expected is None:
            return
        if expected.low >= BUSY:
            silence = state.silence
            silence.windows, silence.empty = short(silence.windows * 0.998 + 1), short(silence.empty * 0.998 + (observed <= 0))
        if observed >= 1 or expected.value >= 1:
            state.scores = [*state.scores, round(score, 2)][-_SCORES:]
        # One window moves the level by no more than three standard deviations of its own.
        size = abs(score) / self.spread()
        step = (observed - expected.value) * min(1.0, 3 / size if size else 1.0)
        level = state.level + step / self.rhythm.memory
        if level * state.level > 0:
            state.level = level

    def accept(self, factor: float) -> SeasonalState:
        """Return the state at a new level; a level that has little to do with the old one is learned afresh."""
        state = self.state
        if not 1 / _AFRESH < factor < _AFRESH:
            return SeasonalState()
        if state.level is not None:
            state.level *= factor
            state.recent = [short(one * factor) for one in state.recent]
        return state

    def _remember(self, start: int, ratio: float) -> None:
        ring = self.state.cells.setdefault(cell(start, self.rhythm.grain), [])
        ring.append(short(ratio))
        del ring[: -self.rhythm.ring]
