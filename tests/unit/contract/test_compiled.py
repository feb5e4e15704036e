"""The shipped contracts compile to known rules; what a contract leaves out has a default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stream_app.contract import Dimension, Severity, load_shop
from stream_app.contract.compile import RECORD_RULES
from tests.support.records import SHOPS, contract_of, shop


def test_no_folder_is_the_built_in_shop() -> None:
    assert load_shop().folder == SHOPS["built-in"]
    assert load_shop().currency == "USD"
    assert load_shop(SHOPS["online-retail"]).currency == "GBP"
    assert load_shop().sources_file.is_file()


def test_orders_say_what_the_worker_needs_to_know() -> None:
    contract = shop("built-in").contracts["orders"]
    assert contract.name_and_version == "headrace-shop-orders:1.0.0"
    assert (contract.key, contract.event_time, contract.customer, contract.order) == (
        "customer_id", "order_date", "customer_id", "order_id",
    )  # fmt: skip
    assert [(r.field, r.to_entity, r.to_field) for r in contract.references] == [
        ("customer_id", "customers", "customer_id"),
        ("product_id", "products", "product_id"),
    ]
    assert [(u.rule.id, u.fields, u.among) for u in contract.uniques] == [("order_id.unique", ("order_id",), "kept")]
    assert contract.unknown_fields is Severity.WARNING
    with pytest.raises(KeyError):
        contract.field("colour")


def test_the_built_in_shop_looks_beyond_the_record() -> None:
    orders, customers, products = (shop("built-in").contracts[name] for name in ("orders", "customers", "products"))
    assert [(d.rule.id, d.reference, d.value, d.tolerance) for d in orders.deviations] == [
        ("price_deviation", "product_id", "unit_price", 0.5)
    ]
    assert [(o.rule.id, o.field, o.levels[0]) for o in orders.outliers] == [
        ("quantity_outlier", "quantity", "product_id"), ("price_outlier", "price", "product_id"),
    ]  # fmt: skip
    assert [(b.rule.id, b.reference, b.tolerance_ms) for b in orders.before] == [
        ("order_before_customer", "customer_id", 86_400_000)
    ]
    assert [c.stale.rule.id if c.stale else None for c in (customers, products, orders)] == [
        "customer_stale", "product_stale", None,
    ]  # fmt: skip
    marks: tuple[Any, ...] = (*orders.deviations, *orders.outliers, *orders.before)
    assert {one.rule.severity for one in marks} == {Severity.WARNING}, "what may be right is marked, not removed"


def test_the_shipped_shops_promise_something_about_windows() -> None:
    [email] = shop("built-in").contracts["customers"].windows
    assert (email.rule.id, email.counted, email.high, email.breach) == (
        "email_missing_share",
        "email.required",
        0.05,
        "warning",
    )
    [lines] = shop("online-retail").contracts["orders"].windows
    assert (lines.rule.id, lines.metric, lines.high) == ("lines_an_hour", "rowCount", 2000)


def test_repeated_lines_are_looked_for_among_all_seen() -> None:
    [unique] = shop("online-retail").contracts["orders"].uniques
    assert unique.among == "seen"
    assert unique.fields[:2] == ("invoice_no", "stock_code")


def test_classified_fields_are_personal() -> None:
    customers = shop("built-in").contracts["customers"]
    assert [field.name for field in customers.fields if field.personal] == ["name", "email"]


@pytest.mark.parametrize("name", SHOPS)
def test_rules_are_stored_under_their_own_id(name: str) -> None:
    for contract in shop(name).contracts.values():
        assert all(rule.id == key for key, rule in contract.rules.items())
        assert set(RECORD_RULES) <= set(contract.rules)
        compiled: list[Any] = [
            *contract.references, *contract.uniques, *contract.values, *contract.conditions, *contract.required,
            *contract.outliers, *contract.deviations, *contract.before, *contract.windows,
            *([contract.stale] if contract.stale else []),
        ]  # fmt: skip
        assert all(contract.rules[item.rule.id] is item.rule for item in compiled)
        assert all(isinstance(rule.dimension, Dimension) for rule in contract.rules.values())


def test_structure_rules_are_named_after_field_and_check() -> None:
    rules = {rule.id for rule in shop("built-in").contracts["products"].rules.values() if rule.kind == "structure"}
    assert rules == {
        "product_id.required", "product_id.type", "product_id.minimum",
        "category.required", "category.type", "category.characters", "category.minLength", "category.maxLength",
        "unit_price.required", "unit_price.type", "unit_price.exclusiveMinimum", "unit_price.maximum",
    }  # fmt: skip


def test_a_contract_of_one_field_has_sensible_defaults(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, "- {name: a, logicalType: string}")
    assert (contract.key, contract.event_time, contract.segments, contract.revenue) == (None, None, (), None)
    assert contract.unknown_fields is Severity.WARNING
    assert contract.fields[0].clean == ("nfc", "strip", "collapse", "emptyToNull")
    assert not contract.fields[0].required
    assert not contract.fields[0].personal


def test_a_primary_key_is_required_and_keeps_its_positions(tmp_path: Path) -> None:
    properties = (
        "- {name: a, logicalType: integer, primaryKey: true, primaryKeyPosition: 2}\n"
        "- {name: b, logicalType: integer, primaryKey: true, primaryKeyPosition: 1}\n"
        "- {name: c, logicalType: integer, unique: true}"
    )
    contract = contract_of(tmp_path, properties)
    assert [(u.rule.id, u.fields) for u in contract.uniques] == [("c.unique", ("c",)), ("b+a.unique", ("b", "a"))]
    assert [field.required for field in contract.fields] == [True, True, False]


def test_quality_of_type_text_is_for_people_and_compiles_to_nothing(tmp_path: Path) -> None:
    plain = contract_of(tmp_path / "plain", "- {name: a, logicalType: integer}")
    described = contract_of(
        tmp_path / "described", "- {name: a, logicalType: integer}", "quality:\n  - {type: text, description: Nice.}"
    )
    assert set(plain.rules) == set(described.rules)


@pytest.mark.parametrize("name", SHOPS)
def test_every_rule_of_the_shipped_shops_that_rejects_says_what_it_costs(name: str) -> None:
    silent = [
        f"{contract.entity}: {rule.id}"
        for contract in shop(name).contracts.values()
        for rule in contract.rules.values()
        if rule.severity is not Severity.INFO and rule.id not in {"record.unknownField", "record.asOf"} and not rule.impact
    ]

    assert silent == []


def test_the_impact_of_a_field_is_that_of_every_rule_that_follows_from_its_declaration() -> None:
    rules = shop("built-in").contracts["orders"].rules
    impacts = {
        name: {rules[rule].impact for rule in rules if rule.rpartition(".")[0] == name} for name in ("order_id", "customer_id")
    }

    assert {*impacts["order_id"]} == {"An order that cannot be distinguished from others is shipped twice or not at all."}
    assert {rule for rule in rules if rule.startswith("order_id.")} >= {"order_id.unique", "order_id.contradiction"}
    assert rules["customer_id.reference"].impact == rules["customer_id.required"].impact is not None
    assert rules["record.syntax"].impact == "An order that nobody can read is neither shipped nor counted."
    assert rules["record.unknownField"].impact is None
