"""Exports of compiled contracts: rules as Markdown tables, clean records as JSON Schema, topics as AsyncAPI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stream_app.contract.formats import FLOATS, FORMATS, INTEGERS
from stream_app.contract.model import Contract, Field, Severity, Shop, WindowRule
from stream_app.names import CONTRACT, FINDINGS, REPAIRS, SOURCE, WARNINGS, Topics

_TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern")
#: Our format → JSON Schema's.
_FORMATS = {"email": "idn-email", "uuid": "uuid", "uri": "uri", "hostname": "hostname", "ipv4": "ipv4", "ipv6": "ipv6"}
_HEADERS = {
    SOURCE: "topic:partition:offset of the raw record; skip records whose source you have seen",
    CONTRACT: "contract id and version",
    WARNINGS: "findings that do not reject (JSON): rule, severity, dimension, path, message; never a value",
    REPAIRS: "changes that cleaning made, field.step (JSON)",
    FINDINGS: "all findings (JSON): rule, severity, dimension, path, message; never a value",
}


def rules_markdown(contracts: Iterable[Contract]) -> str:
    """Return every rule of each contract as a Markdown table."""
    lines: list[str] = []
    for contract in contracts:
        lines += ["", f"## {contract.entity}", ""]
        lines += [contract.description, ""] if contract.description else []
        lines += ["| rule | kind | dimension | severity | about | what it says |", "|---|---|---|---|---|---|"]
        windows = {window.rule.id: window for window in contract.windows}
        for rule in contract.rules.values():
            window = windows.get(rule.id)
            severity = window.breach if window else rule.severity
            says = f"{rule.message} ({promise(window)})" if window else rule.message
            cells = (f"`{rule.id}`", rule.kind, rule.dimension, severity, f"`{rule.path}`", says)
            lines.append("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines).strip() + "\n"


def promise(window: WindowRule) -> str:
    """Return a threshold in words: ``nullValues of an hour: less than 5 %``."""
    scale, unit = (100, " %") if window.unit == "percent" else (1, " rows")
    low = None if window.low is None else f"{window.low * scale:.10g}"
    high = None if window.high is None else f"{window.high * scale:.10g}"
    if low is not None and high is not None:
        words = low if low == high else f"from {low} to {high}"
    elif low is not None:
        words = f"more than {low}" if window.exclusive_low else f"{low} or more"
    else:
        words = f"less than {high}" if window.exclusive_high else f"{high} or less"
    return f"{window.metric} of an hour: {'not ' if window.outside else ''}{words}{unit}"


def json_schema(contract: Contract) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the entity's clean records.

    It has types, bounds, formats and listed values. Every field is present, with null if it is optional and absent. Bounds of
    timestamps and dates are in the description only.
    """
    listed = {
        rule.field: list(rule.values)
        for rule in contract.values
        if rule.metric == "invalidValues" and rule.values and rule.rule.severity is Severity.ERROR
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:headrace:{contract.id}:{contract.version}",
        "title": contract.entity,
        "description": contract.description,
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in contract.fields],
        "properties": {field.name: _property(field, listed.get(field.name)) for field in contract.fields},
    }


def _property(field: Field, listed: list[Any] | None) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if field.description:
        schema["description"] = field.description
    kind = _TYPES.get(field.type, "string")
    schema["type"] = kind if field.required else [kind, "null"]
    if field.type in ("timestamp", "date"):
        schema["format"] = "date-time" if field.type == "timestamp" else "date"
        bounds = ", ".join(f"{name} {value}" for name, value in field.options.items() if name in _BOUNDS)
        if bounds:
            schema["description"] = f"{schema.get('description', '')} ({bounds})".strip()
    else:
        schema |= {name: value for name, value in field.options.items() if name in _BOUNDS}
        schema |= _format(field, schema)
    if listed is not None:
        schema["enum"] = [*listed, *([] if field.required else [None])]
    if field.personal:
        schema["x-classification"] = field.classification
    return schema


def _format(field: Field, schema: Mapping[str, Any]) -> dict[str, Any]:
    form = field.options.get("format")
    if field.type == "integer":
        least, most = INTEGERS[form or "i64"]
        return {"minimum": max(least, schema.get("minimum", least)), "maximum": min(most, schema.get("maximum", most))}
    if form is None:
        return {}
    if field.type == "number":
        if form == "f64":
            return {}
        size = FLOATS[form]
        return {"minimum": max(-size, schema.get("minimum", -size)), "maximum": min(size, schema.get("maximum", size))}
    texts = FORMATS[form].listed
    if texts is not None:
        return {"enum": [*sorted(texts()), *([] if field.required else [None])]}
    return {"contentEncoding": "base64"} if form == "byte" else {"format": _FORMATS[form]}


def asyncapi(shop: Shop, prefix: str = "") -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of what the shop's worker sends: clean and dead-letter topics of every entity."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for entity, contract in shop.contracts.items():
        topics = Topics(entity, prefix)
        schemas[entity] = json_schema(contract)
        messages[f"{entity}Clean"] = {
            "contentType": "application/json",
            "headers": _headers(SOURCE, CONTRACT, WARNINGS, REPAIRS),
            "payload": {"$ref": f"#/components/schemas/{entity}"},
        }
        messages[f"{entity}DeadLetter"] = {
            "summary": "The raw record, unchanged, with all findings in a header.",
            "headers": _headers(SOURCE, CONTRACT, FINDINGS),
            "payload": {},
        }
        for name, topic in ((f"{entity}Clean", topics.clean), (f"{entity}DeadLetter", topics.dead_letter)):
            channels[name] = {"address": topic, "messages": {name: {"$ref": f"#/components/messages/{name}"}}}
            operations[f"send{name[0].upper()}{name[1:]}"] = {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
    versions = ", ".join(contract.name_and_version for contract in shop.contracts.values())
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Clean records of a shop", "version": "1.0.0", "description": f"Contracts: {versions}."},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string", "description": _HEADERS[name]} for name in names}}
