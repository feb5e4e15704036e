"""A contract while it is compiled: the document, where one is in it, and what it came to so far."""

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
    """A type with its article."""
    return f"an {kind}" if kind == "integer" else f"a {kind}"


class Draft:
    """Collects the parts of one entity's contract; the steps of the compiler add to it."""

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
        #: Field → what it costs the business when one of its structural rules is broken.
        self.impacts: dict[str, str] = {}

    def error(self, place: Path_, message: str) -> DocumentError:
        """The error to raise: ``file:line: message`` for the line of ``place``."""
        return self.document.error(place, message)

    def refuse(self, problem: str | None, place: Path_) -> None:
        """Raise the problem that one of ``stream_app.contract.values`` found, if it found one."""
        if problem is not None:
            raise self.error(place, problem)

    def field(self, name: Any, place: Path_, types: tuple[str, ...] = (), role: str = "") -> Field:
        """The field called ``name``, which must be one of this entity, and of one of ``types`` where there are any."""
        for field in self.fields:
            if field.name == name:
                if types and field.type not in types:
                    begin = f"{role}: " if role else ""
                    raise self.error(place, f"{begin}{name} is {a(field.type)}; it must be a {' or '.join(types)}")
                return field
        names = ", ".join(field.name for field in self.fields)
        raise self.error(place, f"{self.entity} has no field {name!r}; its fields: {names}")

    def reference(self, name: Any, place: Path_) -> Reference:
        """The relationship of the field called ``name``, which must have one."""
        self.field(name, place)
        for reference in self.references:
            if reference.field == name:
                return reference
        raise self.error(place, f"{name} refers to no other entity; give it `relationships`, or name a field that has them")

    def structure(
        self,
        rule_id: str,
        dimension: Dimension,
        message: str,
        field: str,
        place: Path_,
        kind: RuleKind = "structure",
        path: str | None = None,
    ) -> Rule:
        """Add a rule that follows from how a field is declared; such rules reject."""
        path = f"$.{field}" if path is None else path
        return self.add(Rule(rule_id, dimension, Severity.ERROR, path, message, kind, field, self.impacts.get(field)), place)

    def quality(
        self, quality: dict[str, Any], place: Path_, field: str | None, kind: RuleKind, severity: Severity | None = None
    ) -> Rule:
        """Add the rule that an entry of ``quality`` names; of its own severity unless another is given."""
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
        return self.add(rule, place)

    def add(self, rule: Rule, place: Path_) -> Rule:
        """Add a rule under its id, which no other may have."""
        if rule.id in self.rules:
            raise self.error(place, f"the rule id {rule.id!r} is taken; ids are unique within a contract")
        self.rules[rule.id] = rule
        return rule

    def impact(self, custom: dict[str, Any], place: Path_) -> str | None:
        """The custom property ``businessImpact``, of an entity's record rules or of a field's structural ones."""
        text = custom.get("businessImpact")
        if text is not None and not (isinstance(text, str) and text.strip()):
            raise self.error((*place, "customProperties"), "businessImpact is a text: what a broken rule costs the business")
        return text

    def custom_properties(self, node: dict[str, Any], place: Path_, known: tuple[str, ...]) -> dict[str, Any]:
        """The custom properties of a node by name; one that Headrace does not know is refused."""
        found: dict[str, Any] = {}
        for index, item in enumerate(node.get("customProperties") or []):
            name = item["property"]
            where = (*place, "customProperties", index)
            if name not in known:
                cure = f"known here: {', '.join(known)}" if known else "none is known here; remove it"
                raise self.error(where, f"unknown custom property {name!r}; {cure}")
            if name in found:
                raise self.error(where, f"the custom property {name!r} stands twice")
            found[name] = item["value"]
        return found
