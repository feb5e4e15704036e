"""Judges files without Kafka or Redis: the same judge, references and uniqueness in memory."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from stream_app.contract.model import Contract, Severity, Shop
from stream_app.judge import Judge, Verdict
from stream_app.judge.summary import EntityTotals, describe, summarise
from stream_app.judge.tally import Outcome, Tally
from stream_app.worker.engine import unique_id

_EXAMPLES = 3


class Record(Protocol):
    """What producers hand on (``producers.record.RawRecord``)."""

    @property
    def entity(self) -> str: ...
    @property
    def value(self) -> bytes: ...
    @property
    def as_of_ms(self) -> int | None: ...


@dataclass(slots=True)
class _Held:
    """A record whose reference data has not been seen yet."""

    verdict: Verdict
    number: int
    raw: bytes


@dataclass(slots=True)
class _Entity:
    contract: Contract
    judge: Judge
    tally: Tally
    seen: int = 0
    ids: dict[str, dict[str, int]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    held: list[_Held] = field(default_factory=list)
    examples: dict[str, list[int]] = field(default_factory=dict)
    clean_file: IO[bytes] | None = None
    rejected_file: IO[str] | None = None


class Check:
    """One run over any number of records.

    ``now_ms`` stands in for the Kafka timestamp of records without a time of their own. ``write`` is a folder for
    ``<entity>.clean.jsonl`` and ``<entity>.rejected.jsonl``.
    """

    def __init__(self, shop: Shop, *, now_ms: int, max_bytes: int, write: Path | None = None) -> None:
        self.shop, self.now_ms = shop, now_ms
        self._files = ExitStack()
        self.entities = {
            entity: _Entity(contract, Judge(contract, max_bytes), Tally(contract))
            for entity, contract in shop.contracts.items()
        }
        if write is not None:
            write.mkdir(parents=True, exist_ok=True)
            for entity, state in self.entities.items():
                state.clean_file = self._files.enter_context((write / f"{entity}.clean.jsonl").open("wb"))
                state.rejected_file = self._files.enter_context(
                    (write / f"{entity}.rejected.jsonl").open("w", encoding="utf-8")
                )

    def judge(self, records: Iterable[Record]) -> None:
        """Judge records in the order in which they come."""
        for record in records:
            state = self.entities[record.entity]
            state.seen += 1
            as_of = self.now_ms if record.as_of_ms is None else record.as_of_ms
            verdict = state.judge.judge(record.value, as_of)
            self._unique(state, verdict, state.seen)
            if not verdict.rejected and self._missing(state, verdict):
                state.held.append(_Held(verdict, state.seen, record.value))
            else:
                self._settle(state, verdict, state.seen, record.value)

    def finish(self) -> dict[str, Any]:
        """No more records will come: settle what waits, and return the shape of ``headrace status --json``."""
        for state in self.entities.values():
            for held in state.held:
                held.verdict.reject(self._missing(state, held.verdict))
                self._settle(state, held.verdict, held.number, held.raw)
            state.held = []
        self._files.close()
        contracts = {entity: describe(state.contract) for entity, state in self.entities.items()}
        totals = {entity: _totals(state) for entity, state in self.entities.items()}
        return summarise(contracts, totals) | {
            "freshness": {
                entity: {
                    "event_time": _iso(state.tally.stream_ms),
                    "processed_at": _iso(self.now_ms if state.seen else 0),
                }
                for entity, state in self.entities.items()
            },
            "lag": dict.fromkeys(self.entities, 0),
            "workers": 0,
        }

    def _unique(self, state: _Entity, verdict: Verdict, number: int) -> None:
        repeated = []
        for unique in state.contract.uniques:
            seen = unique.among == "seen"
            identity = unique_id(unique.fields, verdict, seen)
            if identity is None:
                continue
            ids = state.ids.setdefault(unique.rule.id, {})
            holder = ids.setdefault(identity, number) if seen or not verdict.rejected else ids.get(identity, number)
            if holder != number:
                repeated.append(unique.rule)
        if repeated:
            verdict.reject(repeated)
            for unique in state.contract.uniques:
                identity = unique_id(unique.fields, verdict, False) if unique.among == "kept" else None
                if verdict.rejected and identity is not None and state.ids[unique.rule.id].get(identity) == number:
                    del state.ids[unique.rule.id][identity]

    def _missing(self, state: _Entity, verdict: Verdict) -> list[Any]:
        values = verdict.values or {}
        return [
            reference.rule
            for reference in state.contract.references
            if values.get(reference.field) is not None
            and str(values[reference.field]) not in self.entities[reference.to_entity].known
        ]

    def _settle(self, state: _Entity, verdict: Verdict, number: int, raw: bytes) -> None:
        outcome: Outcome = "rejected" if verdict.rejected else "clean"
        state.tally.add(verdict, outcome, f"{state.contract.entity}:{number}")
        key = state.contract.key
        if not verdict.rejected and key is not None and verdict.values is not None and verdict.values[key] is not None:
            state.known.add(str(verdict.values[key]))
        for rule in verdict.findings:
            places = state.examples.setdefault(rule.id, [])
            if len(places) < _EXAMPLES:
                places.append(number)
        if verdict.body is not None and state.clean_file is not None:
            state.clean_file.write(verdict.body + b"\n")
        elif verdict.body is None and state.rejected_file is not None:
            row = {
                "record": number,
                "findings": [{"rule": rule.id, "path": rule.path, "message": rule.message} for rule in verdict.findings],
                "raw": raw.decode("utf-8", "backslashreplace"),
            }
            state.rejected_file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def lines(self, summary: dict[str, Any]) -> list[str]:
        """The summary for people: a block per entity, its findings with examples by record number."""
        lines = []
        for entity, figures in summary["entities"].items():
            state = self.entities[entity]
            if not figures["in"]:
                continue
            share = "" if figures["conformity"] is None else f", conformity {figures['conformity']:.2%}"
            lines.append(
                f"{entity}: {figures['in']:,} records, {figures['clean']:,} clean, {figures['rejected']:,} rejected, "
                f"{figures['repaired']:,} repaired{share}"
            )
            order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
            rows = sorted(figures["findings"].items(), key=lambda row: (order[state.contract.rules[row[0]].severity], -row[1]))
            for rule_id, count in rows:
                rule = state.contract.rules[rule_id]
                places = ", ".join(f"{number:,}" for number in state.examples.get(rule_id, []))
                more = ", …" if count > _EXAMPLES else ""
                lines.append(f"  {rule.severity:8} {count:>9,}  {rule_id}: {rule.message} (record {places}{more})")
        kpis = summary["kpis"]
        if kpis["orders"]:
            lines.append(
                f"{kpis['orders']:,} orders, {kpis['active_customers']:,} active customers, "
                f"revenue {kpis['revenue']:,.2f} {kpis['currency'] or ''}".rstrip()
            )
        return lines


def _totals(state: _Entity) -> EntityTotals:
    totals = defaultdict(int, state.tally.totals())
    customers: set[str] = set().union(*state.tally.customers.values())
    orders: set[str] = set().union(*state.tally.orders.values())
    summary = describe(state.contract)
    return EntityTotals(
        received=totals["in"],
        clean=totals["clean"],
        rejected=totals["rejected"],
        pending=totals["pending"],
        repaired=totals["repaired"],
        findings={key[2:]: count for key, count in totals.items() if key.startswith("f:")},
        revenue_minor=totals["rev"],
        active_customers=len(customers),
        orders=totals["clean"] if summary.order_unique else len(orders),
        known=len(state.known),
    )


def _iso(milliseconds: int) -> str | None:
    if not milliseconds:
        return None
    from stream_app.judge.conditions import moment

    return moment(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
