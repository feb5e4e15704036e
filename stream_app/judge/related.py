"""Rules over other records: list prices, first appearances, older updates, usual numbers. Pure.

The caller brings what is known of other records and stores the findings before it sends anything, so that a repeated batch
gets the same verdicts whatever has changed since.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import filterfalse
from typing import Any

from stream_app.contract.model import Contract, Deviation, Rule, Shop
from stream_app.contract.segments import SegmentNames, listed_values
from stream_app.judge.baseline import Baseline, Bounds, learned_by
from stream_app.judge.batch import Verdicts
from stream_app.windows.as_of import UNKNOWN
from stream_app.windows.calendar import moment

#: Groups whose bounds are remembered per rule; beyond this they are made afresh.
_REMEMBERED = 100_000
#: The stored value of a known id when no rule asks for more than its existence.
PLAIN = "1"


@dataclass(frozen=True, slots=True)
class Known:
    """The stored part of a record that others refer to.

    Attributes:
        first: event time of its first appearance, ms; 0 if unknown.
        latest: event time of its latest update, ms.
        values: the fields that rules ask for, as of the latest update.
        earlier: the same fields before that update.
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
        """Read what ``to_json`` wrote; return an empty one for anything else."""
        try:
            plain = json.loads(text)
            return cls(int(plain["f"]), int(plain["t"]), plain["v"], plain["p"])
        except (ValueError, KeyError, TypeError):
            return cls()


def wanted(shop: Shop, entity: str) -> tuple[str, ...] | None:
    """Return the fields of ``entity`` that rules ask for; ``None`` if none asks for more than a record's existence."""
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
    """The rules of one entity over other records."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        #: Reference fields whose record the rules and segments read.
        self.reads = frozenset(
            [deviation.reference for deviation in contract.deviations]
            + [before.reference for before in contract.before]
            + [level.partition(".")[0] for one in contract.outliers for level in one.levels if "." in level]
            + [segment.partition(".")[0] for segment in contract.segments if "." in segment]
        )
        #: Of those, the ones whose values are compared and may change, so that they are looked up in each batch.
        self.reads_values = frozenset(one.reference for one in contract.deviations)
        self.any = bool(contract.deviations or contract.before or contract.outliers)
        self._remembered: dict[str, tuple[Baseline | None, dict[Any, tuple[Known | None, Bounds]]]] = {}
        #: (what is read, reference field) → the memory that it was read of, its last deletion, and id → what was read.
        self._read: dict[tuple[str, str], tuple[Mapping[Any, Known], int | None, dict[Any, Any]]] = {}

    def find(
        self, verdicts: Verdicts, skip: Collection[int], known: KnownRecords, baseline: Baseline | None
    ) -> dict[int, list[Rule]]:
        """Return index → broken rules, of records that are not rejected and not in ``skip``."""
        found: dict[int, list[Rule]] = {}
        column, bodies = verdicts.column, verdicts.bodies
        # Rules on the same number and groups are tested together: mostly no record is outside of any. So whole columns are
        # tested, and what is rejected or skipped is left out of the few that are.
        together: dict[tuple[str | None, str], list[tuple[Rule, dict[Any, Bounds]]]] = {}
        for rule, by, name, bounds_of in self._limits(known, baseline):
            groups = verdicts.distinct(by) if by is not None else {None}
            limits = self._bounds(rule.id, groups, known.get(by, {}) if by is not None else {}, baseline, bounds_of)
            if any(bounds is not _UNBOUNDED for bounds in limits.values()):
                together.setdefault((by, name), []).append((rule, limits))
        for (by, name), rules in together.items():
            group_of = column(by) if by is not None else None
            numbers = column(name)
            for row in _outside(group_of, numbers, [limits for _, limits in rules]):
                if bodies[row] is None or row in skip:
                    continue
                for rule, limits in rules:
                    low, high = limits[group_of[row] if group_of is not None else None]
                    if not low <= numbers[row] <= high:
                        found.setdefault(row, []).append(rule)
        for before in self.contract.before:
            ids, records = verdicts.distinct(before.reference), known.get(before.reference, {})
            firsts = self._of_each("first", before.reference, ids, records, _first)
            for row in _before(column(before.field), column(before.reference), before.tolerance_ms, ids, firsts):
                if bodies[row] is not None and row not in skip:
                    found.setdefault(row, []).append(before.rule)
        return found

    def _bounds(
        self,
        rule: str,
        groups: Collection[Any],
        records: Mapping[Any, Known],
        baseline: Baseline | None,
        bounds_of: Callable[[Any], Bounds],
    ) -> dict[Any, Bounds]:
        """Return group → bounds; remembered ones where baseline and referenced record are the same objects as before."""
        made_of, remembered = self._remembered.get(rule, (None, {}))
        if made_of is not baseline or len(remembered) > _REMEMBERED:
            remembered = {}
        self._remembered[rule] = baseline, remembered
        limits: dict[Any, Bounds] = {}
        for group in groups:
            record = records.get(group)
            known = remembered.get(group)
            if known is None or known[0] is not record:
                known = remembered[group] = record, bounds_of(group)
            limits[group] = known[1]
        return limits

    def _limits(
        self, known: KnownRecords, baseline: Baseline | None
    ) -> Iterator[tuple[Rule, str | None, str, Callable[[Any], Bounds]]]:
        """Yield (rule, field that makes the groups, number, group → its bounds) of deviations and outliers."""
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
        """Return segment → value by record, for segments that are fields of a referenced record."""
        columns: dict[str, list[Any]] = {}
        for segment in self.contract.segments:
            reference, _, name = segment.partition(".")
            if name:
                ids, records = verdicts.distinct(reference), known.get(reference, {})
                values = self._of_each(segment, reference, ids, records, partial(_value, name))
                columns[segment] = list(map(values.get, verdicts.column(reference)))
        return columns

    def _of_each(
        self, what: str, reference: str, ids: Collection[Any], records: Mapping[Any, Known], read: Callable[[Known], Any]
    ) -> dict[Any, Any]:
        """Return id → ``what`` is read of its record, of each of ``ids`` that is known, and perhaps of others.

        A memory of referenced records never changes what it says of one, except where values are compared, too, and where one
        was deleted and came again.
        """
        deletion = getattr(records, "seen", None)
        made_of, as_of_deletion, found = self._read.get((what, reference), (None, None, {}))
        if made_of is not records or as_of_deletion != deletion or reference in self.reads_values:
            found = {}
            self._read[what, reference] = records, deletion, found
        for one in filterfalse(found.__contains__, ids):
            if one in records:
                found[one] = read(records[one])
        return found


def _first(record: Known) -> int:
    return record.first


def _value(name: str, record: Known) -> Any:
    return record.values.get(name)


_UNBOUNDED: Bounds = (-math.inf, math.inf)


def _outside(groups: list[Any] | None, numbers: list[Any], limits: list[dict[Any, Bounds]]) -> list[int]:
    """Return the rows whose number is outside of one of the limits of its group; null and numbers up to 0 are not compared."""
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


def _before(
    moments: list[Any], ids: list[Any], tolerance_ms: int, distinct: Collection[Any], firsts: Mapping[Any, int]
) -> list[int]:
    """Return the rows whose moment is too long before the referenced record first appeared.

    Mostly the earliest moment of the batch is late enough, and no row needs a look.
    """
    latest = max(filter(None, map(firsts.get, distinct)), default=0)
    if not latest:
        return []
    earliest = min((at for at in moments if at is not None), default=None)
    if earliest is None or earliest >= moment(latest - tolerance_ms):
        return []
    bounds = {one: moment(first - tolerance_ms) for one in distinct if (first := firsts.get(one))}
    return [
        row
        for row, (at, one) in enumerate(zip(moments, ids, strict=True))
        if at is not None and (limit := bounds.get(one)) is not None and at < limit
    ]


def _usual(levels: tuple[str, ...], bounds: Mapping[str, Bounds], records: Mapping[Any, Known], group: Any) -> Bounds:
    """Return the bounds of the finest level that has any."""
    record = records.get(group)
    for level in levels or ("",):
        name = level.partition(".")[2]
        coarser = record.values.get(name) if name and record is not None else None
        key = f"{level}={coarser}" if name else "" if group is None else str(group)
        if key in bounds:
            return bounds[key]
    return _UNBOUNDED


def _around(deviation: Deviation, records: Mapping[Any, Known], group: Any) -> Bounds:
    """Return the bounds around the listed value and the one before: an order may have been under way when it changed."""
    record = records.get(group)
    found = [] if record is None else [record.values.get(deviation.value), record.earlier.get(deviation.value)]
    listed = [one for one in found if isinstance(one, (int, float))]  # a tuple is twice as fast as a union
    if not listed:
        return _UNBOUNDED
    return min(listed) * (1 - deviation.tolerance), max(listed) * (1 + deviation.tolerance)


def updates(
    contract: Contract,
    fields: tuple[str, ...],
    verdicts: Verdicts,
    skip: Collection[int],
    known: Mapping[str, Known],
    dated: Sequence[bool],
) -> tuple[dict[str, Known], dict[int, list[Rule]]]:
    """Return what a batch makes known of its own keys, and index → rules for updates older than what was known.

    Args:
        contract: of the entity, with a ``key``.
        fields: what to keep of each record.
        verdicts: of the batch.
        skip: indexes of records that wait.
        known: what was known of the keys before the batch.
        dated: by record, True if its producer set the moment. Otherwise the moment is when the record was sent; in
            an import of old customers that says nothing of its first appearance.
    """
    key, stale = contract.key, contract.stale
    texts = SegmentNames({name: listed_values(contract, name) for name in fields})
    latest: dict[str, Known] = {}
    found: dict[int, list[Rule]] = {}
    keys = verdicts.column(key) if key is not None else [None] * len(verdicts)
    for index, (value, body) in enumerate(zip(keys, verdicts.bodies, strict=True)):
        if body is None or value is None or index in skip:
            continue
        identity = str(value)
        # A record is at most as new as its as-of moment: one that is dated ahead must not make all later updates stale.
        at, as_of = verdicts[index].event_ms, verdicts.as_of[index]
        at = at if as_of == UNKNOWN else min(at, as_of)
        before = latest.get(identity) or known.get(identity)
        kept = {name: texts.kept(name, verdicts.column(name)[index]) for name in fields}
        if before is None:
            has_time = contract.event_time is not None and verdicts.column(contract.event_time)[index] is not None
            first = at if has_time or dated[index] else 0
            latest[identity] = Known(first, max(0, at), kept)
        elif at == UNKNOWN:
            # The order of offsets decides.
            earlier = before.earlier if kept == before.values else before.values
            latest[identity] = Known(before.first, before.latest, kept, earlier)
        elif at < before.latest:
            if stale is not None:
                found[index] = [stale.rule]
            latest[identity] = Known(min(at, before.first), before.latest, before.values, before.earlier)
        else:
            earlier = before.earlier if kept == before.values else before.values
            latest[identity] = Known(before.first, at, kept, earlier)
    return latest, found
