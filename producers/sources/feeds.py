"""Compiles one feed of a source and turns chunks of rows into raw records of its entity."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any

from producers.record import SURPLUS, RawRecord, json_string, json_value, key_bytes, memoised, to_bytes
from producers.sources.convert import Reading, cell_converter, instant, timestamp_text, value_converter
from producers.sources.expression import Expression, ExpressionError, Failed
from producers.sources.mapping import FeedSpec, FieldSpec, SourceSpec
from producers.sources.rows import MISSING, Rows
from stream_app.contract.model import Contract, Field
from stream_app.errors import SourceError
from stream_app.windows.calendar import milliseconds


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of a source's columns before it is read."""

    names: tuple[str, ...]
    typed: bool
    file: str
    #: Whether ``raw`` rows are JSON and go through as they are where no field is mapped.
    json: bool = False


@dataclass(frozen=True, slots=True)
class _Value:
    """Where one JSON fragment comes from: a function of the cells of some columns."""

    reads: tuple[str, ...]
    fragment: Callable[[Any], str]
    hashable: bool

    def apply(self, function: Callable[[Any], Any], rows: Rows, chosen: Sequence[int] | None) -> Iterable[Any]:
        """``function`` over the cells (one column) or tuples of cells (several) of the chosen rows."""
        if not self.reads:
            return repeat(function(None), rows.length if chosen is None else len(chosen))
        columns = [pick(rows.columns[name], chosen) for name in self.reads]
        return map(function, columns[0] if len(columns) == 1 else zip(*columns, strict=True))

    def memo(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return memoised(function) if self.hashable else function


def pick(column: Sequence[Any], chosen: Sequence[int] | None) -> Sequence[Any]:
    """The chosen rows of a column; None chooses all."""
    return column if chosen is None else [column[index] for index in chosen]


class Feed:
    """One source's records for one entity.

    Raises:
        SourceError: a column, or one that an expression names, is not in the source; says which there are.
    """

    def __init__(self, spec: FeedSpec, source: SourceSpec, contract: Contract, columns: Columns, shift_ms: int) -> None:
        self.spec, self.contract, self.entity = spec, contract, contract.entity
        self.notes: dict[str, int] = {}
        self.remarks: list[str] = []
        self._columns = columns
        self._zone = source.zone
        self._shift = shift_ms
        self._seen: set[Any] = set()
        self._passes = columns.json and spec.fields is None
        tests = [(spec.where, True), (spec.skip_when, False)]
        conditions = [(self._condition(text), wanted) for text, wanted in tests if text is not None]
        self._where = [(value, value.memo(value.fragment), wanted) for value, wanted in conditions]
        if spec.distinct:
            self._check_column(spec.distinct, spec.place)
        values = {} if self._passes else self._values()
        self._members = [(value, value.memo(_member(name, value.fragment))) for name, value in values.items()]
        self._key, self._time = self._key_of(values), self._time_of(values, source)

    @property
    def takes_all(self) -> bool:
        """Whether every row of the source becomes a record of this feed."""
        return not (self.spec.distinct or self._where)

    def share(self, seen: set[Any]) -> None:
        """Remember the distinct values in ``seen``, together with other files of the same source."""
        self._seen = seen

    # --- compiling ------------------------------------------------------------------------------------------------

    def _check_column(self, name: str, place: str) -> None:
        columns = self._columns
        if name in columns.names or (columns.typed and name.startswith("/")) or (columns.json and not columns.names):
            return
        where = f"{place}: " if place else ""
        raise SourceError(f"{where}{columns.file} has no column {name!r}; its columns: {', '.join(columns.names)}")

    def _expression(self, text: str, place: str) -> Expression:
        try:
            return Expression(text, self._columns.names, typed=self._columns.typed)
        except ExpressionError as error:
            raise SourceError(f"{place}: the expression is not valid CEL: {error}") from None

    def _condition(self, text: str) -> _Value:
        expression = self._expression(text, self.spec.place)
        if not expression.is_condition:
            raise SourceError(f"{self.spec.place}: the expression must be true or false: {text}")

        def holds(cells: Any) -> Any:
            try:
                return expression.evaluate(_tuple(cells, expression))
            except Failed:
                self._note("rows on which a condition has no value, kept")
                return None

        return _Value(expression.reads, holds, not self._columns.typed)

    def _values(self) -> dict[str, _Value]:
        specs = self.spec.fields
        names = self._columns.names
        if specs is None:
            specs = {field.name: FieldSpec(column=field.name) for field in self.contract.fields if field.name in names}
            if not specs:
                raise SourceError(
                    f"{self._columns.file} has none of the fields of {self.entity} "
                    f"({', '.join(field.name for field in self.contract.fields)}); its columns: {', '.join(names)}; "
                    f"map them in sources.yaml"
                )
            left_out = [name for name in names if name not in specs]
            if left_out:
                self.remarks.append(f"columns that the contract of {self.entity} does not have: {', '.join(left_out)}")
        absent = [field.name for field in self.contract.fields if field.required and field.name not in specs]
        if absent:
            self.remarks.append(f"required fields of {self.entity} without a column: {', '.join(absent)}")
        return {field.name: self._value(specs[field.name], field) for field in self.contract.fields if field.name in specs}

    def _value(self, spec: FieldSpec, field: Field) -> _Value:
        reading = Reading(spec.zone or self._zone, spec.format, self._shift)
        cell, typed = cell_converter(field, reading), value_converter(field, reading)
        if spec.column is not None:
            self._check_column(spec.column, spec.place)
            return _Value((spec.column,), typed if self._columns.typed else cell, not self._columns.typed)
        if spec.cel is not None:
            expression = self._expression(spec.cel, spec.place)

            def computed(cells: Any) -> str:
                try:
                    value = expression.evaluate(_tuple(cells, expression))
                except Failed:
                    self._note(f"rows on which the expression of {field.name} has no value, sent as null")
                    return "null"
                return cell(value) if isinstance(value, str) and not self._columns.typed else typed(value)

            return _Value(expression.reads, computed, not self._columns.typed)
        constant = typed(spec.constant)
        return _Value((), lambda _: constant, True)

    def _key_of(self, values: dict[str, _Value]) -> Callable[[Rows, Sequence[int] | None], Iterable[bytes | None]]:
        name = self.contract.key
        if self._passes and name:
            return lambda rows, chosen: map(_json_key, pick(rows.columns[name], chosen))
        value = values.get(name or "")
        if value is None:
            return lambda rows, chosen: repeat(None, rows.length if chosen is None else len(chosen))
        fragment = value.fragment
        key = value.memo(lambda cells: None if cells is MISSING else key_bytes(fragment(cells)))
        return lambda rows, chosen: value.apply(key, rows, chosen)

    def _time_of(
        self, values: dict[str, _Value], source: SourceSpec
    ) -> Callable[[Rows, Sequence[int] | None], Iterable[int | None]]:
        reading = Reading(self._zone)
        if source.time is not None:
            self._check_column(source.time, source.place)
            zoned = next(
                (s for s in (self.spec.fields or {}).values() if s.column == source.time and (s.format or s.zone)), None
            )
            reading = Reading(zoned.zone or self._zone, zoned.format) if zoned else reading
            value = _Value((source.time,), lambda cells: "", not self._columns.typed)
            moment = value.memo(lambda cell: _ms(cell, reading, self._shift))
            return lambda rows, chosen: value.apply(moment, rows, chosen)
        name = self.contract.event_time
        if self._passes and name:
            return lambda rows, chosen: (_ms(v, reading, self._shift) for v in pick(rows.columns[name], chosen))
        found = values.get(name or "")
        if found is None:
            return lambda rows, chosen: repeat(None, rows.length if chosen is None else len(chosen))
        fragment = found.fragment
        written = found.memo(lambda cells: None if cells is MISSING else _ms(_text(fragment(cells)), Reading(), 0))
        return lambda rows, chosen: found.apply(written, rows, chosen)

    # --- reading --------------------------------------------------------------------------------------------------

    def _note(self, what: str) -> None:
        self.notes[what] = self.notes.get(what, 0) + 1

    def records(self, rows: Rows) -> tuple[Sequence[int], list[RawRecord]]:
        """The records of a chunk and the row of each; broken rows give none."""
        chosen = self._choose(rows)
        keys, times = self._key(rows, chosen), self._time(rows, chosen)
        values = self._bytes(rows, chosen)
        indexes = range(rows.length) if chosen is None else chosen
        return indexes, list(map(RawRecord, repeat(self.entity), keys, values, times))

    def _choose(self, rows: Rows) -> Sequence[int] | None:
        chosen: list[int] | None = None
        if rows.broken:
            chosen = [index for index in range(rows.length) if index not in rows.broken]
        for condition, test, wanted in self._where:
            results = condition.apply(test, rows, chosen)
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
            return lines if not self._shift else map(self._moved, lines)
        parts = zip(*(value.apply(member, rows, chosen) for value, member in self._members), strict=True)
        if self._columns.typed:
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

    def _moved(self, line: bytes) -> bytes:
        """The line with its timestamps shifted and every other byte as it was."""
        item = json.loads(line)
        reading = Reading(self._zone, None, self._shift)
        for field in self.contract.fields:
            text = item.get(field.name)
            if field.type == "timestamp" and isinstance(text, str):
                moved = timestamp_text(text, reading)
                line = line.replace(to_bytes(json_string(text)), to_bytes(json_string(moved)), 1)
        return line


def _tuple(cells: Any, expression: Expression) -> tuple[Any, ...]:
    if not expression.reads:
        return ()
    values = (cells,) if len(expression.reads) == 1 else cells
    return tuple(None if value is MISSING else value for value in values)


def _member(name: str, fragment: Callable[[Any], str]) -> Callable[[Any], str]:
    prefix = f"{json_string(name)}:"
    return lambda cells: "" if cells is MISSING else prefix + fragment(cells)


def _json_key(value: Any) -> bytes | None:
    return None if value is MISSING else key_bytes(json_value(value))


def _text(fragment: str) -> Any:
    return json.loads(fragment, strict=False) if fragment.startswith('"') else None


def _ms(value: Any, reading: Reading, shift_ms: int) -> int | None:
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=reading.zone)
        return milliseconds(value) + shift_ms
    moment = instant(value, reading) if isinstance(value, str) else None
    return milliseconds(moment) + shift_ms if moment else None
