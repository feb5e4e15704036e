"""Adds facts: a value with its text and label, and with the previous value and the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from reporter.facts import Fact, Facts, Value
from reporter.formats import render, shown_share
from reporter.texts import Texts

Change = Literal["points", "relative", "difference"]


class FactWriter:
    """Adds facts to ``facts``. A value of None adds nothing: what was not measured is not a fact."""

    def __init__(self, facts: Facts, texts: Texts) -> None:
        self._facts = facts
        self._texts = texts

    def add(
        self,
        fact_id: str,
        value: Value | None,
        unit: str,
        label: str | None = None,
        better: str = "",
        *,
        words: Mapping[str, str] | None = None,
    ) -> None:
        """Add a fact; its label is the text ``labels.<label or id>`` with ``words`` filled in."""
        if value is None:
            return
        self._put(fact_id, value, unit, self._texts("labels", label or fact_id, **(words or {})), better)

    def compare(
        self,
        fact_id: str,
        values: tuple[float | None, float | None],
        unit: str,
        change: Change,
        label: str | None = None,
        better: str = "",
        *,
        words: Mapping[str, str] | None = None,
    ) -> None:
        """Add a fact, ``<id>.previous`` and ``<id>.change``, as far as ``values``, current and previous, are known.

        ``points`` is the difference of two shares as they are shown, so that a reader who subtracts gets the same.
        """
        value, previous = values
        self.add(fact_id, value, unit, label, better, words=words)
        if value is None or previous is None:
            return
        base = self._facts.all[fact_id].label
        changed = self._texts("labels", "change", label=base)
        self._put(f"{fact_id}.previous", previous, unit, self._texts("labels", "previous", label=base))
        if change == "points":
            self._put(f"{fact_id}.change", shown_share(value) - shown_share(previous), "points", changed, better)
        elif change == "difference":
            self._put(f"{fact_id}.change", value - previous, f"+{unit}", changed, better)
        elif previous > 0:
            self._put(f"{fact_id}.change", (value - previous) / previous, "relative", changed, better)

    def _put(self, fact_id: str, value: Value, unit: str, label: str, better: str = "") -> None:
        self._facts.all[fact_id] = Fact(fact_id, value, unit, render(value, unit, self._texts), label, better)
