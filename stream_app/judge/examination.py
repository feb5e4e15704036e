"""The thorough way to a verdict: parse defensively, clean each field, check everything, note every finding and repair.

It defines the verdict; property tests compare the two faster ways with it.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from stream_app.contract.model import Contract, Rule, Severity
from stream_app.judge.checks import Check
from stream_app.judge.cleaning import CONTROL, cleaner
from stream_app.judge.models import CHECKS, Models
from stream_app.judge.parsing import RepeatedKeys, parse_object
from stream_app.judge.verdict import Verdict

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
#: Names of unknown fields that are counted per record.
_MAX_UNKNOWN_NAMES = 20


class Examination:
    """Examines records of one contract, one at a time."""

    def __init__(self, contract: Contract, models: Models, checks: list[Check], max_bytes: int) -> None:
        self._contract, self._rules, self._checks, self._max_bytes = contract, contract.rules, checks, max_bytes
        self._validate, self._dump = models.exact, models.dump
        self._names = frozenset(field.name for field in contract.fields)
        self._cleaners = [(field.name, cleaner(field)) for field in contract.fields]
        self._required = [field.name for field in contract.fields if field.required]
        self._strings = [field.name for field in contract.fields if field.type == "string"]

    def examine(self, raw: bytes | None, as_of_ms: int) -> Verdict:
        """Return the verdict on ``raw``, judged as of ``as_of_ms``. Never raises."""
        data = parse_object(raw, self._max_bytes)
        if isinstance(data, str):
            return Verdict(None, None, as_of_ms, (self._rules[data],))
        findings: list[Rule] = []
        repairs: list[str] = []
        if isinstance(data, RepeatedKeys):
            findings.append(self._rules["record.duplicateKey"])
        unknown = self._unknown(data)
        if unknown:
            findings.append(self._rules["record.unknownField"])
        cleaned: dict[str, Any] = {}
        for name, clean in self._cleaners:
            value, steps = clean(data.get(name))
            cleaned[name] = value
            repairs += [f"{name}.{step}" for step in steps]
        broken = self._remove_unusable(cleaned)
        values = self._validated(cleaned, broken)
        findings += [broken[name] for name, _ in self._cleaners if name in broken]
        findings += [
            check.rule
            for check in self._checks
            if not any(name in broken for name in check.fields) and check.broken(values, as_of_ms)
        ]
        rejected = any(rule.severity is Severity.ERROR for rule in findings)
        body = None if rejected else self._dump(values)
        return Verdict.of(self._contract, values, body, as_of_ms, findings, repairs, unknown)

    def _unknown(self, data: dict[str, Any]) -> tuple[str, ...]:
        """Return the names of fields that the contract does not declare, as they are counted; empty if it ignores them."""
        if self._names.issuperset(data) or self._contract.unknown_fields is None:
            return ()
        return tuple(sorted({_countable(name) for name in data if name not in self._names})[:_MAX_UNKNOWN_NAMES])

    def _remove_unusable(self, cleaned: dict[str, Any]) -> dict[str, Rule]:
        """Set strings with control characters to ``None``; return field → rule for those and for missing required fields."""
        broken: dict[str, Rule] = {}
        for name in self._strings:
            value = cleaned[name]
            if isinstance(value, str) and CONTROL.search(value):
                broken[name] = self._rules[f"{name}.characters"]
                cleaned[name] = None
        for name in self._required:
            if cleaned[name] is None and name not in broken:
                broken[name] = self._rules[f"{name}.required"]
        return broken

    def _validated(self, cleaned: dict[str, Any], broken: dict[str, Rule]) -> dict[str, Any]:
        """Return the typed values; a field that breaks its structure becomes ``None``, and ``broken`` gets its rule."""
        for _ in range(2):
            try:
                return self._validate(to_json(cleaned))
            except ValidationError as error:
                problems = error.errors(include_input=False, include_url=False, include_context=False)
            for problem in problems:
                name = str(problem["loc"][0])
                broken[name] = self._structural_rule(name, problem["type"])
                cleaned[name] = None
        raise AssertionError("a record of nulls satisfies every optional field")

    def _structural_rule(self, name: str, error_type: str) -> Rule:
        """Return the rule that stands for an error of pydantic in the field ``name``."""
        check = CHECKS.get(error_type, "type")
        if error_type == "string_pattern_mismatch" and self._contract.field(name).type == "string":
            check = "pattern" if f"{name}.pattern" in self._rules else "format"
        return self._rules.get(f"{name}.{check}") or self._rules[f"{name}.type"]


def _countable(name: str) -> str:
    """Return a field's name if it looks like one; anything else may be data, such as an address used as a key."""
    return name if _FIELD_NAME.fullmatch(name) else "(other)"
