"""Each defect in a field, from real bytes, is found by its rule; all reasons are given at once."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from stream_app.judge import Judge
from stream_app.judge.verdict import findings_json, repairs_json
from stream_app.windows.as_of import UNKNOWN
from tests.support.records import AS_OF, GOOD, SHOPS, broken, contract_of, encoded, judged, order, shop


@pytest.mark.parametrize(("name", "entity"), GOOD)
def test_the_good_records_are_good(name: str, entity: str) -> None:
    raw = encoded(GOOD[name, entity])
    verdict = judged(raw, entity, name)
    assert (verdict.body, verdict.findings, verdict.repairs) == (raw, (), ())


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"order_id": ...}, ["order_id.required"]),
        ({"order_id": None}, ["order_id.required"]),
        ({"order_id": ""}, ["order_id.required"]),
        ({"order_id": "  "}, ["order_id.required"]),
        ({"order_id": 0}, ["order_id.minimum"]),
        ({"order_id": -1}, ["order_id.minimum"]),
        ({"order_id": "x"}, ["order_id.type"]),
        ({"order_id": 1.5}, ["order_id.type"]),
        ({"order_id": True}, ["order_id.type"]),
        ({"order_id": [1]}, ["order_id.type"]),
        ({"order_id": {"id": 1}}, ["order_id.type"]),
        ({"order_id": 2**63}, ["order_id.type"]),
        ({"order_id": -(2**63) - 1}, ["order_id.minimum"]),
        ({"order_id": 10**300}, ["order_id.type"]),
        ({"order_id": 1e300}, ["order_id.type"]),
        ({"quantity": 0}, ["quantity.minimum"]),
        ({"quantity": 10_001}, ["quantity.maximum"]),
        ({"quantity": 10**30}, ["quantity.maximum"]),
        ({"price": 0}, ["price.exclusiveMinimum"]),
        ({"price": -0.0}, ["price.exclusiveMinimum"]),
        ({"price": 100_000.01}, ["price.maximum"]),
        ({"price": 1e300}, ["price.maximum"]),
        ({"price": "free"}, ["price.type"]),
        ({"price": "NaN"}, ["price.type"]),
        ({"price": "Infinity"}, ["price.type"]),
        ({"price": "1,50"}, ["price.type"]),
        ({"price": False}, ["price.type"]),
        ({"price": "\u0661\u0662"}, ["price.type"]),
        ({"order_date": 5}, ["order_date.type"]),
        ({"order_date": True}, ["order_date.type"]),
        ({"order_date": "1999-12-31T23:59:59Z"}, ["order_date.minimum"]),
        ({"order_date": "2024-05-02T12:00:01Z"}, ["order_date_future"]),
        ({"quantity": 10_000, "price": 100.01}, ["order_value"]),
    ],
)
def test_a_fault_of_one_field_is_reported_by_its_rule(changes: dict[str, Any], rules: list[str]) -> None:
    verdict = judged(encoded(order(**changes)))
    assert broken(verdict) == rules
    assert verdict.rejected
    assert verdict.values is not None
    for rule in verdict.findings:
        if rule.kind == "structure":
            assert verdict.values[str(rule.field)] is None


def test_bounds_include_themselves() -> None:
    assert not judged(encoded(order(quantity=10_000, price=100.0))).rejected
    assert not judged(encoded(order(price=5e-324))).rejected
    assert not judged(encoded(order(order_date="2000-01-01T00:00:00Z"))).rejected
    assert not judged(encoded(order(order_date="2024-05-02T12:00:00Z"))).rejected
    assert not judged(encoded(order(order_id=2**63 - 1))).rejected


@pytest.mark.parametrize("price", [b"1e999", b"-1e999", b"1" + b"0" * 350])
def test_a_number_beyond_every_float_is_of_the_wrong_type(price: bytes) -> None:
    assert broken(judged(encoded(order()).replace(b"9.99", price))) == ["price.type"]


@pytest.mark.parametrize(("text", "value"), [(b"1e2", b"100.0"), (b"1E-2", b"0.01"), (b"7", b"7.0"), (b"1.10", b"1.1")])
def test_a_number_gets_one_spelling(text: bytes, value: bytes) -> None:
    verdict = judged(encoded(order()).replace(b"9.99", text))
    assert verdict.body == encoded(order()).replace(b"9.99", value)
    assert (verdict.findings, verdict.repairs) == ((), ())


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30T10:00:00Z",
        "2023-02-29T10:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-10T00:00:00Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T23:60:00Z",
        "2016-12-31T23:59:60Z",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "2024-05-01T10:00:00+24:00",
        "2024-05-01T10:00:00+1",
        "2024-05-01T10:00:00 Europe/London",
        "12024-05-01T10:00:00Z",
        "-2024-05-01T10:00:00Z",
        "24-05-01",
        "01/05/2024",
        "20240501",
        "1714557600",
        "2024-W18-3",
        "today",
        "2024-05-01T10:00:00.Z",
        "2024-05-01T10:00:00.1234567890Z",
        "\u0662\u0660\u0662\u0664-05-01T10:00:00Z",
        "2024-05-01T10:00:00Z\x00",
    ],
)  # fmt: skip
def test_a_moment_that_is_none_is_of_the_wrong_type(text: str) -> None:
    verdict = judged(encoded(order(order_date=text)))
    assert broken(verdict) == ["order_date.type"]
    assert verdict.event_ms == AS_OF


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2024-05-01", "2024-05-01T00:00:00Z"),
        ("2024-05-01 10:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00+00:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01T12:00:00+0200", "2024-05-01T10:00:00Z"),
        ("2024-05-01T00:30:00+05:30", "2024-04-30T19:00:00Z"),
        ("2024-05-01 10:00:00,25", "2024-05-01T10:00:00.250000Z"),
        ("2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00.123456Z"),
        ("2024-02-29T10:00:00 Z", "2024-02-29T10:00:00Z"),
        ("  2024-05-01T10:00:00Z\n", "2024-05-01T10:00:00Z"),
    ],
)
def test_a_moment_gets_one_spelling_in_utc(text: str, canonical: str) -> None:
    verdict = judged(encoded(order(order_date=text)))
    assert broken(verdict) == []
    assert verdict.body == encoded(order(order_date=canonical))
    assert verdict.repairs
    assert all(repair.startswith("order_date.") for repair in verdict.repairs)


@pytest.mark.parametrize("fraction", [1, 2, 9, 29, 57, 58, 113, 251, 511, 999])
def test_event_time_is_exact_to_the_millisecond(fraction: int) -> None:
    verdict = judged(encoded(order(order_date=f"2024-05-01T10:00:00.{fraction:03}Z")))
    assert verdict.event_ms == 1_714_557_600_000 + fraction


@pytest.mark.parametrize(("text", "event_ms"), [("1970-01-01T00:00:00Z", 0), ("9998-12-31T23:59:59.999Z", 253_370_764_799_999)])
def test_the_first_and_last_moment_that_can_be_shown_are_event_times(text: str, event_ms: int) -> None:
    record = GOOD["online-retail", "customers"] | {"first_seen": text}
    verdict = judged(encoded(record), "customers", "online-retail")
    assert broken(verdict) == []
    assert verdict.event_ms == event_ms


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "9999-01-01T00:00:00Z", "9999-12-31 23:59"]
)
@pytest.mark.parametrize("space", ["", " "])
def test_an_event_time_that_cannot_be_shown_is_a_finding_and_not_the_records_time(text: str, space: str) -> None:
    record = GOOD["online-retail", "customers"] | {"first_seen": space + text}
    verdict = judged(encoded(record), "customers", "online-retail")
    assert broken(verdict) == ["first_seen.range"]
    assert verdict.rejected
    assert verdict.event_ms == AS_OF


@pytest.mark.parametrize("as_of", [-(10**30), -(2**63), -1, 0, 2**63, 253_402_300_799_999, 10**30])
def test_any_as_of_time_is_judged(as_of: int) -> None:
    judge = Judge(shop("built-in").contracts["orders"])
    verdict = judge.judge(encoded(order()), as_of)
    assert set(broken(verdict)) <= {"order_date_future"}
    future = as_of != UNKNOWN and (as_of < 1_000_000_000_000 or as_of > 253_402_214_400_000)
    assert ("order_date_future" in broken(verdict)) == future


@pytest.mark.parametrize("text", ["0000-01-01T00:00:00Z", "0000-12-31T23:59:59.999999Z", "0000-02-29T00:00:00Z"])
def test_the_year_zero_is_no_year(text: str) -> None:
    record = GOOD["online-retail", "customers"] | {"first_seen": text}
    assert broken(judged(encoded(record), "customers", "online-retail")) == ["first_seen.type"]
    assert judged(encoded(order(order_date=text))).rejected


@pytest.mark.parametrize("control", ["\x00", "\x01", "\x08", "\x0e", "\x1b", "\x7f"])
def test_a_control_character_in_a_text_is_a_fault_of_its_own(control: str) -> None:
    record = GOOD["built-in", "customers"] | {"name": f"Ada{control}Byron"}
    verdict = judged(encoded(record), "customers")
    assert broken(verdict) == ["name.characters"]


@pytest.mark.parametrize(
    ("entity", "changes", "rules"),
    [
        ("customers", {"name": "x" * 201}, ["name.maxLength"]),
        ("customers", {"name": 5}, ["name.type"]),
        ("customers", {"email": "ada"}, ["email.format"]),
        ("customers", {"email": "ada@localhost"}, ["email.format"]),
        ("customers", {"email": "ada byron@example.org"}, ["email.format"]),
        ("customers", {"email": "a" * 250 + "@example.org"}, ["email.maxLength"]),
        ("customers", {"country": "X"}, ["country.minLength"]),
        ("customers", {"country": "Atlantis"}, ["country_known"]),
        ("customers", {"customer_id": 0}, ["customer_id.minimum"]),
        ("products", {"category": "B"}, ["category.minLength"]),
        ("products", {"unit_price": 0}, ["unit_price.exclusiveMinimum"]),
        ("products", {"unit_price": 1e6}, ["unit_price.maximum"]),
    ],
)
def test_the_other_entities_rules_hold(entity: str, changes: dict[str, Any], rules: list[str]) -> None:
    assert broken(judged(encoded(GOOD["built-in", entity] | changes), entity)) == rules


@pytest.mark.parametrize(
    ("changes", "rules", "rejected"),
    [
        ({"invoice_no": "53636"}, ["invoice_no.pattern"], True),
        ({"invoice_no": "536365\n"}, [], False),
        ({"invoice_no": 536365}, ["invoice_no.type"], True),
        ({"line_type": "gift"}, ["line_type_known"], True),
        ({"description": None}, ["description_missing"], False),
        ({"customer_id": None}, ["guest"], False),
        ({"country": "Unspecified"}, ["country_unspecified"], False),
        ({"price": 0}, ["price_zero"], True),
        ({"price": -1}, ["price.minimum"], True),
        ({"quantity": -1}, ["negative_quantity"], True),
        ({"quantity": -1, "invoice_no": "C536365"}, [], False),
        ({"quantity": "many", "invoice_no": "536365"}, ["quantity.type"], True),
        ({"product_id": None}, [], False),
        ({"customer_id": "17850.0"}, [], False),
        ({"invoice_date": "2008-12-31T23:59:59Z"}, ["invoice_date.minimum"], True),
    ],
)
def test_the_gift_shops_rules_hold(changes: dict[str, Any], rules: list[str], rejected: bool) -> None:
    verdict = judged(encoded(GOOD["online-retail", "orders"] | changes), "orders", "online-retail")
    assert broken(verdict) == rules
    assert verdict.rejected == rejected


def test_all_reasons_are_reported_in_the_order_of_the_contract() -> None:
    raw = b'{"order_id":0,"customer_id":"x","quantity":0,"price":-1,"order_date":"never","note":1,"note":2}'
    assert broken(judged(raw)) == [
        "record.duplicateKey",
        "record.unknownField",
        "order_id.minimum",
        "customer_id.type",
        "product_id.required",
        "quantity.minimum",
        "price.exclusiveMinimum",
        "order_date.type",
    ]


def test_structure_and_conditions_are_reported_together() -> None:
    assert broken(judged(encoded(order(order_id=0, quantity=10_000, price=99_999)))) == ["order_id.minimum", "order_value"]


def test_an_empty_object_lacks_every_required_field() -> None:
    assert broken(judged(b"{}")) == [f"{name}.required" for name in GOOD["built-in", "orders"]]


@pytest.mark.parametrize("unknown", ["error", "warning", "info", "ignore"])
def test_unknown_fields_weigh_what_the_contract_says(tmp_path: Path, unknown: str) -> None:
    custom = f"customProperties:\n  - property: unknownFields\n    value: {unknown}"
    judge = Judge(contract_of(tmp_path, "- {name: a, logicalType: integer}", custom))
    verdict = judge.judge(b'{"a":1,"b":2}', AS_OF)
    assert [rule.severity for rule in verdict.findings] == ([] if unknown == "ignore" else [unknown])
    assert verdict.rejected == (unknown == "error")


SECRETS = ("Zyxwvut-Secret", "987654321", "2031-03-04", "hunter2@")


def test_nothing_that_is_written_about_a_record_holds_its_values() -> None:
    for (name, entity), good in GOOD.items():
        for field, secret in itertools.product(good, SECRETS):
            for value in (secret, [secret], {secret: secret}, secret * 100, f"{secret}\x00"):
                verdict = judged(encoded(good | {field: value, secret: secret}), entity, name)
                written = " ".join(
                    [repr(verdict), str(verdict), findings_json(verdict.findings).decode(), repr(verdict.findings),
                     repairs_json(verdict.repairs).decode()]
                )  # fmt: skip
                assert secret not in written


@pytest.mark.parametrize("name", SHOPS)
def test_every_rule_that_a_record_can_break_by_itself_has_words_for_people(name: str) -> None:
    for contract in shop(name).contracts.values():
        for rule in contract.rules.values():
            assert rule.message
            assert rule.path.startswith("$")


def test_a_pattern_takes_linear_time(tmp_path: Path) -> None:
    quality = (
        "- name: a\n  logicalType: string\n  quality:\n    - id: form\n      metric: invalidValues\n"
        '      arguments: {pattern: "^(a+)+$"}\n      mustBe: 0\n      dimension: conformity\n'
    )
    judge = Judge(contract_of(tmp_path, quality))
    assert broken(judge.judge(encoded({"a": "a" * 50_000 + "!"}), AS_OF)) == ["form"]
    assert broken(judge.judge(encoded({"a": "a" * 50_000}), AS_OF)) == []


def test_a_value_rule_of_each_metric_holds_for_numbers_too(tmp_path: Path) -> None:
    rules = """
- name: code
  logicalType: integer
  quality:
    - {id: known, metric: invalidValues, arguments: {validValues: [1, 2, 9]}, mustBe: 0, dimension: accuracy}
    - {id: given, metric: missingValues, arguments: {missingValues: [9]}, mustBe: 0, dimension: completeness, severity: info}
    - {id: there, metric: nullValues, mustBe: 0, dimension: completeness, severity: warning}
"""
    judge = Judge(contract_of(tmp_path, rules))
    assert broken(judge.judge(b'{"code":1}', AS_OF)) == []
    assert broken(judge.judge(b'{"code":3}', AS_OF)) == ["known"]
    assert broken(judge.judge(b'{"code":9}', AS_OF)) == ["given"]
    assert broken(judge.judge(b'{"code":null}', AS_OF)) == ["there"]
    assert broken(judge.judge(b"{}", AS_OF)) == ["there"]
