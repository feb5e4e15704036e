"""The ``quality`` of an entity or property → rules: the standard's library metrics, and what every rule must say."""

from __future__ import annotations

from typing import Any

from stream_app.contract.custom import compile_custom
from stream_app.contract.document import Path_
from stream_app.contract.draft import Draft
from stream_app.contract.model import Dimension, Rule, RuleKind, Severity, Unique, ValueRule, WindowRule
from stream_app.contract.thresholds import OPERATORS, UNITS, threshold_bounds, threshold_problem
from stream_app.contract.values import listed_problem, missing_problem, pattern_problem, unreachable_problem

METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")
_UNSUPPORTED = ("schedule", "scheduler", "method", "rule")


def compile_quality(draft: Draft, place: Path_, quality: dict[str, Any], field: str | None) -> None:
    """Add the rule that one entry of ``quality`` describes; ``field`` is the property it stands at, if any."""
    kind = quality.get("type", "library")
    if kind == "text":
        return
    if kind == "sql":
        raise draft.error((*place, "type"), "quality of type sql is not supported; use library or custom")
    rule_id = quality.get("id")
    if not rule_id:
        raise draft.error(place, "a quality rule needs a stable `id`")
    if "dimension" not in quality:
        raise draft.error(place, f"the rule {rule_id!r} needs a `dimension`: {', '.join(Dimension)}")
    severity = quality.get("severity", "error")
    if severity not in list(Severity):
        raise draft.error((*place, "severity"), f"severity is one of {', '.join(Severity)}")
    for unsupported in _UNSUPPORTED:
        if unsupported in quality:
            raise draft.error((*place, unsupported), f"{unsupported!r} is not supported; remove it")
    draft.custom_properties(quality, place, ())
    if kind == "custom":
        for foreign in ("metric", "unit", *OPERATORS):
            if foreign in quality:
                raise draft.error(
                    (*place, foreign), f"{foreign!r} belongs to library metrics; a custom rule has an implementation"
                )
        compile_custom(draft, place, quality, field)
    else:
        _metric(draft, place, quality, field)


def _metric(draft: Draft, place: Path_, quality: dict[str, Any], field: str | None) -> None:
    metric = quality.get("metric")
    if metric not in METRICS:
        raise draft.error((*place, "metric"), f"the metric {metric!r} is not supported; supported: {', '.join(METRICS)}")
    operators = {key: value for key, value in quality.items() if key.startswith("must")}
    if len(operators) != 1 or not set(operators) <= set(OPERATORS):
        raise draft.error(place, f"{quality['id']}: {metric} needs one threshold: {', '.join(OPERATORS)}")
    [(operator, value)] = operators.items()
    unit = quality.get("unit", "rows")
    if unit not in UNITS:
        raise draft.error((*place, "unit"), f"the unit {unit!r} is not supported; use {' or '.join(UNITS)}")
    arguments = dict(quality.get("arguments") or {})
    if metric == "rowCount":
        if field is not None:
            raise draft.error(place, "rowCount belongs to the whole schema, not to a property")
        if unit == "percent":
            raise draft.error((*place, "unit"), "rowCount is a number of rows, not a share; remove the unit")
        _no_more(draft, metric, arguments, place)
    # An exact zero of rows is a promise about each record; everything else is one about the records of a window.
    each = metric != "rowCount" and operator == "mustBe" and unit == "rows" and _is_zero(value)
    if not each:
        draft.refuse(threshold_problem(operator, value, unit), (*place, operator))
        if quality.get("severity", "error") == Severity.INFO:
            message = f"{quality['id']}: a window that breaks its threshold is an incident; use warning or error"
            raise draft.error((*place, "severity"), message)
    if metric == "duplicateValues":
        _duplicates(draft, place, quality, field, arguments, each)
    elif metric == "rowCount":
        _counted(draft, place, quality, None, "window", each)
    else:
        _values(draft, place, quality, field, arguments, each)


def _is_zero(value: Any) -> bool:
    return value == 0 and not isinstance(value, bool)


def _duplicates(
    draft: Draft, place: Path_, quality: dict[str, Any], field: str | None, arguments: dict[str, Any], each: bool
) -> None:
    names = arguments.get("properties", [field] if field else None)
    if set(arguments) - {"properties"} or not isinstance(names, list) or not names:
        raise draft.error(place, "duplicateValues takes `arguments: {properties: [field, …]}`")
    for name in names:
        draft.field(name, (*place, "arguments"))
        if names.count(name) > 1:
            raise draft.error((*place, "arguments"), f"properties names {name!r} twice; remove one")
    rule = _counted(draft, place, quality, field, "unique", each)
    draft.uniques.append(Unique(rule, tuple(names), "seen"))


def _values(
    draft: Draft, place: Path_, quality: dict[str, Any], field: str | None, arguments: dict[str, Any], each: bool
) -> None:
    metric = quality["metric"]
    if field is None:
        raise draft.error(place, f"{metric} belongs to a property, not to the whole schema")
    found = draft.field(field, place)
    where = (*place, "arguments")
    if metric == "nullValues" and found.required and each:
        raise draft.error(place, f"{quality['id']}: {field} is required, which says the same; remove one of the two")
    values: Any = ()
    pattern = None
    if metric == "missingValues":
        values = arguments.pop("missingValues", None)
        draft.refuse(missing_problem(found.type, values, found.clean), where)
    elif metric == "invalidValues":
        values, pattern = arguments.pop("validValues", ()), arguments.pop("pattern", None)
        if values == () and pattern is None:
            raise draft.error(place, "invalidValues takes `arguments: {validValues: […]}` or `{pattern: …}`")
        if values != ():
            draft.refuse(listed_problem(found.type, values), where)
        if pattern is not None:
            draft.refuse(pattern_problem(pattern), (*where, "pattern"))
    _no_more(draft, metric, arguments, place)
    draft.refuse(unreachable_problem(list(values), found.clean, found.spellings), where)
    if metric == "nullValues" and found.required:
        _counted(draft, place, quality, field, "library", each, f"{field}.required")
        return
    rule = _counted(draft, place, quality, field, "library", each)
    draft.values.append(ValueRule(rule, field, metric, tuple(values), pattern))


def _no_more(draft: Draft, metric: str, arguments: dict[str, Any], place: Path_) -> None:
    if arguments:
        unknown = ", ".join(map(repr, arguments))
        raise draft.error((*place, "arguments"), f"{metric} does not take the argument {unknown}; remove it")


def _counted(
    draft: Draft,
    place: Path_,
    quality: dict[str, Any],
    field: str | None,
    kind: RuleKind,
    each: bool,
    counted: str | None = None,
) -> Rule:
    """The rule under which the metric's records are counted, and the promise about windows where it is one.

    ``counted`` is the id of the rule that counts them instead, if there is one.
    """
    if each:
        return draft.quality(quality, place, field, kind)
    rule = draft.quality(quality, place, field, "window", Severity.INFO)
    operator = next(key for key in quality if key in OPERATORS)
    unit = quality.get("unit", "rows")
    bounds = threshold_bounds(operator, quality[operator], unit)
    breach = Severity(quality.get("severity", "error"))
    draft.windows.append(WindowRule(rule, quality["metric"], unit, breach, counted or rule.id, **bounds))
    return rule
