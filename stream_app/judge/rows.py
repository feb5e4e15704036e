"""Rows of slots: the cleaned fields of a record, from which a batch takes its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec


def slot(index: int) -> str:
    """Name a row's slot. Fields may have any name, so that slots are numbered."""
    return f"f{index}"


@cache  # one type per number of fields
def _row_type(width: int) -> Callable[..., Any]:
    return msgspec.defstruct("Row", [(slot(index), Any) for index in range(width)], gc=False)


class Rows:
    """Makes rows of a contract's fields, and reads them; any struct with the same slots is a row."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._make = _row_type(len(self.names))
        self._getters = {name: attrgetter(slot(index)) for index, name in enumerate(self.names)}
        #: The row of a record that is not an object; compared by identity.
        self.blank = self._make(*([None] * len(self.names)))

    def row(self, values: Mapping[str, Any] | None) -> Any:
        """Make a row out of values by field name; ``None`` gives the blank row."""
        return self.blank if values is None else self._make(*[values[name] for name in self.names])

    def values(self, row: Any) -> dict[str, Any] | None:
        """Return field name → value; ``None`` for the blank row."""
        return None if row is self.blank else dict(zip(self.names, msgspec.structs.astuple(row), strict=True))

    def column(self, rows: Sequence[Any], name: str) -> list[Any]:
        """Return the values of one field."""
        return list(map(self._getters[name], rows))


@cache  # one entry per contract; whoever makes rows and whoever reads them must share the blank one
def rows_of(names: tuple[str, ...]) -> Rows:
    """Return the ``Rows`` of a contract's fields, in order; the same object for the same names."""
    return Rows(names)
