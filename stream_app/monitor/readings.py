"""Makes readings: how far a metric is from what is expected of it, how much that matters, how severe it is."""

from __future__ import annotations

from math import inf, sqrt

from stream_app.contract.model import WindowRule
from stream_app.monitor.reading import Reading
from stream_app.monitor.robust import binomial_score, poisson_score
from stream_app.monitor.seasonal import BUSY, Expected
from stream_app.monitor.shares import LEAST
from stream_app.monitor.tuning import Rhythm, Tuning

#: A level this much below the expected is an outage; it never becomes the new normal.
OUTAGE = 0.05


class Readings:
    """Makes readings with one tuning. ``least_money``: lower bound of a record's amount, minus infinity or 0."""

    def __init__(self, tuning: Tuning, rhythm: Rhythm, least_money: float = -inf) -> None:
        self.tuning, self.rhythm, self.least_money = tuning, rhythm, least_money

    def volume(self, observed: int, expected: Expected, level: float, spreads: tuple[float, float], silence: float) -> Reading:
        """Read the records of a window.

        Args:
            level: records of an average window.
            spreads: of the scores below and above the expectation.
            silence: score of the empty windows up to this one.
        """
        tuning = self.tuning
        bound = _bound(observed, expected)
        below, above = spreads
        spread = below if observed < bound else above
        score = poisson_score(observed, bound) / spread
        # One empty hour may be within the range; where it is their number that is strange, there should have been something.
        least = 1.0 if silence < min(0.0, score) else 0.0
        score = min(score, silence or inf) * tuning.factor("volume")
        floor = max(tuning.records_floor, tuning.volume_floor * bound, tuning.level_floor * level)
        change = abs(observed - bound)
        ratio = observed / max(expected.value, 1.0)
        silent = poisson_score(0, expected.low) / below * tuning.factor("volume")
        return Reading(
            "volume",
            observed=observed,
            expected=expected.value,
            low=max(least, max(0.0, sqrt(max(expected.low, 0.0)) - tuning.threshold * below / 2) ** 2),
            high=(sqrt(max(expected.high, 0.0)) + tuning.threshold * above / 2) ** 2,
            unit="records",
            severity="error" if ratio <= 0.5 or ratio >= 3 else "warning",
            score=score,
            threshold=tuning.threshold,
            matters=change >= floor,
            almost=change >= floor / 2,
            shift=ratio,
            evidence=silent <= -tuning.stay or expected.low >= BUSY,
            accept=self.rhythm.accept,
            least=OUTAGE,
        )

    def revenue(self, observed: int, expected: Expected, unit: float, records: float, spreads: tuple[float, float]) -> Reading:
        """Read the money of a window; ``unit``: usual money a record, ``records``: expected; ``spreads``: below, above."""
        tuning = self.tuning
        bound = _bound(observed, expected)
        below, above = (unit * sqrt(max(records, 1.0)) * one / (tuning.factor("revenue") or 1e-9) for one in spreads)
        scale = below if observed < bound else above
        score = (observed - bound) / scale
        floor = max(tuning.money_floor * abs(bound), tuning.records_floor * unit)
        change = abs(observed - bound)
        ratio = observed / expected.value if expected.value else 0.0
        return Reading(
            "revenue",
            observed=observed,
            expected=expected.value,
            low=max(self.least_money, expected.low - tuning.threshold_money * below),
            high=expected.high + tuning.threshold_money * above,
            unit="money",
            severity="error" if ratio <= 0.5 or ratio >= 3 else "warning",
            score=score,
            threshold=tuning.threshold_money,
            matters=change >= floor,
            almost=change >= floor / 2,
            shift=ratio,
            evidence=abs(expected.low) / below >= tuning.stay,
            accept=self.rhythm.accept,
            least=OUTAGE,
        )

    def average(self, observed: float, number: int, expected: float, spread: float) -> Reading:
        """Read the average value of ``number`` orders."""
        tuning = self.tuning
        scale = abs(expected) / sqrt(number) * spread / (tuning.factor("average_order") or 1e-9)
        change = abs(observed - expected)
        floor = tuning.money_floor * abs(expected)
        ratio = observed / expected if expected else 0.0
        return Reading(
            "average_order",
            observed=observed,
            expected=expected,
            low=max(self.least_money, expected - tuning.threshold_money * scale),
            high=expected + tuning.threshold_money * scale,
            unit="money",
            severity="error" if ratio <= 0.5 or ratio >= 2 else "warning",
            score=(observed - expected) / scale if scale else 0.0,
            threshold=tuning.threshold_money,
            matters=change >= floor,
            almost=change >= floor / 2,
            shift=observed,
            accept=self.rhythm.accept,
        )

    def share(self, metric: str, hits: int, records: int, expected: float, spread: float, severity: str) -> Reading:
        """Read a share that must not rise: of rejected records, of findings, of nulls."""
        tuning = self.tuning
        factor = tuning.factor(metric) / spread
        rise = hits / records - expected
        excess = hits - expected * records
        room = tuning.threshold / max(factor, 1e-9) * sqrt(max(expected, LEAST) * (1 - min(expected, 0.99)) / records)
        return Reading(
            metric,
            observed=hits / records,
            expected=expected,
            low=0.0,
            high=min(1.0, expected + max(room, tuning.share_floor)),
            unit="share",
            severity=severity,
            score=_score(hits, records, expected) * factor,
            threshold=tuning.threshold,
            matters=rise >= tuning.share_floor and excess >= tuning.records_floor,
            almost=rise >= tuning.share_floor / 2 and excess >= min(2.0, tuning.records_floor),
            shift=hits / records,
            evidence=_score(records, records, expected) * factor >= tuning.stay,
            accept=self.rhythm.accept,
        )

    def drift(self, metric: str, hits: int, records: int, expected: float, spread: float, severity: str) -> Reading:
        """Read a share that shows another schema; ``expected`` is the share before."""
        tuning = self.tuning
        now = hits / records
        factor = tuning.factor("drift") / spread
        matters = now >= expected + tuning.drift_floor
        if metric.endswith(":vanished"):
            matters = now >= tuning.gone and expected < 0.5
        return Reading(
            metric,
            observed=now,
            expected=expected,
            low=None,
            high=None,
            unit="share",
            severity=severity,
            score=_score(hits, records, expected) * factor if now > expected else 0.0,
            threshold=tuning.threshold,
            matters=matters and hits >= tuning.records_floor,
            almost=matters,
            shift=now,
            direction="changed",
            accept=self.rhythm.accept // 2,
        )

    @staticmethod
    def threshold(rule: WindowRule, observed: float) -> Reading:
        """Read the contract's own promise about a window."""
        kept = rule.keeps(observed)
        low = rule.low is not None and observed < rule.low
        return Reading(
            f"threshold:{rule.rule.id}",
            observed=observed,
            expected=None,
            low=rule.low,
            high=rule.high,
            unit="share" if rule.unit == "percent" else "records",
            severity="error" if rule.breach == "error" else "warning",
            score=0.0 if kept else -1.0 if low else 1.0,
            breach=not kept,
            direction="changed" if rule.outside else None,
        )


def _bound(observed: float, expected: Expected) -> float:
    """The end of the expected range that the value is beyond; within the range the value itself."""
    return min(max(observed, expected.low), expected.high)


def _score(hits: int, records: int, expected: float) -> float:
    return binomial_score(hits, records, min(max(expected, LEAST), 1 - LEAST))
