"""Records near a contract, a contract with every type, option and step, and what a verdict says: for property tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from stream_app.contract import Contract, Field
from stream_app.judge import Judge, Verdict
from stream_app.judge.verdict import findings_json, repairs_json
from tests.support.examples import examples
from tests.support.records import AS_OF, SHOPS, contract_of, shop

ENTITIES = [(name, entity) for name in SHOPS for entity in shop(name).contracts]
as_ofs = st.one_of(st.just(AS_OF), st.integers(-(2**63), 2**63 - 1), st.integers(AS_OF - 10**12, AS_OF + 10**12))
many = settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.integers(-(10**40), 10**40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
moments = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
near_text = st.sampled_from(
    ["", " ", "  UK ", "uk", "France", "FRANCE", "a  b", "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "x\x00y", "x\ty",
     "\u1fb7",
     "\u2003a\u2003", "a\u00a0", "12", "12.0", " 12 ", "-0", "1e3", "+5", "yes", "No", "true", "C536365", "536365",
     "85123A", "Unspecified", "sale", "a@b.co", " A@B.CO ", "2024-05-01", "2024-05-01T10:00:00Z", "2024-05-01T10:00:00.5Z",
     "2024-05-01T12:00:00+02:00", "2024-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", '":', "\\", '"']
)  # fmt: skip


def near(field: Field) -> st.SearchStrategy[Any]:
    """Values around what a field takes: right ones, wrong ones, and ones that cleaning makes right."""
    right: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.integers(-5, 20_000) | st.integers(-(2**64), 2**64),
        "number": st.floats(-1, 200_000) | st.integers(-1, 200_000) | st.decimals(0, 1000, places=2).map(float),
        "boolean": st.booleans(),
        "timestamp": moments,
        "string": near_text,
    }
    kind = right[field.type]
    return st.one_of(kind, kind, kind, kind.map(str), near_text, json_values)


@st.composite
def records(draw: st.DrawFn, contract: Contract, good: dict[str, Any]) -> bytes:
    """JSON near a contract: a good record, some fields changed, left out, added or repeated, spaced in some way."""
    pairs = list(good.items())
    for index, (name, _) in enumerate(pairs):
        if draw(st.integers(0, 3)) == 0:
            pairs[index] = (name, draw(near(contract.field(name))))
    if draw(st.integers(0, 5)) == 0:
        pairs = draw(st.permutations(pairs))
    if draw(st.integers(0, 5)) == 0:
        pairs.pop(draw(st.integers(0, len(pairs) - 1)))
    if draw(st.integers(0, 5)) == 0:
        pairs.append((draw(st.sampled_from([*good, "x", ""])), draw(json_values)))
    colon = draw(st.sampled_from([":", ":", ":", ": ", " :", "\t:", "\n: ", "\r:"]))
    comma = draw(st.sampled_from([",", ", ", " , ", ",\n"]))
    ascii_only = draw(st.booleans())
    body = comma.join(
        json.dumps(name, ensure_ascii=ascii_only) + colon + json.dumps(value, ensure_ascii=ascii_only) for name, value in pairs
    )
    return f"{{{body}}}".encode("utf-8", "surrogatepass")


def said(verdict: Verdict) -> tuple[Any, ...]:
    return verdict.body, [rule.id for rule in verdict.findings], verdict.repairs, verdict.event_ms, verdict.values


EVERY_TYPE = """
- {name: text, logicalType: string, required: true, logicalTypeOptions: {minLength: 2, maxLength: 9, pattern: "^[A-Za-z ]+$"}}
- name: loud
  logicalType: string
  customProperties: [{property: clean, value: [nfc, strip, upper]}]
- name: quiet
  logicalType: string
  customProperties: [{property: clean, value: [lower, emptyToNull, strip]}]
- name: bare
  logicalType: string
  customProperties: [{property: clean, value: []}]
- name: spelled
  logicalType: string
  customProperties: [{property: spellings, value: {UK: United Kingdom, France: France, b: B}}]
- {name: id, logicalType: string, logicalTypeOptions: {format: uuid}}
- {name: whole, logicalType: integer, logicalTypeOptions: {multipleOf: 5, exclusiveMinimum: -10, exclusiveMaximum: 100}}
- {name: wide, logicalType: integer}
- {name: low, logicalType: integer, logicalTypeOptions: {minimum: -99999999999999999999999}}
- {name: step, logicalType: number, logicalTypeOptions: {multipleOf: 0.5, minimum: -1}}
- {name: flag, logicalType: boolean, required: true}
- name: at
  logicalType: timestamp
  logicalTypeOptions: {exclusiveMaximum: "2100-01-01T00:00:00+01:00", defaultTimezone: Europe/London}
- {name: when, logicalType: timestamp}
- {name: v, logicalType: integer, required: true}
- {name: t, logicalType: timestamp, required: true}
"""
QUALITY = """
customProperties: [{property: eventTime, value: when}]
quality:
  - {id: c1, type: custom, engine: headrace, implementation: {condition: 'flag || v > 2'}, dimension: accuracy, severity: info}
  - {id: c2, type: custom, engine: headrace, implementation: {condition: 't < as_of && v != 7'}, dimension: accuracy,
     severity: warning}
  - {id: c3, type: custom, engine: headrace, implementation: {condition: 'wide + 1 > low'}, dimension: accuracy, severity: info}
  - {id: c4, type: custom, engine: headrace, implementation: {condition: 'when < t || flag'}, dimension: timeliness}
"""
FULL: dict[str, Any] = {
    "text": "ab c", "loud": "LOUD", "quiet": "quiet", "bare": "bare", "spelled": "b",
    "id": "9b2e7a4c-1f6d-4c1e-8a57-3f0e5d2c1b4a", "whole": 5, "wide": 1, "low": 2, "step": 1.5, "flag": True,
    "at": "2024-05-01T10:00:00Z", "when": "2024-05-01T10:00:00Z", "v": 3, "t": "2024-05-01T10:00:00Z",
}  # fmt: skip


def every_type_judge(folder: Path) -> Judge:
    """The judge of the contract with every type; its files go to ``folder``."""
    return Judge(contract_of(folder, EVERY_TYPE, QUALITY))


def hold(judge: Judge, raw: bytes | None, as_of: int) -> Verdict:
    """Return the verdict, after asserting what holds for every verdict."""
    verdict = judge.judge(raw, as_of)
    assert said(verdict) == said(judge.examine(raw, as_of)), "the fast way and the thorough way agree"
    assert verdict.rejected == any(rule.severity == "error" for rule in verdict.findings)
    assert verdict.rejected == (verdict.body is None)
    assert len(set(verdict.findings)) == len(verdict.findings)
    assert all(judge.contract.rules[rule.id] is rule for rule in verdict.findings)
    assert isinstance(verdict.event_ms, int)
    json.loads(findings_json(verdict.findings))
    json.loads(repairs_json(verdict.repairs))
    assert (verdict.values is None) <= verdict.rejected
    if verdict.body is not None:
        assert list(json.loads(verdict.body)) == [field.name for field in judge.contract.fields]
        again = judge.judge(verdict.body, as_of)
        assert again.body == verdict.body, "what is clean stays the same, byte for byte"
        assert again.repairs == ()
        assert not again.rejected
        assert again.event_ms == verdict.event_ms
        gone = {"record.unknownField"}
        assert {rule.id for rule in again.findings} == {rule.id for rule in verdict.findings} - gone
    return verdict
