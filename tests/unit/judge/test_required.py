"""Fields that are required in certain cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.judge import Judge
from tests.support.near import hold
from tests.support.records import AS_OF, broken, contract_of, encoded

PROPERTIES = """
- {name: country, logicalType: string, required: true}
- {name: state, logicalType: string}
- {name: vat, logicalType: string, logicalTypeOptions: {maxLength: 5}}
- {name: total, logicalType: number}
- {name: paid, logicalType: timestamp}
"""
RULES = {
    "us_state": ("[state]", "country == 'US'", "error"),
    "large": ("[state, vat]", "total > 100.0", "warning"),
    "late": ("[vat]", "paid < as_of", "info"),
}
GOOD = {"country": "GB", "state": None, "vat": None, "total": 1.5, "paid": None}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    quality = "".join(
        f"  - {{id: {name}, type: custom, engine: headrace, dimension: completeness, severity: {severity}, "
        f'implementation: {{required: {fields}, when: "{when}"}}}}\n'
        for name, (fields, when, severity) in RULES.items()
    )
    return Judge(contract_of(tmp_path_factory.mktemp("required"), PROPERTIES, "quality:\n" + quality))


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, []),
        ({"country": "US"}, ["us_state"]),
        ({"country": "US", "state": ""}, ["us_state"]),
        ({"country": "US", "state": "NY"}, []),
        ({"total": 100.0}, []),
        ({"total": 100.01}, ["large"]),
        ({"total": 100.01, "state": "NY"}, ["large"]),
        ({"total": 100.01, "state": "NY", "vat": "1"}, []),
        ({"country": "US", "total": 200}, ["us_state", "large"]),
        ({"paid": "2024-05-01T11:59:59Z"}, ["late"]),
        ({"paid": "2024-05-01T12:00:00Z"}, []),
        ({"paid": "2024-05-01T11:59:59Z", "vat": "1"}, []),
    ],
)
def test_a_field_is_missing_where_the_condition_holds(judge: Judge, changes: dict[str, object], rules: list[str]) -> None:
    verdict = hold(judge, encoded(GOOD | changes), AS_OF)
    assert broken(verdict) == rules
    assert verdict.rejected == ("us_state" in rules)


def test_a_condition_that_a_null_leaves_open_requires_nothing(judge: Judge) -> None:
    assert broken(hold(judge, encoded(GOOD | {"total": None}), AS_OF)) == []


def test_a_field_with_a_fault_of_its_own_is_not_missing_as_well(judge: Judge) -> None:
    assert broken(hold(judge, encoded(GOOD | {"total": 200, "state": "NY", "vat": "too long"}), AS_OF)) == ["vat.maxLength"]
    assert broken(hold(judge, encoded(GOOD | {"total": "much", "state": None}), AS_OF)) == ["total.type"]


def test_a_plain_condition_and_one_for_the_library_mean_the_same(tmp_path: Path) -> None:
    properties = "- {name: a, logicalType: integer, required: true}\n- {name: b, logicalType: string}"
    rule = "type: custom, engine: headrace, dimension: completeness"
    quality = "quality:\n" + "".join(
        f'  - {{id: {name}, {rule}, implementation: {{required: [b], when: "{when}"}}}}\n'
        for name, when in {"plain": "a > 3", "library": "!(a <= 3)"}.items()
    )
    judge = Judge(contract_of(tmp_path, properties, quality))
    assert broken(hold(judge, b'{"a":3}', AS_OF)) == []
    assert broken(hold(judge, b'{"a":4}', AS_OF)) == ["plain", "library"]
    assert broken(hold(judge, b'{"a":4,"b":"x"}', AS_OF)) == []
