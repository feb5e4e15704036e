"""Counts verdicts: what a batch adds to windows, totals, segments and distinct counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from itertools import compress, islice
from operator import ne
from typing import Any, Literal

from stream_app.contract.model import Contract, Rule, Severity
from stream_app.contract.segments import NONE, SegmentNames
from stream_app.contract.summary import order_is_unique, repeats, tells_worth
from stream_app.counts import fields
from stream_app.counts.fields import (
    AT_RISK,
    CANCELLED,
    CLEAN,
    DELETED,
    DOUBTED,
    DOUBTED_REVENUE,
    LATE,
    PENDING,
    RECEIVED,
    REPAIRED,
    REVENUE,
    SOLD,
    UNREADABLE,
    UNVALUED,
    WARNED,
    segment,
)
from stream_app.counts.samples import CLEAN_RECORDS, Samples
from stream_app.counts.selling import Role, among, counted, selling_of
from stream_app.counts.worth import Amounts
from stream_app.judge.baseline import WEEK_MS, learned
from stream_app.judge.batch import Verdicts
from stream_app.judge.verdict import Verdict
from stream_app.windows.as_of import UNKNOWN

#: How a record ends, and the field that counts it.
Outcome = Literal["clean", "rejected", "pending"]
_MINUTE_MS = 60_000
_EPOCH_MINUTES = date(1970, 1, 1).toordinal() * 1440


class Tally:
    """Accumulates settled verdicts of one entity.

    Attributes:
        minutes: epoch minute → field (``stream_app.counts.fields``) → increment.
        customers, orders: epoch minute → distinct values among clean records, as text.
        samples: the newest findings and clean records.
        stream_ms: the time that the stream has reached, as its ``windows.clock`` says; the caller sets it.
    """

    def __init__(self, contract: Contract, learned: int = 0, *, applied_ms: int = 0) -> None:
        """``learned``: values that the baseline in force was made of; ``applied_ms``: when a record without a time counts.

        A batch is applied once, so that the clock may decide there.
        """
        self.contract = contract
        self._applied_ms = applied_ms
        self.minutes: dict[int, defaultdict[str, int]] = {}
        self.customers: dict[int, set[str]] = {}
        self.orders: dict[int, set[str]] = {}
        self._names = SegmentNames(contract.listed)
        self.samples = Samples(contract)
        self.stream_ms = 0
        self._learned_before = learned
        self._learned: dict[str, Counter[tuple[Any, Any]]] = {}
        self._amounts = Amounts(contract)
        self._by_currency = self._amounts.by_currency
        self._selling = selling_of(contract)
        order = None if order_is_unique(contract) else contract.order
        self._distinct = [
            (name, distinct) for name, distinct in ((contract.customer, self.customers), (order, self.orders)) if name
        ]
        self._optional = tuple(field.name for field in contract.fields if not field.required)
        self._of_references = tuple(name for name in contract.segments if "." in name)

    # --- batches ------------------------------------------------------------------------------------------------------

    def add_all(
        self,
        verdicts: Verdicts,
        pending: Collection[int],
        source: Callable[[int], str],
        segments: Mapping[str, Sequence[Any]] | None = None,
        late: Collection[int] = (),
    ) -> None:
        """Count the records of a batch; those at the indexes in ``pending`` wait for their reference data.

        ``source`` gives the ``headrace.source`` of an index, ``segments`` the values of segments that are fields of a
        referenced record, ``late`` the indexes of the records that came after their window was final.
        """
        unknown = [None] * len(verdicts)
        columns = {name: (segments or {}).get(name, unknown) for name in self._of_references}
        marked = verdicts.marked
        deleted = verdicts.deleted
        apart = sorted({*marked, *pending, *deleted})
        usual: list[int] = []
        for index in apart:
            if index in deleted:
                self._count_deleted(verdicts.as_of[index])
                continue
            verdict: Verdict = verdicts[index]
            outcome: Outcome = "pending" if index in pending else "rejected" if verdict.body is None else "clean"
            self._count(verdict, outcome, {name: column[index] for name, column in columns.items()})
            if outcome == "clean" and is_usual(verdict):
                usual.append(index)
        unmarked = _Unmarked(verdicts, apart, columns)
        self._learn(verdicts, usual + unmarked.indexes)
        for minute, rows in self._by_minute(unmarked):
            self._count_clean(minute, rows)
        for index in late:
            self._window(self._minute(verdicts[index].event_ms))[LATE] += 1
        for index in _sampled(verdicts, pending):
            self.samples.add(verdicts[index], source(index), {name: column[index] for name, column in columns.items()})

    def _learn(self, verdicts: Verdicts, usual: list[int]) -> None:
        found = learned(self.contract, verdicts, usual, self._learned_before)
        for rule_id, counter in self._learned.items():
            found[rule_id].update(counter)
        self._learned = found

    def _by_minute(self, unmarked: _Unmarked) -> Iterator[tuple[int, _Rows]]:
        """Cut the records where the minute of event time changes: neighbours mostly share theirs."""
        if not unmarked.indexes:
            return
        minutes = self._minutes(unmarked)
        begin = 0
        for end in (*compress(range(1, len(minutes)), map(ne, minutes, islice(minutes, 1, None))), len(minutes)):
            yield minutes[begin], _Rows(unmarked, begin, end)
            begin = end

    def _minutes(self, unmarked: _Unmarked) -> list[int]:
        """Return the minute of each record's event time."""
        name, as_of = self.contract.event_time, unmarked.as_of
        if UNKNOWN in as_of:
            return [self._minute(unmarked.verdicts.event_ms(index)) for index in unmarked.indexes]
        if name is None:
            return [at // _MINUTE_MS for at in as_of]
        moments = unmarked.column(name)
        if None not in moments:
            oldest, newest = unmarked.verdicts.extent(name) or (min(moments), max(moments))
            return _minutes(moments, oldest, newest)
        return [at // _MINUTE_MS if moment is None else _minute(moment) for at, moment in zip(as_of, moments, strict=True)]

    def _minute(self, event_ms: int) -> int:
        return (self._applied_ms if event_ms == UNKNOWN else event_ms) // _MINUTE_MS

    def _count_clean(self, minute: int, rows: _Rows) -> None:
        """Count clean records of one minute that have neither finding nor repair."""
        window = self._window(minute)
        window[RECEIVED] += len(rows)
        window[CLEAN] += len(rows)
        for name in self._optional:
            missing = rows.column(name).count(None)
            if missing:
                window[fields.null(name)] += missing
        amounts = self._amounts.of_rows(rows)
        roles = self._count_roles(rows, window)
        if roles is not None:
            amounts = list(map(counted, roles, amounts))
        revenue = sum(amounts)
        if amounts:
            window[REVENUE] += revenue
        if self._by_currency is not None:
            part = None if roles is None else partial(_part, roles)
            for currency, minor in self._by_currency.sums(rows, part).items():
                window[fields.revenue_in(currency)] += minor
        for name, distinct in self._distinct:
            values = among(roles, rows.column(name))
            values.discard(None)
            distinct.setdefault(minute, set()).update(map(str, values))
        for name in self.contract.segments:
            column = rows.column(name)
            counts = Counter(column)
            worth: dict[Any, int] = dict.fromkeys(counts, revenue)
            if len(counts) > 1:
                worth = dict.fromkeys(counts, 0)
                for value, amount in zip(column, amounts, strict=False):
                    worth[value] += amount
            for value, count in counts.items():
                text = self._names.text(name, value)
                window[segment(name, RECEIVED, text)] += count
                window[segment(name, CLEAN, text)] += count
                if amounts:
                    window[segment(name, REVENUE, text)] += worth[value]

    def _count_roles(self, rows: _Rows, window: dict[str, int]) -> list[Role] | None:
        """Count sales and cancellations, and return the role of each record; None if the contract does not tell them apart."""
        if self._selling is None:
            return None
        roles = self._selling.of_rows(rows, len(rows))
        for name, number in ((SOLD, roles.count("sale")), (CANCELLED, roles.count("cancellation"))):
            if number:
                window[name] += number
        return roles

    # --- single records -----------------------------------------------------------------------------------------------

    def add(
        self,
        verdict: Verdict,
        outcome: Outcome,
        source: str,
        *,
        waited: bool = False,
        segments: Mapping[str, Any] | None = None,
        late: bool = False,
    ) -> None:
        """Count one record.

        ``late``: it came after its window was final. ``waited``: it was counted as pending before and is settled now.
        ``segments``: the values of segments that are fields of a referenced record.
        """
        self._count(verdict, outcome, segments or {}, waited=waited)
        if late:
            self._window(self._minute(verdict.event_ms))[LATE] += 1
        if outcome != "pending":
            self.samples.add(verdict, source, segments)

    def add_unreadable(self, as_of_ms: int, records: int) -> None:
        """Count the records of a batch that could not be read; the batch itself is counted as one rejected record."""
        self._window(self._minute(as_of_ms))[UNREADABLE] += records

    def _count_deleted(self, as_of_ms: int) -> None:
        window = self._window(self._minute(as_of_ms))
        window[RECEIVED] += 1
        window[DELETED] += 1

    def _count(self, verdict: Verdict, outcome: Outcome, segments: Mapping[str, Any], *, waited: bool = False) -> None:
        minute = self._minute(verdict.event_ms)
        window = self._window(minute)
        window[PENDING if waited else RECEIVED] += -1 if waited else 1
        window[outcome] += 1
        values = verdict.values
        if self.contract.segments:
            self._count_segments(verdict, outcome, window, segments, waited=waited)
        if outcome == "pending":
            return
        if values is not None:
            for name in self._optional:
                if values[name] is None and not verdict.breaks_structure(name):
                    window[fields.null(name)] += 1
        for name in verdict.unknown:
            window[fields.unknown(name)] += 1
        revenue = self._count_sale(values, minute, window) if outcome == "clean" and values is not None else 0
        if verdict.repairs:
            window[REPAIRED] += 1
            for repair in verdict.repairs:
                window[fields.repair(repair)] += 1
        if verdict.findings:
            self._count_findings(verdict, outcome, window, revenue)

    def _count_sale(self, values: dict[str, Any], minute: int, window: dict[str, int]) -> int:
        """Count a clean record among the sales, and return the revenue that it adds."""
        role: Role = "sale" if self._selling is None else self._selling.of(values)
        if self._selling is not None and role != "other":
            window[SOLD if role == "sale" else CANCELLED] += 1
        revenue = counted(role, self._amounts.of(values)) if self._amounts.known else 0
        if self._amounts.known:
            window[REVENUE] += revenue
        if self._by_currency is not None and (amount := self._by_currency.of(values)) is not None:
            window[fields.revenue_in(amount.currency)] += counted(role, amount.minor)
        if role == "sale":
            for name, distinct in self._distinct:
                if values[name] is not None:
                    distinct.setdefault(minute, set()).add(str(values[name]))
        return revenue

    def _count_findings(self, verdict: Verdict, outcome: Outcome, window: dict[str, int], revenue: int) -> None:
        values = verdict.values
        role: Role = "sale" if self._selling is None or values is None else self._selling.of(values)
        worth = abs(counted(role, self._amounts.of(values)))
        for rule in verdict.findings:
            window[fields.finding(rule.id)] += 1
            if worth and tells_worth(self.contract, rule):
                window[fields.value(rule.id)] += worth
        rules = [rule for rule in verdict.findings if rule.severity is not Severity.INFO]
        if not rules:
            return
        for name in {rule.dimension for rule in rules}:
            window[fields.dimension(name.value)] += 1
        if outcome == "clean":
            window[WARNED] += 1
        if self.contract.revenue is not None and not any(repeats(self.contract, rule) for rule in rules):
            self._count_risk(verdict, rules, role, window)
            if outcome == "clean" and not all(tells_worth(self.contract, rule) for rule in rules):
                window[DOUBTED] += 1
                window[DOUBTED_REVENUE] += revenue

    def _count_risk(self, verdict: Verdict, rules: list[Rule], role: Role, window: dict[str, int]) -> None:
        """Count once what a record with findings is worth: as revenue would count it, if nothing doubts it."""
        values = verdict.values
        total = self._amounts.of(values)
        amount = self._by_currency.of(values) if self._by_currency is not None and values is not None else None
        believed = all(tells_worth(self.contract, rule) for rule in rules)
        if believed and role == "other":
            return
        if not believed or not (total or (amount and amount.minor)):
            window[UNVALUED] += 1
            return
        for name, minor in ((AT_RISK, total), *(((fields.risk_in(amount.currency), amount.minor),) if amount else ())):
            if risk := abs(counted(role, minor)):
                window[name] += risk

    def _count_segments(
        self, verdict: Verdict, outcome: Outcome, window: dict[str, int], segments: Mapping[str, Any], *, waited: bool
    ) -> None:
        values = verdict.values or {}
        for name in self.contract.segments:
            of_reference = "." in name
            # The record that a pending one refers to is not known: it is counted under no value until it is settled.
            value = segments.get(name) if of_reference and outcome != "pending" else values.get(name)
            text = self._names.text(name, value)
            if waited and of_reference:
                window[segment(name, RECEIVED, NONE)] -= 1
            if not waited or of_reference:
                window[segment(name, RECEIVED, text)] += 1
            if outcome == "pending":
                continue
            window[segment(name, outcome, text)] += 1
            if outcome == "clean" and self._amounts.known:
                role: Role = self._selling.of(values) if self._selling is not None and values else "sale"
                window[segment(name, REVENUE, text)] += counted(role, self._amounts.of(verdict.values))
            for rule in verdict.findings:
                window[segment(name, fields.finding(rule.id), text)] += 1

    def _window(self, minute: int) -> defaultdict[str, int]:
        window = self.minutes.get(minute)
        if window is None:
            window = self.minutes[minute] = defaultdict(int)
        return window

    # --- results ------------------------------------------------------------------------------------------------------

    def totals(self) -> dict[str, int]:
        """Return field → increment over all windows; segments are counted by window only."""
        return fields.totals(self.minutes.values())

    def learned(self) -> list[tuple[str, int, dict[str, int]]]:
        """Return what is usual among clean records without a warning: (rule id, week, ``group|bucket`` → count)."""
        week = self.stream_ms // WEEK_MS
        return [
            (rule_id, week, {f"{group}|{bucket}": count for (group, bucket), count in counter.items()})
            for rule_id, counter in self._learned.items()
            if counter
        ]


def is_usual(verdict: Verdict) -> bool:
    """True if a clean record may teach what is usual: it has no other warning than of outliers.

    Outliers teach too: the bounds are made of quantiles that few of them cannot move, and a product that is unlike its
    category, or whose price has changed for good, would never get bounds of its own.
    """
    return all(rule.severity is Severity.INFO or rule.kind == "outlier" for rule in verdict.findings)


def _part(roles: Sequence[Role], index: int, minor: int) -> int:
    return counted(roles[index], minor)


def _sampled(verdicts: Verdicts, pending: Collection[int]) -> list[int]:
    """Return the indexes of a batch's samples: settled records with findings, and the newest clean ones."""
    bodies = verdicts.bodies
    clean = (index for index in range(len(bodies) - 1, -1, -1) if bodies[index] is not None and index not in pending)
    found = (index for index, verdict in verdicts.marked.items() if verdict.findings and index not in pending)
    return sorted({*islice(clean, CLEAN_RECORDS), *found})


class _Unmarked:
    """The records of a batch without those ``apart``, by column.

    ``of_references`` holds the columns of fields of referenced records.
    """

    def __init__(self, verdicts: Verdicts, apart: list[int], of_references: Mapping[str, Sequence[Any]]) -> None:
        self.verdicts, self._of_references = verdicts, of_references
        self._kept = bytearray(b"\1") * len(verdicts) if apart else None
        for index in apart:
            self._kept[index] = 0  # type: ignore[index]
        self._columns: dict[str, Sequence[Any]] = {}
        self.indexes = list(self._of(range(len(verdicts))))
        self.as_of = self._of(verdicts.as_of)

    def _of(self, column: Sequence[Any]) -> Sequence[Any]:
        return column if self._kept is None else list(compress(column, self._kept))

    def column(self, name: str) -> Sequence[Any]:
        column = self._columns.get(name)
        if column is None:
            whole = self._of_references[name] if "." in name else self.verdicts.column(name)
            column = self._columns[name] = self._of(whole)
        return column


class _Rows:
    """Neighbours among the unmarked records of a batch, by column."""

    def __init__(self, unmarked: _Unmarked, begin: int, end: int) -> None:
        self._unmarked, self._begin, self._end = unmarked, begin, end

    def __len__(self) -> int:
        return self._end - self._begin

    def column(self, name: str) -> Sequence[Any]:
        return self._unmarked.column(name)[self._begin : self._end]


def _minutes(moments: Sequence[datetime], oldest: datetime, newest: datetime) -> list[int]:
    """Return ``_minute`` of each moment; mostly a batch is of one minute or two, and a comparison tells."""
    last = _minute(newest)
    turn = newest.replace(second=0, microsecond=0)
    if oldest >= turn:
        return [last] * len(moments)
    if _minute(oldest) == last - 1:
        return [last if moment >= turn else last - 1 for moment in moments]
    return list(map(_minute, moments))


def _minute(moment: datetime) -> int:
    """Return the minutes since the epoch of a moment in UTC."""
    return moment.toordinal() * 1440 + moment.hour * 60 + moment.minute - _EPOCH_MINUTES
