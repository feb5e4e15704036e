"""The verdicts of a batch in columns: most records are clean and unmarked, and those need no object of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from stream_app.contract.model import Contract, Rule
from stream_app.judge.rows import rows_of
from stream_app.judge.verdict import Verdict
from stream_app.windows.calendar import milliseconds


class Verdicts(Sequence[Verdict]):
    """Verdicts of some records, in order; ``verdicts[i]`` makes an object of one.

    Attributes:
        bodies: canonical JSON by record; ``None`` where it is rejected.
        as_of: the moment by which each was judged, in ms since the epoch.
        marked: index → verdict of each record with a finding or a repair; what is not here is clean as it came.
    """

    __slots__ = ("_columns", "_rows", "as_of", "bodies", "contract", "kind", "marked")

    def __init__(self, contract: Contract, as_of: list[int]) -> None:
        self.contract = contract
        self.kind = rows_of(tuple(field.name for field in contract.fields))
        self.as_of = as_of
        self.bodies: list[bytes | None] = []
        self.marked: dict[int, Verdict] = {}
        self._rows: list[Any] = []
        self._columns: dict[str, list[Any]] = {}

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

    def put(self, index: int, verdict: Verdict) -> None:
        """Set the verdict at ``index``."""
        self._set(index, verdict.values, verdict.body)
        self.marked[index] = verdict

    def put_clean(self, index: int, values: dict[str, Any], body: bytes) -> None:
        """Set a record that is clean as it came."""
        self._set(index, values, body)

    def _set(self, index: int, values: dict[str, Any] | None, body: bytes | None) -> None:
        self.bodies[index], self._rows[index] = body, self.kind.row(values)
        for name, column in self._columns.items():
            column[index] = None if values is None else values[name]

    def column(self, name: str) -> list[Any]:
        """The cleaned values of one field by record; ``None`` also where no object could be read. Not to be changed."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = self.kind.column(self._rows, name)
        return column

    def values(self, index: int) -> dict[str, Any] | None:
        """The cleaned fields of one record; ``None`` where no object could be read."""
        return self.kind.values(self._rows[index])

    def mark(self, index: int, rules: Iterable[Rule]) -> None:
        """Add findings that only a look-up could tell."""
        verdict: Verdict = self[index]
        verdict.reject(rules)
        self.marked[index], self.bodies[index] = verdict, verdict.body

    def event_ms(self, index: int) -> int:
        """The event time of an unmarked record; its as-of time where it has none."""
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
