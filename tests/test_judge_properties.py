"""What holds for every record: the judge never raises, both ways agree, what is clean stays clean."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_app.contract import Contract, Field, load_shop
from stream_app.contract.document import read_document
from stream_app.errors import HeadraceError
from stream_app.judge import Judge, Verdict
from stream_app.judge.verdict import findings_json, repairs_json
from tests.support.records import AS_OF, GOOD, SHOPS, contract_of, judge_of, shop

ENTITIES = [(name, entity) for name in SHOPS for entity in shop(name).contracts]
as_ofs = st.one_of(st.just(AS_OF), st.integers(-(2**63), 2**63 - 1), st.integers(AS_OF - 10**12, AS_OF + 10**12))
many = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

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
    pairs = [(name, value) for name, value in good.items()]
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


def hold(judge: Judge, raw: bytes | None, as_of: int) -> Verdict:
    """What must be true of every verdict."""
    verdict = judge.judge(raw, as_of)
    assert said(verdict) == said(judge._examine(raw, as_of)), "the fast way and the thorough way agree"
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


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@many
@given(raw=st.none() | st.binary(max_size=200), as_of=as_ofs)
def test_any_bytes_get_a_verdict(name: str, entity: str, raw: bytes | None, as_of: int) -> None:
    hold(judge_of(name, entity), raw, as_of)


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@many
@given(value=json_values, as_of=as_ofs)
def test_any_json_gets_a_verdict(name: str, entity: str, value: Any, as_of: int) -> None:
    hold(judge_of(name, entity), json.dumps(value).encode("utf-8", "surrogatepass"), as_of)


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@settings(many, max_examples=250)
@given(data=st.data(), as_of=as_ofs)
def test_records_near_the_contract_get_the_same_verdict_either_way(
    name: str, entity: str, data: st.DataObject, as_of: int
) -> None:
    judge = judge_of(name, entity)
    hold(judge, data.draw(records(judge.contract, GOOD[name, entity])), as_of)


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@many
@given(data=st.data())
def test_a_good_record_with_one_byte_changed_gets_a_verdict(name: str, entity: str, data: st.DataObject) -> None:
    raw = bytearray(json.dumps(GOOD[name, entity]).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    hold(judge_of(name, entity), bytes(raw), AS_OF)


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


@pytest.fixture(scope="module")
def every_type(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(contract_of(tmp_path_factory.mktemp("every"), EVERY_TYPE, QUALITY))


def test_the_contract_of_every_type_has_a_good_record(every_type: Judge) -> None:
    verdict = hold(every_type, json.dumps(FULL).encode(), AS_OF)
    assert not verdict.rejected
    assert verdict.repairs == ("spelled.spelling",)


@settings(many, max_examples=500)
@given(data=st.data(), as_of=as_ofs)
def test_the_same_holds_for_every_type_option_and_step(every_type: Judge, data: st.DataObject, as_of: int) -> None:
    hold(every_type, data.draw(records(every_type.contract, FULL)), as_of)


@settings(many, max_examples=150)
@given(texts=st.lists(st.text(max_size=12), min_size=5, max_size=5))
def test_any_texts_stay_as_they_were_cleaned(every_type: Judge, texts: list[str]) -> None:
    record = FULL | dict(zip(["text", "loud", "quiet", "bare", "spelled"], texts, strict=True))
    hold(every_type, json.dumps(record).encode("utf-8", "surrogatepass"), AS_OF)


# --- contracts --------------------------------------------------------------------------------------------------------

ODD = st.sampled_from(
    [None, True, False, 0, -1, 1.5, math.inf, math.nan, 10**30, "", "x", "[", "a.b", [], [1], ["x"], {}, {"x": 1}, "2000-01-01",
     "integer", "string", "timestamp", "number", "as_of", "1 > 0", "quantity", "customers.name", "lower", ["upper"], "\x00"]
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in items for place in places(value, (*path, key)))]


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, Any], Path]:
    folder = tmp_path_factory.mktemp("rewritten")
    for name, source in SHOPS.items():
        shutil.copytree(source, folder / name)

    def write(name: str, entity: str, data: Any) -> Path:
        shutil.copytree(SHOPS[name], folder / name, dirs_exist_ok=True)
        (folder / name / f"{entity}.odcs.yaml").write_text(json.dumps(data, indent=1), encoding="utf-8")
        return folder / name

    return write


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_contract_with_a_value_changed_is_refused_or_can_judge(
    rewritten: Callable[[str, str, Any], Path], data: st.DataObject
) -> None:
    name, entity = data.draw(st.sampled_from(ENTITIES))
    document = read_document(SHOPS[name] / f"{entity}.odcs.yaml").data
    *parents, last = data.draw(st.sampled_from(places(document)[1:]))
    node = document
    for key in parents:
        node = node[key]
    node[last] = data.draw(ODD)
    try:
        contracts = load_shop(rewritten(name, entity, document)).contracts
    except HeadraceError as error:
        assert "\n" not in str(error)
        return
    for contract in contracts.values():
        Judge(contract).judge(json.dumps(GOOD[name, entity]).encode(), AS_OF)
