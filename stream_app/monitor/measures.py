"""Volume, the contract's promises, money and the mix: functions over one step. Shares of records are in ``rates``."""

from __future__ import annotations

from typing import NamedTuple

from stream_app.contract.model import WindowRule
from stream_app.monitor import segments
from stream_app.monitor.average import Average
from stream_app.monitor.effect import Money
from stream_app.monitor.mix import Mix
from stream_app.monitor.reading import Reading
from stream_app.monitor.robust import poisson_score, short
from stream_app.monitor.seasonal import Expected, Seasonal
from stream_app.monitor.state import AverageState, SeasonalState
from stream_app.monitor.step import Step

#: An average of fewer orders, and revenue of fewer records, say nothing; and an average of fewer orders of several records.
_FEWEST, _FEWEST_LONG = 20, 3
#: Windows after which an episode of a mix is more than a bunch of records.
_SHORT = 3
#: Share from which on a segment value that is gone is an error.
_LARGE = 0.05
#: A window with less than this part of the records that are expected says nothing about their mix.
_EMPTY = 0.3
#: Money a record below which a revenue's level is zero.
_WORTHLESS = 1e-6


class Volume(NamedTuple):
    """The volume as the other measures need it: whether it is normal, and its expectation."""

    normal: bool
    expected: Expected | None


def volume(step: Step) -> Volume:
    """Compare the number of records with its expectation."""
    if step.first:
        return Volume(normal=False, expected=None)
    state, parts, observed = step.state, step.parts, step.records
    seasonal = Seasonal(parts.rhythm, state.volume)
    expected = seasonal.expect(step.at)
    if expected is None:
        seasonal.learn(step.at, observed, None, 0.0)
        return Volume(normal=True, expected=None)
    spreads = seasonal.spread(-1), seasonal.spread(1)
    silence = seasonal.silence(observed, expected)
    reading = parts.readings.volume(observed, expected, state.volume.level or 0.0, spreads, silence)
    if abs(reading.score) >= parts.tuning.stay:
        for field in parts.contract.segments:
            usual = Mix(parts.rhythm, parts.tuning, state.mix[field]).usual()
            reading.segment = reading.segment or segments.of_volume(step.counts, field, usual, expected.value, observed)
    outcome = step.judge("volume", reading)
    if outcome.normal:
        seasonal.learn(step.at, observed, expected, poisson_score(observed, expected.value))
    if outcome.accepted is not None:
        state.volume = seasonal.accept(outcome.accepted)
        if state.revenue is not None:
            state.revenue = Seasonal(parts.rhythm, state.revenue).accept(outcome.accepted)
            step.drop_hidden("revenue")
    return Volume(outcome.normal, expected)


def promises(step: Step) -> None:
    """Compare the window with the contract's rules over windows."""
    for rule in step.parts.contract.windows:
        reading: Reading | None = None
        if rule.metric == "rowCount":
            reading = None if step.first else step.parts.readings.threshold(rule, step.judged)
        elif rule.unit == "percent":
            reading = _promised_share(step, rule)
        else:
            reading = step.parts.readings.threshold(rule, step.counts.findings.get(rule.counted, 0))
        step.judge(f"threshold:{rule.rule.id}", reading)


def _promised_share(step: Step, rule: WindowRule) -> Reading | None:
    """A share of few records says nothing: such windows wait for the next ones, until there are enough."""
    waiting = step.state.waiting
    hits, records = waiting.pop(rule.rule.id, (0, 0))
    hits, records = hits + step.counts.findings.get(rule.counted, 0), records + step.judged
    if records < step.parts.tuning.promise_records:
        if records:
            waiting[rule.rule.id] = hits, records
        return None
    return step.parts.readings.threshold(rule, hits / records)


def money(step: Step, volume: Volume) -> Money | None:
    """Compare average order and revenue with their expectations; None if nothing is expected of the revenue."""
    if step.state.revenue is None or step.state.average is None:
        return None
    _average_order(step, step.state.average)
    return None if step.first else _revenue(step, step.state.revenue, volume)


def _revenue(step: Step, state: SeasonalState, volume: Volume) -> Money | None:
    observed, level = step.counts.revenue_minor, step.state.volume.level
    seasonal = Seasonal(step.parts.rhythm, state)
    unit = abs(state.level / level) if state.level and level else 0.0
    expected = seasonal.expect(step.at, 1 / unit) if unit > _WORTHLESS else None
    found = None if expected is None else Money(observed, expected.value, unit)
    if expected is None or volume.expected is None or volume.expected.value < _FEWEST:
        step.judge("revenue", None)
        if volume.normal:
            seasonal.learn(step.at, observed, None, 0.0)
        return found
    records = volume.expected.value
    expected = Expected(expected.value, min(expected[1:]), max(expected[1:]))
    spreads = seasonal.spread(-1), seasonal.spread(1)
    reading = step.parts.readings.revenue(observed, expected, unit, records, spreads)
    hidden = any(step.is_open(metric) for metric in ("volume", "average_order", "conformity"))
    outcome = step.judge("revenue", reading, hidden=hidden)
    if outcome.normal and volume.normal:
        seasonal.learn(step.at, observed, expected, (observed - expected.value) / (unit * records**0.5))
    if outcome.accepted is not None:
        step.state.revenue = seasonal.accept(outcome.accepted)
    return found


def _average_order(step: Step, state: AverageState) -> None:
    orders, revenue = step.orders(), step.counts.revenue_minor
    if orders is None:
        step.judge("average_order", None)
        return
    fewest = _FEWEST_LONG if step.parts.distinct_orders else _FEWEST
    if step.parts.distinct_orders:
        # Where orders have several records, hours have few of them: windows wait for the next ones, until there are enough.
        orders, revenue = orders + state.waiting[0], revenue + state.waiting[1]
        state.waiting = (orders, revenue) if orders < fewest else (0, 0)
    if orders < fewest:
        step.judge("average_order", None)
        return
    average, value = Average(step.parts.rhythm, state), revenue / orders
    expected = average.expect(step.at)
    if expected is None:
        average.learn(step.at, value, None)
        return
    outcome = step.judge("average_order", step.parts.readings.average(value, orders, expected, average.spread()))
    if outcome.normal:
        average.learn(step.at, value, average.score(value, orders, expected))
    if outcome.accepted is not None:
        average.accept(outcome.accepted)


def mix(step: Step, volume: Volume) -> None:
    """Compare the mix over each segment field with what it was."""
    for field in step.parts.contract.segments:
        _mix_over(step, field, volume)


def _mix_over(step: Step, field: str, volume: Volume) -> None:
    metric, tracks, parts = f"mix:{field}", step.state.tracks, step.parts
    mixed = Mix(parts.rhythm, parts.tuning, step.state.mix[field])
    found = mixed.records(step.counts.segments.get(field, {}))
    before = tracks[metric].episode if metric in tracks else None
    shift = mixed.assess(found, before.value if before is not None else None)
    reading = None
    if shift is not None:
        gone = shift.now == 0 and shift.before >= _LARGE
        reading = Reading(
            metric,
            observed=shift.now,
            expected=shift.before,
            low=None,
            high=None,
            unit="share",
            severity="error" if gone else "warning",
            score=shift.score * parts.tuning.factor(metric),
            threshold=parts.tuning.threshold,
            shift=shift.now,
            direction="changed",
            segment=(field, shift.value, short(shift.now), short(shift.before)),
            sums=shift.sums,
            accept=parts.rhythm.accept,
            value=shift.value,
        )
    empty = volume.expected is not None and step.records < _EMPTY * volume.expected.low
    outcome = step.judge(metric, reading, hidden=step.is_open("conformity") or empty)
    after = tracks[metric].episode if metric in tracks else None
    mixed.learn(found, normal=outcome.normal, lasting=after is not None and after.windows > _SHORT)
    if outcome.accepted is not None:
        mixed.accept()
