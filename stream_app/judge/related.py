"""Rules that look beyond the record: list prices, first appearances, older updates, what is usual. Pure.

The caller brings what is known (of referenced records, of the record's own key, of what is usual) and writes down what
was found before anything is sent, so that a repeated batch comes to the same verdicts whatever has changed since.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from stream_app.contract.model import Contract, Deviation, Rule, Shop
from stream_app.judge.baseline import Baseline, Bounds, learned_by
from stream_app.judge.batch import Verdicts
from stream_app.windows.calendar import moment

#: What a set of known ids says of one of them where no rule asks for more.
PLAIN = "1"


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a record that others refer to: the fields that rules ask for, those before, and event times in ms.

    ``first`` is 0 where it is not known when the record first appeared.
    """

    first: int = 0
    latest: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    earlier: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Compact JSON."""
        plain = {"f": self.first, "t": self.latest, "v": self.values, "p": self.earlier}
        return json.dumps(plain, separators=(",", ":"), ensure_ascii=False, default=str)

    @classmethod
    def from_json(cls, text: str | bytes) -> Known:
        """Read what ``to_json`` wrote; an empty one for anything else."""
        try:
            plain = json.loads(text)
            return cls(int(plain["f"]), int(plain["t"]), plain["v"], plain["p"])
        except (ValueError, KeyError, TypeError):
            return cls()


def wanted(shop: Shop, entity: str) -> tuple[str, ...] | None:
    """The fields of ``entity`` that rules ask for; ``None`` where none asks for more than that a record is known."""
    rich = shop.contracts[entity].stale is not None
    fields: dict[str, None] = {}
    for contract in shop.contracts.values():
        to = {reference.field: reference.to_entity for reference in contract.references}
        rich = rich or any(to.get(before.reference) == entity for before in contract.before)
        for deviation in contract.deviations:
            if to.get(deviation.reference) == entity:
                fields[deviation.value] = None
        for level in (*contract.segments, *(level for outlier in contract.outliers for level in outlier.levels)):
            reference, _, name = level.partition(".")
            if name and to.get(reference) == entity:
                fields[name] = None
    return tuple(fields) if rich or fields else None


#: reference field → id → what is known of the record.
KnownRecords = Mapping[str, Mapping[Any, Known]]


class Related:
    """The rules of one entity over what is known of others."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        #: Fields whose referenced record these rules read, and of those the ones whose values may change.
        self.reads = frozenset(
            [deviation.reference for deviation in contract.deviations]
            + [before.reference for before in contract.before]
            + [level.partition(".")[0] for one in contract.outliers for level in one.levels if "." in level]
            + [segment.partition(".")[0] for segment in contract.segments if "." in segment]
        )
        self.reads_values = frozenset(one.reference for one in contract.deviations)
        self.any = bool(contract.deviations or contract.before or contract.outliers)

    def find(
        self, verdicts: Verdicts, skip: Collection[int], known: KnownRecords, baseline: Baseline | None
    ) -> dict[int, list[Rule]]:
        """Index → the broken rules, among records that are not rejected and not in ``skip``."""
        found: dict[int, list[Rule]] = {}
        places = [index for index, body in enumerate(verdicts.bodies) if body is not None and index not in skip]
        whole = len(places) == len(verdicts)
        columns: dict[str, list[Any]] = {}

        def column(name: str) -> list[Any]:
            if name not in columns:
                column = verdicts.column(name)
                columns[name] = column if whole else [column[index] for index in places]
            return columns[name]

        # Rules on the same number of the same groups are looked at together: mostly no record is outside of any.
        together: dict[tuple[str | None, str], list[tuple[Rule, dict[Any, Bounds]]]] = {}
        ids: dict[str | None, set[Any]] = {None: {None}}
        for rule, by, name, bounds_of in self._limits(known, baseline):
            if by is not None and by not in ids:
                ids[by] = set(column(by))
            usual = {one: bounds_of(one) for one in ids[by]}
            if any(bounds is not _ANYTHING for bounds in usual.values()):
                together.setdefault((by, name), []).append((rule, usual))
        for (by, name), limits in together.items():
            groups = column(by) if by is not None else None
            numbers = column(name)
            for row in _outside(groups, numbers, [usual for _, usual in limits]):
                for rule, usual in limits:
                    low, high = usual[groups[row] if groups is not None else None]
                    if not low <= numbers[row] <= high:
                        found.setdefault(places[row], []).append(rule)
        for before in self.contract.before:
            records = known.get(before.reference, {})
            for row in _before(column(before.field), column(before.reference), before.tolerance_ms, records):
                found.setdefault(places[row], []).append(before.rule)
        return found

    def _limits(
        self, known: KnownRecords, baseline: Baseline | None
    ) -> Iterator[tuple[Rule, str | None, str, Callable[[Any], Bounds]]]:
        """(rule, the field that makes groups, the number, group → its bounds) of deviations and outliers."""
        for deviation in self.contract.deviations:
            records = known.get(deviation.reference, {})
            yield deviation.rule, deviation.reference, deviation.field, partial(_around, deviation, records)
        for outlier in self.contract.outliers:
            bounds = baseline.bounds.get(outlier.rule.id) if baseline is not None else None
            if bounds:
                by = learned_by(outlier)
                records = known.get(by, {}) if by is not None else {}
                yield outlier.rule, by, outlier.field, partial(_usual, outlier.levels, bounds, records)

    def segments(self, verdicts: Verdicts, known: KnownRecords) -> dict[str, list[Any]]:
        """Segment → value by record, of those segments that are fields of a referenced record."""
        columns: dict[str, list[Any]] = {}
        for segment in self.contract.segments:
            reference, _, name = segment.partition(".")
            if name:
                records = known.get(reference, {})
                ids = verdicts.column(reference)
                value_of = {one: records[one].values.get(name) if one in records else None for one in set(ids)}
                columns[segment] = [value_of[one] for one in ids]
        return columns


_ANYTHING: Bounds = (-math.inf, math.inf)


def _outside(groups: list[Any] | None, numbers: list[Any], limits: list[dict[Any, Bounds]]) -> list[int]:
    """The rows whose number is outside of any of their group's limits; what is not positive is nobody's to compare."""
    within, *others = limits
    for other in others:
        within = {one: (max(low, other[one][0]), min(high, other[one][1])) for one, (low, high) in within.items()}
    if groups is None:
        low, high = within[None]
        return [row for row, n in enumerate(numbers) if n is not None and not low <= n <= high and n > 0]
    return [
        row
        for row, (n, group) in enumerate(zip(numbers, groups, strict=True))
        if n is not None and not (bounds := within[group])[0] <= n <= bounds[1] and n > 0
    ]


def _before(moments: list[Any], ids: list[Any], tolerance_ms: int, records: Mapping[Any, Known]) -> list[int]:
    """The rows whose moment is too long before the referenced record first appeared; mostly the earliest of all tells."""
    firsts = {one: records[one].first for one in set(ids) if one in records}
    latest = max(firsts.values(), default=0)
    if not latest:
        return []
    earliest = min((at for at in moments if at is not None), default=None)
    if earliest is None or earliest >= moment(latest - tolerance_ms):
        return []
    bounds = {one: moment(first - tolerance_ms) for one, first in firsts.items() if first}
    return [
        row
        for row, (at, one) in enumerate(zip(moments, ids, strict=True))
        if at is not None and (limit := bounds.get(one)) is not None and at < limit
    ]


def _usual(levels: tuple[str, ...], bounds: Mapping[str, Bounds], records: Mapping[Any, Known], group: Any) -> Bounds:
    """The bounds of the finest level that has any."""
    record = records.get(group)
    for level in levels or ("",):
        name = level.partition(".")[2]
        coarser = record.values.get(name) if name and record is not None else None
        place = f"{level}={coarser}" if name else "" if group is None else str(group)
        if place in bounds:
            return bounds[place]
    return _ANYTHING


def _around(deviation: Deviation, records: Mapping[Any, Known], group: Any) -> Bounds:
    """What is near enough to the listed value or the one before: an order may have been on its way when it changed."""
    record = records.get(group)
    found = [] if record is None else [record.values.get(deviation.value), record.earlier.get(deviation.value)]
    listed = [one for one in found if isinstance(one, (int, float))]  # noqa: UP038 - twice as fast
    if not listed:
        return _ANYTHING
    return min(listed) * (1 - deviation.tolerance), max(listed) * (1 + deviation.tolerance)


def updates(
    contract: Contract,
    fields: tuple[str, ...],
    verdicts: Verdicts,
    skip: Collection[int],
    known: Mapping[str, Known],
    dated: Sequence[bool],
) -> tuple[dict[str, Known], dict[int, list[Rule]]]:
    """What a batch makes known of its own keys, and which records are older than what was known.

    Args:
        contract: of the entity, with a ``key``.
        fields: what to keep of each record.
        verdicts: of the batch.
        skip: indexes of records that wait.
        known: what was known of the keys before the batch.
        dated: by record, True if its producer stated the moment. A record that was only sent then, as in an import of old
            customers, may be older: nobody knows when it first appeared.
    """
    key, stale = contract.key, contract.stale
    latest: dict[str, Known] = {}
    found: dict[int, list[Rule]] = {}
    keys = verdicts.column(key) if key is not None else [None] * len(verdicts)
    for index, (value, body) in enumerate(zip(keys, verdicts.bodies, strict=True)):
        if body is None or value is None or index in skip:
            continue
        identity, at = str(value), verdicts[index].event_ms
        before = latest.get(identity) or known.get(identity)
        kept = {name: verdicts.column(name)[index] for name in fields}
        if before is None:
            stated = contract.event_time is not None and verdicts.column(contract.event_time)[index] is not None
            first = at if stated or dated[index] else 0
            latest[identity] = Known(first, at, kept)
        elif at < before.latest:
            if stale is not None:
                found[index] = [stale.rule]
            latest[identity] = Known(min(at, before.first), before.latest, before.values, before.earlier)
        else:
            earlier = before.earlier if kept == before.values else before.values
            latest[identity] = Known(before.first, at, kept, earlier)
    return latest, found
