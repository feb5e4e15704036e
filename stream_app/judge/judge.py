"""The judge: one record's bytes → its verdict, by one contract. The heart of the product.

Three ways lead to a verdict and agree on every record (property tests hold them to it). Records that are canonical JSON
already are read and checked by column (``canonical``). The fast way is for others that are clean: one strict parse, one
serialisation, the rules. Whatever neither accepts at once is examined: read defensively, cleaned field by field, checked,
every finding and repair noted.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from stream_app.contract.model import Contract, Rule, Severity
from stream_app.judge.batch import Verdicts
from stream_app.judge.canonical import Canonical
from stream_app.judge.checks import checks_of
from stream_app.judge.cleaning import CONTROL, cleaner
from stream_app.judge.models import CHECKS, build_models, spelling_keys
from stream_app.judge.rows import rows_of
from stream_app.judge.verdict import Verdict
from stream_app.windows.calendar import milliseconds

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
#: Names of unknown fields that are counted a record.
_UNKNOWN_NAMES = 20
_MAX_DIGITS = re.compile(rb"\d{400}")


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
        self._canonical = Canonical(contract, rows_of(tuple(field.name for field in contract.fields)))
        self._spellings = [(field.name, spelling_keys(field)) for field in contract.fields if field.spellings]
        self._required = [field.name for field in contract.fields if field.required]
        self._strings = [field.name for field in contract.fields if field.type == "string"]
        self._checks = checks_of(contract)
        self._event_time = contract.event_time

    def judge(self, raw: bytes | None, as_of_ms: int) -> Verdict:
        """The verdict on ``raw``, judged as of ``as_of_ms`` (milliseconds since the epoch). Never raises."""
        verdict: Verdict = self.judge_all([raw], [as_of_ms])[0]
        return verdict

    def judge_all(self, raws: list[bytes | None], as_of_ms: list[int]) -> Verdicts:
        """The verdicts on ``raws``, each as of its moment, in order. Never raises."""
        verdicts = Verdicts(self.contract, as_of_ms)
        rows, bodies, others = self._canonical.read(self._plain_of(raws))
        verdicts.fill(rows, bodies)
        broken = self._broken(verdicts) if len(others) < len(rows) else {}
        for index in others:
            broken.pop(index, None)
            self._one(verdicts, index, raws[index], as_of_ms[index])
        for index, rules in broken.items():
            values, body, as_of = verdicts.values(index) or {}, bodies[index], as_of_ms[index]
            verdicts.put(index, self._settle(values, body, self._event_ms(values, as_of), as_of, rules, []))
        return verdicts

    def _broken(self, verdicts: Verdicts) -> dict[int, list[Rule]]:
        """Index of a canonical record → the rules that it breaks, column by column."""
        broken: dict[int, list[Rule]] = {}
        for check in self._checks:
            for index in check.broken_indexes([verdicts.column(name) for name in check.fields], verdicts.as_of):
                broken.setdefault(index, []).append(check.rule)
        return broken

    def _plain_of(self, raws: list[bytes | None]) -> list[bytes | None]:
        """The records that are ASCII and not too long; ``None`` in the place of others. Mostly one look tells that all are."""
        if None not in raws and max(map(len, raws), default=0) <= self.max_bytes and b"".join(raws).isascii():  # type: ignore[arg-type]
            return raws
        return [raw if self._plain(raw) else None for raw in raws]

    def _one(self, verdicts: Verdicts, index: int, raw: bytes | None, as_of: int) -> None:
        """The verdict on a record that is not canonical: the fast way where it does, else examined."""
        if not self._plain(raw):
            verdicts.put(index, self._examine(raw, as_of))
            return
        try:
            values = self._fast(raw)  # type: ignore[arg-type]
            body = self._dump(values)
        except (ValueError, TypeError):
            verdicts.put(index, self._examine(raw, as_of))
            return
        # What serialises to itself has no key twice; anything else must show that it has not.
        if (body != raw and self._suspicious(raw, self._count)) or (self._spellings and not self._spelt(values)):  # type: ignore[arg-type]
            verdicts.put(index, self._examine(raw, as_of))
            return
        findings = [check.rule for check in self._checks if check.broken(values, as_of)]
        if findings:
            verdicts.put(index, self._settle(values, body, self._event_ms(values, as_of), as_of, findings, []))
        else:
            verdicts.put_clean(index, values, body)

    def _suspicious(self, raw: bytes, count: int) -> bool:
        """Whether a key might stand twice in a record of ``count`` fields, or a number be too long to read."""
        return bool(
            raw.count(b'":') != count
            or b"\\" in raw
            or b" :" in raw
            or b"\n:" in raw
            or b"\t:" in raw
            or b"\r:" in raw
            or (len(raw) > 400 and _MAX_DIGITS.search(raw))
        )

    def _plain(self, raw: bytes | None) -> bool:
        return raw is not None and len(raw) <= self.max_bytes and raw.isascii()

    def _spelt(self, values: dict[str, Any]) -> bool:
        for name, spellings in self._spellings:
            value = values[name]
            if value is not None and value.casefold() in spellings:
                return False
        return True

    def _event_ms(self, values: dict[str, Any], as_of_ms: int) -> int:
        moment = values[self._event_time] if self._event_time is not None else None
        return as_of_ms if moment is None else milliseconds(moment)

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
        unknown: tuple[str, ...] = ()
        if not self._names.issuperset(data) and self.contract.unknown_fields is not None:
            findings.append(rules["record.unknownField"])
            unknown = tuple(sorted({_countable(name) for name in data if name not in self._names})[:_UNKNOWN_NAMES])
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
        findings += [
            check.rule
            for check in self._checks
            if not any(name in faulty for name in check.fields) and check.broken(values, as_of_ms)
        ]
        event_ms = self._event_ms(values, as_of_ms)
        rejected = any(rule.severity is Severity.ERROR for rule in findings)
        body = None if rejected else self._dump(values)
        verdict = self._settle(values, body, event_ms, as_of_ms, findings, repairs)
        verdict.unknown = unknown
        return verdict

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
        if self._suspicious(raw, len(data)) and _repeats(text):
            return _Repeated(data)
        return data


class _Repeated(dict[str, Any]):
    """An object in whose text a key stands twice; the last one counts, as JSON readers have it."""


def _countable(name: str) -> str:
    """A field's name as it is counted: only what looks like one. Anything else may be data, such as an address as a key."""
    return name if _FIELD_NAME.fullmatch(name) else "(other)"


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
