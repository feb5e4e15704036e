"""Facts: figures and names that a report may contain, each with an id, a unit and its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

Value = float | int | str


class Fact(msgspec.Struct, frozen=True):
    """One fact, stored with the report.

    Attributes:
        unit: see ``formats.render``.
        rendering: the value as text in the report's language.
        better: ``higher`` or ``lower``; empty if neither is.
    """

    id: str
    value: Value
    unit: str
    rendering: str
    label: str
    better: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fact as it is stored."""
        stored: dict[str, Any] = msgspec.to_builtins(self)
        return stored


@dataclass(slots=True)
class Facts:
    """The facts of one period.

    Attributes:
        start, end: the period, seconds of event time.
        compared: the previous period has enough records to compare with.
        all: id → fact.
        entities, rules, segments, incidents, repairs, missing: prefixes of ids, most important first:
            ``rule.orders.quantity.minimum`` in ``rules`` stands for the facts whose ids begin with it and a dot.
        together, stretches, cascades: prefixes of rules that find the same records, of when a rule found most, and of rules
            that may find something because other records were rejected.
        doubts: prefixes of incidents that make the revenue doubtful.
        related: prefix of an incident or a segment → prefixes of the rules that it is about.
        words: prefix of an incident, or of its reason → key of the sentence that says what happened (texts, ``what``).
        actions: prefix of an incident → key of what to do about it (texts, ``actions``).
        leading: prefixes of the incidents that are open or errors, and not settled by anybody; the first is the headline.
        unjudged: the monitor has not judged all windows of the period, so that nothing is normal yet.
        repeats: prefixes of rules whose records repeat another one.
        people: ids of the facts that name a person; a model does not get them.
    """

    language: str
    start: int
    end: int
    compared: bool
    all: dict[str, Fact] = field(default_factory=dict)
    entities: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    together: list[str] = field(default_factory=list)
    stretches: list[str] = field(default_factory=list)
    cascades: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    related: dict[str, tuple[str, ...]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    actions: dict[str, str] = field(default_factory=dict)
    leading: list[str] = field(default_factory=list)
    unjudged: bool = False
    repeats: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)

    def has(self, *ids: str) -> bool:
        """True if all of these ids are facts."""
        return all(one in self.all for one in ids)

    def rendering(self, fact_id: str) -> str:
        """Return a fact's text; KeyError if there is no such fact."""
        return self.all[fact_id].rendering

    def number(self, fact_id: str) -> float:
        """Return a fact's value; 0 if there is no such fact or it is a text."""
        fact = self.all.get(fact_id)
        return 0.0 if fact is None or isinstance(fact.value, str) else float(fact.value)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return id → fact as they are stored with the report."""
        return {fact_id: fact.to_dict() for fact_id, fact in self.all.items()}
