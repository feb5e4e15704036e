"""The first way to a verdict, for a whole batch: records that are canonical JSON already, read and checked by column.

msgspec decodes into typed slots and encodes back. A record is accepted only if it comes back byte for byte (or as
``json.dumps`` spaces it) and every column keeps its structure: then it has no key twice, no number in another spelling and
nothing to clean. All other records take another way. README.md in this folder says what this buys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from itertools import compress
from operator import ne
from typing import Annotated, Any

import msgspec
from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from stream_app.contract.model import Contract, Field
from stream_app.judge.models import BOUNDS, EVENT_TIMES, spelling_keys, structure
from stream_app.judge.rows import Rows, slot

_INT64 = 2**63
#: From this magnitude on, msgspec and pydantic write floats differently.
_PLAIN_FLOAT = 1e16
_TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": float, "boolean": bool, "timestamp": datetime, "date": date,
}  # fmt: skip

#: A column → ascending indexes of the values that are not canonical, or may not be.
ColumnTest = Callable[[list[Any]], list[int]]


class Canonical:
    """Reads the canonical records of one contract."""

    def __init__(self, contract: Contract, rows: Rows) -> None:
        slots = [(slot(index), _slot_type(field)) for index, field in enumerate(contract.fields)]
        names = {slot(index): field.name for index, field in enumerate(contract.fields)}
        shape = msgspec.defstruct("Record", slots, rename=names, forbid_unknown_fields=True, gc=False)
        self._decode = msgspec.json.Decoder(shape).decode
        self._encode_lines = msgspec.json.Encoder().encode_lines
        self._rows = rows
        self._tests = [(field.name, test) for field in contract.fields for test in _column_tests(field)]

    def read(self, raws: Sequence[bytes | None]) -> tuple[list[Any], list[bytes | None], list[int], list[int]]:
        """Return rows and canonical bodies of ASCII records, in order, and ascending indexes of those that need another way.

        The last list has the indexes of those among them that could not be decoded. Such a record has the row and body of
        another one, so that columns are whole. When none could be decoded, rows and bodies are ``None``.
        """
        rows: list[Any] = []
        failed: list[int] = []
        rest = iter(raws)
        while len(rows) < len(raws):
            try:
                rows.extend(map(self._decode, rest))  # type: ignore[arg-type]
            except (ValueError, TypeError, RecursionError):
                # What was decoded before it has been added, and the iterator stands behind it.
                failed.append(len(rows))
                rows.append(None)
        if failed:
            some = next((row for row in rows if row is not None), None)
            if some is None:
                return rows, [None] * len(rows), failed, failed
            for index in failed:
                rows[index] = some
        # No canonical JSON holds a line break.
        bodies: list[bytes | None] = self._encode_lines(rows).split(b"\n")[:-1]  # type: ignore[assignment]
        other = {*compress(range(len(rows)), map(ne, bodies, raws))}
        other -= {index for index in other if _unspaced(raws[index]) == bodies[index]}
        for name, test in self._tests:
            other.update(test(self._rows.column(rows, name)))
        return rows, bodies, sorted(other), failed


def _unspaced(raw: bytes | None) -> bytes | None:
    """Remove the spaces that ``json.dumps`` writes. Inside strings this removes too much, and the comparison then fails."""
    return raw if raw is None else raw.replace(b'": ', b'":').replace(b', "', b',"')


def _slot_type(field: Field) -> Any:
    """Return the type that msgspec decodes a field to."""
    kind = _TYPES[field.type]
    bounds = _bounds(field)
    if field.type == "integer":
        kind = Annotated[int, msgspec.Meta(**({"ge": -_INT64, "le": _INT64 - 1} if bounds is None else bounds))]
    elif field.type == "number" and bounds:
        kind = Annotated[float, msgspec.Meta(**bounds)]
    return kind if field.required else kind | None


def _bounds(field: Field) -> dict[str, Any] | None:
    """Return the bounds of a number for msgspec, 64 bits included; ``None`` if msgspec does not support them all."""
    if field.type not in ("integer", "number"):
        return {}
    whole = field.type == "integer"
    given = {BOUNDS[name]: value for name, value in field.options.items() if name in BOUNDS}
    limits: dict[str, Any] = {name: int(value) if whole else float(value) for name, value in given.items()}
    if "multiple_of" in limits or {"ge", "gt"} <= {*limits} or {"le", "lt"} <= {*limits}:
        return None
    if not whole:
        return limits
    if any(not -_INT64 <= value < _INT64 for value in limits.values()):
        return None
    low = {} if {"ge", "gt"} & {*limits} else {"ge": -_INT64}
    high = {} if {"le", "lt"} & {*limits} else {"le": _INT64 - 1}
    return limits | low | high


def _column_tests(field: Field) -> list[ColumnTest]:
    """Return the tests of what the slot's type does not say of a field."""
    tests: list[ColumnTest] = []
    bounded = any(name in BOUNDS for name in field.options)
    if field.type == "timestamp":
        tests.append(_not_utc)
    if field.type == "number" and not _is_small(field):
        tests.append(_huge)
    if field.type in ("timestamp", "date"):
        if bounded or field.event_time:
            tests.append(_unless_between(_broken_structure(field), field))
    elif field.type == "string" or "format" in field.options or (bounded and _bounds(field) is None):
        tests.append(_broken_structure(field))
    if field.spellings:
        tests.append(_respelled(spelling_keys(field)))
    return tests


def _is_small(field: Field) -> bool:
    """True if the bounds of a number keep out all that is huge."""
    low = field.options.get("minimum", field.options.get("exclusiveMinimum", -_PLAIN_FLOAT))
    high = field.options.get("maximum", field.options.get("exclusiveMaximum", _PLAIN_FLOAT))
    return float(low) > -_PLAIN_FLOAT and float(high) < _PLAIN_FLOAT


def _huge(column: list[Any]) -> list[int]:
    return [index for index, value in enumerate(column) if value is not None and not -_PLAIN_FLOAT < value < _PLAIN_FLOAT]


def _not_utc(column: list[Any]) -> list[int]:
    return [index for index, value in enumerate(column) if value is not None and value.tzinfo is not UTC]


def _broken_structure(field: Field) -> ColumnTest:
    """Test a column by the same pydantic schema as a record on the fast way."""
    schema = structure(field, already_clean=True, parsed=True)
    if not field.required:
        schema = core_schema.nullable_schema(schema)
    validate = SchemaValidator(core_schema.list_schema(schema)).validate_python

    def test(column: list[Any]) -> list[int]:
        try:
            validate(column)
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            return sorted({int(problem["loc"][0]) for problem in problems})
        return []

    return test


def _unless_between(test: ColumnTest, field: Field) -> ColumnTest:
    """Apply ``test`` only if the first or the last moment of the column is not strictly between the bounds."""
    of = datetime.fromisoformat if field.type == "timestamp" else date.fromisoformat
    bounds = {name: of(value) for name, value in field.options.items() if name in BOUNDS}
    low = [bounds[name] for name in ("minimum", "exclusiveMinimum") if name in bounds]
    high = [bounds[name] for name in ("maximum", "exclusiveMaximum") if name in bounds]
    if field.event_time:
        low, high = [*low, EVENT_TIMES[0]], [*high, EVENT_TIMES[1]]

    def unless(column: list[Any]) -> list[int]:
        moments = [moment for moment in column if moment is not None] if None in column else column
        try:
            if not moments or (all(min(moments) > one for one in low) and all(max(moments) < one for one in high)):
                return []
        except TypeError:
            pass  # some have no zone
        return test(column)

    return unless


def _respelled(spellings: frozenset[str]) -> ColumnTest:
    """Test for strings that cleaning would spell in another way."""

    def test(column: list[Any]) -> list[int]:
        # Values repeat: look each distinct one up once.
        known = {value for value in set(column) if value is not None and value.casefold() in spellings}
        return [index for index, value in enumerate(column) if value in known] if known else []

    return test
