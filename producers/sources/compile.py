"""Compile one feed of ``sources.yaml``: its conditions, fields, key and time become functions of a source's cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any

from producers.record import json_string, json_value, key_bytes
from producers.sources.columns import Cells, Columns, count, pick
from producers.sources.convert import Reading, cell_converter, instant, value_converter
from producers.sources.expression import Expression, ExpressionError, Failed
from producers.sources.rows import MISSING, Rows
from producers.sources.specs import FeedSpec, FieldSpec, SourceSpec
from stream_app.contract.model import Contract, Field
from stream_app.contract.moments import moment_reader
from stream_app.errors import SourceError
from stream_app.windows.as_of import is_shown
from stream_app.windows.calendar import milliseconds

Keys = Callable[[Rows, Sequence[int] | None], Iterable[bytes | None]]
Times = Callable[[Rows, Sequence[int] | None], Iterable[int | None]]
#: A test of the cells, and the result for which a row is kept.
Condition = tuple[Cells, Callable[[Any], Any], bool]
#: A function from the cells to text.
Text = tuple[Cells, Callable[[Any], str]]


class Compiler:
    """Compiles the feed ``spec`` of ``source`` for ``contract``.

    Args:
        shift_ms: moves every timestamp.
        note: counts a row on which an expression has no value, by its description.

    Attributes:
        passes: rows are JSON and pass through unchanged.
        remarks: what the user should know before anything is sent, such as columns that are left out.

    Raises:
        SourceError: the source lacks a column that the feed names; lists the columns that exist.
    """

    def __init__(
        self,
        spec: FeedSpec,
        source: SourceSpec,
        contract: Contract,
        columns: Columns,
        shift_ms: int,
        note: Callable[[str], None],
    ) -> None:
        self.spec, self.source, self.contract, self.columns = spec, source, contract, columns
        self.remarks: list[str] = []
        self.passes = columns.json and spec.fields is None
        self._shift = shift_ms
        self._note = note
        if spec.distinct:
            self._check_column(spec.distinct, spec.location)
        self._fragments = {} if self.passes else self._compile_fields()

    def conditions(self) -> list[Condition]:
        """Return the conditions that choose rows; a row on which one has no value is kept."""
        found: list[Condition] = []
        for text, wanted in ((self.spec.where, True), (self.spec.skip_when, False)):
            if text is not None:
                cells, test = self._condition(text)
                found.append((cells, cells.memoise(test), wanted))
        return found

    def members(self) -> list[Text]:
        """Return the members of the record's JSON object; none if rows pass through."""
        return [(cells, cells.memoise(_member(name, fragment))) for name, (cells, fragment) in self._fragments.items()]

    def keys(self) -> Keys:
        """Return the Kafka keys of chosen rows, from the contract's ``recordKey`` field."""
        name = self.contract.key
        if self.passes and name:
            return lambda rows, chosen: map(_json_key, pick(rows.columns[name], chosen))
        if name not in self._fragments:
            return lambda rows, chosen: repeat(None, count(rows, chosen))
        cells, fragment = self._fragments[name]
        key = cells.memoise(lambda cell: None if cell is MISSING else key_bytes(fragment(cell)))
        return lambda rows, chosen: cells.apply(key, rows, chosen)

    def times(self) -> Times:
        """Return the event times (ms) of chosen rows: the source's ``time`` column, else the contract's ``eventTime``.

        None where there is none that can be shown.
        """
        if self.source.time is not None:
            return self._column_times(self.source.time)
        name = self.contract.event_time
        if name is None or not (self.passes or name in self._fragments):
            return lambda rows, chosen: repeat(None, count(rows, chosen))
        # As the judge will read what is sent.
        read = moment_reader(self.contract.field(name).options)
        if self.passes:
            return lambda rows, chosen: (_read_ms(cell, read, self._shift) for cell in pick(rows.columns[name], chosen))
        cells, fragment = self._fragments[name]
        written = cells.memoise(lambda cell: None if cell is MISSING else _read_ms(_text(fragment(cell)), read))
        return lambda rows, chosen: cells.apply(written, rows, chosen)

    def _column_times(self, column: str) -> Times:
        """Read the times of ``column`` in the format and zone of the field that is mapped from it, if any."""
        self._check_column(column, self.source.location)
        mapped = (self.spec.fields or {}).values()
        formatted = next((field for field in mapped if field.column == column and (field.format or field.zone)), None)
        zone = self.source.zone
        reading = Reading(formatted.zone or zone, formatted.format) if formatted else Reading(zone)
        cells = Cells((column,), not self.columns.typed)
        moment = cells.memoise(lambda cell: _ms(cell, reading, self._shift))
        return lambda rows, chosen: cells.apply(moment, rows, chosen)

    def _check_column(self, name: str, location: str) -> None:
        columns = self.columns
        if name in columns.names or (columns.typed and name.startswith("/")) or (columns.json and not columns.names):
            return
        where = f"{location}: " if location else ""
        raise SourceError(f"{where}{columns.file} has no column {name!r}; its columns: {', '.join(columns.names)}")

    def _expression(self, text: str, location: str) -> Expression:
        try:
            return Expression(text, self.columns.names, typed=self.columns.typed)
        except ExpressionError as error:
            raise SourceError(f"{location}: the expression is not valid CEL: {error}") from None

    def _condition(self, text: str) -> tuple[Cells, Callable[[Any], Any]]:
        expression = self._expression(text, self.spec.location)
        if not expression.is_condition:
            raise SourceError(f"{self.spec.location}: the expression is not a condition; make it true or false: {text}")

        def holds(cells: Any) -> Any:
            try:
                return expression.evaluate(_tuple(cells, expression))
            except Failed:
                self._note("rows on which a condition has no value, kept")
                return None

        return Cells(expression.reads, not self.columns.typed), holds

    def _compile_fields(self) -> dict[str, Text]:
        """Compile each field to the function that returns its JSON fragment."""
        contract, specs, names = self.contract, self.spec.fields, self.columns.names
        if specs is None:
            specs = {field.name: FieldSpec(column=field.name) for field in contract.fields if field.name in names}
            if not specs:
                raise SourceError(
                    f"{self.columns.file} has none of the fields of {contract.entity} "
                    f"({', '.join(field.name for field in contract.fields)}); its columns: {', '.join(names)}; "
                    f"map them in sources.yaml"
                )
            left_out = [name for name in names if name not in specs]
            if left_out:
                self.remarks.append(f"columns that the contract of {contract.entity} does not have: {', '.join(left_out)}")
        absent = [field.name for field in contract.fields if field.required and field.name not in specs]
        if absent:
            self.remarks.append(f"required fields of {contract.entity} without a column: {', '.join(absent)}")
        return {field.name: self._field(specs[field.name], field) for field in contract.fields if field.name in specs}

    def _field(self, spec: FieldSpec, field: Field) -> Text:
        reading = Reading(spec.zone or self.source.zone, spec.format, self._shift)
        cell, typed = cell_converter(field, reading), value_converter(field, reading)
        if spec.column is not None:
            self._check_column(spec.column, spec.location)
            return Cells((spec.column,), not self.columns.typed), typed if self.columns.typed else cell
        if spec.cel is not None:
            expression = self._expression(spec.cel, spec.location)

            def computed(cells: Any) -> str:
                try:
                    value = expression.evaluate(_tuple(cells, expression))
                except Failed:
                    self._note(f"rows on which the expression of {field.name} has no value, sent as null")
                    return "null"
                return cell(value) if isinstance(value, str) and not self.columns.typed else typed(value)

            return Cells(expression.reads, not self.columns.typed), computed
        constant = typed(spec.constant)
        return Cells((), hashable=True), lambda _: constant


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


def _read_ms(value: Any, read: Callable[[str], datetime | None], shift_ms: int = 0) -> int | None:
    return _shown(read(value.strip()) if isinstance(value, str) else None, shift_ms)


def _ms(value: Any, reading: Reading, shift_ms: int) -> int | None:
    if isinstance(value, datetime):
        return _shown(value if value.tzinfo else value.replace(tzinfo=reading.zone), shift_ms)
    return _shown(instant(value, reading) if isinstance(value, str) else None, shift_ms)


def _shown(moment: datetime | None, shift_ms: int) -> int | None:
    ms = None if moment is None else milliseconds(moment) + shift_ms
    return ms if ms is not None and is_shown(ms) else None
