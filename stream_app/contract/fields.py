"""Properties of an entity → fields, with the rules that follow from how they are declared."""

from __future__ import annotations

from typing import Any, get_args

from stream_app.contract.document import Path_
from stream_app.contract.draft import NAME, Draft, a
from stream_app.contract.model import Dimension, Field, LogicalType, Reference, Unique
from stream_app.contract.values import bounds_problem, cleaning_problem, option_problem, options_problem, spellings_problem

_DEFAULT_CLEANING: dict[str, tuple[str, ...]] = {
    "string": ("nfc", "strip", "collapse", "emptyToNull"),
    "integer": ("strip", "emptyToNull", "number"),
    "number": ("strip", "emptyToNull", "number"),
    "boolean": ("strip", "emptyToNull", "boolean"),
    "timestamp": ("strip", "emptyToNull", "timestamp"),
    "date": ("strip", "emptyToNull", "date"),
}
_SIZES = {
    "minimum": "is too small",
    "maximum": "is too large",
    "exclusiveMinimum": "is too small",
    "exclusiveMaximum": "is too large",
}
_MOMENTS = {name: message.replace("small", "early").replace("large", "late") for name, message in _SIZES.items()}
#: Type → option → what a finding says of the field (``value`` is the option's); one without says how a value is read.
OPTIONS: dict[str, dict[str, str]] = {
    "string": {
        "minLength": "is too short",
        "maxLength": "is too long",
        "pattern": "does not have the agreed form",
        "format": "does not have the format {value}",
    },
    "integer": _SIZES | {"multipleOf": "is not a multiple of the agreed step", "format": "does not fit {value}"},
    "number": _SIZES | {"multipleOf": "is not a multiple of the agreed step", "format": "does not fit {value}"},
    "boolean": {},
    "timestamp": _MOMENTS | {"format": "", "timezone": "", "defaultTimezone": ""},
    "date": _MOMENTS | {"format": ""},
}
FIELD_PROPERTIES = ("clean", "spellings", "businessImpact")


def compile_fields(draft: Draft) -> list[tuple[Path_, dict[str, Any]]]:
    """Add every field of the entity and what follows from it; gives (place, declaration) of each property."""
    properties = draft.schema.get("properties") or []
    if not properties:
        raise draft.error(draft.at, f"{draft.entity} has no properties; list its fields")
    places = [(*draft.at, "properties", index) for index in range(len(properties))]
    declared = list(zip(places, properties, strict=True))
    for place, one in declared:
        _field(draft, place, one)
    _schema_relationships(draft)
    _primary_key(draft, properties)
    return declared


def _field(draft: Draft, place: Path_, declared: dict[str, Any]) -> None:
    name = declared.get("name", "")
    if not NAME.fullmatch(name):
        raise draft.error((*place, "name"), "a field's name is letters, digits and _")
    if name == "as_of":
        raise draft.error((*place, "name"), "as_of is what conditions call the moment of judging; rename the field")
    if any(field.name == name for field in draft.fields):
        raise draft.error((*place, "name"), f"the field {name!r} is declared twice")
    if declared.get("physicalName", name) != name:
        raise draft.error((*place, "physicalName"), "a field is read by its `name`; rename columns in sources.yaml")
    kind: Any = declared.get("logicalType")
    if kind not in get_args(LogicalType):
        supported = ", ".join(get_args(LogicalType))
        raise draft.error((*place, "logicalType"), f"logicalType {kind!r} is not supported; use {supported}")
    required = bool(declared.get("required", False) or declared.get("primaryKey", False))
    options = declared.get("logicalTypeOptions") or {}
    custom = draft.custom_properties(declared, place, FIELD_PROPERTIES)
    if impact := draft.impact(custom, place):
        draft.impacts[name] = impact
    if required:
        draft.structure(f"{name}.required", Dimension.COMPLETENESS, f"{name} is missing", name, place)
    draft.structure(f"{name}.type", Dimension.CONFORMITY, f"{name} is not {a(kind)}", name, place)
    if kind == "string":
        draft.structure(f"{name}.characters", Dimension.CONFORMITY, f"{name} holds control characters", name, place)
    for option, value in options.items():
        _option(draft, place, name, kind, option, value)
    draft.refuse(bounds_problem(kind, options) or options_problem(options), (*place, "logicalTypeOptions"))
    clean = custom.get("clean", list(_DEFAULT_CLEANING[kind]))
    draft.refuse(cleaning_problem(kind, clean), (*place, "customProperties"))
    spellings = custom.get("spellings", {})
    draft.refuse(spellings_problem(kind, spellings, tuple(clean)), (*place, "customProperties"))
    draft.fields.append(
        Field(
            name,
            kind,
            required,
            options,
            declared.get("classification"),
            tuple(clean),
            spellings,
            declared.get("description") or "",
        )
    )
    for index, relationship in enumerate(declared.get("relationships") or []):
        where = (*place, "relationships", index)
        if not isinstance(relationship.get("to"), str):
            raise draft.error(where, "a relationship is a foreignKey to one `entity.field`")
        _relationship(draft, where, name, relationship)
    if declared.get("unique"):
        message = f"{name} occurs in another record"
        rule = draft.structure(f"{name}.unique", Dimension.UNIQUENESS, message, name, place, "unique")
        draft.uniques.append(Unique(rule, (name,), "kept"))


def _option(draft: Draft, place: Path_, name: str, kind: str, option: str, value: Any) -> None:
    where = (*place, "logicalTypeOptions", option)
    if option not in OPTIONS[kind]:
        known = ", ".join(OPTIONS[kind]) or "none"
        raise draft.error(where, f"the option {option!r} of {kind} is not supported; supported: {known}")
    draft.refuse(option_problem(kind, option, value), where)
    message = OPTIONS[kind][option].format(value=value)
    if message:
        draft.structure(f"{name}.{option}", option_dimension(kind, option), f"{name} {message}", name, place)


def option_dimension(kind: str, option: str) -> Dimension:
    """The dimension of the rule that an option of a type gives."""
    if kind in ("timestamp", "date"):
        return Dimension.TIMELINESS
    return Dimension.CONFORMITY if kind == "string" or option in ("multipleOf", "format") else Dimension.ACCURACY


def _schema_relationships(draft: Draft) -> None:
    for index, relationship in enumerate(draft.schema.get("relationships") or []):
        where = (*draft.at, "relationships", index)
        source, target = relationship.get("from"), relationship.get("to")
        if not isinstance(source, str) or not isinstance(target, str):
            raise draft.error(
                where, "relationships of several fields are not supported: a record has one recordKey; relate each field alone"
            )
        entity, _, name = source.partition(".")
        if entity != draft.entity:
            raise draft.error((*where, "from"), f"{source!r} is not of the form {draft.entity}.field")
        draft.field(name, (*where, "from"))
        _relationship(draft, where, name, relationship)


def _relationship(draft: Draft, place: Path_, name: str, relationship: dict[str, Any]) -> None:
    target = str(relationship["to"])
    if relationship.get("type", "foreignKey") != "foreignKey":
        raise draft.error(place, "a relationship is a foreignKey to one `entity.field`")
    draft.custom_properties(relationship, place, ())
    entity, _, field = target.partition(".")
    if not entity or not NAME.fullmatch(field):
        raise draft.error((*place, "to"), f"{target!r} is not of the form entity.field")
    message = f"no {entity} record has this {field}"
    rule = draft.structure(f"{name}.reference", Dimension.CONSISTENCY, message, name, place, "reference")
    draft.references.append(Reference(rule, name, entity, field))


def _primary_key(draft: Draft, properties: list[dict[str, Any]]) -> None:
    keys = [declared for declared in properties if declared.get("primaryKey")]
    if not keys:
        return
    keys.sort(key=lambda declared: int(declared.get("primaryKeyPosition", 1)))
    names = tuple(str(declared["name"]) for declared in keys)
    label = "+".join(names)
    path = f"$.{names[0]}" if len(names) == 1 else "$"
    message = f"{label} occurs in another record"
    rule = draft.structure(f"{label}.unique", Dimension.UNIQUENESS, message, names[0], draft.at, "unique", path)
    message = f"{label} occurs in another record that says something else"
    other = draft.structure(f"{label}.contradiction", Dimension.CONSISTENCY, message, names[0], draft.at, "contradiction", path)
    draft.uniques.append(Unique(rule, names, "kept", other))
