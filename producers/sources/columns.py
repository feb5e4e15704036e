"""The columns of a source, and how functions are applied to the cells of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from producers.record import memoised
from producers.sources.rows import Rows


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a source, as known before it is read.

    Attributes:
        typed: cells are Python values; else every cell is a text.
        file: the source's name in messages.
        json: ``raw`` rows are JSON, and a feed without mapped fields passes them through unchanged.
    """

    names: tuple[str, ...]
    typed: bool
    file: str
    json: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of each row that a function gets.

    Attributes:
        reads: the columns. One: the function gets the cell. Several: the tuple of cells. None: it is called once, with None.
        hashable: the cells can be keys of a dictionary, so that results can be memoised.
    """

    reads: tuple[str, ...]
    hashable: bool

    def apply(self, function: Callable[[Any], Any], rows: Rows, chosen: Sequence[int] | None) -> Iterable[Any]:
        """Return ``function`` of the cells of each chosen row."""
        if not self.reads:
            return repeat(function(None), count(rows, chosen))
        columns = [pick(rows.columns[name], chosen) for name in self.reads]
        return map(function, columns[0] if len(columns) == 1 else zip(*columns, strict=True))

    def memoise(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return ``function`` with its results kept, if the cells allow it."""
        return memoised(function) if self.hashable else function


def pick(column: Sequence[Any], chosen: Sequence[int] | None) -> Sequence[Any]:
    """Return the chosen rows of a column; None chooses all."""
    return column if chosen is None else [column[index] for index in chosen]


def count(rows: Rows, chosen: Sequence[int] | None) -> int:
    """Return the number of chosen rows."""
    return rows.length if chosen is None else len(chosen)
