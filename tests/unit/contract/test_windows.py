"""Promises about windows: every threshold operator and unit, and what a window must show to keep them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract import Dimension, Field, Rule, Severity, WindowRule, load_shop
from stream_app.contract.model import Contract
from stream_app.contract.steps import as_cleaned, unreachable_problem
from stream_app.contract.thresholds import OPERATORS, threshold_bounds, threshold_problem
from stream_app.judge import Judge
from stream_app.judge.cleaning import cleaner
from tests.support.contracts import THINGS, refusal_of, write_shop
from tests.support.records import AS_OF, broken, contract_of, encoded

RULE = Rule("r", Dimension.COVERAGE, Severity.INFO, "$", "", "window")
MUST = "            mustBe: 0\n"

#: What each operator means, in the words of the standard.
MEANS: dict[str, Callable[[Any, Any], bool]] = {
    "mustBe": lambda x, value: x == value,
    "mustNotBe": lambda x, value: x != value,
    "mustBeGreaterThan": lambda x, value: x > value,
    "mustBeGreaterOrEqualTo": lambda x, value: x >= value,
    "mustBeLessThan": lambda x, value: x < value,
    "mustBeLessOrEqualTo": lambda x, value: x <= value,
    "mustBeBetween": lambda x, value: value[0] <= x <= value[1],
    "mustNotBeBetween": lambda x, value: not value[0] <= x <= value[1],
}
numbers = st.integers(0, 20)
pairs = st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted)


def promise(operator: str, value: Any, unit: str) -> WindowRule:
    kind: Any = unit
    return WindowRule(RULE, "nullValues", kind, Severity.WARNING, "r", **threshold_bounds(operator, value, unit))


@pytest.mark.parametrize("operator", OPERATORS)
@given(data=st.data(), observed=numbers)
def test_a_window_keeps_what_the_operator_says(operator: str, data: st.DataObject, observed: int) -> None:
    value = data.draw(pairs if operator.endswith("Between") else numbers)
    assert promise(operator, value, "rows").keeps(observed) == MEANS[operator](observed, value)
    assert promise(operator, value, "percent").keeps(observed / 100) == MEANS[operator](observed, value)


def test_the_operators_are_those_of_the_standard() -> None:
    assert set(MEANS) == set(OPERATORS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_shop(tmp_path)


def compiled(folder: Path, threshold: str, severity: str = "error") -> Contract:
    """``things`` with another threshold of ``code_known``."""
    text = THINGS.replace(MUST, f"            {threshold}\n").replace(
        "            severity: error", f"            severity: {severity}"
    )
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    return load_shop(folder).contracts["things"]


def test_no_row_at_all_is_a_promise_about_each_record(folder: Path) -> None:
    contract = compiled(folder, "mustBe: 0")
    assert contract.windows == ()
    assert (contract.rules["code_known"].kind, contract.rules["code_known"].severity) == ("library", Severity.ERROR)


@pytest.mark.parametrize(
    "threshold", ["mustBe: 5", "mustBe: 0\n            unit: percent", "mustBeLessThan: 5", "mustNotBe: 0"]
)
@pytest.mark.parametrize("severity", ["error", "warning"])
def test_any_other_threshold_is_a_promise_about_windows(folder: Path, threshold: str, severity: str) -> None:
    contract = compiled(folder, threshold, severity)
    [window] = contract.windows
    assert (window.rule.id, window.metric, window.counted, window.breach) == (
        "code_known",
        "invalidValues",
        "code_known",
        severity,
    )
    assert (window.rule.kind, window.rule.severity) == ("window", Severity.INFO), "it must not lower the score"
    assert [rule.rule for rule in contract.values] == [window.rule], "its records are counted"
    verdict = Judge(contract).judge(encoded({"id": 1, "code": "C"}), AS_OF)
    assert (broken(verdict), verdict.rejected) == (["code_known"], False)


def test_percentages_are_kept_as_shares(folder: Path) -> None:
    [window] = compiled(folder, "mustBeBetween: [2.5, 40]\n            unit: percent").windows
    assert (window.unit, window.low, window.high) == ("percent", 0.025, 0.4)


def test_rows_are_counted_for_the_whole_entity(folder: Path) -> None:
    (folder / "things.odcs.yaml").write_text(
        THINGS + "      - {id: busy, metric: rowCount, mustBeGreaterThan: 10, dimension: coverage, severity: warning}\n",
        "utf-8",
    )
    contract = load_shop(folder).contracts["things"]
    [window] = contract.windows
    assert (window.metric, window.low, window.exclusive_low, window.high) == ("rowCount", 10, True, None)
    assert [rule.rule.id for rule in contract.values] == ["code_known"]


def test_even_an_exact_number_of_no_rows_is_about_windows(folder: Path) -> None:
    (folder / "things.odcs.yaml").write_text(
        THINGS + "      - {id: closed, metric: rowCount, mustBe: 0, dimension: coverage}\n", "utf-8"
    )
    [window] = load_shop(folder).contracts["things"].windows
    assert (window.low, window.high, window.outside, window.breach) == (0, 0, False, Severity.ERROR)


def test_duplicates_of_a_window_are_marked_and_not_rejected(tmp_path: Path) -> None:
    rule = "id: again, metric: duplicateValues, arguments: {properties: [a]}, mustBeLessThan: 3, dimension: uniqueness"
    quality = f"quality:\n  - {{{rule}}}\n"
    contract = contract_of(tmp_path, "- {name: a, logicalType: integer}", quality)
    [unique], [window] = contract.uniques, contract.windows
    assert unique.rule is window.rule
    assert (unique.among, unique.rule.severity) == ("seen", Severity.INFO)


def test_nulls_of_a_required_field_are_counted_by_the_rule_that_requires_it(tmp_path: Path) -> None:
    properties = (
        "- name: a\n  logicalType: integer\n  required: true\n  quality:\n"
        "    - {id: lost, metric: nullValues, mustBeLessThan: 5, unit: percent, dimension: completeness}\n"
    )
    contract = contract_of(tmp_path, properties)
    [window] = contract.windows
    assert (window.rule.id, window.counted, contract.values) == ("lost", "a.required", ())
    assert broken(Judge(contract).judge(b"{}", AS_OF)) == ["a.required"]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "says"),
    [
        ("mustBe: many", "write a number"),
        ("mustBe: true", "write a number"),
        ("mustBe: .nan", "write a number"),
        ("mustNotBe: [1, 2]", "write a number"),
        ("mustBeBetween: [5, 2]", "smaller number first"),
        ("mustBeLessThan: -1", "number of rows"),
        ("mustBeLessThan: 2.5", "number of rows"),
        ("mustBeLessThan: 0", "no window can keep it"),
        ("mustBeGreaterOrEqualTo: 0", "every window keeps it"),
    ],
)
def test_a_threshold_of_rows_that_cannot_be_is_refused(folder: Path, threshold: str, says: str) -> None:
    assert says in refusal_of(folder, MUST, f"            {threshold}\n", threshold)


@pytest.mark.parametrize(
    ("threshold", "says"),
    [
        ("mustBeLessThan: 101", "0 to 100"),
        ("mustBe: -1", "0 to 100"),
        ("mustBeLessOrEqualTo: 100", "every window keeps it"),
        ("mustBeBetween: [0, 100]", "every window keeps it"),
        ("mustBeGreaterThan: 100", "no window can keep it"),
        ("mustNotBeBetween: [0, 100]", "no window can keep it"),
    ],
)
def test_a_threshold_of_percent_that_cannot_be_is_refused(folder: Path, threshold: str, says: str) -> None:
    assert says in refusal_of(folder, MUST, f"            {threshold}\n            unit: percent\n", threshold)


@given(
    operator=st.sampled_from(OPERATORS),
    value=st.none() | st.booleans() | st.text(max_size=3) | st.lists(st.floats(), max_size=3),
)
def test_no_threshold_makes_the_reader_fail(operator: str, value: Any) -> None:
    for unit in ("rows", "percent"):
        problem = threshold_problem(operator, value, unit)
        assert problem is None or problem.startswith(operator)


def test_an_unknown_unit_is_refused(folder: Path) -> None:
    assert "rows or percent" in refusal_of(folder, MUST, f"{MUST}            unit: share\n", "unit: share")


def test_an_incident_of_severity_info_is_refused(folder: Path) -> None:
    text = THINGS.replace("            severity: error", "            severity: info")
    message = refusal_of(folder, MUST, "            mustBeLessThan: 5\n", "severity: info", text)
    assert "warning or error" in message


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("{id: n, metric: rowCount, mustBe: 5, unit: percent, dimension: coverage}", "no share"),
        ("{id: n, metric: rowCount, mustBe: 5, arguments: {a: 1}, dimension: coverage}", "'a'"),
        ("{id: n, metric: duplicateValues, mustBe: 5, arguments: {properties: [id, id]}, dimension: uniqueness}", "twice"),
        ("{id: n, metric: nullValues, mustBe: 5, dimension: completeness}", "to a property"),
    ],
)
def test_a_metric_of_the_schema_that_cannot_be_is_refused(folder: Path, rule: str, says: str) -> None:
    assert says in refusal_of(folder, "      - id: positive", f"      - {rule}\n      - id: positive", "{id: n")


def test_the_number_of_rows_is_none_of_a_property(folder: Path) -> None:
    text = THINGS.replace("            arguments:\n              validValues: [A, B]\n", "").replace(
        MUST, "            mustBe: 9\n"
    )
    assert "to the schema" in refusal_of(folder, "metric: invalidValues", "metric: rowCount", "id: code_known", text)


def test_each_null_of_a_required_field_is_reported_once(folder: Path) -> None:
    text = THINGS.replace("            arguments:\n              validValues: [A, B]\n", "")
    assert "the same rule" in refusal_of(folder, "metric: invalidValues", "metric: nullValues", "id: code_known", text)


@pytest.mark.parametrize(("values", "says"), [("['']", "write null"), ("[]", "at least one"), ("[5]", "not a value of type")])
def test_missing_values_that_never_occur_are_refused(folder: Path, values: str, says: str) -> None:
    text = THINGS.replace("metric: invalidValues", "metric: missingValues").replace(
        "value: [strip]", "value: [strip, emptyToNull]"
    )
    message = refusal_of(folder, "validValues: [A, B]", f"missingValues: {values}", "arguments:", text)
    assert says in message


def test_null_may_be_among_the_missing_values(tmp_path: Path) -> None:
    properties = (
        "- name: a\n  logicalType: string\n  quality:\n"
        "    - {id: lost, metric: missingValues, arguments: {missingValues: [null, n/a]}, mustBe: 0, dimension: completeness}\n"
    )
    judge = Judge(contract_of(tmp_path, properties))
    assert broken(judge.judge(b'{"a":"n/a"}', AS_OF)) == ["lost"]
    assert broken(judge.judge(b'{"a":null}', AS_OF)) == ["lost"]
    assert broken(judge.judge(b'{"a":"  "}', AS_OF)) == ["lost"]
    assert broken(judge.judge(b'{"a":"x"}', AS_OF)) == []


@pytest.mark.parametrize(
    ("values", "says"),
    [("[a]", "'a' is cleaned to 'A'"), ("['B ']", "'B ' is cleaned to 'B'"), ("[B, GB]", "'GB' is cleaned to 'BRITAIN'")],
)
def test_a_listed_value_that_cleaning_never_leaves_is_refused(folder: Path, values: str, says: str) -> None:
    spellings = "value: [strip, upper]\n          - property: spellings\n            value: {gb: BRITAIN}"
    text = THINGS.replace("value: [strip]", spellings)
    assert says in refusal_of(folder, "validValues: [A, B]", f"validValues: {values}", "arguments:", text)


@given(text=st.text(max_size=8), steps=st.lists(st.sampled_from(["nfc", "strip", "collapse", "lower", "upper"]), max_size=4))
def test_the_contract_knows_what_cleaning_leaves(text: str, steps: list[str]) -> None:
    cleaned, _ = cleaner(Field("a", "string", clean=tuple(steps)))(text)
    problem = unreachable_problem([text], tuple(steps), {})
    assert (problem is None) == (as_cleaned(text, tuple(steps)) == text)
    assert (problem is None) == (cleaned == text)
