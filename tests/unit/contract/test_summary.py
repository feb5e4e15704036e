"""The summary of a contract: the JSON that workers store and readers read, also what older workers wrote."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stream_app.contract.model import Unique
from stream_app.contract.read import load_shop
from stream_app.contract.summary import ContractSummary, FieldSummary, RuleSummary, describe, repeats, tells_worth
from tests.support.records import SHOPS, shop


@pytest.mark.parametrize("name", SHOPS)
def test_every_contract_survives_json(name: str) -> None:
    for compiled in shop(name).contracts.values():
        described = describe(compiled)

        assert ContractSummary.from_json(described.to_json()) == described


def test_the_json_has_the_keys_that_readers_know() -> None:
    plain = json.loads(describe(load_shop(None).contracts["orders"]).to_json())

    assert list(plain) == [
        "id", "version", "currency", "event_time", "segments", "listed", "order", "order_unique", "customer",
        "customer_entity", "revenue", "references", "target", "weight", "fields", "rules", "by_currency", "rates",
        "selects_sales", "visits", "rules_of_references",
    ]  # fmt: skip
    assert plain["fields"][0] == {"name": "order_id", "type": "integer", "personal": False}
    assert plain["rules"]["quantity.minimum"] == {
        "dimension": "accuracy",
        "severity": "error",
        "path": "$.quantity",
        "message": "quantity is too small",
        "impact": "The order cannot be packed as it stands, and stock and revenue are wrong by what was meant.",
        "kind": "structure",
        "worth": False,
    }


def test_only_a_rule_on_the_key_makes_a_record_a_repeat_that_is_worth_nothing() -> None:
    orders = load_shop(None).contracts["orders"]
    coupon = Unique(replace(orders.rules["quantity.minimum"], id="coupon.unique", field="product_id"), ("product_id",), "kept")
    keyed = Unique(replace(coupon.rule, id="again"), ("order_id", "product_id"), "seen")
    of = replace(orders, uniques=(*orders.uniques, coupon, keyed))
    assert [repeats(of, one.rule) for one in of.uniques] == [True, False, True]
    assert tells_worth(of, coupon.rule), "an order with a coupon that another one has is worth what it says"
    assert not repeats(of, orders.rules["order_id.contradiction"])
    assert repeats(shop("online-retail").contracts["orders"], shop("online-retail").contracts["orders"].rules["repeated_line"])


def test_what_an_older_worker_wrote_is_read() -> None:
    text = (
        '{"id":"o","version":"1","currency":"GBP","event_time":"at","segments":["country"],"order":"id","customer":null,'
        '"revenue":true,"references":["customers"],"fields":[{"name":"a","type":"string","personal":true}],'
        '"rules":{"a.type":{"dimension":"conformity","severity":"error","path":"$.a","message":"m","impact":null,'
        '"kind":"structure"}},"retired":1}'
    )

    assert ContractSummary.from_json(text) == ContractSummary(
        "o", "1", "GBP", "at", ("country",), order="id", revenue=True, references=("customers",),
        fields=(FieldSummary("a", "string", True),), rules={"a.type": RuleSummary("conformity", "error", "$.a", "m")},
    )  # fmt: skip


def test_customers_are_found_over_the_foreign_key() -> None:
    orders = describe(load_shop(None).contracts["orders"])

    assert orders.customer_entity == "customers"
    assert orders.order_unique


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"id": 1}', '{"id":"x","references":3}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unreadable contract summary"):
        ContractSummary.from_json(text)
