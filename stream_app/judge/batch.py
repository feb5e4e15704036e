"""A batch of one partition, and its verdicts in columns: most records are clean, and those need no object of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

from stream_app.contract.model import Contract, Rule
from stream_app.judge.rows import rows_of
from stream_app.judge.verdict import Verdict
from stream_app.position import Position
from stream_app.windows.calendar import milliseconds
from stream_app.windows.clock import PartitionClock, Timing


class Verdicts(Sequence[Verdict]):
    """Verdicts of some records, in order; ``verdicts[i]`` makes an object of one.

    Attributes:
        bodies: canonical JSON by record; ``None`` where it is rejected.
        as_of: the moment by which each was judged, in ms since the epoch; ``windows.as_of.UNKNOWN`` if nobody states it.
        marked: index → verdict of each record with a finding or a repair; what is not here is clean as it came, or deletes.
        deleted: index → id of the record that a tombstone deletes; ``None`` where its key names no id.
    """

    __slots__ = ("_columns", "_distinct", "_extents", "_rows", "as_of", "bodies", "contract", "deleted", "kind", "marked")

    def __init__(self, contract: Contract, as_of: list[int]) -> None:
        self.contract = contract
        self.kind = rows_of(tuple(field.name for field in contract.fields))
        self.as_of = as_of
        self.bodies: list[bytes | None] = []
        self.marked: dict[int, Verdict] = {}
        self.deleted: dict[int, str | None] = {}
        self._rows: list[Any] = []
        self._columns: dict[str, list[Any]] = {}
        self._distinct: dict[str, set[Any]] = {}
        self._extents: dict[str, tuple[Any, Any] | None] = {}

    @classmethod
    def of(cls, contract: Contract, verdicts: Iterable[Verdict]) -> Verdicts:
        """Columns of verdicts that are there already."""
        found = list(verdicts)
        made = cls(contract, [verdict.event_ms for verdict in found])
        made.fill([made.kind.blank] * len(found), [None] * len(found))
        for index, verdict in enumerate(found):
            made.put(index, verdict)
        return made

    def fill(self, rows: list[Any], bodies: list[bytes | None]) -> None:
        """Take rows and bodies of all records; those that are not clean as they came are to be ``put`` then."""
        self._rows, self.bodies = rows, bodies
        self._columns.clear()
        self._distinct.clear()
        self._extents.clear()

    def put(self, index: int, verdict: Verdict) -> None:
        """Set the verdict at ``index``."""
        self._set(index, verdict.values, verdict.body)
        self.marked[index] = verdict

    def put_deleted(self, index: int, identity: str | None) -> None:
        """Set a tombstone, which is neither clean nor rejected."""
        self._set(index, None, None)
        self.marked.pop(index, None)
        self.deleted[index] = identity

    def put_clean(self, index: int, values: dict[str, Any], body: bytes) -> None:
        """Set a record that is clean as it came."""
        self._set(index, values, body)

    def _set(self, index: int, values: dict[str, Any] | None, body: bytes | None) -> None:
        name = self.contract.event_time
        if values is not None and name is not None and (moment := values[name]) is not None and moment.tzinfo is not UTC:
            # pydantic's zone is an object of its own: it makes each comparison with the column's others a call of Python.
            values = values | {name: moment.replace(tzinfo=UTC)}
        self.bodies[index], self._rows[index] = body, self.kind.row(values)
        for name, column in self._columns.items():
            column[index] = None if values is None else values[name]
        self._distinct.clear()
        self._extents.clear()

    def column(self, name: str) -> list[Any]:
        """The cleaned values of one field by record; ``None`` also where no object could be read. Not to be changed."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = self.kind.column(self._rows, name)
        return column

    def distinct(self, name: str) -> set[Any]:
        """The distinct values of ``column``, ``None`` among them where there is one. Not to be changed."""
        distinct = self._distinct.get(name)
        if distinct is None:
            distinct = self._distinct[name] = {*self.column(name)}
        return distinct

    def extent(self, name: str) -> tuple[Any, Any] | None:
        """The least and the largest value of ``column``; ``None`` if no record has one."""
        if name not in self._extents:
            column = self.column(name)
            some = [value for value in column if value is not None] if None in column else column
            self._extents[name] = (min(some), max(some)) if some else None
        return self._extents[name]

    def values(self, index: int) -> dict[str, Any] | None:
        """The cleaned fields of one record; ``None`` where no object could be read."""
        return self.kind.values(self._rows[index])

    def with_findings(self, found: Mapping[int, Iterable[Rule]]) -> Verdicts:
        """Return these verdicts with further findings, by index, as only a look-up can tell; rows and columns are shared."""
        if not found:
            return self
        changed = Verdicts(self.contract, self.as_of)
        changed.bodies, changed.marked, changed.deleted = self.bodies.copy(), self.marked.copy(), self.deleted
        changed._rows, changed._columns, changed._distinct, changed._extents = (
            self._rows, self._columns, self._distinct, self._extents,
        )  # fmt: skip
        for index, rules in found.items():
            if index in self.deleted:
                continue  # a tombstone breaks no rule
            verdict = self[index].with_findings(rules)
            changed.marked[index], changed.bodies[index] = verdict, verdict.body
        return changed

    def replaced(self, found: Mapping[int, Verdict]) -> Verdicts:
        """Return these verdicts with others at some indexes."""
        changed = Verdicts(self.contract, self.as_of)
        changed.marked = {index: verdict for index, verdict in self.marked.items() if index not in found}
        # A verdict without finding and body is that of a tombstone.
        changed.deleted = {index: one for index, one in self.deleted.items() if index not in found or not found[index].findings}
        changed.fill(list(self._rows), self.bodies.copy())
        for index, verdict in found.items():
            if index in changed.deleted:
                continue
            if verdict.body is None or verdict.values is None or verdict.findings or verdict.repairs:
                changed.put(index, verdict)
            else:
                changed.put_clean(index, verdict.values, verdict.body)
        return changed

    def span(self) -> tuple[int, int]:
        """The least and the largest moment of a record, in ms; also those of event times that are a finding."""
        name = self.contract.event_time
        extent = self.extent(name) if name is not None else None
        moments = [milliseconds(one) for one in extent] if extent is not None else []
        if name is None or None in self.column(name):
            moments += [min(self.as_of), max(self.as_of)]
        return min(moments), max(moments)

    def moment(self, index: int) -> int:
        """The event time of a record, in ms; its as-of time where it has none, or that is a finding."""
        verdict = self.marked.get(index)
        return self.event_ms(index) if verdict is None else verdict.event_ms

    def event_ms(self, index: int) -> int:
        """The event time of an unmarked record; its as-of time, which may be UNKNOWN, where it has none."""
        name = self.contract.event_time
        moment = self.column(name)[index] if name is not None else None
        return self.as_of[index] if moment is None else milliseconds(moment)

    def __len__(self) -> int:
        return len(self.bodies)

    def __iter__(self) -> Iterator[Verdict]:
        return (self[index] for index in range(len(self.bodies)))

    def __getitem__(self, index: Any) -> Any:
        verdict = self.marked.get(index)
        return Verdict(self.bodies[index], self.values(index), self.event_ms(index)) if verdict is None else verdict


#: A key that is given back: (rule id, id, the owner that its record is).
Release = tuple[str, Any, bytes]
#: A key that goes with a record: (id of the record, rule id, key, the owner that the record is).
Owned = tuple[str, str, Any, bytes]


@dataclass(frozen=True, slots=True)
class Note:
    """Findings to store before a batch is delivered, so that a repeated batch comes to the same verdicts.

    Attributes:
        seen: the offset up to which notes stood when the batch was looked up; -1 when there were none.
        upto: the offset up to which they stand with this one.
        content: what was found, for ``LookUps.settle`` of the repeated batch.
    """

    seen: int
    upto: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """Outcome of the look-up of a batch.

    Attributes:
        verdicts: with the findings that only a look-up can tell.
        pending: indexes of the records that wait for their reference data.
        references: id → what is known of it from now on, for others to refer to.
        releases: keys that rejected records claimed and give back.
        segments: segment → value by record, of segments that are fields of a referenced record.
        deleted: ids of the records that tombstones delete.
        owned: each further key that a record of an id has claimed; empty if no rule has one.
        note: to be stored before anything is delivered; None where nothing has to be.
    """

    verdicts: Verdicts
    pending: frozenset[int] = frozenset()
    references: Mapping[str, str] = field(default_factory=dict)
    releases: Sequence[Release] = ()
    segments: Mapping[str, list[Any]] = field(default_factory=dict)
    note: Note | None = None
    deleted: Sequence[str] = ()
    owned: Sequence[Owned] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one partition in offset order; each step of the pipeline returns the batch with what it found.

    Attributes:
        partition: of the raw topic.
        applied_field: the name under which the store keeps the partition's applied offset.
        position: where the partition stood when the batch was taken.
        records: as they were fetched: ``offset``, ``key``, ``value``, ``headers``, ``timestamp``.
        offsets: by record.
        sources: ``topic:partition:offset`` by record, the ``headrace.source`` of all that becomes of it.
        values: the bytes of each record; None in a tombstone, and where a batch could not be read.
        as_of: the moment by which each record is judged, in ms since the epoch.
        dated: True for a record whose producer stated that moment; else it is the Kafka timestamp.
        verdicts: what step 1 said of each record; None before.
        settled: what step 2 made of it; None before.
        misdated: indexes of the records whose headers state a moment that is not valid.
        clock: of the partition: before step 1 as it was before these records, then as it is after them.
        late: index → the end (s) of the windows that were final before a record that is late.
        delivered: indexes of the records that were delivered before, so that they are only counted.
        topic_id: of the raw topic; empty where the broker gives none.
        generation: the number of raw topics of the same name before it.
        asked: ``Request`` and ``Found`` of step 2; None before, and of records that have waited.
    """

    partition: int
    applied_field: str
    position: Position
    records: Sequence[Any]
    offsets: Sequence[int]
    sources: Sequence[bytes]
    as_of: Sequence[int]
    dated: Sequence[bool]
    verdicts: Verdicts | None = None
    settled: Settled | None = None
    values: Sequence[bytes | None] = ()
    misdated: Sequence[int] = ()
    clock: PartitionClock = field(default_factory=PartitionClock)
    late: Mapping[int, int] = field(default_factory=dict)
    delivered: frozenset[int] = frozenset()
    topic_id: str = ""
    generation: int = 0
    asked: tuple[Any, Any] | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def judged(self) -> Verdicts:
        """The verdicts as they stand: settled ones where the batch is settled.

        Raises:
            ValueError: the batch has not been judged.
        """
        if self.settled is not None:
            return self.settled.verdicts
        if self.verdicts is None:
            raise ValueError("the batch has not been judged")
        return self.verdicts

    @property
    def pending(self) -> frozenset[int]:
        """Indexes of the records that wait for their reference data; none before step 2."""
        return self.settled.pending if self.settled is not None else frozenset()

    def with_verdicts(self, verdicts: Verdicts) -> Batch:
        """Return the batch after step 1."""
        return replace(self, verdicts=verdicts, settled=None)

    def with_timing(self, timing: Timing) -> Batch:
        """Return the batch with the late ones of its records, and the clock after them."""
        return replace(self, clock=timing.clock, late=timing.late)

    def with_settled(self, settled: Settled, delivered: frozenset[int] = frozenset()) -> Batch:
        """Return the batch after step 2."""
        return replace(self, settled=settled, delivered=delivered)

    def with_answer(self, request: Any, found: Any) -> Batch:
        """Return the batch with what step 2 asked and was answered."""
        return replace(self, asked=(request, found))
