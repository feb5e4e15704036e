"""The custom properties of an entity: which of its fields plays which role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stream_app.contract.draft import Draft
from stream_app.contract.formats import currencies
from stream_app.contract.model import Revenue, Severity

SCHEMA_PROPERTIES = ("recordKey", "eventTime", "segments", "revenue", "customer", "order", "unknownFields", "businessImpact")


@dataclass(frozen=True, slots=True)
class Roles:
    """The fields that have a role, by the names of ``Contract``'s attributes."""

    key: str | None
    event_time: str | None
    segments: tuple[str, ...]
    revenue: Revenue | None
    customer: str | None
    order: str | None


def unknown_fields(draft: Draft, custom: dict[str, Any]) -> Severity | None:
    """How bad a field is that the contract does not know; ``None``: not at all."""
    value = custom.get("unknownFields", "warning")
    if value == "ignore":
        return None
    if value not in list(Severity):
        raise draft.error((*draft.at, "customProperties"), "unknownFields is error, warning, info or ignore")
    return Severity(value)


def compile_roles(draft: Draft, custom: dict[str, Any]) -> Roles:
    """Read the roles; each must name fields of the entity, of a type that can play it."""
    return Roles(
        key=_named(draft, custom, "recordKey"),
        event_time=_named(draft, custom, "eventTime", ("timestamp",)),
        segments=_segments(draft, custom),
        revenue=_revenue(draft, custom),
        customer=_named(draft, custom, "customer"),
        order=_named(draft, custom, "order"),
    )


def _named(draft: Draft, custom: dict[str, Any], role: str, types: tuple[str, ...] = ()) -> str | None:
    if role not in custom:
        return None
    return draft.field(custom[role], (*draft.at, "customProperties"), types, role).name


def _segments(draft: Draft, custom: dict[str, Any]) -> tuple[str, ...]:
    names = custom.get("segments", [])
    place = (*draft.at, "customProperties")
    if not isinstance(names, list):
        raise draft.error(place, "segments is a list of fields")
    for name in names:
        near, dot, _ = str(name).partition(".")
        field = draft.field(near, place)
        if names.count(name) > 1:
            raise draft.error(place, f"segments names {name!r} twice; remove one")
        if dot:
            # A field of the record that is referred to; whether it is there is seen when all contracts are read.
            if all(reference.field != near for reference in draft.references):
                raise draft.error(place, f"segments: {near} refers to no entity; only a reference has fields, as in {name}")
            continue
        if field.personal:
            raise draft.error(place, f"segments: {name} is personal data, not to be counted by value; remove it")
    return tuple(names)


def _revenue(draft: Draft, custom: dict[str, Any]) -> Revenue | None:
    if "revenue" not in custom:
        return None
    place, value = (*draft.at, "customProperties"), custom["revenue"]
    if not isinstance(value, dict) or set(value) != {"quantity", "price", "currency"}:
        raise draft.error(place, "revenue is {quantity: field, price: field, currency: ISO 4217 code}")
    if not isinstance(value["currency"], str) or value["currency"] not in currencies():
        raise draft.error(place, "currency is an ISO 4217 code of three capitals")
    numeric = ("integer", "number")
    return Revenue(
        _named(draft, value, "quantity", numeric) or "", _named(draft, value, "price", numeric) or "", value["currency"]
    )
