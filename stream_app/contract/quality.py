"""Entries of ``quality`` → rules: what every rule must have, and the standard's library metrics."""

from __future__ import annotations

from typing import Any

from stream_app.contract.custom import compile_custom
from stream_app.contract.document import Path_
from stream_app.contract.draft import Draft
from stream_app.contract.model import Dimension, Rule, RuleKind, Severity, Unique, ValueRule, WindowRule
from stream_app.contract.steps import unreachable_problem
from stream_app.contract.thresholds import OPERATORS, UNITS, threshold_bounds, threshold_problem
from stream_app.contract.values import listed_problem, missing_problem, pattern_problem

METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")
_UNSUPPORTED = ("schedule", "scheduler", "method", "rule")


def compile_quality(draft: Draft, at: Path_, quality: dict[str, Any], field: str | None) -> None:
    """Add the rule of one entry of ``quality``; ``field`` is the property that has the entry, if it is not the entity's."""
    kind = quality.get("type", "library")
    if kind == "text":
        return
    if kind == "sql":
        raise draft.error((*at, "type"), "unsupported quality type sql; use library or custom")
    rule_id = quality.get("id")
    if not rule_id:
        raise draft.error(at, "the quality rule has no `id`; give it a stable one")
    if "dimension" not in quality:
        raise draft.error(at, f"the rule {rule_id!r} has no `dimension`; use one of {', '.join(Dimension)}")
    severity = quality.get("severity", "error")
    if severity not in list(Severity):
        raise draft.error((*at, "severity"), f"unknown severity {severity!r}; use one of {', '.join(Severity)}")
    for unsupported in _UNSUPPORTED:
        if unsupported in quality:
            raise draft.error((*at, unsupported), f"unsupported key {unsupported!r}; remove it")
    draft.custom_properties(quality, at, ())
    if kind == "custom":
        for foreign in ("metric", "unit", *OPERATORS):
            if foreign in quality:
                raise draft.error((*at, foreign), f"{foreign!r} is for library metrics, and this rule is custom; remove it")
        compile_custom(draft, at, quality, field)
    else:
        _metric(draft, at, quality, field)


def _metric(draft: Draft, at: Path_, quality: dict[str, Any], field: str | None) -> None:
    metric = quality.get("metric")
    if metric not in METRICS:
        raise draft.error((*at, "metric"), f"unsupported metric {metric!r}; supported: {', '.join(METRICS)}")
    operators = {key: value for key, value in quality.items() if key.startswith("must")}
    if len(operators) != 1 or not set(operators) <= set(OPERATORS):
        raise draft.error(
            at, f"{quality['id']}: {metric} does not have exactly one threshold; use one of {', '.join(OPERATORS)}"
        )
    [(operator, value)] = operators.items()
    unit = quality.get("unit", "rows")
    if unit not in UNITS:
        raise draft.error((*at, "unit"), f"unsupported unit {unit!r}; use {' or '.join(UNITS)}")
    arguments = dict(quality.get("arguments") or {})
    if metric == "rowCount":
        if field is not None:
            raise draft.error(at, "rowCount counts whole records; move the rule from the property to the schema")
        if unit == "percent":
            raise draft.error((*at, "unit"), "rowCount has no share; remove the unit")
        _no_more(draft, metric, arguments, at)
    # Exactly zero rows is a rule on each record; every other threshold is one on the records of a window.
    each = metric != "rowCount" and operator == "mustBe" and unit == "rows" and _is_zero(value)
    if not each:
        draft.refuse(threshold_problem(operator, value, unit), (*at, operator))
        if quality.get("severity", "error") == Severity.INFO:
            message = f"{quality['id']}: a broken threshold of a window is an incident and cannot be info; use warning or error"
            raise draft.error((*at, "severity"), message)
    if metric == "duplicateValues":
        _duplicates(draft, at, quality, field, arguments, each=each)
    elif metric == "rowCount":
        _counted(draft, at, quality, None, "window", each=each)
    else:
        _values(draft, at, quality, field, arguments, each=each)


def _is_zero(value: Any) -> bool:
    return value == 0 and not isinstance(value, bool)


def _duplicates(
    draft: Draft, at: Path_, quality: dict[str, Any], field: str | None, arguments: dict[str, Any], *, each: bool
) -> None:
    names = arguments.get("properties", [field] if field else None)
    if set(arguments) - {"properties"} or not isinstance(names, list) or not names:
        raise draft.error(at, "the arguments of duplicateValues are not valid; write `arguments: {properties: [field, …]}`")
    for name in names:
        draft.field(name, (*at, "arguments"))
        if names.count(name) > 1:
            raise draft.error((*at, "arguments"), f"{name!r} appears twice in properties; remove one")
    rule = _counted(draft, at, quality, field, "unique", each=each)
    draft.uniques.append(Unique(rule, tuple(names), "seen"))


def _values(
    draft: Draft, at: Path_, quality: dict[str, Any], field: str | None, arguments: dict[str, Any], *, each: bool
) -> None:
    metric = quality["metric"]
    if field is None:
        raise draft.error(at, f"{metric} counts values of a field; move the rule from the schema to a property")
    found = draft.field(field, at)
    where = (*at, "arguments")
    if metric == "nullValues" and found.required and each:
        raise draft.error(at, f"{quality['id']}: {field} is required, which is the same rule; remove one of them")
    values: Any = ()
    pattern = None
    if metric == "missingValues":
        values = arguments.pop("missingValues", None)
        draft.refuse(missing_problem(found.type, values, found.clean), where)
    elif metric == "invalidValues":
        values, pattern = arguments.pop("validValues", ()), arguments.pop("pattern", None)
        if values == () and pattern is None:
            raise draft.error(
                at, "invalidValues has neither validValues nor pattern; write `arguments: {validValues: […]}` or `{pattern: …}`"
            )
        if values != ():
            draft.refuse(listed_problem(found.type, values), where)
        if pattern is not None:
            draft.refuse(pattern_problem(pattern), (*where, "pattern"))
    _no_more(draft, metric, arguments, at)
    draft.refuse(unreachable_problem(list(values), found.clean, found.spellings), where)
    if metric == "nullValues" and found.required:
        _counted(draft, at, quality, field, "library", each=each, counted=f"{field}.required")
        return
    rule = _counted(draft, at, quality, field, "library", each=each)
    draft.values.append(ValueRule(rule, field, metric, tuple(values), pattern))


def _no_more(draft: Draft, metric: str, arguments: dict[str, Any], at: Path_) -> None:
    if arguments:
        unknown = ", ".join(map(repr, arguments))
        raise draft.error((*at, "arguments"), f"unknown argument {unknown} of {metric}; remove it")


def _counted(
    draft: Draft,
    at: Path_,
    quality: dict[str, Any],
    field: str | None,
    kind: RuleKind,
    *,
    each: bool,
    counted: str | None = None,
) -> Rule:
    """Add the rule that counts the metric's records and, unless it is a rule on each record, the threshold on windows.

    ``counted`` is the id of another rule that counts the records already, if there is one.
    """
    if each:
        return draft.quality(quality, at, field, kind)
    rule = draft.quality(quality, at, field, "window", Severity.INFO)
    operator = next(key for key in quality if key in OPERATORS)
    unit = quality.get("unit", "rows")
    bounds = threshold_bounds(operator, quality[operator], unit)
    breach = Severity(quality.get("severity", "error"))
    draft.windows.append(WindowRule(rule, quality["metric"], unit, breach, counted or rule.id, **bounds))
    return rule
