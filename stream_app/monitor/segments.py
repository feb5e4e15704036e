"""The segment value that explains most of a deviation: one that has most of it, and far more than its part."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stream_app.contract.segments import NONE
from stream_app.counts.fields import Counts, SegmentCounts
from stream_app.monitor.robust import short

Segment = tuple[str, str, float, float]
#: A value explains a deviation that is at least this part its own, and this many times as frequent there as elsewhere.
_PART, _TIMES = 0.5, 2.0


def of_share(counts: Counts, fields: tuple[str, ...], hits: int, hits_of: Callable[[SegmentCounts], int]) -> Segment | None:
    """Return field, value, share there and share elsewhere; ``hits_of`` gives the part of ``hits`` that one value has."""
    best: tuple[float, Segment] | None = None
    for field in fields:
        values = counts.segments.get(field, {})
        everything = sum(one.received for one in values.values())
        for value, one in values.items():
            found, inside = hits_of(one), one.received
            outside = everything - inside
            if value == NONE or not found or found < _PART * hits or not inside or not outside:
                continue
            there, elsewhere = min(1.0, found / inside), max(0, hits - found) / outside
            if there >= _TIMES * elsewhere and (best is None or there - elsewhere > best[0]):
                best = there - elsewhere, (field, value, short(there), short(elsewhere))
    return best[1] if best else None


def of_volume(counts: Counts, field: str, usual: Mapping[str, float], expected: float, observed: float) -> Segment | None:
    """Return field, value, observed ÷ expected there and elsewhere; ``usual``: share of each value so far."""
    best: tuple[float, Segment] | None = None
    deviation = observed - expected
    values = counts.segments.get(field, {})
    for value, share in usual.items():
        wanted, found = share * expected, values[value].received if value in values else 0
        rest = expected - wanted
        own = found - wanted
        if value == NONE or not wanted or rest <= 0 or deviation * own <= 0 or abs(own) < _PART * abs(deviation):
            continue
        there, elsewhere = found / wanted, (observed - found) / rest
        # Where the rest is just as far off, the value explains nothing.
        if abs(there - 1) >= _TIMES * abs(elsewhere - 1) and (best is None or abs(own) > best[0]):
            best = abs(own), (field, value, short(there), short(elsewhere))
    return best[1] if best else None
