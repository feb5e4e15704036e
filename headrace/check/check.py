"""Judges files without Kafka or Redis: the worker's judge and look-ups, with references and keys in memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any, Protocol

from headrace.check.results import Results
from stream_app.contract.compile import LATE_RULE
from stream_app.contract.model import Contract, Reference, Rule, Shop
from stream_app.contract.summary import describe
from stream_app.counts.fields import parse
from stream_app.counts.summary import EntityTotals, orders_of, summarise
from stream_app.counts.tally import Outcome, Tally, is_usual
from stream_app.judge import Judge, Verdict
from stream_app.judge.baseline import WEEK_MS, Baseline
from stream_app.judge.batch import Batch, Verdicts
from stream_app.judge.lookups import KnownIds, LookUps
from stream_app.judge.timing import timing
from stream_app.position import Position
from stream_app.store.memory import MemoryBaseline, MemoryStore
from stream_app.windows.calendar import iso
from stream_app.windows.clock import PartitionClock
from stream_app.windows.watermark import Finality

#: Records that are looked up together.
_BATCH = 2_000
#: Record numbers that are kept of each finding.
EXAMPLES = 3

#: Gets a final verdict: entity, number of the record (from 1), verdict.
Observer = Callable[[str, int, Verdict], None]


class Record(Protocol):
    """A record that a producer reads (``producers.record.RawRecord``)."""

    @property
    def entity(self) -> str:
        """The entity that the record belongs to."""

    @property
    def value(self) -> bytes:
        """The JSON of the record."""

    @property
    def as_of_ms(self) -> int | None:
        """As-of time in ms since the epoch; None: now."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One record on its way: its number in the input (from 1), its raw bytes, and what was said of it."""

    number: int
    raw: bytes
    verdict: Verdict
    segments: Mapping[str, Any] = field(default_factory=dict)
    late: bool = False


class EntityCheck:
    """The records of one entity: judged, counted, and written to its two files.

    Attributes:
        examples: rule id → numbers of the first records that break it.
    """

    def __init__(
        self,
        shop: Shop,
        name: str,
        max_bytes: int,
        known: KnownIds,
        baseline: Baseline | None,
        observer: Observer | None,
        *,
        learns: bool,
        finality: Finality,
    ) -> None:
        self.contract: Contract = shop.contracts[name]
        self.judge = Judge(self.contract, max_bytes)
        self.tally = Tally(self.contract)
        self.look_ups = LookUps(shop, name, known)
        self.learning = MemoryBaseline(self.contract, baseline, learns=learns)
        self.seen = 0
        self._finality = finality
        self._clock = PartitionClock()
        self.waiting: dict[int, _Row] = {}
        self.examples: dict[str, list[int]] = {}
        self._observer = observer
        self._clean: IO[bytes] | None = None
        self._rejected: IO[bytes] | None = None

    def write_to(self, results: Results) -> None:
        """Write clean and rejected records to the entity's two files."""
        clean, rejected = file_names(self.contract.entity)
        self._clean, self._rejected = results.open(clean), results.open(rejected)

    def batch(self, records: Sequence[Record], now_ms: int) -> Batch:
        """Return the next records as a judged batch; their offsets are their numbers."""
        first = self.seen + 1
        self.seen += len(records)
        numbers = range(first, first + len(records))
        stated = [record.as_of_ms for record in records]
        as_of = [now_ms if ms is None else ms for ms in stated]
        batch = Batch(
            partition=0,
            applied_field=self.contract.entity,
            position=Position(first - 1),
            records=records,
            offsets=numbers,
            sources=[b"%d" % number for number in numbers],
            as_of=as_of,
            dated=[ms is not None for ms in stated],
        )
        verdicts = self.judge.judge_all([record.value for record in records], as_of)
        found = timing(self._clock, verdicts, self._finality)
        self._clock = found.clock
        self.tally.stream_ms = found.clock.reached
        if found.late and self.contract.rejects_late:
            verdicts = verdicts.with_findings({index: [self.contract.rules[LATE_RULE]] for index in found.late})
        return batch.with_verdicts(verdicts).with_timing(found)

    def references(self, verdict: Verdict) -> Iterator[tuple[Reference, str]]:
        """The references of a record that have a value, each with the id that it names."""
        values = verdict.values or {}
        for reference in self.contract.references:
            if values.get(reference.field) is not None:
                yield reference, str(values[reference.field])

    def count(self, row: _Row) -> None:
        """Count a record whose verdict is final, and write it to its file."""
        verdict = row.verdict
        if self._observer is not None:
            self._observer(self.contract.entity, row.number, verdict)
        outcome: Outcome = "rejected" if verdict.rejected else "clean"
        source = f"{self.contract.entity}:{row.number}"
        self.tally.add(verdict, outcome, source, segments=row.segments, late=row.late)
        for rule in verdict.findings:
            examples = self.examples.setdefault(rule.id, [])
            if len(examples) < EXAMPLES:
                examples.append(row.number)
        if verdict.body is not None and self._clean is not None:
            self._clean.write(verdict.body + b"\n")
        elif verdict.body is None and self._rejected is not None:
            plain = {
                "record": row.number,
                "findings": [{"rule": rule.id, "path": rule.path, "message": rule.message} for rule in verdict.findings],
                "raw": row.raw.decode("utf-8", "backslashreplace"),
            }
            self._rejected.write(json.dumps(plain, ensure_ascii=False).encode() + b"\n")

    def totals(self, known: int) -> EntityTotals:
        """Return what was counted; ``known``: distinct clean records that others may refer to."""
        counts = parse(self.tally.totals())
        customers: set[str] = set().union(*self.tally.customers.values())
        orders: set[str] = set().union(*self.tally.orders.values())
        seen = orders_of(describe(self.contract), counts, len(orders))
        return EntityTotals.of(counts, active_customers=len(customers), orders=seen, known=known)


def file_names(entity: str) -> tuple[str, str]:
    """Return the names of the files of an entity's clean and rejected records."""
    return f"{entity}.clean.jsonl", f"{entity}.rejected.jsonl"


class Check:
    """One run over any number of records.

    ``now_ms`` stands in for the Kafka timestamp of records without a time of their own. ``results`` gets
    ``<entity>.clean.jsonl`` and ``<entity>.rejected.jsonl``. ``baselines`` pins what outliers are compared with, by entity;
    otherwise it is learned on the way. ``observer`` gets every final verdict, in the order in which they become final.
    ``finality`` says which records are late, as if those of an entity were one partition.
    """

    def __init__(
        self,
        shop: Shop,
        *,
        now_ms: int,
        max_bytes: int,
        results: Results | None = None,
        baselines: Mapping[str, Baseline] | None = None,
        observer: Observer | None = None,
        finality: Finality | None = None,
    ) -> None:
        self.shop, self.now_ms = shop, now_ms
        self._results = results
        self._memory = MemoryStore()
        known: KnownIds = {}
        pinned = baselines or {}
        final = finality or Finality()
        self.entities = {
            name: EntityCheck(
                shop, name, max_bytes, known, pinned.get(name), observer, learns=baselines is None, finality=final
            )
            for name in shop.contracts
        }
        #: (entity, id) that is not known yet → the records that wait for it: entity and number.
        self._wanted: dict[tuple[str, str], list[tuple[str, int]]] = {}
        if results is not None:
            for entity in self.entities.values():
                entity.write_to(results)

    def judge(self, records: Iterable[Record]) -> None:
        """Judge records, those of one entity in the order in which they come."""
        iterator = iter(records)
        while some := list(itertools.islice(iterator, _BATCH)):
            by_entity: dict[str, list[Record]] = {name: [] for name in self.entities}
            for record in some:
                by_entity[record.entity].append(record)
            for name, batch in by_entity.items():
                if batch:
                    self._judge(self.entities[name], batch)

    def baselines(self) -> dict[str, Baseline]:
        """Return entity → what outliers of the next record would be compared with."""
        found = {name: entity.learning.baseline for name, entity in self.entities.items()}
        return {name: baseline for name, baseline in found.items() if baseline is not None}

    def _judge(self, entity: EntityCheck, records: Sequence[Record]) -> None:
        name = entity.contract.entity
        entity.look_ups.baseline = entity.learning.baseline
        entity.look_ups.refresh()
        batch = entity.batch(records, self.now_ms)
        request = entity.look_ups.plan(batch)
        settled = entity.look_ups.settle(batch, request, self._memory.look_up(name, request))
        self._memory.apply(name, settled.references, settled.releases)
        verdicts, pending = settled.verdicts, settled.pending
        for index, (record, number) in enumerate(zip(records, batch.offsets, strict=True)):
            verdict = verdicts[index]
            if index in pending:
                entity.waiting[number] = _Row(number, record.value, verdict, late=index in batch.late)
                for wanted in self._missing(entity, verdict):
                    self._wanted.setdefault(wanted, []).append((name, number))
            else:
                segments = {segment: column[index] for segment, column in settled.segments.items()}
                entity.count(_Row(number, record.value, verdict, segments, late=index in batch.late))
        usual = [
            index
            for index, body in enumerate(verdicts.bodies)
            if body is not None and index not in pending and (index not in verdicts.marked or is_usual(verdicts.marked[index]))
        ]
        entity.learning.learn(verdicts, usual, self._memory.known, entity.tally.stream_ms // WEEK_MS)
        self._arrived(name, settled.references)

    def _arrived(self, entity: str, references: Iterable[str]) -> None:
        """Settle the records that have waited for nothing but these."""
        for identity in references if self._wanted else ():
            for name, number in self._wanted.pop((entity, identity), ()):
                waiting = self.entities[name]
                row = waiting.waiting.get(number)
                if row is not None and not self._missing(waiting, row.verdict):
                    del waiting.waiting[number]
                    self._settle_late(waiting, row)

    def _settle_late(self, entity: EntityCheck, row: _Row) -> None:
        """Settle a record that has waited: apply the rules over other records, count it, make it known."""
        name, look_ups = entity.contract.entity, entity.look_ups
        verdicts = Verdicts.of(entity.contract, [row.verdict])
        request = look_ups.plan_late(verdicts)
        broken, columns = look_ups.settle_late(verdicts, request, self._memory.look_up(name, request))
        verdicts = verdicts.with_findings(broken)
        segments = {segment: column[0] for segment, column in columns.items()}
        entity.count(replace(row, verdict=verdicts[0], segments=segments))
        request = look_ups.plan_own(verdicts)
        references = look_ups.settle_own(verdicts, request, self._memory.look_up(name, request))
        self._memory.apply(name, references)
        self._arrived(name, references)

    def _missing(self, entity: EntityCheck, verdict: Verdict) -> dict[tuple[str, str], Rule]:
        """References that a record waits for: (entity, id) → the rule that it breaks if the id stays unknown."""
        return {
            (reference.to_entity, identity): reference.rule
            for reference, identity in entity.references(verdict)
            if identity not in self._memory.known.get(reference.to_entity, {})
        }

    def finish(self) -> dict[str, Any]:
        """Settle what waits, since no more records will come, and return the shape of ``headrace status --json``."""
        for entity in self.entities.values():
            for row in entity.waiting.values():
                verdict = row.verdict.with_findings(self._missing(entity, row.verdict).values())
                entity.count(replace(row, verdict=verdict))
            entity.waiting = {}
        if self._results is not None:
            self._results.keep()
        contracts = {name: describe(entity.contract) for name, entity in self.entities.items()}
        totals = {name: entity.totals(len(self._memory.known.get(name, ()))) for name, entity in self.entities.items()}
        return summarise(contracts, totals) | {
            "freshness": {
                name: {
                    "event_time": iso(entity.tally.stream_ms or None),
                    "processed_at": iso(self.now_ms if entity.seen else None),
                }
                for name, entity in self.entities.items()
            },
            "lag": dict.fromkeys(self.entities, 0),
            "workers": 0,
        }
