"""From readings to incidents: an episode opens at the first anomaly, goes on, and closes when the metric is normal again.

The state of a metric (a *track*) has two cumulative sums, for deviations too small for one window, and the open episode. A
window is an anomaly, normal, or says nothing: too few records, or an hour in which nothing is expected anyway. One normal
window does not close an episode, the second does; windows that say nothing count for neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from stream_app.monitor.incident import Change, Incident
from stream_app.monitor.reading import Reading
from stream_app.monitor.robust import median, short
from stream_app.monitor.state import Episode, Run, Sums, Track
from stream_app.monitor.tuning import RHYTHMS, Tuning
from stream_app.windows.grain import Grain

#: Values of an episode whose median becomes the new normal.
_SHIFTS = 24
#: Normal windows that close an episode.
_GAP = 2
#: A track without an episode is forgotten once its sums are below this.
_IDLE = 0.05
#: Windows of an incident's trail.
_TRAIL = 48


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a reading.

    ``normal``: the baseline may learn from the window; ``accepted``: the ``shift`` that has become normal.
    """

    normal: bool
    changes: tuple[Change, ...] = ()
    accepted: float | None = None


class _Judged(NamedTuple):
    """``anomalous``, or if not, whether that is ``evidence`` of the normal; ``crept``: small deviations have added up."""

    anomalous: bool
    evidence: bool
    crept: bool = False


def is_open(track: Track | None) -> bool:
    """True if the metric has an open episode that no other metric explains."""
    return track is not None and track.episode is not None and not track.episode.hidden


def is_idle(track: Track) -> bool:
    """True if nothing of the track is worth keeping."""
    return track.episode is None and max(track.sums) < _IDLE


class Episodes:
    """The life of the episodes of one entity; changes their tracks."""

    def __init__(self, entity: str, grain: Grain, tuning: Tuning) -> None:
        self.entity, self.grain, self.tuning = entity, grain, tuning
        self.rhythm = RHYTHMS[grain]

    def step(self, track: Track, reading: Reading | None, start: int, *, hidden: bool = False) -> Outcome:
        """Apply a reading to its track; None: the window says nothing. ``hidden``: another incident explains it."""
        anomalous, evidence, crept = self._judge(track, reading)
        episode = track.episode
        if not anomalous or reading is None:
            return Outcome(normal=True) if episode is None else self._quiet(track, episode, reading, start, evidence=evidence)
        if episode is None:
            return self._open(track, reading, start, hidden=hidden, crept=crept)
        return self._go_on(track, episode, reading, start, hidden=hidden)

    def close_all(self, tracks: Mapping[str, Track], start: int) -> list[Change]:
        """End every episode: the entity starts afresh."""
        return [
            change
            for track in tracks.values()
            if track.episode is not None
            for change in self._close(track, track.episode, start, "recovered")
        ]

    def _judge(self, track: Track, reading: Reading | None) -> _Judged:
        """Compare the score with the threshold and move the sums."""
        if reading is None:
            return _Judged(anomalous=False, evidence=False)
        if reading.breach is not None:
            return _Judged(reading.breach, reading.evidence)
        tuning, score, episode = self.tuning, reading.score, track.episode
        if episode is not None:
            sign = -1 if episode.down else 1
            return _Judged(score * sign >= tuning.stay and reading.almost, reading.evidence)
        sums = track.sums
        if reading.sums is not None:
            sums = reading.sums
        elif reading.evidence:
            size = min(abs(score), tuning.clip) if reading.almost else 0.0
            sums = Sums(
                self._moved(sums.low, size if score < 0 else -size), self._moved(sums.high, size if score > 0 else -size)
            )
            track.sums = sums
        track.below = _added(track.below or Run(), reading) if sums.low > 0 else UNSET
        track.above = _added(track.above or Run(), reading) if sums.high > 0 else UNSET
        if reading.threshold is not None and abs(score) >= reading.threshold and reading.matters:
            return _Judged(anomalous=True, evidence=False)
        total = sums.low if score < 0 else sums.high
        crept = total >= tuning.limit and abs(score) >= tuning.stay and reading.almost
        return _Judged(crept, reading.evidence, crept)

    def _moved(self, cumulative: float, step: float) -> float:
        return short(min(max(0.0, cumulative + step - self.tuning.slack), 2 * self.tuning.limit))

    def _open(self, track: Track, reading: Reading, start: int, *, hidden: bool, crept: bool) -> Outcome:
        track.episode = episode = Episode(
            down=reading.score < 0, hidden=hidden, gap=0, idle=0, windows=0, worst=0.0, shifts=[], incident=None,
            value=reading.value,
        )  # fmt: skip
        _count(episode, reading)
        run = (track.below if reading.score < 0 else track.above) or None if crept else None
        return Outcome(normal=False) if hidden else self._show(episode, reading, start, run)

    def _show(self, episode: Episode, reading: Reading, start: int, run: Run | None = None) -> Outcome:
        """Open the incident of an episode that nothing explains, or that nothing explains any more.

        ``run``: the windows whose small deviations have added up, this one included.
        """
        incident = Incident(
            id=f"{self.entity}.{reading.metric}.{start}",
            entity=self.entity,
            metric=reading.metric,
            severity=reading.severity,
            state="open",
            start=start,
            end=start + self.grain.seconds,
            grain=self.grain,
            windows=1,
            observed=_figure(reading.observed),
            expected=_optional(reading.expected),
            low=_optional(reading.low),
            high=_optional(reading.high),
            unit=reading.unit,
            direction=reading.direction or ("low" if reading.score < 0 else "high"),
            segment=reading.segment,
            updated=start + self.grain.seconds,
            sums=_sums(run or _added(Run(), reading), reading),
            crept=run is not None,
            trail=(_point(reading, start),),
        )
        episode.hidden, episode.worst, episode.incident = False, short(abs(reading.score)), incident
        return Outcome(normal=False, changes=(Change("opened", incident),))

    def _go_on(self, track: Track, episode: Episode, reading: Reading, start: int, *, hidden: bool) -> Outcome:
        if reading.accept is not None and episode.windows + 1 >= reading.accept:
            shift = median([*episode.shifts, reading.shift])
            if reading.least is None or shift >= reading.least:
                return Outcome(normal=False, changes=self._close(track, episode, start, "accepted"), accepted=shift)
        _count(episode, reading)
        before = episode.incident
        if before is None:
            return Outcome(normal=False) if hidden else self._show(episode, reading, start)
        end = start + self.grain.seconds
        incident = replace(
            before,
            end=end,
            windows=before.windows + 1,
            updated=end,
            sums=None if before.sums is None else _sums(_added(Run(*before.sums), reading), reading),
            trail=(*before.trail, _point(reading, start))[-_TRAIL:],
        )
        if abs(reading.score) > episode.worst:
            episode.worst = short(abs(reading.score))
            incident = replace(
                incident,
                observed=_figure(reading.observed),
                expected=_optional(reading.expected),
                low=_optional(reading.low),
                high=_optional(reading.high),
                segment=reading.segment or incident.segment,
            )
        worse = reading.severity == "error" and before.severity != "error"
        if worse:
            incident = replace(incident, severity="error")
        episode.incident = incident
        return Outcome(normal=False, changes=(Change("worse" if worse else "continued", incident),))

    def _quiet(self, track: Track, episode: Episode, reading: Reading | None, start: int, *, evidence: bool) -> Outcome:
        if episode.incident is not None and reading is not None:
            trail = (*episode.incident.trail, _point(reading, start))[-_TRAIL:]
            episode.incident = replace(episode.incident, trail=trail)
        if evidence:
            episode.gap += 1
        else:
            episode.idle += 1
        if episode.gap >= _GAP or episode.idle >= self.rhythm.expiry:
            return Outcome(normal=evidence, changes=self._close(track, episode, start, "recovered"))
        return Outcome(normal=False)

    def _close(self, track: Track, episode: Episode, start: int, outcome: str) -> tuple[Change, ...]:
        track.episode, track.sums, track.below, track.above = None, Sums(), UNSET, UNSET
        if episode.incident is None:
            return ()
        end = start + self.grain.seconds
        incident = replace(episode.incident, state="closed", updated=end, outcome=outcome)
        if outcome == "accepted":
            incident = replace(incident, end=end, windows=incident.windows + 1)
        return (Change("closed", incident),)


def _count(episode: Episode, reading: Reading) -> None:
    episode.windows += 1
    episode.gap = episode.idle = 0
    episode.shifts = [*episode.shifts, short(reading.shift)][-_SHIFTS:]


def _added(run: Run, reading: Reading) -> Run:
    """Return a run with one more window."""
    return Run(run.windows + 1, _figure(run.observed + reading.observed), _figure(run.expected + (reading.expected or 0.0)))


def _sums(run: Run, reading: Reading) -> tuple[int, float, float] | None:
    """Return a run as an incident has it; None where nothing is expected, or what was before is another thing."""
    if reading.expected is None or reading.metric.startswith(("mix:", "drift:")):
        return None
    return run.windows, run.observed, run.expected


def _point(reading: Reading, start: int) -> tuple[int, float, float | None, float | None, float | None]:
    """Return one window of an incident's trail."""
    return (
        start, _figure(reading.observed), _optional(reading.expected), _optional(reading.low), _optional(reading.high),
    )  # fmt: skip


def _figure(value: float) -> float:
    """Round to six significant digits: a figure for people, and equal on every machine."""
    return float(f"{value:.6g}")


def _optional(value: float | None) -> float | None:
    return None if value is None else _figure(value)
