"""The verdicts of a batch in columns: most records are clean and unmarked, and those need no object of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from stream_app.contract.model import Contract, Rule
from stream_app.judge.verdict import Verdict

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since the epoch."""
    return (moment - _EPOCH) // _MILLISECOND


class Verdicts(Sequence[Verdict]):
    """Verdicts of some records, in order; ``verdicts[i]`` makes an object of one.

    Attributes:
        bodies: canonical JSON by record; ``None`` where it is rejected.
        values: the cleaned fields by record; ``None`` where no object could be read.
        as_of: the moment by which each was judged, in ms since the epoch.
        marked: index → verdict of each record with a finding or a repair; what is not here is clean as it came.
    """

    __slots__ = ("as_of", "bodies", "contract", "marked", "values")

    def __init__(self, contract: Contract, as_of: list[int]) -> None:
        self.contract = contract
        self.as_of = as_of
        self.bodies: list[bytes | None] = []
        self.values: list[dict[str, Any] | None] = []
        self.marked: dict[int, Verdict] = {}

    @classmethod
    def of(cls, contract: Contract, verdicts: Iterable[Verdict]) -> Verdicts:
        """Columns of verdicts that are there already."""
        rows = list(verdicts)
        made = cls(contract, [verdict.event_ms for verdict in rows])
        for index, verdict in enumerate(rows):
            made.put(index, verdict)
        return made

    def put(self, index: int, verdict: Verdict) -> None:
        """Set the verdict at ``index``: the next one, or one that is there."""
        if index == len(self.bodies):
            self.bodies.append(verdict.body)
            self.values.append(verdict.values)
        else:
            self.bodies[index], self.values[index] = verdict.body, verdict.values
        self.marked[index] = verdict

    def reject(self, index: int, rules: Iterable[Rule]) -> None:
        """Add findings that only a look-up could tell."""
        verdict = self.marked.get(index) or self[index]
        verdict.reject(rules)
        self.put(index, verdict)

    def event_ms(self, index: int) -> int:
        """The event time of an unmarked record; its as-of time where it has none."""
        name, values = self.contract.event_time, self.values[index]
        moment = values[name] if name is not None and values is not None else None
        return self.as_of[index] if moment is None else milliseconds(moment)

    def __len__(self) -> int:
        return len(self.bodies)

    def __iter__(self) -> Iterator[Verdict]:
        return (self[index] for index in range(len(self.bodies)))

    def __getitem__(self, index: Any) -> Any:
        verdict = self.marked.get(index)
        return Verdict(self.bodies[index], self.values[index], self.event_ms(index)) if verdict is None else verdict
