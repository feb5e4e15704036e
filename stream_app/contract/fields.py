"""Properties of an entity → fields, with the rules that follow from how they are declared."""

from __future__ import annotations

from typing import Any, get_args

from stream_app.contract.document import Path_
from stream_app.contract.draft import NAME, Draft, a
from stream_app.contract.model import Dimension, Field, LogicalType, Reference, Unique
from stream_app.contract.steps import DEFAULT_STEPS, cleaning_problem, spellings_problem
from stream_app.contract.values import bounds_problem, option_problem, options_problem

_SIZES = {
    "minimum": "is too small",
    "maximum": "is too large",
    "exclusiveMinimum": "is too small",
    "exclusiveMaximum": "is too large",
}
_MOMENTS = {name: message.replace("small", "early").replace("large", "late") for name, message in _SIZES.items()}
#: Type → option → the message of a finding, after the field's name; ``value`` is the option's. Options without a message say
#: how a value is read.
OPTIONS: dict[str, dict[str, str]] = {
    "string": {
        "minLength": "is too short",
        "maxLength": "is too long",
        "pattern": "does not match the pattern",
        "format": "does not have the format {value}",
    },
    "integer": _SIZES | {"multipleOf": "is not a multiple of {value}", "format": "does not fit {value}"},
    "number": _SIZES | {"multipleOf": "is not a multiple of {value}", "format": "does not fit {value}"},
    "boolean": {},
    "timestamp": _MOMENTS | {"format": "", "timezone": "", "defaultTimezone": ""},
    "date": _MOMENTS | {"format": ""},
}
FIELD_PROPERTIES = ("clean", "spellings", "businessImpact")


def compile_fields(draft: Draft) -> list[tuple[Path_, dict[str, Any]]]:
    """Add every field of the entity and the rules that follow; return (path, declaration) of each property."""
    properties = draft.schema.get("properties") or []
    if not properties:
        raise draft.error(draft.at, f"{draft.entity} has no properties; write one per field")
    declared = [((*draft.at, "properties", index), one) for index, one in enumerate(properties)]
    for at, one in declared:
        _field(draft, at, one)
    _schema_relationships(draft)
    _primary_key(draft, properties)
    return declared


def _field(draft: Draft, at: Path_, declared: dict[str, Any]) -> None:
    name = declared.get("name", "")
    if not NAME.fullmatch(name):
        raise draft.error(
            (*at, "name"), f"the field name {name!r} is not valid; use letters, digits and _, and do not begin with a digit"
        )
    if name == "as_of":
        raise draft.error((*at, "name"), "as_of is the name of the moment of judging in conditions; rename the field")
    if any(field.name == name for field in draft.fields):
        raise draft.error((*at, "name"), f"the field {name!r} is declared twice; remove one")
    if declared.get("physicalName", name) != name:
        raise draft.error(
            (*at, "physicalName"), "physicalName differs from `name`, which Headrace reads; rename columns in sources.yaml"
        )
    kind: Any = declared.get("logicalType")
    if kind not in get_args(LogicalType):
        supported = ", ".join(get_args(LogicalType))
        raise draft.error((*at, "logicalType"), f"unsupported logicalType {kind!r}; use one of {supported}")
    required = bool(declared.get("required", False) or declared.get("primaryKey", False))
    options = declared.get("logicalTypeOptions") or {}
    custom = draft.custom_properties(declared, at, FIELD_PROPERTIES)
    if impact := draft.impact(custom, at):
        draft.impacts[name] = impact
    if required:
        draft.structure(f"{name}.required", Dimension.COMPLETENESS, f"{name} is missing", name, at)
    draft.structure(f"{name}.type", Dimension.CONFORMITY, f"{name} is not {a(kind)}", name, at)
    if kind == "string":
        draft.structure(f"{name}.characters", Dimension.CONFORMITY, f"{name} contains control characters", name, at)
    for option, value in options.items():
        _option(draft, at, name, kind, option, value)
    draft.refuse(bounds_problem(kind, options) or options_problem(options), (*at, "logicalTypeOptions"))
    clean = custom.get("clean", list(DEFAULT_STEPS[kind]))
    draft.refuse(cleaning_problem(kind, clean), (*at, "customProperties"))
    spellings = custom.get("spellings", {})
    draft.refuse(spellings_problem(kind, spellings, tuple(clean)), (*at, "customProperties"))
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
        where = (*at, "relationships", index)
        if not isinstance(relationship.get("to"), str):
            raise draft.error(where, "the relationship is not a foreignKey to one `entity.field`; write `to: entity.field`")
        _relationship(draft, where, name, relationship)
    if declared.get("unique"):
        message = f"{name} occurs in another record"
        rule = draft.structure(f"{name}.unique", Dimension.UNIQUENESS, message, name, at, "unique")
        draft.uniques.append(Unique(rule, (name,), "kept"))


def _option(draft: Draft, at: Path_, name: str, kind: str, option: str, value: Any) -> None:
    where = (*at, "logicalTypeOptions", option)
    if option not in OPTIONS[kind]:
        known = ", ".join(OPTIONS[kind]) or "none"
        raise draft.error(where, f"unsupported option {option!r} of {kind}; supported: {known}")
    draft.refuse(option_problem(kind, option, value), where)
    message = OPTIONS[kind][option].format(value=value)
    if message:
        draft.structure(f"{name}.{option}", option_dimension(kind, option), f"{name} {message}", name, at)


def option_dimension(kind: str, option: str) -> Dimension:
    """Return the dimension of the rule that an option of a type makes."""
    if kind in ("timestamp", "date"):
        return Dimension.TIMELINESS
    return Dimension.CONFORMITY if kind == "string" or option in ("multipleOf", "format") else Dimension.ACCURACY


def _schema_relationships(draft: Draft) -> None:
    for index, relationship in enumerate(draft.schema.get("relationships") or []):
        where = (*draft.at, "relationships", index)
        source, target = relationship.get("from"), relationship.get("to")
        if not isinstance(source, str) or not isinstance(target, str):
            raise draft.error(where, "relationships of several fields are not supported; write one relationship per field")
        entity, _, name = source.partition(".")
        if entity != draft.entity:
            raise draft.error((*where, "from"), f"{source!r} has an invalid format. Expected: {draft.entity}.field")
        draft.field(name, (*where, "from"))
        _relationship(draft, where, name, relationship)


def _relationship(draft: Draft, at: Path_, name: str, relationship: dict[str, Any]) -> None:
    target = str(relationship["to"])
    if relationship.get("type", "foreignKey") != "foreignKey":
        raise draft.error(at, "the relationship is not a foreignKey to one `entity.field`; write `to: entity.field`")
    draft.custom_properties(relationship, at, ())
    entity, _, field = target.partition(".")
    if not entity or not NAME.fullmatch(field):
        raise draft.error((*at, "to"), f"{target!r} has an invalid format. Expected: entity.field")
    message = f"no {entity} record has this {field}"
    rule = draft.structure(f"{name}.reference", Dimension.CONSISTENCY, message, name, at, "reference")
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
    message = f"{label} occurs in another record with different content"
    other = draft.structure(f"{label}.contradiction", Dimension.CONSISTENCY, message, names[0], draft.at, "contradiction", path)
    draft.uniques.append(Unique(rule, names, "kept", other))
