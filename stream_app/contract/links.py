"""What contracts say of each other: references, and rules that read a field of the record referred to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_app.contract.document import Document, Path_
from stream_app.contract.draft import a
from stream_app.contract.model import Contract, Field, Reference

_NUMERIC = ("integer", "number")
_GROUPS = ("string", "integer", "boolean")


def check_links(contract: Contract, document: Document, contracts: Mapping[str, Contract]) -> None:
    """Hold what one contract says of others to what those are.

    Raises:
        DocumentError: an entity or field is not there, or is of a type or use that does not fit.
    """
    for reference in contract.references:
        _check_reference(contract, reference, document, contracts)
    for segment in contract.segments:
        name, dot, far = segment.partition(".")
        if dot:
            at: Path_ = ("schema", 0, "customProperties")
            if _far_field(contract, name, far, _GROUPS, document, at, contracts).personal:
                raise document.error(at, f"segments: {segment} is personal data, not to be counted by value; remove it")
    for deviation in contract.deviations:
        place = _place_of(document, deviation.rule.id)
        _far_field(contract, deviation.reference, deviation.value, _NUMERIC, document, place, contracts)
    for outlier in contract.outliers:
        place = _place_of(document, outlier.rule.id)
        for level in outlier.levels:
            name, dot, far = level.partition(".")
            if not dot:
                continue
            field = _far_field(contract, name, far, _GROUPS, document, place, contracts)
            if field.personal:
                raise document.error(place, f"by: {level} is personal data, not to be kept in baselines; remove it")


def _check_reference(contract: Contract, reference: Reference, document: Document, contracts: Mapping[str, Contract]) -> None:
    place = _relationship_place(contract, reference, document)
    target = contracts.get(reference.to_entity)
    if target is None:
        raise document.error(place, f"no entity {reference.to_entity!r}; there are {', '.join(sorted(contracts))}")
    names = [field.name for field in target.fields]
    if reference.to_field not in names:
        raise document.error(place, f"{reference.to_entity} has no field {reference.to_field!r}")
    if reference.to_field != target.key:
        raise document.error(
            place,
            f"{reference.to_entity}.{reference.to_field} is not the recordKey of {reference.to_entity}; "
            "a relationship points at the recordKey",
        )
    if target.field(reference.to_field).type != contract.field(reference.field).type:
        raise document.error(place, f"{reference.field} and {reference.to_entity}.{reference.to_field} differ in type")


def _far_field(
    contract: Contract,
    name: str,
    far: str,
    types: tuple[str, ...],
    document: Document,
    place: Path_,
    contracts: Mapping[str, Contract],
) -> Field:
    entity = next(reference.to_entity for reference in contract.references if reference.field == name)
    target = contracts[entity]
    for field in target.fields:
        if field.name == far:
            if field.type not in types:
                raise document.error(place, f"{name}.{far}: {entity}.{far} is {a(field.type)}; it must be {' or '.join(types)}")
            return field
    fields = ", ".join(field.name for field in target.fields)
    raise document.error(place, f"{name}.{far}: {entity} has no field {far!r}; its fields: {fields}")


def _relationship_place(contract: Contract, reference: Reference, document: Document) -> Path_:
    schema = document.data["schema"][0]
    for index, relationship in enumerate(schema.get("relationships") or []):
        if relationship.get("from") == f"{contract.entity}.{reference.field}":
            return ("schema", 0, "relationships", index)
    index = [field.name for field in contract.fields].index(reference.field)
    return ("schema", 0, "properties", index, "relationships")


def _place_of(document: Document, rule_id: str) -> Path_:
    """Where the quality rule of this id stands."""
    at: Path_ = ("schema", 0)
    schema: dict[str, Any] = document.data["schema"][0]
    nodes = [(at, schema), *(((*at, "properties", i), one) for i, one in enumerate(schema["properties"]))]
    for place, node in nodes:
        for index, quality in enumerate(node.get("quality") or []):
            if quality.get("id") == rule_id:
                return (*place, "quality", index, "implementation")
    raise AssertionError(f"no rule {rule_id}")
