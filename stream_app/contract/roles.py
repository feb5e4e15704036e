"""Custom properties of an entity: the roles of its fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

from stream_app.contract.draft import Draft
from stream_app.contract.model import DEFAULT_TARGET, Match, Revenue, Severity
from stream_app.contract.sales import compile_match, compile_revenue

SCHEMA_PROPERTIES = (
    "recordKey", "eventTime", "segments", "revenue", "customer", "order", "sale", "cancellation", "visit", "unknownFields",
    "late", "tombstones", "within", "businessImpact", "validTarget", "qualityWeight",
)  # fmt: skip
#: How long keys count where a contract does not say: a year, and time for what comes late.
WITHIN = "400d"
#: The largest weight of an entity.
MOST_WEIGHT = 1000
_DAYS = re.compile(r"(\d{1,5})(d|h)")
_UNITS_MS = {"d": 86_400_000, "h": 3_600_000}
_LEAST_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Roles:
    """The fields that have a role, by the names of ``Contract``'s attributes."""

    key: str | None
    event_time: str | None
    segments: tuple[str, ...]
    revenue: Revenue | None
    customer: str | None
    order: str | None
    sale: Match | None
    cancellation: Match | None
    visit: str | None


def unknown_fields(draft: Draft, custom: dict[str, Any]) -> Severity | None:
    """Return the severity of a field that the contract does not declare; ``None``: ignored."""
    value = custom.get("unknownFields", "warning")
    if value == "ignore":
        return None
    if value not in list(Severity):
        raise draft.error((*draft.at, "customProperties"), f"unknownFields is {value!r}; use error, warning, info or ignore")
    return Severity(value)


def within(draft: Draft, custom: dict[str, Any]) -> int | None:
    """Return how long a key counts, in ms; ``None``: for ever."""
    value = custom.get("within", WITHIN)
    if value == "forever":
        return None
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    length = int(match[1]) * _UNITS_MS[match[2]] if match is not None else 0
    if length < _LEAST_MS:
        raise draft.error(
            (*draft.at, "customProperties"),
            f"within is {value!r}; write how long keys count, such as {WITHIN} or 36h, or forever",
        )
    return length


def valid_target(draft: Draft, custom: dict[str, Any]) -> float:
    """Return the least share of valid records that is good."""
    value = custom.get("validTarget", DEFAULT_TARGET)
    if not _is_number(value) or not 0 < value <= 1:
        raise draft.error((*draft.at, "customProperties"), f"validTarget is {value!r}; use a share such as 0.98")
    return float(value)


def quality_weight(draft: Draft, custom: dict[str, Any]) -> float:
    """Return how much a record of the entity counts in the quality of the whole shop."""
    value = custom.get("qualityWeight", 1)
    if not _is_number(value) or not 0 <= value <= MOST_WEIGHT:
        raise draft.error(
            (*draft.at, "customProperties"),
            f"qualityWeight is {value!r}; use a number from 0 to {MOST_WEIGHT}",
        )
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def tombstones(draft: Draft, custom: dict[str, Any]) -> Literal["delete", "reject"]:
    """Return what a record with a key and no value does: ``delete`` the record with this key, or be rejected."""
    value = custom.get("tombstones", "delete")
    if value not in ("delete", "reject"):
        raise draft.error((*draft.at, "customProperties"), f"tombstones is {value!r}; use delete or reject")
    return cast('Literal["delete", "reject"]', value)


def rejects_late(draft: Draft, custom: dict[str, Any]) -> bool:
    """Return True if records that come after their windows are final are rejected; by default they correct the figures."""
    value = custom.get("late", "accept")
    if value not in ("accept", "reject"):
        raise draft.error((*draft.at, "customProperties"), f"late is {value!r}; use accept or reject")
    if value == "reject" and "eventTime" not in custom:
        raise draft.error(
            (*draft.at, "customProperties"), "late is reject, but no record can be late without an eventTime; name one"
        )
    return bool(value == "reject")


def compile_roles(draft: Draft, custom: dict[str, Any]) -> Roles:
    """Read the roles; refuse fields that the entity does not have or whose type does not fit."""
    return Roles(
        key=_named(draft, custom, "recordKey"),
        event_time=_named(draft, custom, "eventTime", ("timestamp",)),
        segments=_segments(draft, custom),
        revenue=compile_revenue(draft, custom),
        customer=_named(draft, custom, "customer"),
        order=_named(draft, custom, "order"),
        sale=compile_match(draft, custom, "sale"),
        cancellation=compile_match(draft, custom, "cancellation"),
        visit=_named(draft, custom, "visit"),
    )


def _named(draft: Draft, custom: dict[str, Any], role: str, types: tuple[str, ...] = ()) -> str | None:
    if role not in custom:
        return None
    return draft.field(custom[role], (*draft.at, "customProperties"), types, role).name


def _segments(draft: Draft, custom: dict[str, Any]) -> tuple[str, ...]:
    names = custom.get("segments", [])
    at = (*draft.at, "customProperties")
    if not isinstance(names, list):
        raise draft.error(at, "segments is not a list; write a list of fields")
    for name in names:
        near, dot, _ = str(name).partition(".")
        field = draft.field(near, at)
        if names.count(name) > 1:
            raise draft.error(at, f"{name!r} appears twice in segments; remove one")
        if dot:
            # A field of the referenced record; that it exists is checked when all contracts are read.
            if all(reference.field != near for reference in draft.references):
                raise draft.error(
                    at, f"segments: {near} does not refer to an entity; give it `relationships`, or remove {name}"
                )
            continue
        if field.personal:
            raise draft.error(at, f"segments: {name} is personal data, which must not be counted by value; remove it")
    return tuple(names)
