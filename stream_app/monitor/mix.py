"""The mix over the values of a segment field: which value has another share of the records than it used to have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_app.monitor.robust import binomial_score, median, short
from stream_app.monitor.shares import LEAST
from stream_app.monitor.tuning import Rhythm, Tuning

#: Values that are followed one by one; the rest count as one.
VALUES = 40
_REST = "(other)"
#: A record whose field could not be read says nothing about the mix: other metrics do.
_NONE = "(none)"
#: Scores kept; and what their median and 95th percentile would be with some dozen values of independent records.
_SCORES, _USUAL, _TAIL = 168, 2.0, 3.0


@dataclass(slots=True)
class Shift:
    """The value that stands out: its share now and before, its score, and the cumulative sums (low, high)."""

    value: str
    now: float
    before: float
    score: float
    expected_records: float
    sums: tuple[float, float]


class Mix:
    """The functions over the state of one field: ``n`` windows, ``w`` records on the average, ``z`` scores, ``v`` by value.

    A score is that of the value that stands out most in its window, so that the spread knows of records that come in
    bunches (the lines of an invoice). A value's list holds records on the average, the two sums, and its share over the
    last windows.
    """

    def __init__(self, rhythm: Rhythm, tuning: Tuning) -> None:
        self.rhythm, self.tuning = rhythm, tuning

    @staticmethod
    def new() -> dict[str, Any]:
        """An empty state."""
        return {"n": 0, "w": 0.0, "z": [], "v": {}}

    def counts(self, state: dict[str, Any], counts: Mapping[str, int], field: str) -> dict[str, int]:
        """Records by value in a window; values beyond those that are followed are counted together."""
        prefix = f"s|{field}|in|"
        found = {name[len(prefix) :]: number for name, number in counts.items() if name.startswith(prefix) and number > 0}
        found.pop(_NONE, None)
        known = state["v"]
        free = VALUES - len(known)
        merged: dict[str, int] = {}
        for value, number in sorted(found.items(), key=lambda row: (-row[1], row[0])):
            if value not in known:
                if free <= 0:
                    value = _REST
                else:
                    free -= 1
            merged[value] = merged.get(value, 0) + number
        return merged

    def assess(self, state: dict[str, Any], found: Mapping[str, int], only: str | None) -> Shift | None:
        """The value whose share is most unlike before (``only``: of this value); None during the warm-up or without records.

        Moves the sums, unless ``only`` is given: then an incident is on.
        """
        number = sum(found.values())
        if state["n"] < self.rhythm.warm_up or number < self.tuning.mix_records:
            return None
        worst: Shift | None = None
        spread = self._spread(state)
        for value in {*state["v"], *found} if only is None else {only}:
            shift = self._shift(state, value, found.get(value, 0), number, spread, moving=only is None)
            if worst is None or (abs(shift.score), shift.value) > (abs(worst.score), worst.value):
                worst = shift
        return worst

    def _shift(self, state: dict[str, Any], value: str, hits: int, number: int, spread: float, *, moving: bool) -> Shift:
        tuning = self.tuning
        row = state["v"].get(value)
        before = row[0] / state["w"] if row else 0.0
        now = hits / number
        score = _raw(hits, number, before) / spread
        change = abs(now - before)
        floor = max(tuning.share_floor, before / 4)
        # A small value that is gone matters too, once enough of it was expected.
        missing = hits == 0 and before * number >= 2 * tuning.records_floor
        if row and moving:
            size = min(abs(score), tuning.clip) if change >= floor / 2 or missing else 0.0
            for index, sign in ((1, -1), (2, 1)):
                step = size if score * sign > 0 else -size
                row[index] = short(min(max(0.0, row[index] + step - tuning.slack), 2 * tuning.limit))
        if change < floor / 2 and not missing:
            score = 0.0
        sums = (row[1], row[2]) if row else (0.0, 0.0)
        return Shift(value, now, before, score, before * number, sums)

    @staticmethod
    def _spread(state: dict[str, Any]) -> float:
        """How much larger scores are than those of independent records would be; at least 1."""
        scores = sorted(state["z"])
        if not scores:
            return 1.5
        tail = scores[min(len(scores) - 1, int(0.95 * len(scores)))]
        return float(max(1.0, median(scores) / _USUAL, tail / _TAIL) * (1 + 6 / len(scores)))

    def learn(self, state: dict[str, Any], found: Mapping[str, int], *, normal: bool, lasting: bool) -> None:
        """Take a window into account; anomalies only move the short memory, which is used when they become normal.

        The spread learns from short ones too, because bunches would else never be known as usual; ``lasting``: not this.
        """
        number = sum(found.values())
        if not number:
            return
        memory = self.rhythm.memory
        values: dict[str, list[float]] = state["v"]
        if state["n"] >= self.rhythm.warm_up and number >= self.tuning.mix_records and not lasting:
            shares = {value: row[0] / state["w"] for value, row in values.items()}
            most = max(abs(_raw(found.get(value, 0), number, shares.get(value, 0.0))) for value in {*values, *found})
            state["z"] = [*state["z"], round(most, 2)][-_SCORES:]
        for value in {*values, *found}:
            hits = found.get(value, 0)
            row = values.setdefault(value, [0.0, 0.0, 0.0, 0.0])
            row[3] = short(row[3] + (hits / number - row[3]) / 12)
            if normal:
                row[0] = short(row[0] * (1 - 1 / memory) + hits)
        if normal:
            state["n"] += 1
            state["w"] = short(state["w"] * (1 - 1 / memory) + number)
            for value in [value for value, row in values.items() if row[0] < 0.05]:
                del values[value]

    @staticmethod
    def accept(state: dict[str, Any]) -> None:
        """The mix of the last windows is the normal one."""
        for row in state["v"].values():
            row[0], row[1], row[2] = short(row[3] * state["w"]), 0.0, 0.0


def _raw(hits: int, number: int, share: float) -> float:
    return binomial_score(hits, number, min(max(share, LEAST), 1 - LEAST))
