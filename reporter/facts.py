"""What a fact is: a figure or name that a report may hold, with an id, a unit and its rendering."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. ``unit``: see ``figures.render``; ``rendering``: the value as it stands in the report.

    ``better``: ``higher``, ``lower`` or ``""`` where neither is. ``hidden``: a name that came with the data and is not in
    the contract; a model is told of it by its id only.
    """

    id: str
    value: float | int | str
    unit: str
    rendering: str
    label: str
    better: str = ""
    hidden: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As it is stored with the report."""
        return {
            "id": self.id,
            "value": self.value,
            "unit": self.unit,
            "rendering": self.rendering,
            "label": self.label,
            "better": self.better,
        }


@dataclass(slots=True)
class Facts:
    """The facts of one period by id, and the ids that belong together: ``rules`` holds ``rule.orders.quantity.minimum``
    for the facts whose ids begin with that and a dot. The most important of each come first. ``doubts`` holds the incidents
    that make the revenue doubtful.
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
    doubts: list[str] = field(default_factory=list)

    def has(self, *ids: str) -> bool:
        """Whether all of these ids are facts."""
        return all(one in self.all for one in ids)

    def rendering(self, fact_id: str) -> str:
        """How a fact reads; KeyError when there is none."""
        return self.all[fact_id].rendering

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Fact id → fact, as it is stored with the report."""
        return {fact_id: fact.to_dict() for fact_id, fact in self.all.items()}
