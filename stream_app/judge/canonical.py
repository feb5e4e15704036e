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

    def read(self, raws: Sequence[bytes | None]) -> tuple[list[Any], list[bytes | None]]:
        """Rows and canonical bodies of ASCII records, in order; ``None`` twice where a record has to go another way."""
        decode = self._decode
        rows: list[Any] = []
        add = rows.append
        for raw in raws:
            try:
                add(decode(raw))  # type: ignore[arg-type]
            except (ValueError, TypeError, RecursionError):
                add(None)
        places = range(len(rows))
        if None in rows:
            places = [place for place, row in enumerate(rows) if row is not None]  # type: ignore[assignment]
        read = [rows[place] for place in places]
        # No canonical JSON holds a line break.
        bodies: list[bytes | None] = self._encode_lines(read).split(b"\n")[:-1]  # type: ignore[assignment]
        doubtful = {at for at, (place, body) in enumerate(zip(places, bodies, strict=True)) if body != raws[place]}
        doubtful -= {at for at in doubtful if _unspaced(raws[places[at]]) == bodies[at]}
        for name, doubts in self._doubts:
            doubtful.update(doubts(self._rows.column(read, name)))
        if not doubtful and len(read) == len(rows):
            return rows, bodies
        out: list[bytes | None] = [None] * len(rows)
        for at, place in enumerate(places):
            if at in doubtful:
                rows[place] = None
            else:
                out[place] = bodies[at]
        return rows, out


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
    if (
        field.type == "string"
        or "format" in field.options
        or (bounded and (field.type in ("timestamp", "date") or _bounds(field) is None))
    ):
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


def _spelt(spellings: frozenset[str]) -> Doubts:
    def doubts(column: list[Any]) -> list[int]:
        known = {value for value in set(column) if value is not None and value.casefold() in spellings}
        return [place for place, value in enumerate(column) if value in known] if known else []

    return doubts
