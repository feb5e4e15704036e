"""The cleaned fields of a record as a row of slots: what a batch's columns are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec


def slot(place: int) -> str:
    """The name of a row's slot; fields may have any name, slots are numbered."""
    return f"f{place}"


@cache
def _row_type(width: int) -> Callable[..., Any]:
    return msgspec.defstruct("Row", [(slot(place), Any) for place in range(width)], gc=False)


class Rows:
    """Makes rows of a contract's fields, and reads them; any struct with the same slots is a row."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._make = _row_type(len(self.names))
        self._getters = {name: attrgetter(slot(place)) for place, name in enumerate(self.names)}
        #: The row of a record of which nothing could be read.
        self.blank = self._make(*([None] * len(self.names)))

    def row(self, values: Mapping[str, Any] | None) -> Any:
        """A row of values by field name."""
        return self.blank if values is None else self._make(*[values[name] for name in self.names])

    def values(self, row: Any) -> dict[str, Any] | None:
        """Field name → value; ``None`` for the blank row."""
        return None if row is self.blank else dict(zip(self.names, msgspec.structs.astuple(row), strict=True))

    def column(self, rows: Sequence[Any], name: str) -> list[Any]:
        """The values of one field."""
        return list(map(self._getters[name], rows))


@cache
def rows_of(names: tuple[str, ...]) -> Rows:
    """The rows of a contract's fields, in order; the same for the same names."""
    return Rows(names)
