"""Rows as readers hand them on: columns of equal length, with what is no row kept as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

#: Bytes of JSON Lines per chunk, and the longest line that is parsed; longer ones go through unread.
CHUNK_BYTES = 8 << 20


class Missing:
    """A member that a JSON object does not have; other than null."""

    def __bool__(self) -> bool:
        return False


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Rows:
    """A chunk of a source.

    Attributes:
        columns: name → one value per row: texts of a CSV file, Python values of typed formats.
        length: the number of rows.
        raw: the bytes of each row where the format keeps them (JSON), else None.
        broken: rows that cannot be read; only their ``raw`` bytes count.
        surplus: row → the cells beyond the last column.
    """

    columns: Mapping[str, Sequence[Any]]
    length: int
    raw: Sequence[bytes] | None = None
    broken: frozenset[int] = frozenset()
    surplus: Mapping[int, list[str]] = field(default_factory=dict)


def broken_row(raw: bytes) -> Rows:
    """One row that cannot be read."""
    return Rows({}, 1, (raw,), frozenset({0}))


class ObjectColumns(Mapping[str, Sequence[Any]]):
    """The columns of parsed JSON objects, made when asked for; a name like ``/customer/id`` is a JSON pointer."""

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
    """What a JSON pointer (RFC 6901) points at; MISSING when there is nothing."""
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
    """Lines of JSON as rows; a line that is no JSON object is broken and keeps its bytes."""
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
