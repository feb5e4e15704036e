"""Writes facts down: a figure with its rendering and label, and with the period before and the change between the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from reporter.facts import Fact, Facts
from reporter.figures import render, shown_share
from reporter.texts import Texts

Value = float | int | str | None
Change = Literal["points", "relative", "difference"]


class Book:
    """Adds facts to ``facts``. A value of None adds nothing: what was not measured is no fact."""

    def __init__(self, facts: Facts, texts: Texts) -> None:
        self._facts = facts
        self._texts = texts

    def add(
        self,
        fact_id: str,
        value: Value,
        unit: str,
        label: str | None = None,
        better: str = "",
        *,
        hidden: bool = False,
        words: Mapping[str, str] | None = None,
    ) -> None:
        """One fact; its label is the text ``labels.<label or id>`` with ``words`` filled in."""
        if value is None:
            return
        self._put(fact_id, value, unit, self._texts("labels", label or fact_id, **(words or {})), better, hidden)

    def compare(
        self,
        fact_id: str,
        both: tuple[float | None, float | None],
        unit: str,
        change: Change,
        label: str | None = None,
        better: str = "",
        *,
        words: Mapping[str, str] | None = None,
    ) -> None:
        """A fact, ``<id>.previous`` and ``<id>.change``, as far as ``both``, now and before, are known.

        ``points`` is the difference of two shares as they are shown, so that a reader who subtracts finds the same.
        """
        value, previous = both
        self.add(fact_id, value, unit, label, better, words=words)
        if value is None or previous is None:
            return
        base = self._facts.all[fact_id].label
        named = self._texts("labels", "change", label=base)
        self._put(f"{fact_id}.previous", previous, unit, self._texts("labels", "previous", label=base))
        if change == "points":
            self._put(f"{fact_id}.change", shown_share(value) - shown_share(previous), "points", named, better)
        elif change == "difference":
            self._put(f"{fact_id}.change", value - previous, f"+{unit}", named, better)
        elif previous > 0:
            self._put(f"{fact_id}.change", (value - previous) / previous, "relative", named, better)

    def _put(
        self, fact_id: str, value: float | int | str, unit: str, label: str, better: str = "", hidden: bool = False
    ) -> None:
        self._facts.all[fact_id] = Fact(fact_id, value, unit, render(value, unit, self._texts), label, better, hidden)
