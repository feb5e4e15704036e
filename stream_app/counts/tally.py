"""Counting verdicts: what a batch adds to totals, windows, segments and distinct counts. Pure."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Literal

import msgspec

from stream_app.contract.model import Contract, Severity
from stream_app.contract.summary import order_is_unique, tells_worth
from stream_app.judge.baseline import WEEK_MS, learned
from stream_app.judge.batch import Verdicts
from stream_app.judge.verdict import Verdict
from stream_app.windows.calendar import milliseconds

Outcome = Literal["clean", "rejected", "pending"]
MASK = "•••"
#: The most minor units that one record adds to a sum: sums of many must stay integers of 64 bits.
MOST = 10**12
_EPOCH_MINUTES = date(1970, 1, 1).toordinal() * 1440
_FINDINGS_A_BATCH = 200
_PREVIEWS_A_BATCH = 20


class Tally:
    """Accumulates settled verdicts of one entity.

    Attributes:
        minutes: minute (epoch minutes) → field → increment (see ``stream_app.store.keys`` for the fields).
        customers, orders: minute → distinct texts among clean records.
        findings, previews: JSON-ready newest-last samples; findings hold no values but those of segments, which are never
            personal; previews mask personal fields.
        stream_ms: largest event time of a clean record, 0 when there is none.
    """

    def __init__(self, contract: Contract, learned: int = 0) -> None:
        self.contract = contract
        self._so_far = learned
        self.minutes: dict[int, defaultdict[str, int]] = {}
        self.customers: dict[int, set[str]] = {}
        self.orders: dict[int, set[str]] = {}
        self.findings: list[dict[str, Any]] = []
        self.previews: list[dict[str, Any]] = []
        self.stream_ms = 0
        self._learned: dict[str, Counter[tuple[Any, Any]]] = {}
        self._revenue = contract.revenue
        self._order = None if order_is_unique(contract) else contract.order
        self._optional = tuple(field.name for field in contract.fields if not field.required)
        self._priced = self._revenue is not None and not {self._revenue.quantity, self._revenue.price} & {*self._optional}
        self._telling = frozenset(rule.id for rule in contract.rules.values() if tells_worth(contract, rule))
        self._personal = frozenset(field.name for field in contract.fields if field.personal)

    def add_all(
        self,
        verdicts: Verdicts,
        pending: Collection[int],
        source: Callable[[int], str],
        segments: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """Count the records of a batch; those at the indexes in ``pending`` wait for their reference data.

        ``source`` gives the ``headrace.source`` of an index, ``segments`` the values of segments that are fields of a
        referenced record.
        """
        unknown = [None] * len(verdicts)
        columns = {name: (segments or {}).get(name, unknown) for name in self.contract.segments if "." in name}
        usual: list[int] = []
        marked = verdicts.marked
        apart = sorted({*marked, *pending})
        for index in apart:
            verdict = verdicts[index]
            outcome: Outcome = "pending" if index in pending else "rejected" if verdict.body is None else "clean"
            self.add(verdict, outcome, source(index), segments={name: column[index] for name, column in columns.items()})
            if outcome == "clean" and is_usual(verdict):
                usual.append(index)
        kept = sorted({*range(len(verdicts))}.difference(apart)) if apart else list(range(len(verdicts)))
        found = learned(self.contract, verdicts, usual + kept, self._so_far)
        for rule_id, counter in self._learned.items():
            found[rule_id].update(counter)
        self._learned = found
        if not kept:
            return
        minutes = self._minutes(verdicts, kept)
        # Neighbours mostly share their minute: count each run at once.
        begin = 0
        for end in (*(i for i, (a, b) in enumerate(pairwise(minutes), 1) if a != b), len(minutes)):
            self._clean_run(minutes[begin], _Run(verdicts, kept[begin:end], columns))
            begin = end

    def _minutes(self, verdicts: Verdicts, kept: list[int]) -> list[int]:
        """The minute of each record's event time, and the newest event time noted."""
        name = self.contract.event_time
        as_of = verdicts.as_of
        if name is None:
            self.stream_ms = max(self.stream_ms, *(as_of[index] for index in kept))
            return [as_of[index] // 60_000 for index in kept]
        moments = verdicts.column(name)
        told = [moments[index] for index in kept]
        dated = [moment for moment in told if moment is not None] if None in told else told
        if len(dated) < len(told):
            self.stream_ms = max(self.stream_ms, *(as_of[i] for i, moment in zip(kept, told, strict=True) if moment is None))
        if dated:
            self.stream_ms = max(self.stream_ms, milliseconds(max(dated)))
        return [
            moment.toordinal() * 1440 + moment.hour * 60 + moment.minute - _EPOCH_MINUTES
            if moment is not None
            else as_of[index] // 60_000
            for index, moment in zip(kept, told, strict=True)
        ]

    def _clean_run(self, minute: int, run: _Run) -> None:
        """Count clean records of one minute that have neither finding nor repair."""
        window = self._window(minute)
        window["in"] += len(run)
        window["clean"] += len(run)
        for name in self._optional:
            missing = run.column(name).count(None)
            if missing:
                window[f"n:{name}"] += missing
        amounts = self._amounts(run)
        if amounts:
            window["rev"] += sum(amounts)
        for field, distinct in ((self.contract.customer, self.customers), (self._order, self.orders)):
            if field is not None:
                distinct.setdefault(minute, set()).update([str(one) for one in {*run.column(field)} if one is not None])
        for name in self.contract.segments:
            column = run.column(name)
            worth: dict[Any, int] = {}
            for value, amount in zip(column, amounts, strict=False):
                worth[value] = worth.get(value, 0) + amount
            for value, count in Counter(column).items():
                text = _segment(value)
                window[f"s|{name}|in|{text}"] += count
                window[f"s|{name}|clean|{text}"] += count
                if amounts:
                    window[f"s|{name}|rev|{text}"] += worth[value]

    def _amounts(self, run: _Run) -> list[int]:
        """What each record is worth, in minor units; empty where the contract does not say."""
        if self._revenue is None:
            return []
        quantities, prices = run.column(self._revenue.quantity), run.column(self._revenue.price)
        if self._priced:
            amounts = [quantity * price * 100 for quantity, price in zip(quantities, prices, strict=True)]
            if min(amounts) >= -MOST and max(amounts) <= MOST:
                return list(map(round, amounts))
        return [_worth(quantity, price) for quantity, price in zip(quantities, prices, strict=True)]

    def _window(self, minute: int) -> defaultdict[str, int]:
        window = self.minutes.get(minute)
        if window is None:
            window = self.minutes[minute] = defaultdict(int)
        return window

    def add(
        self,
        verdict: Verdict,
        outcome: Outcome,
        source: str,
        *,
        waited: bool = False,
        segments: Mapping[str, Any] | None = None,
    ) -> None:
        """Count one record.

        ``waited``: it was counted as pending before and is settled now. ``segments``: the values of segments that are
        fields of a referenced record.
        """
        minute = verdict.event_ms // 60_000
        window = self._window(minute)
        window["pending" if waited else "in"] += -1 if waited else 1
        window[outcome] += 1
        values = verdict.values
        if self.contract.segments:
            self._segments(verdict, outcome, window, waited, segments or {})
        if outcome == "pending":
            return
        if values is not None:
            for name in self._optional:
                if values[name] is None and not verdict.breaks_structure(name):
                    window[f"n:{name}"] += 1
        for name in verdict.unknown:
            window[f"u:{name}"] += 1
        if outcome == "clean" and values is not None:
            self._clean(verdict, values, minute, window)
        if verdict.repairs:
            window["repaired"] += 1
            for repair in verdict.repairs:
                window[f"r:{repair}"] += 1
        if verdict.findings:
            self._broken(verdict, window, source, segments or {})

    def _clean(self, verdict: Verdict, values: dict[str, Any], minute: int, window: dict[str, int]) -> None:
        if verdict.event_ms > self.stream_ms:
            self.stream_ms = verdict.event_ms
        if self._revenue is not None:
            window["rev"] += self._amount(values)
        customer = self.contract.customer
        if customer is not None and values[customer] is not None:
            self.customers.setdefault(minute, set()).add(str(values[customer]))
        if self._order is not None and values[self._order] is not None:
            self.orders.setdefault(minute, set()).add(str(values[self._order]))

    def _broken(self, verdict: Verdict, window: dict[str, int], source: str, told: Mapping[str, Any]) -> None:
        values = verdict.values or {}
        here = {name: told.get(name) if "." in name else values.get(name) for name in self.contract.segments}
        # What stands in a field that is at fault may be anything, somebody's name in the place of a country, say.
        faulty = {rule.field for rule in verdict.findings}
        named = {name: _segment(value) for name, value in here.items() if value is not None and name not in faulty}
        risk = abs(self._amount(verdict.values))
        for rule in verdict.findings:
            window[f"f:{rule.id}"] += 1
            if risk and rule.id in self._telling:
                window[f"v:{rule.id}"] += risk
            if rule.severity is not Severity.INFO:
                self.findings.append(
                    {
                        "entity": self.contract.entity,
                        "rule": rule.id,
                        "severity": rule.severity,
                        "dimension": rule.dimension,
                        "path": rule.path,
                        "message": rule.message,
                        "source": source,
                        "event_time": verdict.event_ms,
                        "segments": named,
                    }
                )
        if len(self.findings) > 2 * _FINDINGS_A_BATCH:
            del self.findings[:-_FINDINGS_A_BATCH]

    def _amount(self, values: dict[str, Any] | None) -> int:
        """What a record is worth, in minor units; 0 where it cannot be told."""
        if self._revenue is None or values is None:
            return 0
        return _worth(values[self._revenue.quantity], values[self._revenue.price])

    def _segments(
        self, verdict: Verdict, outcome: Outcome, window: dict[str, int], waited: bool, told: Mapping[str, Any]
    ) -> None:
        values = verdict.values or {}
        for name in self.contract.segments:
            # Of a record that waits, the referenced record is not known: it is counted under no value till it settles.
            text = _segment(told.get(name) if "." in name and outcome != "pending" else values.get(name))
            if waited and "." in name:
                window[f"s|{name}|in|{_segment(None)}"] -= 1
            if not waited or "." in name:
                window[f"s|{name}|in|{text}"] += 1
            if outcome == "pending":
                continue
            window[f"s|{name}|{outcome}|{text}"] += 1
            if outcome == "clean" and self._revenue is not None:
                window[f"s|{name}|rev|{text}"] += self._amount(verdict.values)
            for rule in verdict.findings:
                window[f"s|{name}|f:{rule.id}|{text}"] += 1

    def learned(self) -> list[tuple[str, int, dict[str, int]]]:
        """What is usual among clean records that bear no warning: (rule id, week of event time, ``group|bucket`` → count)."""
        week = self.stream_ms // WEEK_MS
        return [
            (rule_id, week, {f"{group}|{place}": count for (group, place), count in counter.items()})
            for rule_id, counter in self._learned.items()
            if counter
        ]

    def totals(self) -> dict[str, int]:
        """Field → increment over all windows; segments are counted by window only."""
        merged: dict[str, int] = {}
        for window in self.minutes.values():
            for key, count in window.items():
                if not key.startswith("s|"):
                    merged[key] = merged.get(key, 0) + count
        return merged

    def show(self, rows: Iterable[tuple[Verdict, str]]) -> None:
        """Keep the newest clean ones of (verdict, source) rows, oldest first, for the preview."""
        clean = [{"verdict": verdict, "source": source} for verdict, source in rows if verdict.body is not None]
        self.previews = [*self.previews, *clean][-_PREVIEWS_A_BATCH:]

    def preview_json(self) -> list[bytes]:
        """The newest clean records as JSON, newest last, personal fields masked."""
        rows = []
        for preview in self.previews[-_PREVIEWS_A_BATCH:]:
            verdict: Verdict = preview["verdict"]
            rows.append(
                msgspec.json.encode(
                    {
                        "source": preview["source"],
                        "event_time": verdict.event_ms,
                        "record": msgspec.Raw(self._masked(verdict.body or b"{}")),
                        "repairs": list(verdict.repairs),
                        "warnings": [rule.id for rule in verdict.findings],
                    }
                )
            )
        return rows

    def _masked(self, body: bytes) -> bytes:
        if not self._personal:
            return body
        record = json.loads(body)
        for name in self._personal:
            if record.get(name) is not None:
                record[name] = MASK
        return json.dumps(record, separators=(",", ":")).encode()


def is_usual(verdict: Verdict) -> bool:
    """Whether a clean record may teach what is usual: nothing else about it was worth a warning.

    Outliers teach too: the bounds are made of quantiles that few of them cannot move, and a product that is unlike its
    category, or whose price has changed for good, would never get bounds of its own.
    """
    return all(rule.severity is Severity.INFO or rule.kind == "outlier" for rule in verdict.findings)


def _segment(value: Any) -> str:
    return "(none)" if value is None else str(value)[:80]


def _worth(quantity: float | None, price: float | None) -> int:
    """``quantity`` × ``price`` in minor units; what is beyond ``MOST`` counts as that, so that no sum overflows."""
    if quantity is None or price is None:
        return 0
    return round(max(-MOST, min(quantity * price * 100, MOST)))


class _Run:
    """Some records of a batch, by column; ``told`` holds the columns of fields of referenced records."""

    def __init__(self, verdicts: Verdicts, places: list[int], told: Mapping[str, Sequence[Any]]) -> None:
        self._verdicts, self._places, self._told = verdicts, places, told

    def __len__(self) -> int:
        return len(self._places)

    def column(self, name: str) -> list[Any]:
        column = self._told[name] if "." in name else self._verdicts.column(name)
        return [column[place] for place in self._places]
