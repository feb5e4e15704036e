"""Figures side by side: what is shown, and what was counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stream_app.counts.estimates import ERROR

#: Differences that are printed.
_PRINTED = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is not what was counted; ``counted``: a number, or the bounds that it has."""

    page: str
    figure: str
    shown: Any
    counted: Any

    def __str__(self) -> str:
        return f"{self.page}: {self.figure} is {self.shown}, counted {self.counted}"


@dataclass(slots=True)
class Comparison:
    """The figures compared so far, by page.

    Attributes:
        exact, estimates, bounded: how many figures were compared to the last digit, within the error that is stated, and
            within the bounds that the topics leave.
    """

    exact: Counter[str] = field(default_factory=Counter)
    estimates: Counter[str] = field(default_factory=Counter)
    bounded: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    @property
    def pages(self) -> list[str]:
        """Return the pages that have figures."""
        return sorted({*self.exact, *self.estimates, *self.bounded})

    def table(self) -> str:
        """Return the number of figures by page, and the first differences, as text."""
        row = "{:<44} {:>8} {:>10} {:>8} {:>12}".format
        wrong = Counter(one.page for one in self.differences)
        lines = [row("page", "exact", "estimates", "bounded", "differences")]
        for page in self.pages:
            numbers = self.exact[page], self.estimates[page], self.bounded[page], wrong[page]
            lines.append(row(page, *(f"{number:,}" for number in numbers)))
        total = self.exact.total(), self.estimates.total(), self.bounded.total(), len(self.differences)
        lines.append(row("all", *(f"{number:,}" for number in total)))
        return "\n".join([*lines, *(f"  {one}" for one in self.differences[:_PRINTED])])

    def same(self, page: str, figure: str, shown: Any, counted: Any, *, estimated: bool = False) -> None:
        """Compare one figure; ``estimated``: it may be off by ``ERROR``."""
        (self.estimates if estimated else self.exact)[page] += 1
        if not _equal(shown, counted, ERROR if estimated else 1e-9):
            self.differences.append(Difference(page, figure, shown, counted))

    def within(self, page: str, figure: str, shown: float, counted: float, possible: float) -> None:
        """Compare one figure that may be up to ``possible`` more than what was counted for certain."""
        if not possible:
            self.same(page, figure, shown, counted)
            return
        self.bounded[page] += 1
        low, high = sorted((counted, counted + possible))
        if not low <= shown <= high:
            self.differences.append(Difference(page, figure, shown, f"{low} to {high}"))

    def each(self, page: str, figure: str, shown: Mapping[Any, Any], counted: Mapping[Any, Any]) -> None:
        """Compare two mappings; what one of them lacks is 0."""
        for name in sorted({*shown, *counted}, key=str):
            self.same(page, f"{figure} {name}", shown.get(name, 0), counted.get(name, 0))


def _equal(shown: Any, counted: Any, error: float) -> bool:
    numbers = [one for one in (shown, counted) if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) < 2:
        return bool(shown == counted)
    return math.isclose(shown, counted, rel_tol=error, abs_tol=1e-9)
