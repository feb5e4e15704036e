"""Every number of the monitor that is a choice: how far from the expected a window must be, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_app.errors import SettingsError
from stream_app.windows.grain import Grain

#: The metrics, without what follows the first colon (docs/explanation/anomalies.md).
METRICS = ("volume", "revenue", "average_order", "conformity", "finding", "null", "mix", "threshold", "drift")


@dataclass(frozen=True, slots=True)
class Tuning:
    """Chosen on simulated streams without faults and with staged incidents; see ``docs/explanation/anomalies.md``.

    Attributes:
        threshold: robust standard deviations at which one window is an anomaly.
        threshold_money: the same for revenue and average order, whose tails are heavier.
        stay: standard deviations from which on an open incident goes on.
        slack, limit: of the cumulative sum (CUSUM) that finds deviations too small for one window: the part of each score
            that it leaves out, and the sum that is an anomaly.
        clip: the most standard deviations that one window adds to that sum.
        volume_floor, money_floor: the smallest relative deviation that matters.
        level_floor: for volume, the smallest deviation that matters, as a part of an average window.
        share_floor: the smallest change of a share that matters.
        records_floor: the smallest number of surplus or missing records that matters.
        drift_floor: the smallest change of share that is a drift; ``vanished`` needs a share of ``gone``.
        promise_records: the smallest number of records on which a promised share is judged.
        mix_records: the smallest number of records of a segment field on which its mix is judged.
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
        """Return the default tuning with factors such as ``volume=2, mix=0.5``, whose form the setting has checked.

        Raises:
            SettingsError: a metric is unknown.
        """
        pairs = (part.partition("=") for part in sensitivity.split(",") if part.strip())
        factors = {name.strip(): float(value) for name, _, value in pairs}
        for name in factors:
            if name.partition(":")[0] not in METRICS:
                raise SettingsError(f"HEADRACE_ANOMALY_SENSITIVITY: unknown metric {name}; choose from {', '.join(METRICS)}")
        return cls(sensitivity=factors)

    def factor(self, metric: str) -> float:
        """Return the sensitivity of a metric; 1 by default."""
        exact = self.sensitivity.get(metric)
        return self.sensitivity.get(metric.partition(":")[0], 1.0) if exact is None else exact


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The numbers that depend on the length of a window.

    Attributes:
        warm_up: windows before anything but thresholds is judged.
        enough: values of one hour of the week from which on they alone are the expectation; fewer are backed up by the
            same hour of other days.
        ring: values kept for each hour of the week.
        memory: windows over which the level and shares are averaged.
        accept: anomalous windows after which a new level is the normal one.
        expiry: windows without evidence after which an incident is closed.
    """

    grain: Grain
    warm_up: int
    enough: int
    ring: int
    memory: int
    accept: int
    expiry: int


RHYTHMS = {
    rhythm.grain: rhythm
    for rhythm in (
        Rhythm(Grain.MINUTE, warm_up=60, enough=30, ring=40, memory=2_880, accept=360, expiry=10_080),
        Rhythm(Grain.HOUR, warm_up=24, enough=3, ring=5, memory=168, accept=48, expiry=168),
        Rhythm(Grain.DAY, warm_up=7, enough=3, ring=6, memory=28, accept=10, expiry=28),
    )
}
