"""Which segment value explains most of what is wrong: one that has most of it, and far more than its part."""

from __future__ import annotations

from collections.abc import Mapping

Segment = tuple[str, str, float, float]
#: A value explains a deviation that is at least this part its own, and this many times as frequent there as elsewhere.
_PART, _TIMES = 0.5, 2.0


def of_share(counts: Mapping[str, int], fields: tuple[str, ...], what: str, hits: int) -> Segment | None:
    """For ``hits`` records with ``what`` (``rejected`` or ``f:<rule>``): field, value, share there, share elsewhere."""
    best: tuple[float, Segment] | None = None
    for field in fields:
        records = _values(counts, f"s|{field}|in|")
        everything = sum(records.values())
        for value, found in _values(counts, f"s|{field}|{what}|").items():
            inside, outside = records.get(value, 0), everything - records.get(value, 0)
            if value == "(none)" or found < _PART * hits or not inside or not outside:
                continue
            there, elsewhere = min(1.0, found / inside), max(0, hits - found) / outside
            if there >= _TIMES * elsewhere and (best is None or there - elsewhere > best[0]):
                best = there - elsewhere, (field, value, _figure(there), _figure(elsewhere))
    return best[1] if best else None


def of_volume(
    counts: Mapping[str, int], field: str, usual: Mapping[str, float], expected: float, observed: float
) -> Segment | None:
    """Of a volume: field, value, observed ÷ expected there and elsewhere. ``usual``: share of each value so far."""
    best: tuple[float, Segment] | None = None
    deviation = observed - expected
    records = _values(counts, f"s|{field}|in|")
    for value in {*usual, *records}:
        wanted, found = usual.get(value, 0.0) * expected, records.get(value, 0)
        rest = expected - wanted
        own = found - wanted
        if value == "(none)" or not wanted or rest <= 0 or deviation * own <= 0 or abs(own) < _PART * abs(deviation):
            continue
        there, elsewhere = found / wanted, (observed - found) / rest
        # Where the rest is just as far off, the value explains nothing.
        if abs(there - 1) >= _TIMES * abs(elsewhere - 1) and (best is None or abs(own) > best[0]):
            best = abs(own), (field, value, _figure(there), _figure(elsewhere))
    return best[1] if best else None


def _values(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {name[len(prefix) :]: number for name, number in counts.items() if name.startswith(prefix)}


def _figure(value: float) -> float:
    return float(f"{value:.4g}")
