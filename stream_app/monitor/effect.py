"""The money of an incident: how far revenue is above or below what is expected, over its windows.

Where a part of the business stands out, the money is that part's. What is rejected is worth what such records usually are, and
never more than what the window lacks: records that were sent twice are missed by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from stream_app.contract.model import Severity
from stream_app.monitor.incident import Change, Incident
from stream_app.monitor.mix import Mix
from stream_app.monitor.step import Step

#: Metrics whose incidents are about all money of a window.
_WHOLE = frozenset({"volume", "revenue", "average_order"})
#: Part of the repeats up to which other rejected records beside them are chance.
_FEW = 0.1


class Money(NamedTuple):
    """Revenue of a window in minor units: observed, expected, and what a record usually is worth."""

    observed: float
    expected: float
    unit: float


def add_effects(step: Step, money: Money | None, usual: Mapping[str, Mapping[str, float]]) -> None:
    """Add the money of this window to the incidents that it is part of.

    ``usual``: segment field → value → its usual share of the records, before this window.
    """
    if money is None:
        return
    for number, change in enumerate(step.changes):
        if change.kind == "closed":
            continue
        own = _effect(step, change.incident, money, usual)
        if own is None:
            continue
        incident = replace(change.incident, effect=float(f"{(change.incident.effect or 0.0) + own:.6g}"))
        step.changes[number] = Change(change.kind, incident)
        track = step.state.tracks.get(incident.metric)
        if track is not None and track.episode is not None:
            track.episode.incident = incident


def usual_shares(step: Step) -> dict[str, dict[str, float]]:
    """Return the usual share of each segment value, by field."""
    parts = step.parts
    return {field: dict(Mix(parts.rhythm, parts.tuning, step.state.mix[field]).usual()) for field in parts.contract.segments}


def _effect(step: Step, incident: Incident, money: Money, usual: Mapping[str, Mapping[str, float]]) -> float | None:
    kind, _, rest = incident.metric.partition(":")
    if kind in {"volume", "mix"} and incident.segment is not None:
        field, value, *_ = incident.segment
        share = usual.get(field, {}).get(value)
        if share is None:
            return None
        found = step.counts.segments.get(field, {}).get(value)
        return (found.revenue_minor if found is not None else 0) - share * money.expected
    if kind in _WHOLE:
        return money.observed - money.expected
    if not _rejects(step, kind, rest) or not incident.trail:
        return None
    if kind == "finding" and rest in _uniques(step):
        return 0.0
    _, observed, expected, *_ = incident.trail[-1]
    repeats = _repeats(step)
    surplus = abs(observed - (expected or 0.0)) * step.judged - repeats
    if surplus <= _FEW * repeats:
        return 0.0
    return min(0.0, max(-surplus * money.unit, money.observed - money.expected))


def _uniques(step: Step) -> set[str]:
    return {one.rule.id for one in step.parts.contract.uniques}


def _repeats(step: Step) -> int:
    """Rejected records of the window that repeat an earlier one: nobody misses their revenue."""
    return sum(step.counts.findings.get(rule, 0) for rule in _uniques(step))


def _rejects(step: Step, kind: str, name: str) -> bool:
    """True if the records of such an incident are rejected."""
    if kind == "conformity":
        return True
    if kind == "drift":
        return name.endswith((":vanished", ":type"))
    rule = step.parts.contract.rules.get(name) if kind == "finding" else None
    return rule is not None and rule.severity is Severity.ERROR
