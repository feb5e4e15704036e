"""A contract while it is compiled: the document, and the parts found so far."""

from __future__ import annotations

import re
from typing import Any

from stream_app.contract.document import Document, Path_
from stream_app.contract.model import (
    Before,
    Condition,
    Deviation,
    Dimension,
    Field,
    Outlier,
    Reference,
    Required,
    Rule,
    RuleKind,
    Severity,
    Stale,
    Unique,
    ValueRule,
    WindowRule,
)
from stream_app.errors import DocumentError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def a(kind: str) -> str:
    """Return a type with its article."""
    return f"an {kind}" if kind == "integer" else f"a {kind}"


class Draft:
    """Collects the parts of one entity's contract; the steps of the compiler add to it. ``at``: a path in the document."""

    def __init__(self, document: Document, entity: str, schema: dict[str, Any], at: Path_) -> None:
        self.document = document
        self.entity = entity
        self.schema = schema
        self.at = at
        self.rules: dict[str, Rule] = {}
        self.fields: list[Field] = []
        self.references: list[Reference] = []
        self.uniques: list[Unique] = []
        self.values: list[ValueRule] = []
        self.conditions: list[Condition] = []
        self.required: list[Required] = []
        self.outliers: list[Outlier] = []
        self.deviations: list[Deviation] = []
        self.stale: Stale | None = None
        self.before: list[Before] = []
        self.windows: list[WindowRule] = []
        self.key: str | None = None
        #: Field → the cost to the business when one of its structural rules is broken.
        self.impacts: dict[str, str] = {}

    def error(self, at: Path_, message: str) -> DocumentError:
        """Return the error to raise, ``file:line: message``, for the line of ``at``."""
        return self.document.error(at, message)

    def refuse(self, problem: str | None, at: Path_) -> None:
        """Raise a problem that a check of ``values``, ``steps`` or ``thresholds`` found; ``None``: it found none."""
        if problem is not None:
            raise self.error(at, problem)

    def field(self, name: Any, at: Path_, types: tuple[str, ...] = (), role: str = "") -> Field:
        """Return the field ``name``; refuse one that this entity does not have, or whose type is not among ``types``."""
        for field in self.fields:
            if field.name == name:
                if types and field.type not in types:
                    begin = f"{role}: " if role else ""
                    raise self.error(at, f"{begin}{name} is {a(field.type)}; name a field of type {' or '.join(types)}")
                return field
        names = ", ".join(field.name for field in self.fields)
        raise self.error(at, f"{self.entity} has no field {name!r}; its fields: {names}")

    def reference(self, name: Any, at: Path_) -> Reference:
        """Return the relationship of the field ``name``; refuse a field that has none."""
        self.field(name, at)
        for reference in self.references:
            if reference.field == name:
                return reference
        raise self.error(at, f"{name} does not refer to another entity; give it `relationships`, or name a field that has them")

    def structure(
        self,
        rule_id: str,
        dimension: Dimension,
        message: str,
        field: str,
        at: Path_,
        kind: RuleKind = "structure",
        path: str | None = None,
    ) -> Rule:
        """Add a rule that follows from the declaration of a field; such rules reject."""
        path = f"$.{field}" if path is None else path
        return self.add(Rule(rule_id, dimension, Severity.ERROR, path, message, kind, field, self.impacts.get(field)), at)

    def quality(
        self, quality: dict[str, Any], at: Path_, field: str | None, kind: RuleKind, severity: Severity | None = None
    ) -> Rule:
        """Add the rule that an entry of ``quality`` names, with its own severity unless another is given."""
        rule = Rule(
            quality["id"],
            Dimension(quality["dimension"]),
            severity or Severity(quality.get("severity", "error")),
            f"$.{field}" if field else "$",
            quality.get("description") or quality.get("name") or f"{quality['id']} does not hold",
            kind,
            field,
            quality.get("businessImpact"),
        )
        return self.add(rule, at)

    def add(self, rule: Rule, at: Path_) -> Rule:
        """Add a rule; refuse an id that another rule of the contract has."""
        if rule.id in self.rules:
            raise self.error(at, f"the rule id {rule.id!r} appears twice in the contract; rename one")
        self.rules[rule.id] = rule
        return rule

    def impact(self, custom: dict[str, Any], at: Path_) -> str | None:
        """Return the custom property ``businessImpact`` of an entity or a field."""
        text = custom.get("businessImpact")
        if text is not None and not (isinstance(text, str) and text.strip()):
            raise self.error(
                (*at, "customProperties"), "businessImpact is not a string; write what a broken rule costs the business"
            )
        return text

    def custom_properties(self, node: dict[str, Any], at: Path_, known: tuple[str, ...]) -> dict[str, Any]:
        """Return the custom properties of a node by name; refuse one that is not among ``known``."""
        found: dict[str, Any] = {}
        for index, item in enumerate(node.get("customProperties") or []):
            name = item["property"]
            where = (*at, "customProperties", index)
            if name not in known:
                cure = f"supported: {', '.join(known)}" if known else "remove it"
                raise self.error(where, f"unknown custom property {name!r}; {cure}")
            if name in found:
                raise self.error(where, f"the custom property {name!r} appears twice; remove one")
            found[name] = item["value"]
        return found
