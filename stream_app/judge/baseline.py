"""Learned bounds of numbers by group: the usual range of a product's quantity or price. Pure.

A group is learned as a histogram of the logarithm (buckets of 5 %, as in DDSketch, Masson et al. 2019). Its counts are integers
that add up, so that workers count them as exactly as everything else, in any order. The usual range follows from the
quantiles: the distance from the median to the 5th and to the 95th percentile, each taken as 1.645 standard deviations of its
own side. Quantities of orders are skewed; the median absolute deviation sees both sides as one and either floods or misses.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from stream_app.contract.model import Contract, Outlier
from stream_app.judge.batch import Verdicts

_GAMMA = math.log(1.05)
#: Minimum spread of one side, as a standard deviation of the logarithm: 10 %.
_MIN_SPREAD = 0.1
#: z of the 95th percentile.
_Z95 = 1.6449
#: Learn every value up to this many; then sample at most this many records per batch.
LEARN_ALL_UP_TO = 200_000
SAMPLED_PER_BATCH = 1_000
#: Maximum number of groups per rule and level that have bounds: those with the most values.
MAX_GROUPS = 20_000

#: Weeks of event time that a baseline is made of.
WEEKS = 8
WEEK_MS = 7 * 86_400_000
#: A new version is due when the values learned have grown by this factor since the last one (the first factor while fewer
#: than ``LEARN_ALL_UP_TO`` have been learned), and by at least this many.
_GROWTH_FACTORS = (2, 1.25)
_MIN_GROWTH = 200

#: The bounds of a group, inclusive: (low, high).
Bounds = tuple[float, float]


def bucket(value: float | None) -> int | None:
    """Return the bucket of a number; ``None`` for null and for a number without a logarithm."""
    return round(math.log(value) / _GAMMA) if value is not None and value > 0 and math.isfinite(value) else None


def buckets(values: Sequence[float | None]) -> list[int | None]:
    """Return ``bucket`` of each number; mostly all have one, and small numbers repeat."""
    distinct = {*values}
    if 2 * len(distinct) <= len(values):
        known = dict(zip(distinct, map(bucket, distinct), strict=True))
        return list(map(known.__getitem__, values))
    if None in distinct or min(distinct) <= 0 or max(distinct) == math.inf:  # type: ignore[type-var, operator]
        return list(map(bucket, values))
    log, gamma = math.log, _GAMMA
    return [round(log(value) / gamma) for value in values]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Baseline:
    """One version of the usual bounds.

    Attributes:
        version: counts up from 1.
        bounds: rule id → group → bounds. The group ``""`` is the whole entity.
        learned: number of values that it was made of.
    """

    version: int = 0
    bounds: Mapping[str, Mapping[str, Bounds]] = field(default_factory=dict)
    learned: int = 0

    def to_json(self) -> str:
        """Compact JSON."""
        document = {"version": self.version, "bounds": self.bounds, "learned": self.learned}
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Baseline:
        """Read what ``to_json`` wrote; ValueError for anything else."""
        try:
            plain = json.loads(text)
            bounds = {
                str(rule): {str(group): (float(low), float(high)) for group, (low, high) in groups.items()}
                for rule, groups in plain["bounds"].items()
            }
            return cls(int(plain["version"]), bounds, int(plain.get("learned", 0)))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a baseline: {type(error).__name__}: {error}") from None


def learned(
    contract: Contract, verdicts: Verdicts, indexes: Sequence[int], so_far: int = 0
) -> dict[str, Counter[tuple[Any, Any]]]:
    """Count the values of outlier rules: rule id → (group of the finest level, bucket) → count.

    Args:
        contract: with the outlier rules.
        verdicts: of a batch.
        indexes: the records to learn from.
        so_far: number of values learned before; from ``LEARN_ALL_UP_TO`` on, a sample of the batch is enough.
    """
    step = -(-len(indexes) // SAMPLED_PER_BATCH) if indexes and so_far >= LEARN_ALL_UP_TO else 1
    sample = indexes[::step]
    whole = len(sample) == len(verdicts)
    columns: dict[str | None, list[Any]] = {None: [""] * len(sample)}

    def column(name: str | None) -> list[Any]:
        if name is not None and name not in columns:
            values = verdicts.column(name)
            columns[name] = values if whole else list(map(values.__getitem__, sample))
        return columns[name]

    found: dict[str, Counter[tuple[Any, Any]]] = {}
    for outlier in contract.outliers:
        counts = Counter(zip(column(learned_by(outlier)), buckets(column(outlier.field)), strict=True))
        for key in [key for key in counts if None in key]:
            del counts[key]
        found[outlier.rule.id] = counts
    return found


def learned_by(outlier: Outlier) -> str | None:
    """Return the field whose values are the groups that are learned; coarser levels are merged from them."""
    return outlier.levels[0].partition(".")[0] if outlier.levels else None


def enough(now: int, made_of: int, *, new_week: bool) -> bool:
    """True if a new version is due: ``now`` values have been learned, and the last version was made of ``made_of``."""
    growth = _GROWTH_FACTORS[made_of >= LEARN_ALL_UP_TO]
    return now >= made_of * growth + _MIN_GROWTH or (new_week and now > made_of)


def parent_levels(contract: Contract, histograms: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, str, str, list[str]]]:
    """Return the levels that are fields of referenced records: (level, entity, field, the finest groups to look up)."""
    to = {reference.field: reference.to_entity for reference in contract.references}
    levels: dict[str, tuple[str, str, dict[str, None]]] = {}
    for outlier in contract.outliers:
        for level in outlier.levels:
            field_name, _, name = level.partition(".")
            if name and field_name in to:
                groups = levels.setdefault(level, (to[field_name], name, {}))[2]
                groups.update(dict.fromkeys(histograms.get(outlier.rule.id, ())))
    return [(level, entity, name, list(groups)) for level, (entity, name, groups) in levels.items()]


def build(
    version: int,
    outliers: Iterable[Outlier],
    histograms: Mapping[str, Mapping[str, Mapping[int, int]]],
    parents: Mapping[str, Mapping[str, str]],
    learned: int = 0,
) -> Baseline:
    """Make a baseline out of histograms.

    Args:
        version: of the result.
        outliers: the rules.
        histograms: rule id → group of the finest level → bucket → count.
        parents: level (``product_id.category``) → group of the finest level → its group at that level.
        learned: number of values learned.
    """
    bounds: dict[str, dict[str, Bounds]] = {}
    for outlier in outliers:
        finest = histograms.get(outlier.rule.id, {})
        groups: dict[str, Bounds] = {}
        for level in outlier.levels:
            if "." not in level:
                for group, histogram in _largest(finest):
                    _set(groups, group, histogram, outlier)
                continue
            of = parents.get(level, {})
            merged: dict[str, Counter[int]] = {}
            for group, histogram in finest.items():
                if group in of:
                    merged.setdefault(f"{level}={of[group]}", Counter()).update(histogram)
            for group, histogram in _largest(merged):
                _set(groups, group, histogram, outlier)
        if not outlier.levels:
            whole: Counter[int] = Counter()
            for histogram in finest.values():
                whole.update(histogram)
            _set(groups, "", whole, outlier)
        bounds[outlier.rule.id] = groups
    return Baseline(version, bounds, learned)


def _largest(groups: Mapping[str, Mapping[int, int]]) -> list[tuple[str, Mapping[int, int]]]:
    """Return the ``MAX_GROUPS`` groups with the most values."""
    rows = list(groups.items())
    if len(rows) > MAX_GROUPS:
        rows.sort(key=lambda row: -sum(row[1].values()))
    return rows[:MAX_GROUPS]


def _set(groups: dict[str, Bounds], group: str, histogram: Mapping[int, int], outlier: Outlier) -> None:
    if sum(histogram.values()) >= outlier.minimum:
        groups[group] = usual(histogram, outlier.threshold)


def usual(histogram: Mapping[int, int], threshold: float) -> Bounds:
    """Return the bounds ``threshold`` robust standard deviations from the median; the histogram must not be empty."""
    low, middle, high = (one * _GAMMA for one in _quantiles(histogram, (0.05, 0.5, 0.95)))
    below = max((middle - low) / _Z95, _MIN_SPREAD)
    above = max((high - middle) / _Z95, _MIN_SPREAD)
    return math.exp(middle - threshold * below), math.exp(min(middle + threshold * above, 700.0))


def _quantiles(histogram: Mapping[int, int], shares: Sequence[float]) -> list[int]:
    """Return the buckets in which these shares of all values are reached; ``shares`` ascend."""
    buckets = sorted(histogram)
    reached = list(accumulate(histogram[one] for one in buckets))
    return [buckets[bisect_right(reached, share * (reached[-1] - 1))] for share in shares]
