"""The mix over the values of a segment field: the value whose share of the records is not what it used to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream_app.contract.segments import NONE, OTHER
from stream_app.counts.fields import SegmentCounts
from stream_app.monitor.robust import binomial_score, median, short
from stream_app.monitor.shares import LEAST
from stream_app.monitor.state import MixState, MixValue, Sums
from stream_app.monitor.tuning import Rhythm, Tuning

#: Values that are followed one by one; the rest count as one.
VALUES = 40
#: Scores kept; and what their median and 95th percentile would be with some dozen values of independent records.
_SCORES, _USUAL, _TAIL = 168, 2.0, 3.0
#: Windows over which the share that is accepted as the new normal is averaged.
_LATELY = 12


@dataclass(frozen=True, slots=True)
class Shift:
    """The value that stands out: its share now and before, its score, and its cumulative sums."""

    value: str
    now: float
    before: float
    score: float
    sums: Sums


class Mix:
    """The mix of one segment field; changes its state.

    A score is that of the value that stands out most in its window, so that the spread knows of records that come in
    bunches (the lines of an invoice).
    """

    def __init__(self, rhythm: Rhythm, tuning: Tuning, state: MixState) -> None:
        self.rhythm, self.tuning, self.state = rhythm, tuning, state

    def usual(self) -> dict[str, float]:
        """Return value → its usual share; empty before the first window."""
        state = self.state
        return {value: row.records / state.records for value, row in state.values.items()} if state.records else {}

    def records(self, counts: Mapping[str, SegmentCounts]) -> dict[str, int]:
        """Return records by value in a window; values beyond those that are followed are counted together.

        Records without a value say nothing about the mix: other metrics do.
        """
        found = {value: one.received for value, one in counts.items() if one.received > 0 and value != NONE}
        known = self.state.values
        free = VALUES - len(known)
        merged: dict[str, int] = {}
        for value, number in sorted(found.items(), key=lambda row: (-row[1], row[0])):
            followed = value
            if value not in known:
                if free <= 0:
                    followed = OTHER
                else:
                    free -= 1
            merged[followed] = merged.get(followed, 0) + number
        return merged

    def assess(self, found: Mapping[str, int], only: str | None) -> Shift | None:
        """Return the value whose share has changed most (``only``: this one); None during the warm-up or with few records.

        Moves the sums, unless ``only`` is given: then an incident is on.
        """
        number = sum(found.values())
        if self.state.windows < self.rhythm.warm_up or number < self.tuning.mix_records:
            return None
        worst: Shift | None = None
        spread = self._spread()
        for value in {*self.state.values, *found} if only is None else {only}:
            shift = self._shift(value, found.get(value, 0), number, spread, moving=only is None)
            if worst is None or (abs(shift.score), shift.value) > (abs(worst.score), worst.value):
                worst = shift
        return worst

    def _shift(self, value: str, hits: int, number: int, spread: float, *, moving: bool) -> Shift:
        tuning, state = self.tuning, self.state
        row = state.values.get(value)
        before = row.records / state.records if row else 0.0
        now = hits / number
        score = _raw(hits, number, before) / spread
        change = abs(now - before)
        floor = max(tuning.share_floor, before / 4)
        # A small value that is gone matters too, once enough of it was expected.
        missing = hits == 0 and before * number >= 2 * tuning.records_floor
        if row and moving:
            size = min(abs(score), tuning.clip) if change >= floor / 2 or missing else 0.0
            row.low = self._moved(row.low, size if score < 0 else -size)
            row.high = self._moved(row.high, size if score > 0 else -size)
        if change < floor / 2 and not missing:
            score = 0.0
        return Shift(value, now, before, score, Sums(row.low, row.high) if row else Sums())

    def _moved(self, cumulative: float, step: float) -> float:
        return short(min(max(0.0, cumulative + step - self.tuning.slack), 2 * self.tuning.limit))

    def _spread(self) -> float:
        """How much larger scores are than those of independent records would be; at least 1."""
        scores = sorted(self.state.scores)
        if not scores:
            return 1.5
        tail = scores[min(len(scores) - 1, int(0.95 * len(scores)))]
        return max(1.0, median(scores) / _USUAL, tail / _TAIL) * (1 + 6 / len(scores))

    def learn(self, found: Mapping[str, int], *, normal: bool, lasting: bool) -> None:
        """Learn from a window; anomalies only move the short memory, which is used when they become normal.

        The spread learns from short anomalies too, because bunches would otherwise never be known as usual; it does not
        learn from ``lasting`` ones.
        """
        number = sum(found.values())
        if not number:
            return
        state, memory = self.state, self.rhythm.memory
        values = list(dict.fromkeys([*state.values, *found]))
        if state.windows >= self.rhythm.warm_up and number >= self.tuning.mix_records and not lasting:
            shares = self.usual()
            most = max(abs(_raw(found.get(value, 0), number, shares.get(value, 0.0))) for value in values)
            state.scores = [*state.scores, round(most, 2)][-_SCORES:]
        for value in values:
            hits = found.get(value, 0)
            row = state.values.setdefault(value, MixValue())
            row.share = short(row.share + (hits / number - row.share) / _LATELY)
            if normal:
                row.records = short(row.records * (1 - 1 / memory) + hits)
        if normal:
            state.windows += 1
            state.records = short(state.records * (1 - 1 / memory) + number)
            state.values = {value: row for value, row in state.values.items() if row.records >= 0.05}

    def accept(self) -> None:
        """The mix of the last windows is the normal one."""
        for row in self.state.values.values():
            row.records, row.low, row.high = short(row.share * self.state.records), 0.0, 0.0


def _raw(hits: int, number: int, share: float) -> float:
    return binomial_score(hits, number, min(max(share, LEAST), 1 - LEAST))
