"""Quality rules of ``type: custom, engine: headrace`` → rules; the key of the implementation names the kind."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from typing import Any

from stream_app.contract.cel import AS_OF, compile_cel
from stream_app.contract.document import Path_
from stream_app.contract.draft import Draft
from stream_app.contract.identifiers import variables_in
from stream_app.contract.model import (
    Before,
    Condition,
    Deviation,
    Outlier,
    Required,
    Rule,
    RuleKind,
    Stale,
)

_DURATION = re.compile(r"(\d{1,6})(d|h|m|s)")
_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
#: A median and its spread need at least this many values.
_MIN_EVIDENCE = 10
#: Defaults of an outlier rule.
THRESHOLD, MINIMUM = 8.0, 50


def compile_custom(draft: Draft, at: Path_, quality: dict[str, Any], field: str | None) -> None:
    """Add the rule of one custom entry of ``quality``."""
    engine = quality.get("engine")
    if engine != "headrace":
        raise draft.error((*at, "engine"), f"unsupported engine {engine!r}; use headrace")
    implementation = quality.get("implementation")
    where = (*at, "implementation")
    forms = "; or ".join(f"`{form}`" for form, _ in IMPLEMENTATIONS.values())
    if not isinstance(implementation, dict) or not implementation:
        raise draft.error(where, f"the implementation is missing or not a mapping; write {forms}")
    kinds = [key for key in implementation if key in IMPLEMENTATIONS]
    if not kinds:
        [first, *_] = implementation
        close = difflib.get_close_matches(str(first), IMPLEMENTATIONS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"write {forms}"
        raise draft.error((*where, first), f"unknown implementation {first!r}; {hint}")
    form, compiled = IMPLEMENTATIONS[kinds[0]]
    allowed = {kinds[0], "when"} if kinds[0] == "required" else {kinds[0]}
    for key in implementation:
        if key not in allowed:
            raise draft.error((*where, key), f"unknown key {key!r} beside {kinds[0]!r}; write `{form}`")
    compiled(_Entry(draft, at, quality, field), implementation)


class _Entry:
    """One entry of ``quality``, whose arguments it reads strictly. ``at_field``: the property that has the entry, if any."""

    def __init__(self, draft: Draft, at: Path_, quality: dict[str, Any], field: str | None) -> None:
        self.draft, self.at, self.quality, self.at_field = draft, at, quality, field

    def where(self, *path: str) -> Path_:
        return (*self.at, "implementation", *path)

    def rule(self, kind: RuleKind, field: str | None) -> Rule:
        return self.draft.quality(self.quality, self.at, field, kind)

    def arguments(self, kind: str, value: Any, known: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.draft.error(
                self.where(kind), f"the arguments of {kind} are not a mapping; write `{IMPLEMENTATIONS[kind][0]}`"
            )
        for key in value:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"supported: {', '.join(known)}" if known else "remove it"
                raise self.draft.error(self.where(kind, key), f"unknown argument {key!r} of {kind}; {hint}")
        return value

    def number(self, kind: str, name: str, value: Any, least: float, *, exclusive: bool = False) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits or value < least or (exclusive and value == least):
            bound = f"above {least:g}" if exclusive else f"from {least:g}"
            raise self.draft.error(self.where(kind, name), f"{name} {value!r} is not valid; write a number {bound}")
        return float(value)

    def numeric_field(self, kind: str, arguments: dict[str, Any]) -> str:
        name = arguments.get("field", self.at_field)
        if name is None:
            raise self.draft.error(self.where(kind), f"{kind} has no `field`; name one")
        return self.draft.field(name, self.where(kind, "field"), ("integer", "number"), kind).name

    def condition(self, key: str, expression: Any, rule: Rule | None = None) -> Condition:
        """Type-check a CEL expression over the fields; it belongs to ``rule``, or to a new rule of kind ``condition``."""
        draft, where = self.draft, self.where(key)
        if not isinstance(expression, str):
            raise draft.error(where, f"{key} is not a string; write a CEL expression and quote it")
        compile_cel(expression, draft.fields, lambda message: draft.error(where, message))
        words = variables_in(expression)
        fields = tuple(field.name for field in draft.fields if field.name in words)
        if not fields:
            raise draft.error(where, "the condition reads no field of the record; compare at least one")
        return Condition(rule or self.rule("condition", self.at_field), expression, fields, AS_OF in words)


def _condition(entry: _Entry, implementation: dict[str, Any]) -> None:
    entry.draft.conditions.append(entry.condition("condition", implementation["condition"]))


def _required(entry: _Entry, implementation: dict[str, Any]) -> None:
    draft, names = entry.draft, implementation["required"]
    if "when" not in implementation:
        raise draft.error(entry.where("required"), "`required` has no `when`; add one, or write `required: true` at the fields")
    if not isinstance(names, list) or not names:
        raise draft.error(entry.where("required"), "required is not a list of at least one field; write [field, …]")
    for name in names:
        field = draft.field(name, entry.where("required"))
        if field.required:
            raise draft.error(entry.where("required"), f"{name} is already required in every record; remove it here")
        if names.count(name) > 1:
            raise draft.error(entry.where("required"), f"{name!r} appears twice in required; remove one")
    rule = entry.rule("required", names[0] if len(names) == 1 else entry.at_field)
    draft.required.append(Required(rule, tuple(names), entry.condition("when", implementation["when"], rule)))


def _outlier(entry: _Entry, implementation: dict[str, Any]) -> None:
    draft = entry.draft
    arguments = entry.arguments("outlier", implementation["outlier"], ("field", "by", "threshold", "minimum"))
    name = entry.numeric_field("outlier", arguments)
    levels = arguments.get("by", [])
    where = entry.where("outlier", "by")
    if not isinstance(levels, list) or not all(isinstance(level, str) for level in levels):
        raise draft.error(
            where, "by is not a list of levels; write [level, …], finest first, each `field` or `reference.field`"
        )
    for index, level in enumerate(levels):
        _group(draft, where, name, level, levels[0].partition(".")[0] if index else None)
        if levels.count(level) > 1:
            raise draft.error(where, f"{level!r} appears twice in by; remove one")
    threshold = entry.number("outlier", "threshold", arguments.get("threshold", THRESHOLD), 1)
    minimum = entry.number("outlier", "minimum", arguments.get("minimum", MINIMUM), _MIN_EVIDENCE)
    if minimum != int(minimum):
        raise draft.error(entry.where("outlier", "minimum"), f"minimum {minimum} is not a whole number of values; write one")
    draft.outliers.append(Outlier(entry.rule("outlier", name), name, tuple(levels), threshold, int(minimum)))


def _group(draft: Draft, at: Path_, compared: str, level: str, finest: str | None) -> None:
    """Refuse a level that makes no groups. ``finest``: the field of the finest level, on which all others must depend."""
    first, dot, far = level.partition(".")
    if finest is not None and (first != finest or not dot):
        raise draft.error(at, f"by: {level} does not depend on {finest}; write levels after the first as `{finest}.field`")
    if dot:
        draft.reference(first, at)  # that the other entity has the field is checked when all contracts are read
        if not far:
            raise draft.error(at, f"by: {level!r} has an invalid format. Expected: reference.field")
        return
    field = draft.field(level, at, ("string", "integer", "boolean"), "by")
    if level == compared:
        raise draft.error(at, f"by: {level} is the number that the rule compares and makes no group; remove it")
    if field.personal:
        raise draft.error(at, f"by: {level} is personal data, which baselines must not store; remove it")


def _deviation(entry: _Entry, implementation: dict[str, Any]) -> None:
    draft = entry.draft
    arguments = entry.arguments("deviation", implementation["deviation"], ("field", "from", "tolerance"))
    name = entry.numeric_field("deviation", arguments)
    reference, _, value = str(arguments.get("from", "")).partition(".")
    if not reference or not value:
        raise draft.error(
            entry.where("deviation", "from"),
            "from is missing or has an invalid format. Expected: `reference.field`, a number of the referenced record",
        )
    draft.reference(reference, entry.where("deviation", "from"))
    if "tolerance" not in arguments:
        raise draft.error(entry.where("deviation"), "deviation has no `tolerance`; write one such as 0.5 for 50 %")
    tolerance = entry.number("deviation", "tolerance", arguments["tolerance"], 0, exclusive=True)
    draft.deviations.append(Deviation(entry.rule("deviation", name), name, reference, value, tolerance))


def _stale(entry: _Entry, implementation: dict[str, Any]) -> None:
    draft = entry.draft
    entry.arguments("stale", {} if implementation["stale"] is None else implementation["stale"], ())
    if entry.at_field is not None:
        raise draft.error(entry.at, "stale compares whole records; move the rule from the property to the schema")
    if draft.key is None:
        raise draft.error(
            entry.where("stale"), "stale compares updates of one recordKey, and there is none; set it as a customProperty"
        )
    for unique in draft.uniques:
        if unique.among == "kept" and unique.fields != (draft.key,):
            raise draft.error(
                entry.where("stale"),
                f"stale compares updates of one {draft.key}, but a record is identified by "
                f"{'+'.join(unique.fields)}; remove the rule",
            )
        if unique.among == "kept":
            raise draft.error(
                entry.where("stale"), f"stale compares updates, but {draft.key} must be unique; remove one of the two rules"
            )
    if draft.stale is not None:
        raise draft.error(entry.at, f"{draft.stale.rule.id!r} is a stale rule already; remove one")
    draft.stale = Stale(entry.rule("stale", draft.key), draft.key)


def _before(entry: _Entry, implementation: dict[str, Any]) -> None:
    draft = entry.draft
    arguments = entry.arguments("before", implementation["before"], ("field", "reference", "tolerance"))
    name = arguments.get("field", entry.at_field)
    if name is None:
        raise draft.error(entry.where("before"), "before has no `field`; name one")
    name = draft.field(name, entry.where("before", "field"), ("timestamp",), "before").name
    if "reference" not in arguments:
        raise draft.error(entry.where("before"), "before has no `reference`; name a field that refers to another entity")
    reference = draft.reference(arguments["reference"], entry.where("before", "reference")).field
    match = _DURATION.fullmatch(str(arguments.get("tolerance", "0s")))
    if match is None:
        raise draft.error(
            entry.where("before", "tolerance"), "tolerance is not a duration; write one such as 24h, 90m, 30s or 7d"
        )
    tolerance = int(match[1]) * _MILLISECONDS[match[2]]
    draft.before.append(Before(entry.rule("before", name), name, reference, tolerance))


#: Key under ``implementation`` → its form, and the function that compiles it.
IMPLEMENTATIONS: dict[str, tuple[str, Callable[[_Entry, dict[str, Any]], None]]] = {
    "condition": ("condition: <CEL>", _condition),
    "required": ("required: [field], when: <CEL>", _required),
    "outlier": ("outlier: {field, by: [level], threshold, minimum}", _outlier),
    "deviation": ("deviation: {field, from: reference.field, tolerance}", _deviation),
    "stale": ("stale: {}", _stale),
    "before": ("before: {field, reference, tolerance: 24h}", _before),
}
