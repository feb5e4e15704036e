"""Conditions that run as Python say what the CEL library says, for every value."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.contract import Condition, Contract, Dimension, Field, Rule, Severity
from stream_app.judge import Judge
from stream_app.judge.cel.conditions import ColumnCheck, RecordCheck, column_check, library_check, translated_check
from stream_app.windows.calendar import moment
from tests.support.examples import examples
from tests.support.records import AS_OF, SHOPS, broken, contract_of, encoded, shop

FIELDS = (
    Field("i", "integer", required=True),
    Field("j", "integer", required=True),
    Field("d", "number", required=True),
    Field("e", "number", required=True),
    Field("s", "string", required=True),
    Field("r", "string", required=True),
    Field("b", "boolean", required=True),
    Field("m", "timestamp", required=True),
    Field("n", "timestamp", required=True),
    Field("oi", "integer"),
    Field("os", "string"),
)
CONTRACT = Contract("things", "things", "1", Path("things.odcs.yaml"), "", FIELDS, {})

int64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
doubles = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, 1e308, -1e308, 5e-324])
# No NUL, which the library cuts texts at: a text with one is rejected before any condition sees it.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4) | st.sampled_from(
    ["", "C", "C1", "1C", "\n", "\U0001f600", "\u00e9", "e\u0301"]
)
# Whole milliseconds, and not the very first: the library loses a microsecond in the year 9999, and calls 0001-01-01 infinite.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
times = st.one_of(
    st.integers(-62_135_596_799_999, 253_402_300_799_998).map(lambda ms: EPOCH + timedelta(milliseconds=ms)),
    st.sampled_from([moment(AS_OF), moment(-(2**63)), moment(2**63)]),
)
values = st.fixed_dictionaries(
    {"i": int64, "j": int64, "d": doubles, "e": doubles, "s": texts, "r": texts, "b": st.booleans(), "m": times, "n": times,
     "oi": st.none() | int64, "os": st.none() | texts}
)  # fmt: skip
as_ofs = st.integers(AS_OF - 10**9, AS_OF + 10**9) | st.integers(-(2**63), 2**63)

PLAIN = [
    "i > 0",
    "i <= j",
    "i != -9223372036854775808",
    "i >= 0 || s.startsWith('C')",
    "i == j && d < e",
    "d != 0.0",
    "d == e",
    "double(i) * d <= 1000000.0",
    "double(i) * d + e * 2.5 - 1e3 > d",
    "d * e * d < e * e",
    "d - d == 0.0 || d * d * d > 0.0",
    "double(d) >= double(i)",
    's == "C"',
    "s != r",
    "s.startsWith(r) || r.endsWith(s)",
    "s.endsWith('&&') || s == '||'",
    "'abc'.startsWith(s)",
    "m < n",
    "m == n || m >= n",
    "m <= as_of + duration('24h')",
    "as_of - duration('90m') < m",
    "m + duration('999999h') > n",
    "m - duration('1s') > n || i > 0",
    "i > 0 || m - duration('1s') > n",
    "i > 0 && m + duration('1s') > n",
    "(i > 0 || j > 0) && (d > 0.0 || (s == 'x' && e < 1.0))",
    "i > 0 ||\n j > 0",
]
ELSEWHERE = [
    "i + j > 0",
    "i * 2 > j",
    "i / j > 0",
    "i % 2 == 0",
    "-i > 0",
    "!(i > 0)",
    "b",
    "b == true",
    "b || i > 0",
    "s < r",
    "s + r == 'CC'",
    "s.size() > 2",
    "size(s) > 2",
    "s.contains('C')",
    "s.matches('^C')",
    "s in ['C', 'D']",
    "i in [1, 2]",
    "i > 0 ? d > 0.0 : e > 0.0",
    "oi > 0",
    "oi == null || oi > 0",
    "os != 'x'",
    "has({'a': i}.a)",
    "m - n < duration('1h')",
    "m.getFullYear() > 2000",
    "int(d) > 0",
    "string(i) == s",
    r"s == '\n'",
    r's == "a\"" || i > 0',
    "s == '''C'''",
    '''s == """a"b""" || i > 0''',
    "i > 0 // as it should",
]


def condition(expression: str) -> Condition:
    """The condition as the contract's compiler would make it."""
    rule = Rule("c", Dimension.ACCURACY, Severity.ERROR, "$", "", "condition")
    words = set(re.findall(r"\w+", expression))
    fields = tuple(field.name for field in FIELDS if field.name in words)
    return Condition(rule, expression, fields, "as_of" in words)


@cache
def both(expression: str) -> tuple[RecordCheck | None, RecordCheck]:
    made = condition(expression)
    return translated_check(made, CONTRACT), library_check(made, CONTRACT)


@cache
def vectorised(expression: str) -> ColumnCheck | None:
    return column_check(condition(expression), CONTRACT)


@pytest.mark.parametrize("expression", PLAIN)
def test_a_plain_condition_is_translated(expression: str) -> None:
    assert both(expression)[0] is not None
    assert vectorised(expression) is not None


@pytest.mark.parametrize("expression", ELSEWHERE)
def test_a_condition_with_a_doubt_is_left_to_the_library(expression: str) -> None:
    assert both(expression)[0] is None
    assert vectorised(expression) is None


@pytest.mark.parametrize("expression", PLAIN)
@settings(max_examples=examples(50), deadline=None)
@given(record=values, as_of=as_ofs)
def test_the_translation_says_what_the_library_says(expression: str, record: dict[str, Any], as_of: int) -> None:
    fast, exact = both(expression)
    assert fast is not None
    assert fast(record, as_of) == exact(record, as_of)


@pytest.mark.parametrize("expression", PLAIN)
@settings(max_examples=examples(25), deadline=None)
@given(records=st.lists(values, max_size=4), data=st.data())
def test_over_columns_it_finds_the_records_that_the_library_finds(
    expression: str, records: list[dict[str, Any]], data: st.DataObject
) -> None:
    as_of = data.draw(st.lists(as_ofs, min_size=len(records), max_size=len(records)))
    _, exact = both(expression)
    fast = vectorised(expression)
    assert fast is not None
    columns = [[record[name] for record in records] for name in condition(expression).fields]
    assert fast(columns, as_of) == [i for i, record in enumerate(records) if exact(record, as_of[i])]


@pytest.mark.parametrize("expression", ELSEWHERE)
@settings(max_examples=examples(25), deadline=None)
@given(record=values, as_of=as_ofs)
def test_the_library_never_raises(expression: str, record: dict[str, Any], as_of: int) -> None:
    assert both(expression)[1](record, as_of) in (True, False)


numbers = st.sampled_from(["i", "j", "0", "1", "-1", "9223372036854775807"])
floats = st.sampled_from(["d", "e", "0.0", "-1.5", "double(i)", "1e300"])
products = st.builds("{} {} {}".format, floats, st.sampled_from("+-*"), floats)
strings = st.sampled_from(["s", "r", "''", "'C'", '"it\'s"', "'a && b'"])
spans = st.sampled_from(["1h", "90m", "5s", "999999h"]).map("duration('{}')".format)
instants = st.sampled_from(["m", "n", "as_of"])
shifted = instants | st.builds("{} {} {}".format, instants, st.sampled_from("+-"), spans)
order = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
comparisons = st.one_of(
    st.builds("{} {} {}".format, numbers, order, numbers),
    st.builds("{} {} {}".format, floats | products, order, floats | products),
    st.builds("{} {} {}".format, strings, st.sampled_from(["==", "!="]), strings),
    st.builds("{} {} {}".format, shifted, order, shifted),
    st.builds("s.{}({})".format, st.sampled_from(["startsWith", "endsWith"]), strings),
)
expressions = st.recursive(
    comparisons, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner), max_leaves=4
).filter(lambda text: bool(condition(text).fields))


@settings(max_examples=examples(200), deadline=None)
@given(expression=expressions, record=values, as_of=as_ofs)
def test_generated_conditions_mean_the_same_both_ways(expression: str, record: dict[str, Any], as_of: int) -> None:
    fast, exact = both(expression)
    assert fast is not None
    assert fast(record, as_of) == exact(record, as_of)


@pytest.mark.parametrize("name", SHOPS)
def test_the_shipped_shops_conditions_are_all_plain(name: str) -> None:
    for contract in shop(name).contracts.values():
        for made in contract.conditions:
            assert translated_check(made, contract) is not None


def test_fields_may_be_called_anything(tmp_path: Path) -> None:
    names = ["v", "t", "values", "as_of_ms", "moment", "timedelta", "float", "library", "broken", "field_v", "None_"]
    properties = "\n".join(f"- {{name: {name}, logicalType: integer, required: true}}" for name in names)
    expression = " && ".join(f"double({name}) > 0.0" for name in names) + " && timestamp('2000-01-01T00:00:00Z') < as_of"
    plain = " && ".join(f"double({name}) > 0.0" for name in names)
    quality = "".join(
        f'  - {{id: c{index}, type: custom, engine: headrace, dimension: accuracy, implementation: {{condition: "{text}"}}}}\n'
        for index, text in enumerate([plain, expression])
    )
    contract = contract_of(tmp_path, properties, "quality:\n" + quality)
    assert translated_check(contract.conditions[0], contract) is not None
    judge = Judge(contract)
    assert broken(judge.judge(encoded(dict.fromkeys(names, 1)), AS_OF)) == []
    assert broken(judge.judge(encoded(dict.fromkeys(names, 1) | {"float": 0}), AS_OF)) == ["c0", "c1"]


def test_a_field_may_have_a_name_that_cel_knows_as_long_as_no_condition_reads_it(tmp_path: Path) -> None:
    properties = "".join(f"- {{name: {name}, logicalType: integer}}\n" for name in ("a", "type", "double", "in", "null_type"))
    quality = "quality:\n  - {id: c, type: custom, engine: headrace, dimension: accuracy, implementation: {condition: a > 5}}\n"
    judge = Judge(contract_of(tmp_path, properties, quality))
    assert broken(judge.judge(b'{"a":1,"type":2}', AS_OF)) == ["c"]


def test_a_condition_reads_the_fields_that_stand_between_its_texts(tmp_path: Path) -> None:
    properties = "- {name: a, logicalType: string, required: true}\n- {name: b, logicalType: integer, required: true}"
    quality = (
        "quality:\n  - id: c\n    type: custom\n    engine: headrace\n    dimension: accuracy\n    implementation:\n"
        '      condition: \'a != "x\\"" && b > 0 && a != "y"\'\n'
    )
    contract = contract_of(tmp_path, properties, quality)
    assert contract.conditions[0].fields == ("a", "b")
    judge = Judge(contract)
    assert broken(judge.judge(encoded({"a": "z", "b": 1}), AS_OF)) == []
    assert broken(judge.judge(encoded({"a": "z", "b": 0}), AS_OF)) == ["c"]


def test_what_a_null_leaves_open_is_not_broken(tmp_path: Path) -> None:
    properties = "- {name: a, logicalType: integer}\n- {name: b, logicalType: integer, required: true}"
    quality = (
        "quality:\n  - {id: c, type: custom, engine: headrace, dimension: accuracy, implementation: {condition: a < b}}\n"
        "  - {id: d, type: custom, engine: headrace, dimension: accuracy, implementation: {condition: a != null || b > 5}}\n"
    )
    judge = Judge(contract_of(tmp_path, properties, quality))
    assert broken(judge.judge(b'{"a":1,"b":2}', AS_OF)) == []
    assert broken(judge.judge(b'{"a":3,"b":2}', AS_OF)) == ["c"]
    assert broken(judge.judge(b'{"a":null,"b":2}', AS_OF)) == ["d"]
    assert broken(judge.judge(b'{"a":null,"b":6}', AS_OF)) == []


def test_a_condition_on_a_broken_field_is_not_reported_as_well(tmp_path: Path) -> None:
    properties = "- {name: a, logicalType: integer, required: true}"
    quality = "quality:\n  - {id: c, type: custom, engine: headrace, dimension: accuracy, implementation: {condition: a > 5}}\n"
    judge = Judge(contract_of(tmp_path, properties, quality))
    assert broken(judge.judge(b'{"a":"x"}', AS_OF)) == ["a.type"]
    assert broken(judge.judge(b"{}", AS_OF)) == ["a.required"]


def test_a_computation_that_fails_is_broken(tmp_path: Path) -> None:
    properties = "- {name: a, logicalType: integer, required: true}"
    quality = "quality:\n  - {id: c, type: custom, engine: headrace, dimension: accuracy, implementation: {condition: 10 / a > 0 || a * a > 0}}\n"  # noqa: E501
    judge = Judge(contract_of(tmp_path, properties, quality))
    assert broken(judge.judge(b'{"a":5}', AS_OF)) == []
    assert broken(judge.judge(b'{"a":0}', AS_OF)) == ["c"]


@pytest.mark.parametrize(
    ("text", "given", "result"),
    [
        ("at < as_of", "2024-05-01T11:59:59Z", []),
        ("at < as_of", "2024-05-01T12:00:00Z", ["c"]),
        ("at < as_of", None, []),
        ("at != null", None, ["c"]),
        ("at != null", "2024-05-01T12:00:00Z", []),
        ("at == null || at < other", "2024-05-01T12:00:00Z", []),
        ("at.getFullYear() == 2024", "2023-05-01T12:00:00Z", ["c"]),
        ("other == null || at != null", None, []),
    ],
)
def test_an_optional_moment_is_compared_or_left_open(tmp_path: Path, text: str, given: str | None, result: list[str]) -> None:
    properties = "- {name: at, logicalType: timestamp}\n- {name: other, logicalType: timestamp}"
    rule = "id: c, type: custom, engine: headrace, dimension: timeliness"
    quality = f"quality:\n  - {{{rule}, implementation: {{condition: '{text}'}}}}\n"
    judge = Judge(contract_of(tmp_path, properties, quality))
    assert broken(judge.judge(encoded({"at": given, "other": None}), AS_OF)) == result
