"""Rules that look beyond the record: list prices, first appearances, older updates, what is usual of a product."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract.model import Contract
from stream_app.judge.baseline import LEARN_ALL_UP_TO, Baseline, bucket, build, enough, learned, usual
from stream_app.judge.batch import Verdicts
from stream_app.judge.related import Known, Related, updates, wanted
from tests.support.records import AS_OF, encoded, judge_of, order, shop

ORDERS: Contract = shop("built-in").contracts["orders"]
CUSTOMERS: Contract = shop("built-in").contracts["customers"]
DAY = 86_400_000


def verdicts(*raws: dict[str, Any]) -> Verdicts:
    return judge_of("built-in", "orders").judge_all([encoded(raw) for raw in raws], [AS_OF] * len(raws))


def found(rows: Verdicts, skip: set[int] | None = None, baseline: Baseline | None = None, **known: Any) -> dict[int, list[str]]:
    rules = Related(ORDERS).find(rows, skip or set(), known, baseline)
    return {index: [rule.id for rule in broken] for index, broken in rules.items()}


def product(price: Any, before: Any = None) -> Known:
    return Known(1, 1, {"unit_price": price, "category": "Toys"}, {} if before is None else {"unit_price": before})


@pytest.mark.parametrize(
    ("price", "broken"),
    [(4.99, True), (5.0, False), (10.0, False), (15.0, False), (15.01, True), (0.01, True)],
)
def test_a_price_may_be_half_off_the_list_price_and_no_more(price: float, broken: bool) -> None:
    rows = verdicts(order(product_id=7, price=price))
    assert found(rows, product_id={7: product(10.0)}) == ({0: ["price_deviation"]} if broken else {})


def test_an_order_that_was_under_way_when_the_price_changed_is_no_deviation() -> None:
    rows = verdicts(order(product_id=7, price=10.0), order(product_id=7, price=35.0))
    assert found(rows, product_id={7: product(30.0, before=10.0)}) == {}
    assert found(rows, product_id={7: product(30.0)}) == {0: ["price_deviation"]}


@pytest.mark.parametrize("price", [None, "cheap"])
def test_a_product_without_a_list_price_says_nothing(price: Any) -> None:
    assert found(verdicts(order(product_id=7, price=1.0)), product_id={7: product(price)}) == {}


def test_rejected_and_waiting_records_are_not_compared() -> None:
    rows = verdicts(order(product_id=7, price=1.0, quantity=-1), order(product_id=7, price=1.0))
    assert found(rows, {1}, product_id={7: product(10.0)}) == {}


def test_an_order_a_day_older_than_its_customer_is_marked() -> None:
    rows = verdicts(order(customer_id=5, order_date="2024-05-01T12:00:00Z"))
    at = rows.event_ms(0)
    assert found(rows, customer_id={5: Known(first=at + DAY)}) == {}
    assert found(rows, customer_id={5: Known(first=at + DAY + 1)}) == {0: ["order_before_customer"]}
    assert found(rows, customer_id={5: Known(first=0)}) == {}, "nobody knows since when there is this customer"


# --- updates ----------------------------------------------------------------------------------------------------------


def customers(*moments: int) -> Verdicts:
    raw = encoded({"customer_id": 5, "name": "Ada", "email": "ada@example.org", "country": "France"})
    return judge_of("built-in", "customers").judge_all([raw] * len(moments), list(moments))


def test_an_older_update_is_stale_and_changes_nothing() -> None:
    known, stale = updates(CUSTOMERS, ("country",), customers(2_000, 1_000, 2_000, 3_000), (), {}, [True] * 4)
    assert {index: [rule.kind for rule in rules] for index, rules in stale.items()} == {1: ["stale"]}
    assert (known["5"].first, known["5"].latest) == (1_000, 3_000)


def test_what_was_known_before_the_batch_counts() -> None:
    before = {"5": Known(500, 5_000, {"country": "Spain"})}
    known, stale = updates(CUSTOMERS, ("country",), customers(4_000), (), before, [True] * 4)
    assert list(stale) == [0]
    assert known["5"].values == {"country": "Spain"}
    known, stale = updates(CUSTOMERS, ("country",), customers(6_000), (), before, [True] * 4)
    assert not stale
    assert (known["5"].values, known["5"].earlier) == ({"country": "France"}, {"country": "Spain"})


def test_a_customer_without_a_producers_moment_has_no_first_appearance() -> None:
    known, _ = updates(CUSTOMERS, (), customers(2_000), (), {}, [False] * 4)
    assert (known["5"].first, known["5"].latest) == (0, 2_000)


def test_waiting_records_make_nothing_known() -> None:
    assert updates(CUSTOMERS, (), customers(2_000), {0}, {}, [True] * 4) == ({}, {})


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=20), st.integers(1, 19))
def test_updates_in_two_batches_make_the_same_known_as_in_one(moments: list[int], cut: int) -> None:
    at_once, stale = updates(CUSTOMERS, ("country",), customers(*moments), (), {}, [True] * len(moments))
    first, early = updates(CUSTOMERS, ("country",), customers(*moments[:cut]), (), {}, [True] * cut)
    second, late = updates(CUSTOMERS, ("country",), customers(*moments[cut:]), (), first, [True] * len(moments))
    assert {**first, **second} == at_once
    assert len(stale) == len(early) + len(late)


def test_what_is_known_survives_json_and_anything_else_is_nothing() -> None:
    known = Known(1, 2, {"unit_price": 9.5, "category": "Toys"}, {"unit_price": 8})
    assert Known.from_json(known.to_json()) == known
    assert Known.from_json(b"1") == Known.from_json(b"x") == Known()


def test_only_what_rules_and_segments_ask_for_is_kept() -> None:
    built_in = shop("built-in")
    assert set(wanted(built_in, "products") or ()) == {"unit_price", "category"}
    assert set(wanted(built_in, "customers") or ()) == {"country"}
    assert wanted(built_in, "orders") is None


# --- what is usual ----------------------------------------------------------------------------------------------------

QUANTITY = next(outlier for outlier in ORDERS.outliers if outlier.field == "quantity")


def histogram(values: list[float]) -> Counter[int]:
    return Counter(found_bucket for value in values if (found_bucket := bucket(value)) is not None)


def skewed(count: int, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [1 + int(chance.expovariate(0.55)) for _ in range(count)]


def test_skewed_quantities_are_usual_and_fifty_times_as_many_are_not() -> None:
    low, high = usual(histogram(skewed(500)), QUANTITY.threshold)
    assert all(low <= value <= high for value in skewed(100_000, seed=2))
    assert high < 100


def test_a_few_outliers_do_not_move_the_bounds_much() -> None:
    clean = usual(histogram(skewed(500)), 5.0)
    dirty = usual(histogram([*skewed(500), *[5_000.0] * 10]), 5.0)
    assert dirty[1] < 2 * clean[1]


def test_numbers_that_are_all_the_same_leave_room_for_a_little() -> None:
    low, high = usual(histogram([10.0] * 100), 4.0)
    assert low < 9
    assert 11 < high < 20


@given(st.floats(1e-300, 1e300))
def test_a_bucket_is_five_percent_wide(value: float) -> None:
    found_bucket = bucket(value)
    assert found_bucket is not None
    assert 1.05 ** (found_bucket - 0.51) <= value <= 1.05 ** (found_bucket + 0.51)


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_what_has_no_logarithm_has_no_bucket(value: float) -> None:
    assert bucket(value) is None


def baseline_of(groups: dict[str, list[float]], categories: dict[str, str]) -> Baseline:
    histograms = {QUANTITY.rule.id: {group: histogram(values) for group, values in groups.items()}}
    return build(1, [QUANTITY], histograms, {"product_id.category": categories})


def test_a_product_with_little_evidence_is_compared_with_its_category() -> None:
    few = {str(number): [2.0, 3.0] * 45 for number in range(1, 30)}
    baseline = baseline_of(few | {"7": [500.0] * 100}, dict.fromkeys([*few, "7"], "Toys"))
    toys = {one: product(10.0) for one in (1, 7)}
    rows = verdicts(*(order(product_id=one, quantity=n, price=10.0) for one, n in ((1, 3), (1, 900), (7, 500), (7, 2))))
    assert found(rows, baseline=baseline, product_id=toys) == {1: [QUANTITY.rule.id], 3: [QUANTITY.rule.id]}


def test_without_evidence_nothing_is_an_outlier() -> None:
    rows = verdicts(order(product_id=1, quantity=9_999, price=10.0))
    assert found(rows, baseline=baseline_of({"1": [2.0] * 5}, {}), product_id={1: product(10.0)}) == {}


def test_an_outlier_without_groups_is_compared_with_all_records() -> None:
    whole = replace(QUANTITY, levels=())
    contract = replace(ORDERS, outliers=(whole,), deviations=(), before=())
    rows = verdicts(*(order(product_id=number % 3, quantity=n) for number, n in enumerate([2, 3] * 100 + [900])))
    assert learned(contract, rows, range(200))[whole.rule.id].keys() == {("", bucket(2)), ("", bucket(3))}
    baseline = build(1, [whole], {whole.rule.id: {"": histogram([2.0, 3.0] * 100)}}, {})
    assert set(baseline.bounds[whole.rule.id]) == {""}
    broken = Related(contract).find(rows, set(), {}, baseline)
    assert {index: [rule.id for rule in rules] for index, rules in broken.items()} == {200: [whole.rule.id]}


def test_a_baseline_survives_json() -> None:
    baseline = baseline_of({"1": [2.0] * 200}, {"1": "Toys"})
    assert Baseline.from_json(baseline.to_json()) == baseline
    for text in ("{}", "[]", "x", '{"version":1,"bounds":{"a":{"b":[1]}}}'):
        with pytest.raises(ValueError, match=r".+"):
            Baseline.from_json(text)


def test_once_much_is_known_a_large_batch_teaches_by_a_sample() -> None:
    rows = verdicts(*[order(product_id=1, quantity=2, price=9.0)] * 10_000)
    assert learned(ORDERS, rows, range(10_000))[QUANTITY.rule.id].total() == 10_000
    counts = learned(ORDERS, rows, range(10_000), so_far=LEARN_ALL_UP_TO)[QUANTITY.rule.id]
    assert 1_000 <= counts.total() <= 2_000
    assert learned(replace(ORDERS, outliers=()), rows, range(10_000)) == {}


def test_a_new_version_is_due_when_twice_as_much_or_later_a_quarter_more_was_learned_or_a_week_began() -> None:
    assert [enough(now, 1_000, new_week=False) for now in (2_199, 2_200)] == [False, True]
    assert [
        enough(now, LEARN_ALL_UP_TO, new_week=False) for now in (LEARN_ALL_UP_TO * 5 // 4, LEARN_ALL_UP_TO * 5 // 4 + 200)
    ] == [False, True]
    assert [enough(now, 1_000, new_week=True) for now in (1_000, 1_001)] == [False, True]
