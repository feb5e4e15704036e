"""How far from the expected a window has to be, and for how long: every number of the monitor that is a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_app.errors import SettingsError

#: What is watched, without what comes after a colon (docs/anomalies.md).
METRICS = ("volume", "revenue", "average_order", "conformity", "finding", "null", "mix", "threshold", "drift")


@dataclass(frozen=True, slots=True)
class Tuning:
    """Chosen on simulated streams without faults and with staged incidents; see ``docs/anomalies.md``.

    Attributes:
        threshold: robust standard deviations at which one window is an anomaly.
        threshold_money: the same for revenue and average order, whose tails are heavier.
        stay: standard deviations from which on an open incident goes on.
        slack, limit: of the cumulative sum (CUSUM) that notices what is too small for one window: what it takes off
            each window, and where it speaks up.
        clip: the most standard deviations that one window adds to that sum.
        volume_floor, money_floor: the least relative deviation that matters.
        level_floor: for volume, the least deviation that matters as a part of an average window.
        share_floor: the least change of a share.
        records_floor: the least number of records that are too many or missing.
        drift_floor: the least change of share that is a drift; ``vanished`` needs a share of ``gone``.
        promise_records: the least number of records on which a promised share is judged.
        mix_records: windows with fewer records of a segment field are not looked at for their mix.
        sensitivity: metric or its part before the first colon → factor on its standard deviations; 0 switches it off.
    """

    threshold: float = 5.0
    threshold_money: float = 6.0
    stay: float = 2.0
    slack: float = 1.0
    limit: float = 6.0
    clip: float = 4.5
    volume_floor: float = 0.2
    money_floor: float = 0.2
    level_floor: float = 0.1
    share_floor: float = 0.02
    records_floor: float = 5.0
    drift_floor: float = 0.1
    gone: float = 0.9
    promise_records: int = 100
    mix_records: int = 10
    sensitivity: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, sensitivity: str) -> Tuning:
        """The usual tuning with factors as ``volume=2, mix=0.5`` (the pattern is held by the setting).

        Raises:
            SettingsError: a metric that is not watched.
        """
        pairs = (part.partition("=") for part in sensitivity.split(",") if part.strip())
        factors = {name.strip(): float(value) for name, _, value in pairs}
        for name in factors:
            if name.partition(":")[0] not in METRICS:
                raise SettingsError(f"HEADRACE_ANOMALY_SENSITIVITY: no metric is called {name}; there are {', '.join(METRICS)}")
        return cls(sensitivity=factors)

    def factor(self, metric: str) -> float:
        """The sensitivity of a metric; 1 where nothing is said."""
        exact = self.sensitivity.get(metric)
        return self.sensitivity.get(metric.partition(":")[0], 1.0) if exact is None else exact


_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What depends on the length of a window.

    Attributes:
        warm_up: windows before anything but thresholds is judged.
        enough: values of one hour of the week from which on they alone are the expectation; fewer are backed up by the
            same hour of other days.
        ring: values kept for each hour of the week.
        memory: windows over which the level and shares are averaged.
        accept: anomalous windows after which a new level is the normal one.
        patience: windows without evidence after which an incident is closed.
    """

    seconds: int
    warm_up: int
    enough: int
    ring: int
    memory: int
    accept: int
    patience: int

    def cell(self, start: int) -> int:
        """The hour of the week (0 is Monday 0 h UTC), or for windows of a day the day of the week."""
        day = (start // _DAY + 3) % 7
        return day if self.seconds == _DAY else day * 24 + start % _DAY // 3_600

    def alike(self, cell: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Cells of the same hour on days of the same kind (Monday to Friday, or the weekend), and on all days."""
        if self.seconds == _DAY:
            return (tuple(range(5)) if cell < 5 else (5, 6)), tuple(range(7))
        hour, weekend = cell % 24, cell >= 120
        days = (5, 6) if weekend else range(5)
        return tuple(day * 24 + hour for day in days), tuple(day * 24 + hour for day in range(7))

    def day(self, cell: int) -> int:
        """The day of the week of a cell, 0 is Monday."""
        return cell if self.seconds == _DAY else cell // 24

    def hour(self, start: int) -> int:
        """The hour of the day, or for windows of a day the day of the week: what shares may depend on."""
        cell = self.cell(start)
        return cell if self.seconds == _DAY else cell % 24


RHYTHMS = {
    "m": Rhythm(60, warm_up=60, enough=30, ring=40, memory=2_880, accept=360, patience=10_080),
    "h": Rhythm(3_600, warm_up=24, enough=3, ring=5, memory=168, accept=48, patience=168),
    "d": Rhythm(_DAY, warm_up=7, enough=3, ring=6, memory=28, accept=10, patience=28),
}
