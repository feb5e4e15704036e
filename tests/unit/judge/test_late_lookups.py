"""Records that have waited, and are settled, become known to others: by what is kept of their entity."""

from __future__ import annotations

import pytest

from stream_app.judge.lookups import LookUps
from stream_app.judge.related import PLAIN, Known
from stream_app.judge.request import Found
from tests.support.records import AS_OF, GOOD, encoded, judge_of, shop


def look_ups(name: str, entity: str) -> LookUps:
    return LookUps(shop(name), entity, {})


def test_of_an_entity_whose_fields_nobody_reads_only_the_id_is_kept() -> None:
    customers = look_ups("online-retail", "customers")
    good = encoded(GOOD["online-retail", "customers"])
    verdicts = judge_of("online-retail", "customers").judge_all([good, b"{}", good], [AS_OF] * 3)
    request = customers.plan_own(verdicts)
    assert not request
    assert customers.settle_own(verdicts, request, Found()) == {"17850": PLAIN}


@pytest.mark.parametrize(("latest", "price"), [(AS_OF - 1, 9.99), (AS_OF + 1, 5.0)])
def test_of_an_entity_whose_fields_others_read_the_newest_values_are_kept(latest: int, price: float) -> None:
    products = look_ups("built-in", "products")
    verdicts = judge_of("built-in", "products").judge_all([encoded(GOOD["built-in", "products"])], [AS_OF])
    request = products.plan_own(verdicts)
    assert [(wanted.entity, list(wanted.ids), wanted.values) for wanted in request.wanted] == [("products", ["3"], True)]
    before = Known(1, latest, {"unit_price": 5.0, "category": "Toys"})
    known = products.settle_own(verdicts, request, Found(values=[[before.to_json().encode()]]))
    assert Known.from_json(known.get("3", before.to_json())).values["unit_price"] == price


def test_an_entity_that_nobody_refers_to_makes_nothing_known() -> None:
    orders = look_ups("built-in", "orders")
    verdicts = judge_of("built-in", "orders").judge_all([encoded(GOOD["built-in", "orders"])], [AS_OF])
    assert orders.settle_own(verdicts, orders.plan_own(verdicts), Found()) == {}
