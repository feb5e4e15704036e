"""The verdict on one record, and its findings and repairs as the headers of the record that is sent on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from stream_app.contract.model import Contract, Rule, Severity
from stream_app.windows.calendar import milliseconds


class Verdict:
    """The judgement of one record by itself, before references and uniqueness are looked up.

    Attributes:
        body: canonical JSON, UTF-8; ``None`` when the record is rejected.
        values: the cleaned fields, ``None`` for each that breaks its structure; ``None`` when the record is not a JSON object.
        findings: the broken rules, in the order of the contract.
        repairs: the changes that cleaning made, ``field.step``.
        event_ms: event time in ms since the epoch; the as-of time, which may be UNKNOWN, if it has no usable event time.
        unknown: names of fields that the contract does not declare, as they are counted.
    """

    __slots__ = ("body", "event_ms", "findings", "repairs", "unknown", "values")

    def __init__(
        self,
        body: bytes | None,
        values: dict[str, Any] | None,
        event_ms: int,
        findings: tuple[Rule, ...] = (),
        repairs: tuple[str, ...] = (),
        unknown: tuple[str, ...] = (),
    ) -> None:
        self.body = body
        self.values = values
        self.event_ms = event_ms
        self.findings = findings
        self.repairs = repairs
        self.unknown = unknown

    @classmethod
    def of(
        cls,
        contract: Contract,
        values: dict[str, Any],
        body: bytes | None,
        as_of_ms: int,
        findings: Sequence[Rule],
        repairs: Iterable[str] = (),
        unknown: tuple[str, ...] = (),
    ) -> Verdict:
        """Return the verdict on a record with these findings: without body if one is an error, and dated.

        The event time is the as-of time where the record has none, and where it is rejected for its event time.
        """
        name = contract.event_time
        moment = values[name] if name is not None else None
        if any(rule.severity is Severity.ERROR for rule in findings):
            body = None
            if any(rule.dimension == "timeliness" or (name is not None and rule.field == name) for rule in findings):
                moment = None
        event_ms = as_of_ms if moment is None else milliseconds(moment)
        return cls(body, values, event_ms, tuple(findings), tuple(repairs), unknown)

    def __repr__(self) -> str:
        outcome = "rejected" if self.body is None else "good"
        return f"Verdict({outcome}, findings={[rule.id for rule in self.findings]}, repairs={list(self.repairs)})"

    @property
    def rejected(self) -> bool:
        """True if the record breaks a rule of severity ``error``."""
        return self.body is None

    def breaks_structure(self, name: str) -> bool:
        """True if the field ``name`` had a value that is not valid for it."""
        return any(rule.field == name and rule.kind == "structure" for rule in self.findings)

    def with_findings(self, rules: Iterable[Rule]) -> Verdict:
        """Return this verdict with further findings, as only a look-up can tell: a missing reference, a repeated key."""
        findings = (*self.findings, *rules)
        body = None if any(rule.severity is Severity.ERROR for rule in findings) else self.body
        return Verdict(body, self.values, self.event_ms, findings, self.repairs, self.unknown)


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A broken rule as the headers ``headrace.findings`` and ``headrace.warnings`` carry it; it never holds a value.

    Attributes:
        path: the field, as ``$.quantity``; ``$`` for the whole record.
    """

    rule: str = ""
    severity: str = ""
    dimension: str = ""
    path: str = "$"
    message: str = ""

    @property
    def field(self) -> str | None:
        """Field that the finding is about; ``None`` for the whole record."""
        match = _FIELD.match(self.path)
        return match[1] if match else None


_FIELD = re.compile(r"\$\.([^.\[\]]+)")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Finding, ...]).decode


def findings_json(rules: Iterable[Rule]) -> bytes:
    """Encode broken rules as a JSON list of ``Finding``, the value of the findings and warnings headers."""
    return _encode([Finding(rule.id, rule.severity, rule.dimension, rule.path, rule.message) for rule in rules])


def read_findings(header: bytes | None) -> tuple[Finding, ...]:
    """Decode a findings or warnings header; empty when there is none or it is not a list of findings."""
    try:
        return _decode(header or b"[]")
    except ValueError:
        return ()


def repairs_json(repairs: Iterable[str]) -> bytes:
    """Encode repairs (``field.step``) as a JSON list, the value of the header ``headrace.repairs``."""
    return _encode(list(repairs))
