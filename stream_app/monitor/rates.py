"""Shares of the judged records: drift, conformity, findings and nulls; what explains others comes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from stream_app.contract.model import Severity
from stream_app.counts.fields import REJECTED, SegmentCounts, finding
from stream_app.monitor import segments
from stream_app.monitor.reading import Reading
from stream_app.monitor.shares import Base, Shares
from stream_app.monitor.sources import Source, hits, source_of
from stream_app.monitor.step import Parts, Step

#: Unknown field names that are followed.
_UNKNOWN = 40
#: Findings whose numbers differ by less than this part are taken to be in the same records.
_SAME = 0.15
#: A share that is zero, but for rounding.
_NOTHING = 0.01
#: Rises from which on a share of rejected records or of a finding, and of nulls, is an error.
_BAD, _BAD_NULLS = 0.1, 0.5


class Rate(NamedTuple):
    """A metric that is a share: ``kind`` and ``name`` (a rule or a field) as in its metric; ``key`` and ``source`` of it."""

    metric: str
    kind: str
    name: str
    key: str
    source: Source


class Expectation(NamedTuple):
    """The expected share of a source, and the spread of its scores."""

    share: float
    spread: float


def rates(step: Step) -> None:
    """Compare each share with its expectation, then learn from the window."""
    state, rhythm = step.state, step.parts.rhythm
    sources = _sources(step)
    base = Base(rhythm, state.judged)
    shares: dict[str, Shares] = {}
    expected: dict[str, Expectation] = {}
    for key in sources:
        if key not in state.shares:
            state.shares[key] = base.share()
        shares[key] = share = Shares(rhythm, state.shares[key], state.judged)
        expected[key] = Expectation(share.expect(step.at), share.spread())
    judging = base.ready and step.judged > 0
    strange: set[str] = set()
    for rate in _rates(step.parts, sources):
        reading = _reading(step, rate, sources[rate.key], expected[rate.key]) if judging else None
        outcome = step.judge(rate.metric, reading, hidden=_explained(step, rate, sources))
        if not outcome.normal:
            strange.add(rate.key)
        if outcome.accepted is not None:
            shares[rate.key].accept(outcome.accepted)
    for key, number in sources.items():
        share, usual = shares[key], expected[key].share
        score = share.score(number, step.judged, usual) if judging else None
        share.learn(step.at, number, step.judged, usual, score, normal=key not in strange)
        if share.state.hits < _NOTHING and key not in strange:
            del state.shares[key]
    base.learn(step.at, step.judged)


def _sources(step: Step) -> dict[str, int]:
    """Key → records of this window, zero for what has been seen before."""
    known = step.state.shares
    merged = dict.fromkeys(known, 0) | hits(step.parts.contract, step.parts.fields, step.counts, step.judged)
    unknown = [key for key in merged if source_of(key).kind == "unknown"]
    if len(unknown) > _UNKNOWN:
        # Anybody can invent names: followed are those of open incidents, then the most frequent ones.
        def weight(key: str) -> tuple[bool, float, str]:
            frequent = max(merged[key], known[key].hits if key in known else 0.0)
            return not step.is_open(_appeared(key)), -frequent, key

        for key in sorted(unknown, key=weight)[_UNKNOWN:]:
            del merged[key]
            known.pop(key, None)
            step.state.tracks.pop(_appeared(key), None)
    return merged


def _appeared(key: str) -> str:
    return f"drift:{source_of(key).name}:appeared"


def _rates(parts: Parts, sources: Mapping[str, int]) -> list[Rate]:
    """The metrics of the sources, what explains others first."""
    drifts, rest = [], []
    for key in sorted(sources):
        source = source_of(key)
        name = source.name
        drift = partial(_drift, key=key, source=source)
        match source.kind:
            case "unknown":
                drifts.append(drift(name, "appeared"))
            case "text":
                drifts.append(drift(name, "text"))
            case "nulls":
                drifts.append(drift(name, "vanished"))
                rest.append(Rate(f"null:{name}", "null", name, key, source))
            case "findings" if name not in parts.promises:
                field, _, check = name.rpartition(".")
                if check == "type":
                    drifts.append(drift(field, "type"))
                elif check == "required" and field in parts.required:
                    drifts.append(drift(field, "vanished"))
                rest.append(Rate(f"finding:{name}", "finding", name, key, source))
    rest.sort(key=lambda rate: (rate.kind == "null", not _rejects(parts, rate.source), rate.metric))
    return [*drifts, Rate("conformity", "conformity", "", REJECTED, Source("rejected")), *rest]


def _drift(field: str, how: str, *, key: str, source: Source) -> Rate:
    return Rate(f"drift:{field}:{how}", "drift", field, key, source)


def _rejects(parts: Parts, source: Source) -> bool:
    rule = parts.contract.rules.get(source.name) if source.kind == "findings" else None
    return rule is not None and rule.severity is Severity.ERROR


def _explained(step: Step, rate: Rate, sources: Mapping[str, int]) -> bool:
    """True if an open incident says the same already."""
    tracks = step.state.tracks
    if rate.kind == "null":
        rules = [one.rule.id for one in step.parts.contract.values if one.metric == "nullValues" and one.field == rate.name]
        return step.is_open(f"drift:{rate.name}:vanished") or any(
            track is not None and track.episode is not None for track in (tracks.get(f"finding:{rule}") for rule in rules)
        )
    if rate.kind != "finding":
        return False
    if rate.name == "record.unknownField":
        return any(metric.startswith("drift:") and metric.endswith(":appeared") and step.is_open(metric) for metric in tracks)
    field, _, check = rate.name.rpartition(".")
    if step.is_open(f"drift:{field}:vanished") or (check == "type" and step.is_open(f"drift:{field}:type")):
        return True
    # About as many records, in the same window: they are the same ones, and one of their faults is enough.
    number = sources[rate.key]
    for metric in tracks:
        if metric != rate.metric and metric.startswith("finding:") and step.is_open(metric):
            other = sources.get(finding(metric.removeprefix("finding:")), 0)
            if abs(other - number) <= _SAME * number:
                return True
    return False


def _reading(step: Step, rate: Rate, number: int, expected: Expectation) -> Reading:
    readings, kind = step.parts.readings, rate.kind
    rise = number / step.judged - expected.share
    severity = "warning"
    if kind == "drift":
        if rate.source.kind == "findings":
            severity = "error"
        return readings.drift(rate.metric, number, step.judged, *expected, severity)
    if kind == "finding":
        # A fall in conformity is the incident, its findings are the details.
        if _rejects(step.parts, rate.source) and rise >= _BAD and not step.is_open("conformity"):
            severity = "error"
    elif rise >= (_BAD if kind == "conformity" else _BAD_NULLS):
        severity = "error"
    reading = readings.share(rate.metric, number, step.judged, *expected, severity)
    if abs(reading.score) >= step.parts.tuning.stay and kind != "null":
        reading.segment = segments.of_share(step.counts, step.parts.contract.segments, number, _in_segment(rate.source))
    if kind == "conformity":
        _turn(reading)
    return reading


def _in_segment(source: Source) -> Callable[[SegmentCounts], int]:
    """How many of the records of one segment value are in a share."""
    if source.kind == "rejected":
        return lambda counts: counts.rejected
    return lambda counts: counts.findings.get(source.name, 0)


def _turn(reading: Reading) -> None:
    """The share of rejected records becomes conformity; the score keeps its sign, the figures turn."""
    reading.observed = 1 - reading.observed
    reading.expected = None if reading.expected is None else 1 - reading.expected
    reading.low, reading.high = 1 - (reading.high or 0.0), 1.0
    reading.direction = "low"
