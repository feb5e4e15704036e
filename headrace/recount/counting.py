"""Count records minute by minute, one at a time: the truth that pages and reports must show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headrace.recount.topics import Delivered, header
from stream_app.contract import Contract, Shop
from stream_app.contract.money import minor_units
from stream_app.contract.segments import NONE, SegmentNames
from stream_app.errors import SettingsError
from stream_app.judge.judge import Judge
from stream_app.judge.verdict import Verdict
from stream_app.kafka.as_of import as_of
from stream_app.names import FINDINGS, LATE, REPAIRS, UNKNOWN, WARNINGS

#: What is counted: a name, and a rule, field, dimension or (segment field, value, name) behind it.
Key = tuple[str, ...]
_HOUR = 3_600


@dataclass(slots=True)
class Sum:
    """Counts of some minutes. ``possible``: how much more there may be of a count of a segment (see ``Recount``)."""

    counts: Counter[Key] = field(default_factory=Counter)
    possible: Counter[Key] = field(default_factory=Counter)
    customers: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)

    def add(self, other: Sum) -> None:
        """Add the counts of other minutes."""
        self.counts.update(other.counts)
        self.possible.update(other.possible)
        self.customers |= other.customers
        self.orders |= other.orders

    def __getitem__(self, key: str | Key) -> int:
        """Return one count."""
        return self.counts[(key,) if isinstance(key, str) else key]

    def named(self, kind: str) -> dict[str, int]:
        """Return name → count of the counts of a kind, without zeros."""
        return {key[1]: number for key, number in self.counts.items() if len(key) == 2 and key[0] == kind and number}


class Recount:
    """The records of one entity.

    A segment that is a field of a referenced record has the value that was known when the record was judged, which no topic
    says. Where the referenced record had several values, each may be right: those counts have bounds.
    """

    def __init__(self, contract: Contract) -> None:
        if contract.revenue is not None and contract.revenue.currency_field is not None:
            raise SettingsError(f"{contract.file}: amounts by currency cannot be recounted yet; recount another shop")
        self.contract = contract
        self.minutes: dict[int, Sum] = {}
        self.hours: dict[int, Sum] = {}

    def between(self, start: int, end: int) -> Sum:
        """Return the sum of the minutes from ``start`` up to ``end`` (s)."""
        whole = start % _HOUR == 0 and end % _HOUR == 0
        total = Sum()
        for at, part in (self.hours if whole else self.minutes).items():
            if start <= at < end:
                total.add(part)
        return total

    def everything(self) -> Sum:
        """Return the sum over all time."""
        return self.between(-(2**62) // _HOUR * _HOUR, 2**62 // _HOUR * _HOUR)

    def close(self) -> None:
        """Add the minutes up to hours."""
        for at, part in self.minutes.items():
            self.hours.setdefault(at // _HOUR * _HOUR, Sum()).add(part)

    # --- one record ---------------------------------------------------------------------------------------------------

    def minute(self, event_ms: int) -> Sum:
        """Return the minute of a moment."""
        return self.minutes.setdefault(event_ms // 60_000 * 60, Sum())

    def add(self, record: Counted, segments: Mapping[str, set[str]]) -> None:
        """Count one record; ``segments``: segment field → the values that it may have had."""
        contract, into = self.contract, self.minute(record.event_ms)
        rules = [contract.rules[one] for one in record.rules]
        doubts = [rule for rule in rules if rule.severity != "info"]
        counts = into.counts
        counts[("received",)] += 1
        counts[("late",)] += record.late
        if record.deletes:
            counts[("deleted",)] += 1
            return
        counts[("clean" if record.clean else "rejected",)] += 1
        counts[("repaired",)] += bool(record.repairs)
        counts[("warned",)] += bool(record.clean and doubts)
        counts.update([("repair", one) for one in record.repairs])
        counts.update([("unknown", one) for one in record.unknown])
        counts.update([("finding", rule.id) for rule in rules])
        counts.update({("dimension", rule.dimension.value) for rule in doubts})
        if record.values is not None:
            broken = {rule.field for rule in rules if rule.kind == "structure"}
            optional = [one.name for one in contract.fields if not one.required]
            counts.update([("null", one) for one in optional if record.values.get(one) is None and one not in broken])
        revenue = self._sale(record, into) if record.clean else 0
        if contract.revenue is not None and doubts:
            self._risk(record, counts, revenue)
        for name, values in segments.items():
            outcome = "clean" if record.clean else "rejected"
            for value in values:
                part = into.counts if len(values) == 1 else into.possible
                part[("segment", name, value, "received")] += 1
                part[("segment", name, value, outcome)] += 1
                part[("segment", name, value, "revenue")] += revenue
                part.update([("segment", name, value, rule.id) for rule in rules])

    def _amount(self, values: Mapping[str, Any] | None) -> int:
        revenue = self.contract.revenue
        if revenue is None or values is None:
            return 0
        quantity, price = values.get(revenue.quantity), values.get(revenue.price)
        return 0 if quantity is None or price is None else round(quantity * price * minor_units(revenue.currency))

    def _role(self, values: Mapping[str, Any] | None) -> str:
        sale, cancels = self.contract.sale, self.contract.cancellation
        if values is not None and cancels is not None and values.get(cancels.field) in cancels.values:
            return "cancellation"
        return "sale" if values is None or sale is None or values.get(sale.field) in sale.values else "other"

    def _sale(self, record: Counted, into: Sum) -> int:
        """Count a clean record among sales or cancellations; return its revenue."""
        contract, values = self.contract, record.values or {}
        sale, cancels = contract.sale, contract.cancellation
        amount = self._amount(values)
        if cancels is not None and values.get(cancels.field) in cancels.values:
            into.counts[("cancelled",)] += 1
            amount = min(amount, 0)
        elif sale is None or values.get(sale.field) in sale.values:
            into.counts[("sold",)] += 1
            for name, found in ((contract.customer, into.customers), (contract.order, into.orders)):
                if name is not None and values.get(name) is not None:
                    found.add(str(values[name]))
        else:
            amount = 0
        into.counts[("revenue",)] += amount
        return amount

    def _risk(self, record: Counted, counts: Counter[Key], revenue: int) -> None:
        """Count what a record with errors or warnings is worth: once, and in each rule that does not doubt the amount.

        A clean record whose amount a warning doubts is counted, too, with the revenue that it added.
        """
        contract, money = self.contract, self.contract.revenue
        roles = {one.field for one in (contract.sale, contract.cancellation) if one is not None}
        fields = roles | (money.fields if money is not None else frozenset())
        repeats = repeating(contract)
        rules = [rule for rule in map(contract.rules.__getitem__, record.rules) if rule.severity != "info"]
        trusted = [
            rule for rule in rules if rule.field not in fields and rule.kind not in {"condition", "outlier", "deviation"}
        ]
        amount, role = self._amount(record.values), self._role(record.values)
        # As revenue would count it: a cancellation takes back, another state of an order is nothing.
        worth = abs(amount if role == "sale" else min(amount, 0) if role == "cancellation" else 0)
        for rule in trusted:
            if rule.id not in repeats:
                counts["at_risk", rule.id] += worth
        if not any(rule.id in repeats for rule in rules):
            believed = len(trusted) == len(rules)
            counts[("risk",)] += worth if believed else 0
            counts[("unvalued",)] += not believed or (not amount and role != "other")
            if record.clean and not believed:
                counts[("doubted",)] += 1
                counts[("doubted_revenue",)] += revenue


def repeating(contract: Contract) -> set[str]:
    """Return the rules whose findings repeat a record, and are worth nothing: keys, not other fields that must be unique."""
    key = {contract.key}
    primary = next((set(one.fields) for one in contract.uniques if one.contradiction is not None), key)
    return {one.rule.id for one in contract.uniques if primary <= set(one.fields) or set(one.fields) == key}


@dataclass(frozen=True, slots=True)
class Counted:
    """One record with a verdict; ``values``: None if it is not an object; ``deletes``: a tombstone."""

    event_ms: int
    clean: bool
    rules: list[str]
    values: Mapping[str, Any] | None = None
    repairs: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    late: bool = False
    deletes: bool = False


def recount(shop: Shop, delivered: Mapping[str, Delivered]) -> dict[str, Recount]:
    """Count the records of a shop.

    Raises:
        SettingsError: raw records have no outcome yet, so that there is nothing to compare with.
    """
    found: dict[str, Recount] = {}
    #: Entity → key → field → values that it had.
    known: dict[str, dict[str, dict[str, set[str | None]]]] = {}
    for entity, contract in shop.contracts.items():
        one, into = delivered[entity], Recount(contract)
        open_ = one.raw.keys() - one.clean.keys() - one.dead.keys()
        if open_:
            raise SettingsError(f"{len(open_):,} {entity} have no verdict yet; wait until `headrace status` shows no lag")
        judge = Judge(contract)
        for source, record in one.clean.items():
            row = _clean(contract, record, one.raw.get(source, record))
            into.add(row, _segments(contract, row, known))
            if row.values is not None and contract.key is not None:
                fields = known.setdefault(entity, {}).setdefault(str(row.values[contract.key]), {})
                for name, value in row.values.items():
                    fields.setdefault(name, set()).add(value if isinstance(value, str | None) else str(value))
        for source, record in one.dead.items():
            row = _dead(judge, record, one.raw.get(source, record))
            into.add(row, _segments(contract, row, known))
        into.close()
        found[entity] = into
    return found


def _clean(contract: Contract, record: Any, raw: Any) -> Counted:
    late = bool(header(record, LATE))
    if record.value is None:
        return Counted(as_of(raw), clean=True, rules=[], late=late, deletes=True)
    values = json.loads(record.value)
    moment = values.get(contract.event_time) if contract.event_time else None
    event_ms = as_of(raw) if moment is None else round(datetime.fromisoformat(moment).timestamp() * 1000)
    return Counted(
        event_ms, clean=True, rules=_rules(record, WARNINGS), values=values, late=late, repairs=_names(record, REPAIRS),
        unknown=_names(record, UNKNOWN),
    )  # fmt: skip


def _dead(judge: Judge, record: Any, raw: Any) -> Counted:
    verdict: Verdict = judge.judge(raw.value, as_of(raw))
    return Counted(
        verdict.event_ms, clean=False, rules=_rules(record, FINDINGS), values=verdict.values, repairs=verdict.repairs,
        unknown=verdict.unknown, late=bool(header(record, LATE)),
    )  # fmt: skip


def _rules(record: Any, name: str) -> list[str]:
    return [one["rule"] for one in json.loads(header(record, name) or b"[]")]


def _names(record: Any, name: str) -> tuple[str, ...]:
    return tuple(json.loads(header(record, name) or b"[]"))


def _segments(contract: Contract, row: Counted, known: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the values that each segment field of a record may have had."""
    values, names = row.values or {}, SegmentNames(contract.listed)
    found: dict[str, set[str]] = {}
    for name in contract.segments:
        near, dot, far = name.partition(".")
        if not dot:
            found[name] = {names.text(name, values.get(name))}
            continue
        entity = next(one.to_entity for one in contract.references if one.field == near)
        referenced = known.get(entity, {}).get(str(values.get(near)), {})
        possible = [names.text(name, value) for value in referenced.get(far, ())]
        # A rejected record does not wait: what it refers to may have become known later.
        found[name] = {*possible, *([] if row.clean and possible else [NONE])}
    return found
