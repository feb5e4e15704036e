"""Chunks of rows as readers yield them: columns of equal length; a row that cannot be read keeps its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from stream_app.errors import SourceError

#: Rows per chunk.
CHUNK = 5_000
#: Bytes of JSON Lines per chunk, and the longest line that is parsed; longer lines pass through unparsed.
CHUNK_BYTES = 8 << 20


class Missing:
    """A member that a JSON object lacks; null is a value."""

    def __bool__(self) -> bool:
        return False


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Rows:
    """A chunk of a source.

    Attributes:
        columns: name → one value per row: texts for CSV, Python values for typed formats.
        length: the number of rows.
        raw: the bytes of each row if the format keeps them (JSON), else None.
        broken: rows that cannot be read; only their ``raw`` bytes are valid.
        surplus: row → the cells beyond the last column.
    """

    columns: Mapping[str, Sequence[Any]]
    length: int
    raw: Sequence[bytes] | None = None
    broken: frozenset[int] = frozenset()
    surplus: Mapping[int, list[str]] = field(default_factory=dict)


def broken_row(raw: bytes) -> Rows:
    """Return a chunk of one row that cannot be read."""
    return Rows({}, 1, (raw,), frozenset({0}))


class ObjectColumns(Mapping[str, Sequence[Any]]):
    """The columns of parsed JSON objects, built on demand; a name like ``/customer/id`` is a JSON pointer."""

    def __init__(self, objects: Sequence[Any]) -> None:
        self._objects = objects

    def __getitem__(self, name: str) -> Sequence[Any]:
        if name.startswith("/"):
            return [point(item, name) for item in self._objects]
        return [item.get(name, MISSING) if isinstance(item, dict) else MISSING for item in self._objects]

    def __iter__(self) -> Iterator[str]:
        names: dict[str, None] = {}
        for item in self._objects:
            if isinstance(item, dict):
                names.update(dict.fromkeys(item))
        return iter(names)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def point(document: Any, pointer: str) -> Any:
    """Return the value at a JSON pointer (RFC 6901); MISSING if there is none."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return MISSING
    return document


def parsed_rows(lines: list[bytes]) -> Rows:
    """Parse lines of JSON as rows; a line that is not a JSON object is broken and keeps its bytes."""
    objects = [_parse(line) for line in lines]
    broken = frozenset(index for index, item in enumerate(objects) if not isinstance(item, dict))
    return Rows(ObjectColumns(objects), len(lines), lines, broken)


def _parse(line: bytes) -> Any:
    if len(line) > CHUNK_BYTES:
        return None
    try:
        return from_json(line, allow_inf_nan=False, cache_strings="keys")
    except (ValueError, RecursionError):
        return None


def refuse_twins(names: Sequence[str], what: str, where: str) -> None:
    """Refuse two columns of one name, because only one of them would be read."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise SourceError(f"{what} {name!r} appears twice {where}; rename one")
