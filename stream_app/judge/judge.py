"""The judge: one record's bytes → its verdict, by one contract. The heart of the product.

Two ways lead to a verdict and agree on every record (a property test holds them to it). The fast way is for records
that are clean already: one strict parse, one serialisation, the rules. Whatever the fast way does not accept at once is
examined: read defensively, cleaned field by field, checked, every finding and repair noted.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema, from_json, to_json

from stream_app.contract.model import Contract, Rule, Severity, ValueRule
from stream_app.errors import DocumentError
from stream_app.judge.cleaning import CONTROL, cleaner
from stream_app.judge.conditions import Check, condition_check
from stream_app.judge.models import CHECKS, build_models
from stream_app.judge.verdict import Verdict

_MAX_DIGITS = re.compile(rb"\d{400}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Judge:
    """Judges the records of one entity. Immutable after construction, so one instance serves any number of threads."""

    def __init__(self, contract: Contract, max_bytes: int = 256 * 1024) -> None:
        self.contract = contract
        self.max_bytes = max_bytes
        models = build_models(contract)
        self._fast, self._exact, self._dump = models.fast, models.exact, models.dump
        self._count = len(contract.fields)
        self._names = frozenset(field.name for field in contract.fields)
        self._clean = [(field.name, cleaner(field)) for field in contract.fields]
        self._spellings = [
            (field.name, frozenset(key.casefold() for key in field.spellings)) for field in contract.fields if field.spellings
        ]
        self._required = [field.name for field in contract.fields if field.required]
        self._strings = [field.name for field in contract.fields if field.type == "string"]
        self._checks: list[tuple[Rule, tuple[str, ...], Check]] = [
            *((rule.rule, (rule.field,), _value_check(rule)) for rule in contract.values),
            *((rule.rule, rule.fields, condition_check(rule, contract)) for rule in contract.conditions),
        ]
        self._event_time = contract.event_time

    def judge(self, raw: bytes | None, as_of_ms: int) -> Verdict:
        """The verdict on ``raw``, judged as of ``as_of_ms`` (milliseconds since the epoch). Never raises."""
        try:
            values = self._fast(raw)  # type: ignore[arg-type]
            body = self._dump(values)
        except (ValueError, TypeError):
            return self._examine(raw, as_of_ms)
        if raw is None or len(raw) > self.max_bytes or not raw.isascii():
            return self._examine(raw, as_of_ms)
        # What serialises to itself has no key twice; anything else must show that it has not.
        if body != raw and (
            raw.count(b'":') != self._count
            or b"\\" in raw
            or b" :" in raw
            or b"\n:" in raw
            or b"\t:" in raw
            or b"\r:" in raw
            or (len(raw) > 400 and _MAX_DIGITS.search(raw))
        ):
            return self._examine(raw, as_of_ms)
        for name, spellings in self._spellings:
            value = values[name]
            if value is not None and value.casefold() in spellings:
                return self._examine(raw, as_of_ms)
        event_time = self._event_time
        moment = values[event_time] if event_time is not None else None
        event_ms = as_of_ms if moment is None else (moment - _EPOCH) // _MILLISECOND
        findings: tuple[Rule, ...] = ()
        for rule, _, broken in self._checks:
            if broken(values, as_of_ms):
                findings = (*findings, rule)
        if findings:
            return self._settle(values, body, event_ms, as_of_ms, list(findings), [])
        return Verdict(body, values, event_ms)

    def _settle(
        self,
        values: dict[str, Any],
        body: bytes | None,
        event_ms: int,
        as_of_ms: int,
        findings: list[Rule],
        repairs: list[str],
    ) -> Verdict:
        if any(rule.severity is Severity.ERROR for rule in findings):
            body = None
            if (
                self._event_time is not None
                and any(rule.field == self._event_time for rule in findings)
                or any(rule.dimension == "timeliness" for rule in findings)
            ):
                event_ms = as_of_ms
        return Verdict(body, values, event_ms, tuple(findings), tuple(repairs))

    # --- the thorough way -----------------------------------------------------------------------------------------

    def _examine(self, raw: bytes | None, as_of_ms: int) -> Verdict:
        data = self._read(raw)
        if isinstance(data, str):
            return Verdict(None, None, as_of_ms, (self.contract.rules[data],))
        rules = self.contract.rules
        findings: list[Rule] = []
        repairs: list[str] = []
        if isinstance(data, _Repeated):
            findings.append(rules["record.duplicateKey"])
        if not self._names.issuperset(data) and self.contract.unknown_fields is not None:
            findings.append(rules["record.unknownField"])
        cleaned: dict[str, Any] = {}
        for name, clean in self._clean:
            value, steps = clean(data.get(name))
            cleaned[name] = value
            repairs += [f"{name}.{step}" for step in steps]
        faulty: dict[str, Rule] = {}
        for name in self._strings:
            value = cleaned[name]
            if isinstance(value, str) and CONTROL.search(value):
                faulty[name] = rules[f"{name}.characters"]
                cleaned[name] = None
        for name in self._required:
            if cleaned[name] is None and name not in faulty:
                faulty[name] = rules[f"{name}.required"]
        values = self._validated(cleaned, faulty)
        findings += [faulty[name] for name, _ in self._clean if name in faulty]
        for rule, fields, broken in self._checks:
            if not any(name in faulty for name in fields) and broken(values, as_of_ms):
                findings.append(rule)
        event_time = self._event_time
        moment = values[event_time] if event_time is not None else None
        event_ms = as_of_ms if moment is None else (moment - _EPOCH) // _MILLISECOND
        rejected = any(rule.severity is Severity.ERROR for rule in findings)
        body = None if rejected else self._dump(values)
        return self._settle(values, body, event_ms, as_of_ms, findings, repairs)

    def _validated(self, cleaned: dict[str, Any], faulty: dict[str, Rule]) -> dict[str, Any]:
        """The typed values of the cleaned fields; a field that breaks its structure is ``None`` and goes to ``faulty``."""
        for _ in range(2):
            try:
                return self._exact(to_json(cleaned))
            except ValidationError as error:
                problems = error.errors(include_input=False, include_url=False, include_context=False)
            for problem in problems:
                name = str(problem["loc"][0])
                faulty[name] = self._structural(name, problem["type"])
                cleaned[name] = None
        raise AssertionError("a record of nulls satisfies every optional field")

    def _structural(self, name: str, kind: str) -> Rule:
        rules = self.contract.rules
        check = CHECKS.get(kind, "type")
        if kind == "string_pattern_mismatch" and self.contract.field(name).type == "string":
            check = "pattern" if f"{name}.pattern" in rules else "format"
        return rules.get(f"{name}.{check}") or rules[f"{name}.type"]

    def _read(self, raw: bytes | None) -> dict[str, Any] | str:
        """The JSON object, or the id of the record rule that says why there is none."""
        if raw is None:
            return "record.tombstone"
        if not raw or raw.isspace():
            return "record.empty"
        if len(raw) > self.max_bytes:
            return "record.oversized"
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return "record.encoding"
        if _MAX_DIGITS.search(raw) and _has_long_number(raw):
            return "record.number"
        try:
            data = from_json(raw, allow_inf_nan=False)
        except (ValueError, RecursionError) as error:
            return _unreadable(raw, error)
        if not isinstance(data, dict):
            return "record.notObject"
        if _repeats(text):
            return _Repeated(data)
        return data


class _Repeated(dict[str, Any]):
    """An object in whose text a key stands twice; the last one counts, as JSON readers have it."""


def _unreadable(raw: bytes, error: Exception) -> str:
    if "recursion" in str(error) or isinstance(error, RecursionError):
        return "record.nesting"
    try:
        from_json(raw, allow_inf_nan=True)
    except (ValueError, RecursionError):
        return "record.syntax"
    return "record.number"


def _has_long_number(raw: bytes) -> bool:
    """Whether a run of 400 digits stands outside the strings (a float has at most 309 before the point)."""
    return _MAX_DIGITS.search(re.sub(rb'"(?:[^"\\]|\\.)*"', b'""', raw)) is not None


def _repeats(text: str) -> bool:
    found = False

    def pairs(items: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in items}) != len(items)

    json.loads(text, object_pairs_hook=pairs, parse_int=len, parse_float=len)
    return found


def _value_check(rule: ValueRule) -> Check:
    name = rule.field
    if rule.metric == "nullValues":
        return lambda values, as_of: values[name] is None
    listed = rule.values
    try:
        listed = frozenset(rule.values)  # type: ignore[assignment]
    except TypeError:
        raise DocumentError(f"{name}: the values of {rule.rule.id} must be plain texts or numbers") from None
    if rule.metric == "missingValues":
        return lambda values, as_of: values[name] in listed
    # The engine of pydantic-core needs linear time; with Python's, a crafted value could stop the worker.
    pattern = SchemaValidator(core_schema.str_schema(pattern=rule.pattern)) if rule.pattern else None

    def invalid(values: dict[str, Any], as_of: int) -> bool:
        value = values[name]
        if value is None:
            return False
        if listed and value not in listed:
            return True
        return pattern is not None and not pattern.isinstance_python(str(value))

    return invalid
