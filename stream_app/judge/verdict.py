"""What the judge says of one record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from stream_app.contract.model import Rule, Severity


class Verdict:
    """The judgement of one record by itself, before references and uniqueness are looked up.

    Attributes:
        body: canonical JSON, UTF-8; ``None`` when the record is rejected.
        values: the cleaned fields (those with a finding are ``None``), or ``None`` when no object could be read.
        findings: the broken rules, in the order of the contract.
        repairs: what cleaning changed, ``field.step``.
        event_ms: event time, milliseconds since the epoch; the as-of time where the record has none that holds.
        unknown: the names of fields that the contract does not know, as they are counted.
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

    def __repr__(self) -> str:
        outcome = "rejected" if self.body is None else "good"
        return f"Verdict({outcome}, findings={[rule.id for rule in self.findings]}, repairs={list(self.repairs)})"

    @property
    def rejected(self) -> bool:
        """Whether a rule of severity ``error`` is broken."""
        return self.body is None

    def faulty(self, name: str) -> bool:
        """Whether ``name`` had a value, one that breaks the field's structure."""
        return any(rule.field == name and rule.kind == "structure" for rule in self.findings)

    def with_findings(self, rules: Iterable[Rule]) -> Verdict:
        """Return this verdict with further findings, as only a look-up can tell: a missing reference, a repeated key."""
        findings = (*self.findings, *rules)
        body = None if any(rule.severity is Severity.ERROR for rule in findings) else self.body
        return Verdict(body, self.values, self.event_ms, findings, self.repairs, self.unknown)


def findings_json(findings: Sequence[Rule]) -> bytes:
    """The ``headrace.findings`` header: rule, severity, dimension, path and message of each; never a value."""
    # The same few sets of rules are broken again and again. A rule is not hashed: that would cost as much as writing it.
    key = tuple(map(id, findings))
    known = _WRITTEN.get(key)
    if known is None or any(one is not rule for one, rule in zip(known[0], findings, strict=True)):
        if len(_WRITTEN) > _MOST_WRITTEN:
            _WRITTEN.clear()
        known = _WRITTEN[key] = (tuple(findings), _findings_json(findings))
    return known[1]


_WRITTEN: dict[tuple[int, ...], tuple[tuple[Rule, ...], bytes]] = {}
_MOST_WRITTEN = 10_000


def _findings_json(findings: Iterable[Rule]) -> bytes:
    return json.dumps(
        [
            {
                "rule": rule.id,
                "severity": rule.severity,
                "dimension": rule.dimension,
                "path": rule.path,
                "message": rule.message,
            }
            for rule in findings
        ],
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def repairs_json(repairs: Iterable[str]) -> bytes:
    """The ``headrace.repairs`` header: ``field.step`` of each repair."""
    return json.dumps(list(repairs), separators=(",", ":"), ensure_ascii=False).encode()
