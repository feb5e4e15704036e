"""One ODCS document → one compiled Contract; what Headrace does not support is refused by name."""

from __future__ import annotations

import re
from typing import Any, get_args

from cel_expr_python import cel

from stream_app.contract.document import Document, Path_
from stream_app.contract.model import (
    Condition,
    Contract,
    Dimension,
    Field,
    LogicalType,
    Reference,
    Revenue,
    Rule,
    Severity,
    Unique,
    ValueRule,
)
from stream_app.contract.values import (
    bounds_problem,
    cleaning_problem,
    listed_problem,
    option_problem,
    pattern_problem,
    spellings_problem,
)
from stream_app.errors import DocumentError

_DEFAULT_CLEANING: dict[str, tuple[str, ...]] = {
    "string": ("nfc", "strip", "collapse", "emptyToNull"),
    "integer": ("strip", "emptyToNull", "number"),
    "number": ("strip", "emptyToNull", "number"),
    "boolean": ("strip", "emptyToNull", "boolean"),
    "timestamp": ("strip", "emptyToNull", "timestamp"),
}
_OPTIONS: dict[str, dict[str, str]] = {
    "string": {
        "minLength": "is too short",
        "maxLength": "is too long",
        "pattern": "does not have the agreed form",
        "format": "does not have the agreed format",
    },
    "integer": {},
    "number": {},
    "boolean": {},
    "timestamp": {"defaultTimezone": ""},
}
_BOUNDS = {
    "minimum": "is too small",
    "maximum": "is too large",
    "exclusiveMinimum": "is too small",
    "exclusiveMaximum": "is too large",
}
for _type in ("integer", "number"):
    _OPTIONS[_type] |= _BOUNDS | {"multipleOf": "is not a multiple of the agreed step"}
_OPTIONS["timestamp"] |= {name: message.replace("small", "early").replace("large", "late") for name, message in _BOUNDS.items()}

_SCHEMA_PROPERTIES = ("recordKey", "eventTime", "segments", "revenue", "customer", "order", "unknownFields")
_FIELD_PROPERTIES = ("clean", "spellings")
_METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")

#: What can be wrong with a record before it has fields: id → (dimension, severity, message).
RECORD_RULES: dict[str, tuple[Dimension, Severity, str]] = {
    "record.tombstone": (Dimension.COMPLETENESS, Severity.ERROR, "the record has no value (a tombstone)"),
    "record.empty": (Dimension.COMPLETENESS, Severity.ERROR, "the value is empty"),
    "record.oversized": (Dimension.CONFORMITY, Severity.ERROR, "the value is longer than allowed"),
    "record.encoding": (Dimension.CONFORMITY, Severity.ERROR, "the value is not UTF-8"),
    "record.syntax": (Dimension.CONFORMITY, Severity.ERROR, "the value is not JSON"),
    "record.number": (
        Dimension.CONFORMITY,
        Severity.ERROR,
        "the value holds NaN, Infinity or a number too long to read",
    ),
    "record.nesting": (Dimension.CONFORMITY, Severity.ERROR, "the value is nested too deeply"),
    "record.notObject": (Dimension.CONFORMITY, Severity.ERROR, "the value is not a JSON object"),
    "record.duplicateKey": (Dimension.CONSISTENCY, Severity.ERROR, "a key stands twice in the object"),
    "record.unknownField": (Dimension.CONFORMITY, Severity.WARNING, "a field that the contract does not know"),
}


def compile_contract(document: Document) -> Contract:
    """Compile a document that already satisfies the standard's schema.

    Raises:
        DocumentError: with file, line and fix.
    """
    return _Compiler(document).contract()


class _Compiler:
    def __init__(self, document: Document) -> None:
        self.document = document
        data = document.data
        if data.get("kind") != "DataContract":
            raise document.error(("kind",), "kind must be DataContract")
        objects = data.get("schema") or []
        if len(objects) != 1:
            raise document.error(("schema",), "a contract file describes exactly one entity; one `schema` entry per file")
        self.schema: dict[str, Any] = objects[0]
        self.at: Path_ = ("schema", 0)
        self.entity: str = self.schema.get("name", "")
        if not _NAME.fullmatch(self.entity):
            raise document.error((*self.at, "name"), "an entity's name is letters, digits and _, as in a topic name")
        self.rules: dict[str, Rule] = {}
        self.fields: list[Field] = []
        self.references: list[Reference] = []
        self.uniques: list[Unique] = []
        self.values: list[ValueRule] = []
        self.conditions: list[Condition] = []

    def contract(self) -> Contract:
        custom = self._custom(self.schema, self.at, _SCHEMA_PROPERTIES)
        unknown = self._unknown_fields(custom)
        for rule_id, (dimension, severity, message) in RECORD_RULES.items():
            if rule_id == "record.unknownField":
                if unknown is None:
                    continue
                severity = unknown
            self._add(Rule(rule_id, dimension, severity, "$", message, "record"), self.at)
        properties = self.schema.get("properties") or []
        if not properties:
            raise self.document.error(self.at, f"{self.entity} has no properties; list its fields")
        places = [(*self.at, "properties", index) for index in range(len(properties))]
        for place, declared in zip(places, properties, strict=True):
            self._field(place, declared)
        if "relationships" in self.schema:
            raise self.document.error(
                (*self.at, "relationships"), "relationships of several fields are not supported; put it at the property"
            )
        self._primary_key(properties)
        for place, declared in zip(places, properties, strict=True):
            for index, quality in enumerate(declared.get("quality") or []):
                self._quality((*place, "quality", index), quality, declared["name"])
        for index, quality in enumerate(self.schema.get("quality") or []):
            self._quality((*self.at, "quality", index), quality, None)
        data = self.document.data
        purpose = (data.get("description") or {}).get("purpose", "")
        return Contract(
            entity=self.entity,
            id=str(data["id"]),
            version=str(data["version"]),
            file=self.document.file,
            description=self.schema.get("description") or purpose,
            fields=tuple(self.fields),
            rules=self.rules,
            references=tuple(self.references),
            uniques=tuple(self.uniques),
            values=tuple(self.values),
            conditions=tuple(self.conditions),
            key=self._named(custom, "recordKey"),
            event_time=self._named(custom, "eventTime", ("timestamp",)),
            segments=self._segments(custom),
            revenue=self._revenue(custom),
            customer=self._named(custom, "customer"),
            order=self._named(custom, "order"),
            unknown_fields=unknown,
        )

    # --- fields ---------------------------------------------------------------------------------------------------

    def _field(self, place: Path_, declared: dict[str, Any]) -> None:
        name = declared.get("name", "")
        if not _NAME.fullmatch(name):
            raise self.document.error((*place, "name"), "a field's name is letters, digits and _")
        if name == "as_of":
            raise self.document.error((*place, "name"), "as_of is what conditions call the moment of judging; rename the field")
        if any(field.name == name for field in self.fields):
            raise self.document.error((*place, "name"), f"the field {name!r} is declared twice")
        kind: Any = declared.get("logicalType")
        if kind not in get_args(LogicalType):
            supported = ", ".join(get_args(LogicalType))
            raise self.document.error((*place, "logicalType"), f"logicalType {kind!r} is not supported; use {supported}")
        required = bool(declared.get("required", False) or declared.get("primaryKey", False))
        options = declared.get("logicalTypeOptions") or {}
        path = f"$.{name}"
        if required:
            self._structure(f"{name}.required", Dimension.COMPLETENESS, path, f"{name} is missing", name, place)
        article = "an" if kind == "integer" else "a"
        self._structure(f"{name}.type", Dimension.CONFORMITY, path, f"{name} is not {article} {kind}", name, place)
        if kind == "string":
            self._structure(f"{name}.characters", Dimension.CONFORMITY, path, f"{name} holds control characters", name, place)
        for option, value in options.items():
            self._option(place, name, kind, option, value)
        self._refuse(bounds_problem(kind, options), (*place, "logicalTypeOptions"))
        custom = self._custom(declared, place, _FIELD_PROPERTIES)
        clean = custom.get("clean", list(_DEFAULT_CLEANING[kind]))
        self._refuse(cleaning_problem(kind, clean), (*place, "customProperties"))
        spellings = custom.get("spellings", {})
        self._refuse(spellings_problem(kind, spellings, tuple(clean)), (*place, "customProperties"))
        self.fields.append(
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
            self._relationship((*place, "relationships", index), name, relationship)
        if declared.get("unique"):
            rule = self._structure(
                f"{name}.unique", Dimension.UNIQUENESS, path, f"{name} occurs in another record", name, place, "unique"
            )
            self.uniques.append(Unique(rule, (name,), "kept"))

    def _option(self, place: Path_, name: str, kind: str, option: str, value: Any) -> None:
        where = (*place, "logicalTypeOptions", option)
        if option not in _OPTIONS[kind]:
            known = ", ".join(_OPTIONS[kind]) or "none"
            raise self.document.error(where, f"the option {option!r} of {kind} is not supported; supported: {known}")
        self._refuse(option_problem(kind, option, value), where)
        message = _OPTIONS[kind][option]
        if message:
            self._structure(f"{name}.{option}", _option_dimension(kind, option), f"$.{name}", f"{name} {message}", name, place)

    def _relationship(self, place: Path_, name: str, relationship: dict[str, Any]) -> None:
        target = relationship.get("to")
        if relationship.get("type", "foreignKey") != "foreignKey" or not isinstance(target, str):
            raise self.document.error(place, "a relationship is a foreignKey to one `entity.field`")
        entity, _, field = target.partition(".")
        if not entity or not _NAME.fullmatch(field):
            raise self.document.error((*place, "to"), f"{target!r} is not of the form entity.field")
        rule = self._structure(
            f"{name}.reference", Dimension.CONSISTENCY, f"$.{name}", f"no {entity} record has this {field}", name, place,
            "reference",
        )  # fmt: skip
        self.references.append(Reference(rule, name, entity, field))

    def _primary_key(self, properties: list[dict[str, Any]]) -> None:
        keys = [p for p in properties if p.get("primaryKey")]
        if not keys:
            return
        keys.sort(key=lambda declared: int(declared.get("primaryKeyPosition", 1)))
        names = tuple(str(declared["name"]) for declared in keys)
        label = "+".join(names)
        path = f"$.{names[0]}" if len(names) == 1 else "$"
        rule = self._structure(
            f"{label}.unique",
            Dimension.UNIQUENESS,
            path,
            f"{label} occurs in another record",
            names[0],
            self.at,
            "unique",
        )
        self.uniques.append(Unique(rule, names, "kept"))

    # --- quality --------------------------------------------------------------------------------------------------

    def _quality(self, place: Path_, quality: dict[str, Any], field: str | None) -> None:
        kind = quality.get("type", "library")
        if kind == "text":
            return
        if kind == "sql":
            raise self.document.error((*place, "type"), "quality of type sql is not supported; use library or custom")
        rule_id = quality.get("id")
        if not rule_id:
            raise self.document.error(place, "a quality rule needs a stable `id`")
        if "dimension" not in quality:
            raise self.document.error(place, f"the rule {rule_id!r} needs a `dimension`: {', '.join(Dimension)}")
        severity = quality.get("severity", "error")
        if severity not in list(Severity):
            raise self.document.error((*place, "severity"), f"severity is one of {', '.join(Severity)}")
        for unsupported in ("schedule", "scheduler", "method", "rule"):
            if unsupported in quality:
                raise self.document.error((*place, unsupported), f"{unsupported!r} is not supported; remove it")
        if kind == "custom":
            self._condition(place, quality, field)
        else:
            self._metric(place, quality, field)

    def _rule(self, place: Path_, quality: dict[str, Any], field: str | None, kind: Any) -> Rule:
        message = quality.get("description") or quality.get("name") or f"{quality['id']} does not hold"
        rule = Rule(
            quality["id"],
            Dimension(quality["dimension"]),
            Severity(quality.get("severity", "error")),
            f"$.{field}" if field else "$",
            message,
            kind,
            field,
            quality.get("businessImpact"),
        )
        return self._add(rule, place)

    def _condition(self, place: Path_, quality: dict[str, Any], field: str | None) -> None:
        if quality.get("engine") != "headrace":
            raise self.document.error(
                (*place, "engine"), f"the engine {quality.get('engine')!r} is not supported; use headrace"
            )
        implementation = quality.get("implementation")
        if not isinstance(implementation, dict) or set(implementation) != {"condition"}:
            raise self.document.error((*place, "implementation"), "implementation is `condition: <CEL expression>`")
        expression = str(implementation["condition"])
        where = (*place, "implementation", "condition")
        compile_cel(expression, self.fields, lambda message: self.document.error(where, message))
        words = set(re.findall(r"[A-Za-z_]\w*", _STRING.sub("", expression)))
        fields = tuple(f.name for f in self.fields if f.name in words)
        if not fields:
            raise self.document.error(where, "the condition reads no field of the record")
        self.conditions.append(Condition(self._rule(place, quality, field, "condition"), expression, fields, "as_of" in words))

    def _metric(self, place: Path_, quality: dict[str, Any], field: str | None) -> None:
        metric = quality.get("metric")
        if metric not in _METRICS:
            raise self.document.error(
                (*place, "metric"), f"the metric {metric!r} is not supported; supported: {', '.join(_METRICS)}"
            )
        operators = {key: value for key, value in quality.items() if key.startswith("must")}
        if operators != {"mustBe": 0} or quality.get("unit", "rows") != "rows":
            raise self.document.error(
                place, f"{quality['id']}: only `mustBe: 0` rows is supported, a rule that every record must keep"
            )
        arguments = dict(quality.get("arguments") or {})
        if metric == "duplicateValues":
            names = arguments.get("properties", [field] if field else None)
            if set(arguments) - {"properties"} or not isinstance(names, list) or not names:
                raise self.document.error(place, "duplicateValues takes `arguments: {properties: [field, …]}`")
            for name in names:
                self._known(name, (*place, "arguments"))
            self.uniques.append(Unique(self._rule(place, quality, field, "unique"), tuple(names), "seen"))
            return
        if field is None:
            raise self.document.error(place, f"{metric} belongs to a property, not to the whole schema")
        values: Any = ()
        pattern = None
        if metric == "missingValues":
            values = arguments.pop("missingValues", None)
        elif metric == "invalidValues":
            values, pattern = arguments.pop("validValues", ()), arguments.pop("pattern", None)
            if values == () and pattern is None:
                raise self.document.error(place, "invalidValues takes `arguments: {validValues: […]}` or `{pattern: …}`")
        if arguments:
            unknown = ", ".join(map(repr, arguments))
            raise self.document.error((*place, "arguments"), f"{metric} does not take the argument {unknown}; remove it")
        if values != ():
            kind = next(known.type for known in self.fields if known.name == field)
            self._refuse(listed_problem(kind, values), (*place, "arguments"))
        if pattern is not None:
            self._refuse(pattern_problem(pattern), (*place, "arguments", "pattern"))
        rule = self._rule(place, quality, field, "library")
        self.values.append(ValueRule(rule, field, metric, tuple(values), pattern))

    # --- custom properties ----------------------------------------------------------------------------------------

    def _custom(self, node: dict[str, Any], place: Path_, known: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for index, item in enumerate(node.get("customProperties") or []):
            name = item["property"]
            where = (*place, "customProperties", index)
            if name not in known:
                raise self.document.error(where, f"unknown custom property {name!r}; known here: {', '.join(known)}")
            if name in found:
                raise self.document.error(where, f"the custom property {name!r} stands twice")
            found[name] = item["value"]
        return found

    def _unknown_fields(self, custom: dict[str, Any]) -> Severity | None:
        value = custom.get("unknownFields", "warning")
        if value == "ignore":
            return None
        if value not in list(Severity):
            raise self.document.error((*self.at, "customProperties"), "unknownFields is error, warning, info or ignore")
        return Severity(value)

    def _known(self, name: Any, place: Path_) -> str:
        if not any(field.name == name for field in self.fields):
            names = ", ".join(field.name for field in self.fields)
            raise self.document.error(place, f"{self.entity} has no field {name!r}; its fields: {names}")
        return str(name)

    def _named(self, custom: dict[str, Any], prop: str, types: tuple[str, ...] = ()) -> str | None:
        if prop not in custom:
            return None
        place = (*self.at, "customProperties")
        name = self._known(custom[prop], place)
        kind = next(field.type for field in self.fields if field.name == name)
        if types and kind not in types:
            raise self.document.error(place, f"{prop}: {name} is a {kind}; it must be a {' or '.join(types)}")
        return name

    def _segments(self, custom: dict[str, Any]) -> tuple[str, ...]:
        names = custom.get("segments", [])
        if not isinstance(names, list):
            raise self.document.error((*self.at, "customProperties"), "segments is a list of fields")
        place = (*self.at, "customProperties")
        for name in names:
            self._known(name, place)
            if names.count(name) > 1:
                raise self.document.error(place, f"segments names {name!r} twice; remove one")
            if any(field.name == name and field.personal for field in self.fields):
                raise self.document.error(place, f"segments: {name} is personal data, not to be counted by value; remove it")
        return tuple(names)

    def _revenue(self, custom: dict[str, Any]) -> Revenue | None:
        if "revenue" not in custom:
            return None
        place, value = (*self.at, "customProperties"), custom["revenue"]
        if not isinstance(value, dict) or set(value) != {"quantity", "price", "currency"}:
            raise self.document.error(place, "revenue is {quantity: field, price: field, currency: ISO 4217 code}")
        if not re.fullmatch(r"[A-Z]{3}", str(value["currency"])):
            raise self.document.error(place, "currency is an ISO 4217 code of three capitals")
        numeric = ("integer", "number")
        return Revenue(
            self._named(value, "quantity", numeric) or "", self._named(value, "price", numeric) or "", value["currency"]
        )

    # --- rules ----------------------------------------------------------------------------------------------------

    def _refuse(self, problem: str | None, place: Path_) -> None:
        if problem is not None:
            raise self.document.error(place, problem)

    def _structure(
        self,
        rule_id: str,
        dimension: Dimension,
        path: str,
        message: str,
        field: str,
        place: Path_,
        kind: Any = "structure",
    ) -> Rule:
        return self._add(Rule(rule_id, dimension, Severity.ERROR, path, message, kind, field), place)

    def _add(self, rule: Rule, place: Path_) -> Rule:
        if rule.id in self.rules:
            raise self.document.error(place, f"the rule id {rule.id!r} is taken; ids are unique within a contract")
        self.rules[rule.id] = rule
        return rule


def _option_dimension(kind: str, option: str) -> Dimension:
    if kind == "timestamp":
        return Dimension.TIMELINESS
    return Dimension.CONFORMITY if kind == "string" or option == "multipleOf" else Dimension.ACCURACY


_CEL_TYPES = {
    "string": cel.Type.STRING,
    "integer": cel.Type.INT,
    "number": cel.Type.DOUBLE,
    "boolean": cel.Type.BOOL,
    "timestamp": cel.Type.TIMESTAMP,
}


def compile_cel(expression: str, fields: list[Field] | tuple[Field, ...], problem: Any) -> Any:
    """Type-check and compile a CEL condition over an entity's fields and ``as_of`` (a timestamp).

    Optional fields may be null, so they are dynamically typed. ``problem`` makes the exception out of a message.
    """
    # Only what the expression mentions: a field may be called `type` or `string`, which CEL has a use for itself.
    words = set(re.findall(r"\w+", expression))
    mentioned = [field for field in fields if field.name in words]
    variables = {field.name: _CEL_TYPES[field.type] if field.required else cel.Type.DYN for field in mentioned}
    variables["as_of"] = cel.Type.TIMESTAMP
    try:
        compiled = cel.NewEnv(variables=variables).compile(expression)
    except Exception as error:
        first = str(error).splitlines()[0].replace("INVALID_ARGUMENT: ERROR: <input>:", "column ")
        raise problem(f"the condition is not valid CEL: {first}") from None
    if compiled.return_type() != cel.Type.BOOL:
        raise problem("the condition must be true or false; compare what it computes with something")
    return compiled


__all__ = ["RECORD_RULES", "DocumentError", "compile_cel", "compile_contract"]
