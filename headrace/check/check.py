"""Judges files without Kafka or Redis: the same judge, references and uniqueness in memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from headrace.check.results import Results
from stream_app.contract.model import Contract, Rule, Shop
from stream_app.contract.summary import describe
from stream_app.counts.fields import parse
from stream_app.counts.summary import EntityTotals, summarise
from stream_app.counts.tally import Outcome, Tally, is_usual
from stream_app.judge import Judge, Verdict
from stream_app.judge.baseline import WEEK_MS, Baseline
from stream_app.judge.batch import Verdicts
from stream_app.judge.lookups import Batch, KnownIds, LookUps
from stream_app.store.memory import Learner, MemoryStore, at_once, finish

#: Records that are looked up together.
_AT_ONCE = 2_000
EXAMPLES = 3


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
    look_ups: LookUps
    learner: Learner
    seen: int = 0
    held: dict[int, _Held] = field(default_factory=dict)
    examples: dict[str, list[int]] = field(default_factory=dict)
    clean_file: IO[bytes] | None = None
    rejected_file: IO[bytes] | None = None


def file_names(entity: str) -> tuple[str, str]:
    """The files of an entity's clean and rejected records."""
    return f"{entity}.clean.jsonl", f"{entity}.rejected.jsonl"


class Check:
    """One run over any number of records.

    ``now_ms`` stands in for the Kafka timestamp of records without a time of their own. ``results`` gets
    ``<entity>.clean.jsonl`` and ``<entity>.rejected.jsonl``. ``baselines`` pins what outliers are compared with, by entity;
    else it is learned on the way.
    """

    def __init__(
        self,
        shop: Shop,
        *,
        now_ms: int,
        max_bytes: int,
        results: Results | None = None,
        baselines: Mapping[str, Baseline] | None = None,
    ) -> None:
        self.shop, self.now_ms = shop, now_ms
        self._results = results
        self._memory = MemoryStore()
        known: KnownIds = {}
        self.entities = {
            entity: _Entity(
                contract,
                Judge(contract, max_bytes),
                Tally(contract),
                LookUps(shop, entity, self._memory, at_once, known),
                Learner(contract, baselines.get(entity) if baselines is not None else None, learn=baselines is None),
            )
            for entity, contract in shop.contracts.items()
        }
        #: (entity, id) that is not known yet → the records that wait for it: entity and number.
        self._wanted: dict[tuple[str, str], list[tuple[str, int]]] = {}
        if self._results is not None:
            for entity, state in self.entities.items():
                clean, rejected = file_names(entity)
                state.clean_file, state.rejected_file = self._results.open(clean), self._results.open(rejected)

    def judge(self, records: Iterable[Record]) -> None:
        """Judge records, those of one entity in the order in which they come."""
        iterator = iter(records)
        while some := list(itertools.islice(iterator, _AT_ONCE)):
            rows: dict[str, list[Record]] = {entity: [] for entity in self.entities}
            for record in some:
                rows[record.entity].append(record)
            for entity, batch in rows.items():
                if batch:
                    self._batch(self.entities[entity], batch)

    def baselines(self) -> dict[str, Baseline]:
        """Entity → what outliers of the next record would be compared with."""
        found = {entity: state.learner.baseline for entity, state in self.entities.items()}
        return {entity: baseline for entity, baseline in found.items() if baseline is not None}

    def _batch(self, state: _Entity, records: list[Record]) -> None:
        entity, first = state.contract.entity, state.seen + 1
        state.seen += len(records)
        told = [record.as_of_ms for record in records]
        verdicts = state.judge.judge_all(
            [record.value for record in records], [self.now_ms if as_of is None else as_of for as_of in told]
        )
        numbers = list(range(first, first + len(records)))
        batch = Batch((entity, -1), numbers, [b"%d" % number for number in numbers], lambda index: told[index] is not None)
        state.look_ups.baseline = state.learner.baseline
        state.look_ups.refresh()
        settled = finish(state.look_ups.settle(batch, verdicts))
        release = state.look_ups.releases((verdicts[index], batch.sources[index]) for index in settled.touched)
        self._memory.apply(entity, settled.references, release)
        marked = verdicts.marked
        usual = [
            index
            for index, body in enumerate(verdicts.bodies)
            if body is not None and index not in settled.pending and (index not in marked or is_usual(marked[index]))
        ]
        for index, (record, number) in enumerate(zip(records, numbers, strict=True)):
            verdict = verdicts[index]
            if index in settled.pending:
                state.held[number] = _Held(verdict, number, record.value)
                for place in self._missing(state, verdict):
                    self._wanted.setdefault(place, []).append((entity, number))
            else:
                segments = {name: column[index] for name, column in settled.segments.items()}
                self._settle(state, verdict, number, record.value, segments)
        state.learner.learn(verdicts, usual, self._memory.known, state.tally.stream_ms // WEEK_MS)
        self._arrived(entity, settled.references)

    def _arrived(self, entity: str, references: Iterable[str]) -> None:
        """Settle the records that have waited for nothing but these."""
        for identity in references if self._wanted else ():
            for waiting, number in self._wanted.pop((entity, identity), ()):
                state = self.entities[waiting]
                held = state.held.get(number)
                if held is not None and not self._missing(state, held.verdict):
                    del state.held[number]
                    verdicts = Verdicts.of(state.contract, [held.verdict])
                    found, segments = finish(state.look_ups.late(verdicts))
                    held.verdict.reject(found.get(0, ()))
                    self._settle(state, held.verdict, number, held.raw, {name: column[0] for name, column in segments.items()})
                    made = finish(state.look_ups.made_known(Verdicts.of(state.contract, [held.verdict])))
                    self._memory.apply(waiting, made, [])
                    self._arrived(waiting, made)

    def _missing(self, state: _Entity, verdict: Verdict) -> dict[tuple[str, str], Rule]:
        """What a record waits for: (entity, id) → the rule that it breaks without."""
        values = verdict.values or {}
        return {
            (reference.to_entity, str(values[reference.field])): reference.rule
            for reference in state.contract.references
            if values.get(reference.field) is not None
            and str(values[reference.field]) not in self._memory.known.get(reference.to_entity, {})
        }

    def finish(self) -> dict[str, Any]:
        """No more records will come: settle what waits, and return the shape of ``headrace status --json``."""
        for state in self.entities.values():
            for held in state.held.values():
                held.verdict.reject(self._missing(state, held.verdict).values())
                self._settle(state, held.verdict, held.number, held.raw)
            state.held = {}
        if self._results is not None:
            self._results.keep()
        contracts = {entity: describe(state.contract) for entity, state in self.entities.items()}
        totals = {entity: _totals(state, len(self._memory.known.get(entity, ()))) for entity, state in self.entities.items()}
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

    def _settle(
        self, state: _Entity, verdict: Verdict, number: int, raw: bytes, segments: Mapping[str, Any] | None = None
    ) -> None:
        outcome: Outcome = "rejected" if verdict.rejected else "clean"
        state.tally.add(verdict, outcome, f"{state.contract.entity}:{number}", segments=segments)
        for rule in verdict.findings:
            places = state.examples.setdefault(rule.id, [])
            if len(places) < EXAMPLES:
                places.append(number)
        if verdict.body is not None and state.clean_file is not None:
            state.clean_file.write(verdict.body + b"\n")
        elif verdict.body is None and state.rejected_file is not None:
            row = {
                "record": number,
                "findings": [{"rule": rule.id, "path": rule.path, "message": rule.message} for rule in verdict.findings],
                "raw": raw.decode("utf-8", "backslashreplace"),
            }
            state.rejected_file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def _totals(state: _Entity, known: int) -> EntityTotals:
    counts = parse(state.tally.totals())
    customers: set[str] = set().union(*state.tally.customers.values())
    orders: set[str] = set().union(*state.tally.orders.values())
    summary = describe(state.contract)
    orders_seen = counts.clean if summary.order_unique else len(orders)
    return EntityTotals.of(counts, active_customers=len(customers), orders=orders_seen, known=known)


def _iso(milliseconds: int) -> str | None:
    if not milliseconds:
        return None
    from stream_app.windows.calendar import moment

    return moment(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
