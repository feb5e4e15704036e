"""One ODCS document → one compiled Contract; everything that Headrace does not support is refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stream_app.contract.document import Document, Path_
from stream_app.contract.draft import NAME, Draft
from stream_app.contract.fields import compile_fields
from stream_app.contract.model import Contract, Dimension, Rule, Severity
from stream_app.contract.quality import compile_quality
from stream_app.contract.roles import (
    SCHEMA_PROPERTIES,
    compile_roles,
    quality_weight,
    rejects_late,
    tombstones,
    unknown_fields,
    valid_target,
    within,
)
from stream_app.contract.sales import check_currencies, check_visit

#: The rule on the header ``headrace.as_of``.
AS_OF_RULE = "record.asOf"
#: The rule that rejects late records, of contracts that wish so.
LATE_RULE = "record.late"
#: Rules on a record as a whole, before its fields are read: id → (dimension, severity, message).
RECORD_RULES: dict[str, tuple[Dimension, Severity, str]] = {
    "record.tombstone": (Dimension.COMPLETENESS, Severity.ERROR, "the record has no value (a tombstone)"),
    "record.deleted": (Dimension.CONSISTENCY, Severity.ERROR, "a tombstone deleted the record while it waited"),
    "record.unreadable": (Dimension.CONFORMITY, Severity.ERROR, "the batch of records cannot be read"),
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
    "record.duplicateKey": (Dimension.CONSISTENCY, Severity.ERROR, "a key appears twice in the object"),
    "record.refused": (Dimension.CONFORMITY, Severity.ERROR, "the topic of clean or pending records does not take the record"),
    "record.unknownField": (
        Dimension.CONFORMITY,
        Severity.WARNING,
        "the object has a field that the contract does not declare",
    ),
    AS_OF_RULE: (
        Dimension.CONFORMITY,
        Severity.WARNING,
        "the header headrace.as_of is not in milliseconds of the years 1970 to 9998",
    ),
}
#: Service levels that say when a contract is in force; Headrace would have to check all others, and does not.
SERVICE_DATES = ("generalAvailability", "endOfSupport", "endOfLife")


def compile_contract(document: Document) -> Contract:
    """Compile a document that already satisfies the standard's schema.

    Raises:
        DocumentError: the contract cannot be used; the message has file, line and cure.
    """
    data = document.data
    draft = _begin(document, data)
    _refuse_service_levels(draft, data)
    custom = draft.custom_properties(draft.schema, draft.at, SCHEMA_PROPERTIES)
    unknown = unknown_fields(draft, custom)
    impact = draft.impact(custom, draft.at)
    for rule_id, (dimension, usual, message) in RECORD_RULES.items():
        severity = unknown if rule_id == "record.unknownField" else usual
        if severity is None:
            continue
        # Only a rejected record costs the business something.
        costs = impact if severity is Severity.ERROR else None
        draft.add(Rule(rule_id, dimension, severity, "$", message, "record", impact=costs), draft.at)
    late = rejects_late(draft, custom)
    if late:
        message = "the record came after the windows of its time were final"
        draft.add(Rule(LATE_RULE, Dimension.TIMELINESS, Severity.ERROR, "$", message, "record", impact=impact), draft.at)
    properties = compile_fields(draft)
    roles, counts_for = compile_roles(draft, custom), within(draft, custom)
    draft.key = roles.key
    if roles.event_time is not None:
        _bound_event_time(draft, roles.event_time)
    for at, declared in properties:
        for index, quality in enumerate(declared.get("quality") or []):
            compile_quality(draft, (*at, "quality", index), quality, declared["name"])
    for index, quality in enumerate(draft.schema.get("quality") or []):
        compile_quality(draft, (*draft.at, "quality", index), quality, None)
    check_currencies(draft, roles.revenue)
    check_visit(draft, roles.visit)
    purpose = (data.get("description") or {}).get("purpose", "")
    return Contract(
        entity=draft.entity,
        id=str(data["id"]),
        version=str(data["version"]),
        file=document.file,
        description=draft.schema.get("description") or purpose,
        fields=tuple(draft.fields),
        rules=draft.rules,
        references=tuple(draft.references),
        uniques=tuple(replace(unique, within_ms=counts_for) for unique in draft.uniques),
        values=tuple(draft.values),
        conditions=tuple(draft.conditions),
        required=tuple(draft.required),
        outliers=tuple(draft.outliers),
        deviations=tuple(draft.deviations),
        stale=draft.stale,
        before=tuple(draft.before),
        windows=tuple(draft.windows),
        key=roles.key,
        event_time=roles.event_time,
        segments=roles.segments,
        revenue=roles.revenue,
        customer=roles.customer,
        order=roles.order,
        sale=roles.sale,
        cancellation=roles.cancellation,
        visit=roles.visit,
        unknown_fields=unknown,
        tombstones=tombstones(draft, custom),
        rejects_late=late,
        target=valid_target(draft, custom),
        weight=quality_weight(draft, custom),
    )


def _begin(document: Document, data: dict[str, Any]) -> Draft:
    if data.get("kind") != "DataContract":
        raise document.error(("kind",), "unsupported kind; write `kind: DataContract`")
    objects = data.get("schema") or []
    if len(objects) != 1:
        raise document.error(
            ("schema",), f"the file has {len(objects)} entries under `schema`; write exactly one, the entity, per file"
        )
    at: Path_ = ("schema", 0)
    entity: str = objects[0].get("name", "")
    if not NAME.fullmatch(entity):
        raise document.error(
            (*at, "name"),
            f"the entity's name {entity!r} is not valid; use letters, digits and _, and do not begin with a digit",
        )
    return Draft(document, entity, objects[0], at)


def _bound_event_time(draft: Draft, name: str) -> None:
    """Add the rule that an event time can be shown: windows, pages and reports are made of it."""
    message = f"{name} is outside of the years 1970 to 9998"
    draft.structure(f"{name}.range", Dimension.TIMELINESS, message, name, draft.at)
    draft.fields = [replace(field, event_time=field.name == name) for field in draft.fields]


def _refuse_service_levels(draft: Draft, data: dict[str, Any]) -> None:
    """Refuse what Headrace would have to check and does not; the rest of a contract's head is for people."""
    draft.custom_properties(data, (), ())
    for index, agreement in enumerate(data.get("slaProperties") or []):
        name = agreement["property"]
        if name not in SERVICE_DATES:
            raise draft.error(
                ("slaProperties", index, "property"),
                f"Headrace does not check the service level {name!r}; move it to a description, or write a quality rule with "
                f"the metric rowCount; accepted service levels: {', '.join(SERVICE_DATES)}",
            )
