"""Adds facts: a value with its text and label, and with the previous value and the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from reporter.facts import Fact, Facts, Value
from reporter.formats import ABOUT, render, shown_share
from reporter.texts import Texts
from stream_app.counts.estimates import beyond_error

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
        estimated: bool = False,
        person: bool = False,
    ) -> None:
        """Add a fact; its label is the text ``labels.<label or id>`` with ``words`` filled in. ``person``: it names one."""
        if value is None:
            return
        if person:
            self._facts.people.add(fact_id)
        named = self._texts("labels", label or fact_id, **(words or {}))
        self._put(fact_id, value, unit, named, better, estimated=estimated)

    def compare(
        self,
        fact_id: str,
        values: tuple[float | None, float | None],
        unit: str,
        change: Change | None,
        label: str | None = None,
        better: str = "",
        *,
        words: Mapping[str, str] | None = None,
        estimated: tuple[bool, bool] = (False, False),
    ) -> None:
        """Add a fact, ``<id>.previous`` and ``<id>.change``, as far as ``values``, current and previous, are known.

        ``points`` is the difference of two shares as they are shown, so that a reader who subtracts gets the same.
        ``estimated``: which of the two are estimates, shown with ``≈``; a change within their errors is not a fact.
        ``change`` None: it is added by ``change``, where errors are others than those of sketches.
        """
        value, previous = values
        self.add(fact_id, value, unit, label, better, words=words, estimated=estimated[0])
        if value is None or previous is None:
            return
        named = self._texts("labels", "previous", label=self._facts.all[fact_id].label)
        self._put(f"{fact_id}.previous", previous, unit, named, estimated=estimated[1])
        if change is not None and beyond_error(value, previous, estimated):
            self.change(fact_id, (value, previous), unit, change, better)

    def change(self, fact_id: str, values: tuple[float, float], unit: str, change: Change, better: str = "") -> None:
        """Add ``<id>.change`` of a fact."""
        value, previous = values
        changed = self._texts("labels", "change", label=self._facts.all[fact_id].label)
        if change == "points":
            self._put(f"{fact_id}.change", shown_share(value) - shown_share(previous), "points", changed, better)
        elif change == "difference":
            self._put(f"{fact_id}.change", value - previous, f"+{unit}", changed, better)
        elif previous > 0:
            self._put(f"{fact_id}.change", (value - previous) / previous, "relative", changed, better)

    def _put(self, fact_id: str, value: Value, unit: str, label: str, better: str = "", *, estimated: bool = False) -> None:
        rendering = render(value, unit, self._texts)
        rendering = f"{ABOUT}{rendering}" if estimated else rendering
        self._facts.all[fact_id] = Fact(fact_id, value, unit, rendering, label, better)
