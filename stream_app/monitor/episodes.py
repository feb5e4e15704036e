"""From readings to incidents: an episode opens at the first anomaly, goes on, and closes when the metric is normal again.

The state of a metric (a *track*) holds two cumulative sums, for what is too small to be noticed in one window, and the
open episode. A window is an anomaly, normal, or says nothing: too few records, or an hour in which nothing is expected
anyway. One normal window does not close an episode, the second does; windows that say nothing count for neither.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from stream_app.monitor.incident import Change, Incident
from stream_app.monitor.robust import median, short
from stream_app.monitor.tuning import Rhythm, Tuning

#: Values of an episode of which the median becomes the new normal.
_SHIFTS = 24
_GAP = 2


@dataclass(slots=True)
class Reading:
    """One metric in one window.

    Attributes:
        score: robust standard deviations from the expected, with a sign; 0 within the expected range.
        threshold: from which score on one window is an anomaly; None: only ``breach`` says so.
        matters, almost: whether the deviation is beyond the floors, and beyond half of them.
        shift: what becomes normal if this goes on: a ratio to the expected, a share, an average.
        evidence: whether a deviation would have been seen in this window, so that its absence means something.
        breach: an anomaly whatever the score (a promise that is broken), or none whatever the score.
        sums: cumulative sums kept elsewhere, (low, high).
        accept: windows after which it is normal; None: never. ``least``: unless the usual shift is below this.
    """

    metric: str
    observed: float
    expected: float | None
    low: float | None
    high: float | None
    unit: str
    severity: str
    score: float = 0.0
    threshold: float | None = None
    matters: bool = True
    almost: bool = True
    shift: float = 0.0
    evidence: bool = True
    breach: bool | None = None
    direction: str | None = None
    segment: tuple[str, str, float, float] | None = None
    sums: tuple[float, float] | None = None
    accept: int | None = None
    least: float | None = None


@dataclass(slots=True)
class Outcome:
    """What came of a reading: whether the baseline may learn from the window, and what became normal (``shift``)."""

    normal: bool
    changes: list[Change]
    accepted: float | None = None


class Episodes:
    """The functions over tracks of one entity."""

    def __init__(self, entity: str, grain: str, rhythm: Rhythm, tuning: Tuning) -> None:
        self.entity, self.grain, self.rhythm, self.tuning = entity, grain, rhythm, tuning

    @staticmethod
    def new() -> dict[str, Any]:
        """A track without an episode."""
        return {"s": [0.0, 0.0], "o": None}

    @staticmethod
    def is_open(track: dict[str, Any] | None, *, visible: bool = True) -> bool:
        """Whether an episode is on; a hidden one, which another metric explains, only when asked for."""
        return bool(track and track["o"] and not (visible and track["o"]["hidden"]))

    @staticmethod
    def idle(track: dict[str, Any]) -> bool:
        """Whether the track holds nothing worth keeping."""
        return track["o"] is None and max(track["s"]) < 0.05

    def step(self, track: dict[str, Any], reading: Reading | None, start: int, *, hidden: bool = False) -> Outcome:
        """Take a reading into account; None: the window says nothing. ``hidden``: another incident explains it."""
        episode = track["o"]
        anomalous, evidence = self._verdict(track, reading)
        if episode is None:
            if not anomalous or reading is None:
                return Outcome(True, [])
            return self._open(track, reading, start, hidden)
        if not anomalous or reading is None:
            return self._quiet(track, start, evidence)
        return self._go_on(track, reading, start, hidden)

    def close_all(self, tracks: dict[str, dict[str, Any]], start: int) -> list[Change]:
        """End every episode: the entity starts afresh."""
        return [change for track in tracks.values() if track["o"] for change in self._close(track, start, "recovered")]

    def _verdict(self, track: dict[str, Any], reading: Reading | None) -> tuple[bool, bool]:
        """Whether the reading is an anomaly, and if not, whether it is evidence of the normal."""
        if reading is None:
            return False, False
        if reading.breach is not None:
            return reading.breach, reading.evidence
        tuning, score, episode = self.tuning, reading.score, track["o"]
        if episode is not None:
            sign = -1 if episode["down"] else 1
            return score * sign >= tuning.stay and reading.almost, reading.evidence
        sums = track["s"]
        if reading.sums is not None:
            sums = list(reading.sums)
        elif reading.evidence:
            size = min(abs(score), tuning.clip) if reading.almost else 0.0
            sums = [
                short(min(max(0.0, sums[0] + (size if score < 0 else -size) - tuning.slack), 2 * tuning.limit)),
                short(min(max(0.0, sums[1] + (size if score > 0 else -size) - tuning.slack), 2 * tuning.limit)),
            ]
            track["s"] = sums
        if reading.threshold is not None and abs(score) >= reading.threshold and reading.matters:
            return True, False
        crept = sums[0] if score < 0 else sums[1]
        return crept >= tuning.limit and abs(score) >= tuning.stay and reading.almost, reading.evidence

    def _open(self, track: dict[str, Any], reading: Reading, start: int, hidden: bool) -> Outcome:
        down = reading.score < 0
        track["o"] = episode = {"down": down, "hidden": hidden, "gap": 0, "idle": 0, "n": 0, "worst": 0.0, "r": [], "i": None}
        if hidden:
            self._count(episode, reading)
            return Outcome(False, [])
        return self._show(episode, reading, start)

    def _show(self, episode: dict[str, Any], reading: Reading, start: int) -> Outcome:
        self._count(episode, reading)
        incident = Incident(
            id=f"{self.entity}.{reading.metric}.{start}",
            entity=self.entity,
            metric=reading.metric,
            severity=reading.severity,
            state="open",
            start=start,
            end=start + self.rhythm.seconds,
            grain=self.grain,
            windows=1,
            observed=_figure(reading.observed),
            expected=_figure(reading.expected),
            low=_figure(reading.low),
            high=_figure(reading.high),
            unit=reading.unit,
            direction=reading.direction or ("low" if reading.score < 0 else "high"),
            segment=reading.segment,
            updated=start + self.rhythm.seconds,
        )
        episode["hidden"], episode["worst"], episode["i"] = False, short(abs(reading.score)), incident.to_dict()
        return Outcome(False, [Change("opened", incident)])

    def _go_on(self, track: dict[str, Any], reading: Reading, start: int, hidden: bool) -> Outcome:
        episode = track["o"]
        if reading.accept is not None and episode["n"] + 1 >= reading.accept:
            shift = median([*episode["r"], reading.shift])
            if reading.least is None or shift >= reading.least:
                return Outcome(False, self._close(track, start, "accepted"), shift)
        if episode["hidden"]:
            if not hidden:
                return self._show(episode, reading, start)
            self._count(episode, reading)
            return Outcome(False, [])
        self._count(episode, reading)
        before = Incident.from_dict(episode["i"])
        incident = replace(before, end=start + self.rhythm.seconds, windows=before.windows + 1)
        incident = replace(incident, updated=incident.end)
        if abs(reading.score) > episode["worst"]:
            episode["worst"] = short(abs(reading.score))
            incident = replace(
                incident,
                observed=_figure(reading.observed),
                expected=_figure(reading.expected),
                low=_figure(reading.low),
                high=_figure(reading.high),
                segment=reading.segment or incident.segment,
            )
        worse = reading.severity == "error" and before.severity != "error"
        if worse:
            incident = replace(incident, severity="error")
        episode["i"] = incident.to_dict()
        return Outcome(False, [Change("worse" if worse else "continued", incident)])

    def _quiet(self, track: dict[str, Any], start: int, evidence: bool) -> Outcome:
        episode = track["o"]
        episode["gap" if evidence else "idle"] += 1
        if episode["gap"] >= _GAP or episode["idle"] >= self.rhythm.patience:
            return Outcome(evidence, self._close(track, start, "recovered"))
        return Outcome(False, [])

    def _close(self, track: dict[str, Any], start: int, outcome: str) -> list[Change]:
        episode = track["o"]
        track["o"], track["s"] = None, [0.0, 0.0]
        if episode["i"] is None:
            return []
        end = start + self.rhythm.seconds
        incident = replace(Incident.from_dict(episode["i"]), state="closed", updated=end, outcome=outcome)
        if outcome == "accepted":
            incident = replace(incident, end=end, windows=incident.windows + 1)
        return [Change("closed", incident)]

    @staticmethod
    def _count(episode: dict[str, Any], reading: Reading) -> None:
        episode["n"] += 1
        episode["gap"] = episode["idle"] = 0
        episode["r"] = [*episode["r"], short(reading.shift)][-_SHIFTS:]


def _figure(value: Any) -> Any:
    """Six significant digits: a figure for people, and equal on every machine."""
    return None if value is None else float(f"{value:.6g}")
