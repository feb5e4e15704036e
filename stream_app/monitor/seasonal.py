"""What a sum per window (records, money) is expected to be: a level times the profile of the week.

Each hour of the week keeps its last few values as multiples of the level of their time; their median is its profile.
While an hour has fewer values than ``Rhythm.enough``, the same hour of similar days (times how busy this day of the week
is), or of all days with the windows just before, are candidates too, and a value is only too low when it is below all of
them, too high when above all.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Any, NamedTuple

from stream_app.monitor.robust import median, short, spread
from stream_app.monitor.tuning import Rhythm

_RECENT = 8
#: Residuals kept for the spread.
_RESIDUALS = 168
#: Records, of independent ones, that an hour of the week must have had to stand alone: their noise is 16 % of them.
_EVIDENCE = 40
#: A day that is less busy than this part of others says nothing about them.
_HARDLY = 0.05
#: Records that are expected in a busy window.
BUSY = 20
#: A level so many times as high, or as low, is another shop.
_AFRESH = 20
#: What the range of candidates is widened by while there is one value of this hour of the week, or two; and none.
_SAME_HOUR, _OTHER_DAYS = 0.05, 0.4


class Expected(NamedTuple):
    """A value, and the range of candidates for it: nothing within is unusual."""

    value: float
    low: float
    high: float


class Seasonal:
    """The functions over a state of JSON types; see ``new``."""

    def __init__(self, rhythm: Rhythm) -> None:
        self.rhythm = rhythm

    @staticmethod
    def new() -> dict[str, Any]:
        """Warm-up buffer ``b`` of [start, value], level ``l``, cells ``c`` (ratios), days ``d`` (factors), scores ``z``, last
        values ``t``, and ``q``: busy windows, empty ones among them, and empty ones in a row."""
        return {"b": [], "l": None, "c": {}, "d": {}, "z": [], "t": [], "q": [0.0, 0.0, 0]}

    def expect(self, state: dict[str, Any], start: int, scale: float = 1.0) -> Expected | None:
        """What the window at ``start`` should hold; None during the warm-up and where nothing is comparable.

        ``scale``: records a unit of what is summed (1 for records themselves).
        """
        level = state["l"]
        if level is None:
            return None
        rhythm, cells = self.rhythm, state["c"]
        cell = rhythm.cell(start)
        own: list[float] = cells.get(str(cell), [])
        if start % 3_600 == 0:
            state["d"] = self._days(cells)
        similar, every = rhythm.alike(cell)
        backup = self._pooled(state, cell, similar)
        if len(own) >= rhythm.enough and backup is not None:
            value = median(own) * level
            # The median of a few small numbers is a poor guide: then the other days have a say.
            if len(own) * abs(backup * level) * scale / self.spread(state) ** 2 >= _EVIDENCE:
                return Expected(value, value, value)
            return Expected(value, min(value, backup * level), max(value, backup * level))
        others = None if own else self._pooled(state, cell, every)
        candidates = [one for one in (median(own) if own else None, backup, others) if one is not None]
        if not candidates:
            return None
        value = sum(candidates) / len(candidates) * level
        # Days differ, and so do weeks: how much is not known yet.
        room = _SAME_HOUR if own else _OTHER_DAYS
        low, high = sorted((min(candidates) * level, max(candidates) * level))
        low, high = low - room * abs(low), high + room * abs(high)
        if not own or rhythm.seconds < 3_600:
            recent = median(state["t"])
            low, high = min(low, recent), max(high, recent)
        return Expected(value, low, high)

    def _pooled(self, state: dict[str, Any], cell: int, alike: tuple[int, ...]) -> float | None:
        """The ratio of this hour on other days, as busy as this day is."""
        days, own = state["d"], self.rhythm.day(cell)
        ratios = []
        for each in alike:
            factor = days.get(str(self.rhythm.day(each)), 1.0)
            if factor >= _HARDLY:
                ratios += [ratio / factor for ratio in state["c"].get(str(each), [])]
        return median(ratios) * float(days.get(str(own), 1.0)) if ratios else None

    def _days(self, cells: dict[str, list[float]]) -> dict[str, float]:
        """How busy each day of the week is, of the days of its kind; of those of which half has been seen."""
        usual: dict[tuple[int, ...], float] = {}
        sums: dict[str, list[float]] = {}
        for name, ring in cells.items():
            cell = int(name)
            similar = self.rhythm.alike(cell)[0]
            if similar not in usual:
                usual[similar] = median([ratio for each in similar for ratio in cells.get(str(each), [])])
            row = sums.setdefault(str(self.rhythm.day(cell)), [0.0, 0.0, 0.0])
            row[0] += median(ring)
            row[1] += usual[similar]
            row[2] += 1
        half = 1 if self.rhythm.day(1) else 12
        return {
            day: short(min(max(0.0, found / wanted), 1 / _HARDLY))
            for day, (found, wanted, seen) in sums.items()
            if wanted > 0 and seen >= half
        }

    def spread(self, state: dict[str, Any], side: int = 0) -> float:
        """The standard deviation of scores, at least 1: counting noise is always there.

        ``side``: -1 of those below, 1 of those above the expected: money and bunches of records spread further upwards.
        """
        return spread([one for one in state["z"] if one * side >= 0], 1.0)

    def silence(self, state: dict[str, Any], value: float, expected: Expected) -> float:
        """The score of busy hours without a record, in a row: how often that was so, to the power of their number.

        Where records come in bunches an empty hour is within the spread, but a morning of empty hours is not.
        """
        if expected.low < BUSY:
            return 0.0
        windows, empty, run = state["q"]
        state["q"][2] = run = run + 1 if value <= 0 else 0
        return -sqrt(2 * run * log((windows + 25) / (empty + 0.5)))

    def learn(self, state: dict[str, Any], start: int, value: float, expected: Expected | None, score: float) -> None:
        """Take a normal window into account; ``score`` is the raw one, of ``expected.value``."""
        state["t"] = [*state["t"], short(value)][-_RECENT:]
        if state["l"] is None:
            state["b"].append([start, value])
            if len(state["b"]) >= self.rhythm.warm_up:
                state["l"] = level = sum(each for _, each in state["b"]) / len(state["b"]) or 1e-6
                for at, each in state["b"]:
                    self._remember(state, at, each / level)
                state["b"] = []
            return
        self._remember(state, start, value / state["l"])
        if expected is None:
            return
        if expected.low >= BUSY:
            windows, empty, _ = state["q"]
            state["q"][:2] = [short(windows * 0.998 + 1), short(empty * 0.998 + (value <= 0))]
        if value >= 1 or expected.value >= 1:
            state["z"] = [*state["z"], round(score, 2)][-_RESIDUALS:]
        # One window moves the level by no more than three standard deviations of its own.
        size = abs(score) / self.spread(state)
        step = (value - expected.value) * min(1.0, 3 / size if size else 1.0)
        level = state["l"] + step / self.rhythm.memory
        if level * state["l"] > 0:
            state["l"] = level

    def scale(self, state: dict[str, Any], factor: float) -> None:
        """Accept a new level; where it has little to do with the old one, everything is learned afresh."""
        if not 1 / _AFRESH < factor < _AFRESH:
            state.update(self.new())
        elif state["l"] is not None:
            state["l"] *= factor
            state["t"] = [short(one * factor) for one in state["t"]]

    def _remember(self, state: dict[str, Any], start: int, ratio: float) -> None:
        ring = state["c"].setdefault(str(self.rhythm.cell(start)), [])
        ring.append(short(ratio))
        del ring[: -self.rhythm.ring]
