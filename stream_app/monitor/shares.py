"""What a share of records is expected to be: its average over a week or so, shifted by the hour of the day.

The denominators are kept once for all shares of the same records. In windows that are anomalies the share counts as it
was expected to be, so that they leave no trace.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

from stream_app.monitor.robust import binomial_score, short, spread
from stream_app.monitor.tuning import Rhythm

_RESIDUALS = 48
#: Visits over which an hour of the day is averaged, and after how many it weighs as much as the overall share.
_VISITS, _PRIOR = 10, 5
#: No share is expected to be smaller: a rule that never found anything may find something once in a while.
LEAST = 0.002


class Base:
    """How many records there were: ``n`` windows, ``w`` records on the average, ``c`` by hour (records, visits)."""

    def __init__(self, rhythm: Rhythm) -> None:
        self.rhythm = rhythm

    @staticmethod
    def new() -> dict[str, Any]:
        """An empty base."""
        return {"n": 0, "w": 0.0, "c": {}}

    def ready(self, state: dict[str, Any]) -> bool:
        """Whether the warm-up is over."""
        return bool(state["n"] >= self.rhythm.warm_up and state["w"] > 0)

    def learn(self, state: dict[str, Any], start: int, records: int) -> None:
        """Count a window with records; call it after the shares of the same window have learned."""
        if not records:
            return
        state["n"] += 1
        state["w"] = short(state["w"] * (1 - 1 / self.rhythm.memory) + records)
        hour = str(self.rhythm.hour(start))
        before, visits = state["c"].get(hour, (0.0, 0))
        state["c"][hour] = [short(before * (1 - 1 / _VISITS) + records), min(visits + 1, 99)]


class Shares:
    """The functions over the state of one share: ``k`` hits on the average, ``c`` by hour, ``z`` scores."""

    def __init__(self, rhythm: Rhythm) -> None:
        self.rhythm = rhythm

    @staticmethod
    def new(windows: int) -> dict[str, Any]:
        """A share that has been zero in so many windows."""
        return {"k": 0.0, "c": {}, "z": [0.0] * min(_RESIDUALS, windows)}

    def expect(self, state: dict[str, Any], base: dict[str, Any], start: int) -> float:
        """The expected share."""
        overall = state["k"] / base["w"] if base["w"] else 0.0
        hour = str(self.rhythm.hour(start))
        records, visits = base["c"].get(hour, (0.0, 0))
        if visits and records:
            weight = visits / (visits + _PRIOR)
            overall += weight * (min(1.0, state["c"].get(hour, 0.0) / records) - overall)
        return min(max(overall, 0.0), 1.0)

    @staticmethod
    def score(hits: float, records: int, share: float) -> float:
        """Raw standard deviations from the expected share."""
        return binomial_score(hits, records, min(max(share, LEAST), 1 - LEAST))

    @staticmethod
    def spread(state: dict[str, Any]) -> float:
        """The standard deviation of scores, at least 1: counting noise is always there."""
        return spread(state["z"], 1.0) if state["z"] else 1.0

    def learn(
        self, state: dict[str, Any], start: int, hits: float, records: int, share: float, score: float | None, normal: bool
    ) -> None:
        """Take a window into account; ``score`` is None during the warm-up, ``normal`` False for anomalies."""
        if not records:
            return
        if not normal:
            hits = share * records
        elif score is not None:
            # What is unusual, but not yet an anomaly, must not make the next step up look usual.
            most = 3 * self.spread(state)
            state["z"] = [*state["z"], round(min(max(score, -most), most), 2)][-_RESIDUALS:]
            room = 4 * self.spread(state) * sqrt(max(share, LEAST) * records) + 1
            hits = min(hits, share * records + room)
        state["k"] = short(state["k"] * (1 - 1 / self.rhythm.memory) + hits)
        hour = str(self.rhythm.hour(start))
        value = state["c"].get(hour, 0.0) * (1 - 1 / _VISITS) + hits
        if value > 1e-3 or hour in state["c"]:
            state["c"][hour] = short(value)

    def accept(self, state: dict[str, Any], base: dict[str, Any], share: float) -> None:
        """A new share is the normal one."""
        state["k"] = short(share * base["w"])
        state["c"] = {hour: short(share * records) for hour, (records, _) in base["c"].items()}
        state["z"] = []
