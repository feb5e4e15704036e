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
