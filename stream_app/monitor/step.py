"""One window of one entity on its way through the metrics: what they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stream_app.counts.window import HashWindow as Window
from stream_app.monitor.episodes import Episodes, Outcome, Reading
from stream_app.monitor.incident import Change

if TYPE_CHECKING:
    from stream_app.monitor.monitor import Monitor


class WindowStep:
    """The window, the state that it changes, and what came of it so far."""

    def __init__(self, monitor: Monitor, state: dict[str, Any], window: Window, first: bool) -> None:
        self.monitor, self.state, self.first = monitor, state, first
        self.counts: Mapping[str, int] = window.counts
        self.at = window.start
        self.contract = monitor.contract
        self.readings = monitor._readings
        self.episodes = monitor._episodes
        self.tracks: dict[str, Any] = state["tracks"]
        self.changes: list[Change] = []
        self.records = max(0, self.counts.get("in", 0))
        self.judged = max(0, self.counts.get("clean", 0)) + max(0, self.counts.get("rejected", 0))

    def _judge(self, metric: str, reading: Reading | None, *, hidden: bool = False) -> Outcome:
        if not self.monitor.tuning.factor(metric):
            reading = None
        track = self.tracks.get(metric)
        if track is None:
            if reading is None:
                return Outcome(True, [])
            track = self.tracks[metric] = Episodes.new()
        outcome = self.episodes.step(track, reading, self.at, hidden=hidden)
        self.changes += outcome.changes
        return outcome

    def _open(self, metric: str) -> bool:
        return self.episodes.is_open(self.tracks.get(metric))

    def _drop_hidden(self, metric: str) -> None:
        track = self.tracks.get(metric)
        if track and track["o"] and track["o"]["hidden"]:
            self.tracks[metric] = Episodes.new()
