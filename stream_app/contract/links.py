"""References between contracts, checked when all contracts of a shop are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_app.contract.document import Document, Path_
from stream_app.contract.draft import a
from stream_app.contract.model import Contract, Field, Reference

_NUMERIC = ("integer", "number")
_GROUPS = ("string", "integer", "boolean")


def check_links(contract: Contract, document: Document, contracts: Mapping[str, Contract]) -> None:
    """Check what one contract says of other entities.

    Raises:
        DocumentError: an entity or field does not exist, or its type does not fit.
    """
    for reference in contract.references:
        _check_reference(contract, reference, document, contracts)
    for segment in contract.segments:
        name, dot, far = segment.partition(".")
        if dot:
            at: Path_ = ("schema", 0, "customProperties")
            if _far_field(contract, name, far, _GROUPS, document, at, contracts).personal:
                raise document.error(at, f"segments: {segment} is personal data, which must not be counted by value; remove it")
    for deviation in contract.deviations:
        at = _rule_path(document, deviation.rule.id)
        _far_field(contract, deviation.reference, deviation.value, _NUMERIC, document, at, contracts)
    for outlier in contract.outliers:
        at = _rule_path(document, outlier.rule.id)
        for level in outlier.levels:
            name, dot, far = level.partition(".")
            if not dot:
                continue
            field = _far_field(contract, name, far, _GROUPS, document, at, contracts)
            if field.personal:
                raise document.error(at, f"by: {level} is personal data, which baselines must not store; remove it")


def _check_reference(contract: Contract, reference: Reference, document: Document, contracts: Mapping[str, Contract]) -> None:
    at = _relationship_path(contract, reference, document)
    target = contracts.get(reference.to_entity)
    if target is None:
        raise document.error(at, f"unknown entity {reference.to_entity!r}; use one of {', '.join(sorted(contracts))}")
    names = [field.name for field in target.fields]
    if reference.to_field not in names:
        raise document.error(at, f"{reference.to_entity} has no field {reference.to_field!r}; use one of {', '.join(names)}")
    if reference.to_field != target.key:
        cure = f"refer to {target.key}" if target.key else f"set a recordKey in {reference.to_entity}"
        message = f"{reference.to_entity}.{reference.to_field} is not the recordKey of {reference.to_entity}; {cure}"
        raise document.error(at, message)
    if target.field(reference.to_field).type != contract.field(reference.field).type:
        message = f"{reference.field} and {reference.to_entity}.{reference.to_field} differ in type; give both one logicalType"
        raise document.error(at, message)


def _far_field(
    contract: Contract,
    name: str,
    far: str,
    types: tuple[str, ...],
    document: Document,
    at: Path_,
    contracts: Mapping[str, Contract],
) -> Field:
    entity = next(reference.to_entity for reference in contract.references if reference.field == name)
    target = contracts[entity]
    for field in target.fields:
        if field.name == far:
            if field.type not in types:
                raise document.error(
                    at, f"{name}.{far}: {entity}.{far} is {a(field.type)}; name a field of type {' or '.join(types)}"
                )
            return field
    fields = ", ".join(field.name for field in target.fields)
    raise document.error(at, f"{name}.{far}: {entity} has no field {far!r}; its fields: {fields}")


def _relationship_path(contract: Contract, reference: Reference, document: Document) -> Path_:
    schema = document.data["schema"][0]
    for index, relationship in enumerate(schema.get("relationships") or []):
        if relationship.get("from") == f"{contract.entity}.{reference.field}":
            return ("schema", 0, "relationships", index)
    index = [field.name for field in contract.fields].index(reference.field)
    return ("schema", 0, "properties", index, "relationships")


def _rule_path(document: Document, rule_id: str) -> Path_:
    """Return the path of the implementation of a quality rule."""
    at: Path_ = ("schema", 0)
    schema: dict[str, Any] = document.data["schema"][0]
    nodes = [(at, schema), *(((*at, "properties", i), one) for i, one in enumerate(schema["properties"]))]
    for at, node in nodes:
        for index, quality in enumerate(node.get("quality") or []):
            if quality.get("id") == rule_id:
                return (*at, "quality", index, "implementation")
    raise AssertionError(f"unknown rule {rule_id}")
