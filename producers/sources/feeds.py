"""Turn chunks of a source's rows into raw records of one entity."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from producers.record import SURPLUS, RawRecord, json_string, json_value, to_bytes
from producers.sources.columns import Columns, pick
from producers.sources.compile import Compiler
from producers.sources.convert import Reading, timestamp_text
from producers.sources.rows import MISSING, Rows
from producers.sources.specs import FeedSpec, SourceSpec
from stream_app.contract.model import Contract


class Feed:
    """The records that one source yields for one entity.

    Args:
        shift_ms: moves every timestamp.
        seen: the distinct values so far, shared with other files of the same source.

    Attributes:
        notes: unusual rows → how many.
        remarks: what the user should know before anything is sent.

    Raises:
        SourceError: the source lacks a column that the feed names; lists the columns that exist.
    """

    def __init__(
        self, spec: FeedSpec, source: SourceSpec, contract: Contract, columns: Columns, shift_ms: int, seen: set[Any]
    ) -> None:
        self.spec, self.contract, self.entity = spec, contract, contract.entity
        self.notes: dict[str, int] = {}
        self._typed = columns.typed
        self._zone = source.zone
        self._shift = shift_ms
        self._seen = seen
        compiler = Compiler(spec, source, contract, columns, shift_ms, self._note)
        self.remarks = compiler.remarks
        self._passes = compiler.passes
        self._conditions = compiler.conditions()
        self._members = compiler.members()
        self._keys, self._times = compiler.keys(), compiler.times()

    @property
    def takes_all(self) -> bool:
        """True if every row of the source becomes a record of this feed."""
        return not (self.spec.distinct or self._conditions)

    def records(self, rows: Rows) -> tuple[Sequence[int], list[RawRecord]]:
        """Return the records of a chunk and the row of each; broken rows yield none."""
        chosen = self._choose(rows)
        keys, times = self._keys(rows, chosen), self._times(rows, chosen)
        values = self._bytes(rows, chosen)
        indexes = range(rows.length) if chosen is None else chosen
        return indexes, list(map(RawRecord, repeat(self.entity), keys, values, times))

    def _note(self, what: str) -> None:
        self.notes[what] = self.notes.get(what, 0) + 1

    def _choose(self, rows: Rows) -> Sequence[int] | None:
        chosen: list[int] | None = None
        if rows.broken:
            chosen = [index for index in range(rows.length) if index not in rows.broken]
        for cells, test, wanted in self._conditions:
            results = cells.apply(test, rows, chosen)
            indexes = range(rows.length) if chosen is None else chosen
            chosen = [index for index, result in zip(indexes, results, strict=True) if result is None or bool(result) is wanted]
        if self.spec.distinct:
            seen, fresh = self._seen, []
            column = rows.columns[self.spec.distinct]
            for index in range(rows.length) if chosen is None else chosen:
                cell = column[index]
                value = cell if isinstance(cell, str) else json_value(None if cell is MISSING else cell)
                if value not in seen:
                    seen.add(value)
                    fresh.append(index)
            chosen = fresh
        return chosen

    def _bytes(self, rows: Rows, chosen: Sequence[int] | None) -> Iterable[bytes]:
        if self._passes:
            assert rows.raw is not None  # noqa: S101 - Columns.json promises it
            lines = pick(rows.raw, chosen)
            return lines if not self._shift else map(self._shifted, lines)
        parts = zip(*(cells.apply(member, rows, chosen) for cells, member in self._members), strict=True)
        if self._typed:
            texts: Iterable[str] = (",".join(filter(None, part)) for part in parts)
        else:
            texts = map(",".join, parts)
        if rows.surplus and self.takes_all:
            indexes = range(rows.length) if chosen is None else chosen
            texts = [
                f"{text},{json_string(SURPLUS)}:{json_value(rows.surplus[index])}" if index in rows.surplus else text
                for index, text in zip(indexes, texts, strict=True)
            ]
        return [to_bytes(f"{{{text}}}") for text in texts]

    def _shifted(self, line: bytes) -> bytes:
        """Return the line with its timestamps shifted and every other byte unchanged."""
        item = json.loads(line)
        reading = Reading(self._zone, None, self._shift)
        for field in self.contract.fields:
            text = item.get(field.name)
            if field.type == "timestamp" and isinstance(text, str):
                shifted = timestamp_text(text, reading)
                line = line.replace(to_bytes(json_string(text)), to_bytes(json_string(shifted)), 1)
        return line
