"""The quickest way to a verdict, for a whole batch: records that are canonical JSON already.

Typed decoding into slots and encoding back cost an eighth of validating to a dictionary and serialising that. A record is
accepted only if it comes back byte for byte (or as ``json.dumps`` spaces it) and every column keeps its structure; it
then has no key twice, no number in another spelling and nothing to clean. Whatever is not accepted goes the other ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec
from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from stream_app.contract.model import Contract, Field
from stream_app.judge.models import BOUNDS, spelling_keys, structure
from stream_app.judge.rows import Rows, slot

_INT64 = 2**63
#: From here on the two serialisers write floats differently.
_PLAIN_FLOAT = 1e16
_TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": float, "boolean": bool, "timestamp": datetime, "date": date,
}  # fmt: skip

#: A column → the places of what has to go another way; the places are in order.
Doubts = Callable[[list[Any]], list[int]]


class Canonical:
    """Reads what is canonical JSON of one contract's records."""

    def __init__(self, contract: Contract, rows: Rows) -> None:
        slots = [(slot(place), _typed(field)) for place, field in enumerate(contract.fields)]
        names = {slot(place): field.name for place, field in enumerate(contract.fields)}
        shape = msgspec.defstruct("Record", slots, rename=names, forbid_unknown_fields=True, gc=False)
        self._decode = msgspec.json.Decoder(shape).decode
        self._encode_lines = msgspec.json.Encoder().encode_lines
        self._rows = rows
        self._doubts = [(field.name, doubts) for field in contract.fields for doubts in _doubts(field)]

    def read(self, raws: Sequence[bytes | None]) -> tuple[list[Any], list[bytes | None], list[int]]:
        """Rows and canonical bodies of ASCII records, in order, and the places of those that have to go another way.

        In those places stand the row and the body of some other record, so that columns are whole; all are there when
        nothing could be read.
        """
        decode = self._decode
        rows: list[Any] = []
        add = rows.append
        failed: list[int] = []
        for place, raw in enumerate(raws):
            try:
                add(decode(raw))  # type: ignore[arg-type]
            except (ValueError, TypeError, RecursionError):
                failed.append(place)
                add(None)
        if failed:
            some = next((row for row in rows if row is not None), None)
            if some is None:
                return rows, [None] * len(rows), failed
            for place in failed:
                rows[place] = some
        # No canonical JSON holds a line break.
        bodies: list[bytes | None] = self._encode_lines(rows).split(b"\n")[:-1]  # type: ignore[assignment]
        other = {place for place, (body, raw) in enumerate(zip(bodies, raws, strict=True)) if body != raw}
        other -= {place for place in other if _unspaced(raws[place]) == bodies[place]}
        for name, doubts in self._doubts:
            other.update(doubts(self._rows.column(rows, name)))
        return rows, bodies, sorted(other)


def _unspaced(raw: bytes | None) -> bytes | None:
    """A record as ``json.dumps`` spaces it, without the spaces. In texts this takes away more, which then shows."""
    return raw if raw is None else raw.replace(b'": ', b'":').replace(b', "', b',"')


def _typed(field: Field) -> Any:
    kind = _TYPES[field.type]
    bounds = _bounds(field)
    if field.type == "integer":
        kind = Annotated[int, msgspec.Meta(**({"ge": -_INT64, "le": _INT64 - 1} if bounds is None else bounds))]
    elif field.type == "number" and bounds:
        kind = Annotated[float, msgspec.Meta(**bounds)]
    return kind if field.required else kind | None


def _bounds(field: Field) -> dict[str, Any] | None:
    """The limits of a number as msgspec takes them, 64 bits included; ``None`` where it does not take them all."""
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


def _doubts(field: Field) -> list[Doubts]:
    """What the types do not tell of a field."""
    found: list[Doubts] = []
    bounded = any(name in BOUNDS for name in field.options)
    if field.type == "timestamp":
        found.append(_elsewhere)
    if field.type == "number" and not _small(field):
        found.append(_huge)
    if field.type in ("timestamp", "date"):
        if bounded:
            found.append(_unless_between(_by_structure(field), field))
    elif field.type == "string" or "format" in field.options or (bounded and _bounds(field) is None):
        found.append(_by_structure(field))
    if field.spellings:
        found.append(_spelt(spelling_keys(field)))
    return found


def _small(field: Field) -> bool:
    low = field.options.get("minimum", field.options.get("exclusiveMinimum", -_PLAIN_FLOAT))
    high = field.options.get("maximum", field.options.get("exclusiveMaximum", _PLAIN_FLOAT))
    return float(low) > -_PLAIN_FLOAT and float(high) < _PLAIN_FLOAT


def _huge(column: list[Any]) -> list[int]:
    return [place for place, value in enumerate(column) if value is not None and not -_PLAIN_FLOAT < value < _PLAIN_FLOAT]


def _elsewhere(column: list[Any]) -> list[int]:
    """Moments with an offset of their own, or none."""
    return [place for place, value in enumerate(column) if value is not None and value.tzinfo is not UTC]


def _by_structure(field: Field) -> Doubts:
    """The places that pydantic refuses, by the same schema as a record on the fast way."""
    schema = structure(field, already_clean=True, parsed=True)
    if not field.required:
        schema = core_schema.nullable_schema(schema)
    validate = SchemaValidator(core_schema.list_schema(schema)).validate_python

    def doubts(column: list[Any]) -> list[int]:
        try:
            validate(column)
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            return sorted({int(problem["loc"][0]) for problem in problems})
        return []

    return doubts


def _unless_between(doubts: Doubts, field: Field) -> Doubts:
    """``doubts``, asked only if the first or the last moment lies on a bound or beyond."""
    of = datetime.fromisoformat if field.type == "timestamp" else date.fromisoformat
    bounds = {name: of(value) for name, value in field.options.items() if name in BOUNDS}
    low = [bounds[name] for name in ("minimum", "exclusiveMinimum") if name in bounds]
    high = [bounds[name] for name in ("maximum", "exclusiveMaximum") if name in bounds]

    def unless(column: list[Any]) -> list[int]:
        told = [moment for moment in column if moment is not None] if None in column else column
        try:
            if not told or (all(min(told) > one for one in low) and all(max(told) < one for one in high)):
                return []
        except TypeError:
            pass  # some have no zone
        return doubts(column)

    return unless


def _spelt(spellings: frozenset[str]) -> Doubts:
    def doubts(column: list[Any]) -> list[int]:
        known = {value for value in set(column) if value is not None and value.casefold() in spellings}
        return [place for place, value in enumerate(column) if value in known] if known else []

    return doubts
