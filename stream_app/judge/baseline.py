"""Learned bounds of numbers, by group: what is usual of a product's quantity or price, and what is not. Pure.

What is learned is a histogram of the logarithm (buckets of 5 %, as in DDSketch, Masson et al. 2019): integers that add up,
so that they can be counted as exactly as everything else, in any order and by any number of workers. What is usual is
told from its quantiles: the distance from the median to the 5th and to the 95th percentile, each taken as 1.645 standard
deviations of its own side. Quantities of orders are skewed; the median absolute deviation sees both sides as one and
either floods or misses (docs/anomalies.md compares them).
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Any

from stream_app.contract.model import Contract, Outlier
from stream_app.judge.batch import Verdicts

_GAMMA = math.log(1.05)
#: The least spread of one side, as a standard deviation of the logarithm: 10 %.
_LEAST_SPREAD = 0.1
#: z of the 95th percentile.
_Z95 = 1.6449
#: Values that are learned one and all; from then on, of a batch no more than so many records. Groups that bounds are kept for.
YOUNG = 200_000
LEARNED_A_BATCH = 2_000
MOST_GROUPS = 20_000

#: Weeks of event time that a baseline is made of.
WEEKS = 8
WEEK_MS = 7 * 86_400_000
#: A new version is made once this much more has been learned than the last one was made of (first while less than YOUNG has
#: been), and at least so many values.
_GROWTHS = (2, 1.25)
_LEAST = 200

#: A group's bounds: (low, high), both still usual.
Bounds = tuple[float, float]


@lru_cache(65_536)
def bucket(value: float | None) -> int | None:
    """The bucket of a number; ``None`` where there is none, or no logarithm of it."""
    return round(math.log(value) / _GAMMA) if value is not None and value > 0 and math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Baseline:
    """One version of what is usual: rule id → group → bounds. The group ``""`` is the whole entity.

    ``learned`` says of how many values it was made.
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
        """Read what ``to_json`` wrote; ValueError when it is something else."""
        try:
            plain = json.loads(text)
            bounds = {
                str(rule): {str(group): (float(low), float(high)) for group, (low, high) in groups.items()}
                for rule, groups in plain["bounds"].items()
            }
            return cls(int(plain["version"]), bounds, int(plain.get("learned", 0)))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no baseline: {type(error).__name__}: {error}") from None


def learned(
    contract: Contract, verdicts: Verdicts, places: Sequence[int], so_far: int = 0
) -> dict[str, Counter[tuple[Any, Any]]]:
    """Rule id → (group of the finest level, bucket) → how often, among the records at ``places``.

    A group is a value of its field. Once much has been learned (``so_far`` values), a sample of a large batch is enough.
    """
    step = -(-len(places) // LEARNED_A_BATCH) if places and so_far >= YOUNG else 1
    sample = places[::step]
    whole = len(sample) == len(verdicts)
    columns: dict[str | None, list[Any]] = {None: [""] * len(sample)}

    def column(name: str | None) -> list[Any]:
        if name is not None and name not in columns:
            values = verdicts.column(name)
            columns[name] = values if whole else [values[index] for index in sample]
        return columns[name]

    found: dict[str, Counter[tuple[Any, Any]]] = {}
    for outlier in contract.outliers:
        counts = Counter(zip(column(learned_by(outlier)), map(bucket, column(outlier.field)), strict=True))
        for key in [key for key in counts if None in key]:
            del counts[key]
        found[outlier.rule.id] = counts
    return found


def learned_by(outlier: Outlier) -> str | None:
    """The field of the record whose value is the group that is learned; coarser levels are merged from it."""
    return outlier.levels[0].partition(".")[0] if outlier.levels else None


def enough(now: int, made_of: int, *, new_week: bool) -> bool:
    """Whether a new version is due: ``now`` values have been learned, and the last one was made of ``made_of``."""
    growth = _GROWTHS[made_of >= YOUNG]
    return now >= made_of * growth + _LEAST or (new_week and now > made_of)


def parent_levels(contract: Contract, histograms: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, str, str, list[str]]]:
    """Levels that are fields of referenced records: (level, entity, field, the groups to be placed in them)."""
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
    """The bounds that histograms give.

    Args:
        version: of the result.
        outliers: the rules.
        histograms: rule id → group of the finest level → bucket → count.
        parents: level (``product_id.category``) → group of the finest level → its group at that level.
        learned: how many values have been learned.
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
    rows = list(groups.items())
    if len(rows) > MOST_GROUPS:
        rows.sort(key=lambda row: -sum(row[1].values()))
    return rows[:MOST_GROUPS]


def _set(groups: dict[str, Bounds], group: str, histogram: Mapping[int, int], outlier: Outlier) -> None:
    if sum(histogram.values()) >= outlier.minimum:
        groups[group] = usual(histogram, outlier.threshold)


def usual(histogram: Mapping[int, int], threshold: float) -> Bounds:
    """The bounds ``threshold`` robust standard deviations away from the median; the histogram must not be empty."""
    low, middle, high = (place * _GAMMA for place in _quantiles(histogram, (0.05, 0.5, 0.95)))
    below = max((middle - low) / _Z95, _LEAST_SPREAD)
    above = max((high - middle) / _Z95, _LEAST_SPREAD)
    return math.exp(middle - threshold * below), math.exp(min(middle + threshold * above, 700.0))


def _quantiles(histogram: Mapping[int, int], shares: Sequence[float]) -> list[int]:
    """The buckets in which these shares of all values are reached; ``shares`` ascend."""
    places = sorted(histogram)
    reached = list(accumulate(histogram[place] for place in places))
    return [places[bisect_right(reached, share * (reached[-1] - 1))] for share in shares]
