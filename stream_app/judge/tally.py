"""Counting verdicts: what a batch adds to totals, windows, segments and distinct counts. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Literal

from stream_app.contract.model import Contract, Severity
from stream_app.judge.verdict import Verdict

Outcome = Literal["clean", "rejected", "pending"]
MASK = "•••"
#: The most minor units that one record adds to a sum: sums of many must stay integers of 64 bits.
MOST = 10**12
_FINDINGS_A_BATCH = 200
_PREVIEWS_A_BATCH = 20


class Tally:
    """Accumulates settled verdicts of one entity.

    Attributes:
        minutes: minute (epoch minutes) → field → increment (see ``stream_app.store.keys`` for the fields).
        customers, orders: minute → distinct texts among clean records.
        findings, previews: JSON-ready newest-last samples; findings never hold values, previews mask personal fields.
        stream_ms: largest event time of a clean record, 0 when there is none.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.minutes: dict[int, defaultdict[str, int]] = {}
        self.customers: dict[int, set[str]] = {}
        self.orders: dict[int, set[str]] = {}
        self.findings: list[dict[str, Any]] = []
        self.previews: list[dict[str, Any]] = []
        self.stream_ms = 0
        self._revenue = contract.revenue
        self._order = None if order_is_unique(contract) else contract.order
        self._personal = frozenset(field.name for field in contract.fields if field.personal)

    def add(self, verdict: Verdict, outcome: Outcome, source: str, *, waited: bool = False) -> None:
        """Count one record. ``waited``: it was counted as pending before and is settled now."""
        minute = verdict.event_ms // 60_000
        window = self.minutes.get(minute)
        if window is None:
            window = self.minutes[minute] = defaultdict(int)
        window["pending" if waited else "in"] += -1 if waited else 1
        window[outcome] += 1
        values = verdict.values
        if self.contract.segments:
            self._segments(verdict, outcome, window, waited)
        if outcome == "pending":
            return
        if outcome == "clean" and values is not None:
            self._clean(verdict, values, minute, window)
        if verdict.repairs:
            window["repaired"] += 1
            for repair in verdict.repairs:
                window[f"r:{repair}"] += 1
        if verdict.findings:
            self._broken(verdict, window, source)

    def _clean(self, verdict: Verdict, values: dict[str, Any], minute: int, window: dict[str, int]) -> None:
        if verdict.event_ms > self.stream_ms:
            self.stream_ms = verdict.event_ms
        revenue = self._revenue
        if revenue is not None:
            quantity, price = values[revenue.quantity], values[revenue.price]
            if quantity is not None and price is not None:
                window["rev"] += _minor(quantity, price)
        customer = self.contract.customer
        if customer is not None and values[customer] is not None:
            self.customers.setdefault(minute, set()).add(str(values[customer]))
        if self._order is not None and values[self._order] is not None:
            self.orders.setdefault(minute, set()).add(str(values[self._order]))

    def _broken(self, verdict: Verdict, window: dict[str, int], source: str) -> None:
        risk = self._value(verdict.values)
        for rule in verdict.findings:
            window[f"f:{rule.id}"] += 1
            if risk:
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
                    }
                )
        if len(self.findings) > 2 * _FINDINGS_A_BATCH:
            del self.findings[:-_FINDINGS_A_BATCH]

    def _value(self, values: dict[str, Any] | None) -> int:
        if self._revenue is None or values is None:
            return 0
        quantity, price = values[self._revenue.quantity], values[self._revenue.price]
        if quantity is None or price is None:
            return 0
        return abs(_minor(quantity, price))

    def _segments(self, verdict: Verdict, outcome: Outcome, window: dict[str, int], waited: bool) -> None:
        for name in self.contract.segments:
            value = verdict.values[name] if verdict.values is not None else None
            text = "(none)" if value is None else str(value)[:80]
            if not waited:
                window[f"s|{name}|in|{text}"] += 1
            if outcome == "rejected":
                window[f"s|{name}|rejected|{text}"] += 1
            if outcome != "pending":
                for rule in verdict.findings:
                    window[f"s|{name}|f:{rule.id}|{text}"] += 1

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

    def preview_json(self) -> list[str]:
        """The newest clean records as JSON, newest last, personal fields masked."""
        rows = []
        for preview in self.previews[-_PREVIEWS_A_BATCH:]:
            verdict: Verdict = preview["verdict"]
            record = json.loads(verdict.body or b"{}")
            for name in self._personal:
                if record.get(name) is not None:
                    record[name] = MASK
            rows.append(
                json.dumps(
                    {
                        "source": preview["source"],
                        "event_time": verdict.event_ms,
                        "record": record,
                        "repairs": list(verdict.repairs),
                        "warnings": [rule.id for rule in verdict.findings],
                    },
                    ensure_ascii=False,
                    separators=(",", ":"),
                )
            )
        return rows


def _minor(quantity: float, price: float) -> int:
    """``quantity`` × ``price`` in minor units; what is beyond ``MOST`` counts as that, so that no sum overflows."""
    return round(max(-MOST, min(quantity * price * 100, MOST)))


def order_is_unique(contract: Contract) -> bool:
    """Whether each clean record is an order of its own, so that orders need no distinct count."""
    return any(unique.among == "kept" and unique.fields == (contract.order,) for unique in contract.uniques)
