"""Counting verdicts: in = clean + rejected + pending, money exact, and nothing personal in what is kept."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.contract import Contract
from stream_app.contract.segments import SegmentNames
from stream_app.contract.summary import order_is_unique
from stream_app.counts.tally import Outcome, Tally
from stream_app.counts.worth import MOST
from stream_app.judge import Judge, Verdict
from stream_app.judge.batch import Verdicts
from tests.support.examples import examples
from tests.support.records import AS_OF, GOOD, encoded, judge_of, judged, order, shop

RAWS: list[bytes | None] = [
    encoded(order()),
    encoded(order(order_id=2, quantity="5", price=1.1)),
    encoded(order(order_id=3, order_date="2024-05-01T09:00:00Z", note=1)),
    encoded(order(quantity=0)),
    encoded(order(quantity=10_000, price=9999.99)),
    b"{}",
    b"not JSON",
    None,
]
GIFTS: list[bytes] = [
    encoded(GOOD["online-retail", "orders"]),
    encoded(GOOD["online-retail", "orders"] | {"quantity": -3, "invoice_no": "C536365", "country": "France"}),
    encoded(GOOD["online-retail", "orders"] | {"customer_id": None, "country": "Unspecified"}),
    encoded(GOOD["online-retail", "orders"] | {"price": 0, "line_type": "gift"}),
    b"[]",
]


def balanced(counter: dict[str, int]) -> bool:
    return counter["in"] == counter["clean"] + counter["rejected"] + counter["pending"]


def outcome(verdict: Verdict) -> Any:
    return "rejected" if verdict.rejected else "clean"


steps = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["settled", "waits", "waited"])), max_size=40)


@pytest.mark.parametrize(("name", "raws"), [("built-in", RAWS), ("online-retail", GIFTS)])
@settings(max_examples=examples(150), deadline=None)
@given(steps=steps)
def test_in_is_clean_and_rejected_and_pending_after_any_sequence(
    name: str, raws: list[bytes | None], steps: list[tuple[int, str]]
) -> None:
    tally = Tally(shop(name).contracts["orders"])
    waiting: list[Verdict] = []
    arrived = settled = rejected = money = 0
    for index, how in steps:
        if how == "waited" and waiting:
            verdict = waiting.pop()
            tally.add(verdict, outcome(verdict), "orders:0:1", waited=True)
        else:
            verdict = judged(raws[index % len(raws)], "orders", name)
            arrived += 1
            if how == "waits" and not verdict.rejected:
                tally.add(verdict, "pending", "orders:0:1")
                waiting.append(verdict)
                continue
            tally.add(verdict, outcome(verdict), "orders:0:1")
        settled += 1
        rejected += verdict.rejected
        if not verdict.rejected and verdict.values is not None:
            money += round(Decimal(str(verdict.values["price"])) * verdict.values["quantity"] * 100)
    totals = defaultdict(int, tally.totals())
    assert balanced(totals)
    assert (totals["in"], totals["pending"], totals["rejected"]) == (arrived, len(waiting), rejected)
    assert totals["clean"] == settled - rejected
    assert totals["rev"] == money
    assert all(balanced(window) for window in tally.minutes.values())
    for key in totals:
        assert totals[key] == sum(window.get(key, 0) for window in tally.minutes.values())
    for field in tally.contract.segments:
        for part in ("in", "rejected"):
            keys = {key for window in tally.minutes.values() for key in window if key.startswith(f"s|{field}|{part}|")}
            assert sum(window.get(key, 0) for window in tally.minutes.values() for key in keys) == totals[part]


@pytest.mark.parametrize(("name", "raws"), [("built-in", RAWS), ("online-retail", GIFTS)])
@settings(max_examples=examples(100), deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.integers(0, 3)), max_size=40))
def test_a_batch_counts_what_its_records_count_one_by_one(
    name: str, raws: list[bytes | None], rows: list[tuple[int, bool, int]]
) -> None:
    contract = shop(name).contracts["orders"]
    chosen = [raws[index % len(raws)] for index, _, _ in rows]
    verdicts = judge_of(name, "orders").judge_all(chosen, [AS_OF + 40_000 * late for _, _, late in rows])
    pending = {index for index, (_, waits, _) in enumerate(rows) if waits and verdicts.bodies[index] is not None}
    at_once, by_one = Tally(contract), Tally(contract)
    referenced = {
        segment: [[None, "Toys", "Garden"][late % 3] for _, _, late in rows] for segment in contract.segments if "." in segment
    }
    late = [index for index, (_, _, later) in enumerate(rows) if later == 1]
    at_once.add_all(verdicts, pending, lambda index: f"orders:0:{index}", referenced, late)
    for index, verdict in enumerate(verdicts):
        here = {segment: column[index] for segment, column in referenced.items()}
        of: Outcome = "pending" if index in pending else outcome(verdict)
        by_one.add(verdict, of, f"orders:0:{index}", segments=here, late=index in late)
    assert {minute: dict(window) for minute, window in at_once.minutes.items()} == by_one.minutes
    assert (at_once.customers, at_once.orders) == (by_one.customers, by_one.orders)
    assert at_once.samples.findings == by_one.samples.findings
    assert at_once.samples.encoded_clean() == by_one.samples.encoded_clean()


def test_missing_optional_fields_and_unknown_ones_are_counted_by_name() -> None:
    tally = Tally(shop("online-retail").contracts["orders"])
    guest = judged(encoded(GOOD["online-retail", "orders"] | {"customer_id": None}), "orders", "online-retail")
    strange = judged(encoded(GOOD["online-retail", "orders"] | {"ann@example.org": 1, "voucher": 2}), "orders", "online-retail")
    tally.add(guest, "clean", "orders:0:1")
    tally.add(strange, "clean", "orders:0:2")
    totals = tally.totals()
    assert totals["n:customer_id"] == 1
    assert {key for key in totals if key.startswith("u:")} == {"u:(other)", "u:voucher"}


def test_a_pending_record_counts_nothing_else_until_it_is_settled() -> None:
    tally = Tally(shop("built-in").contracts["orders"])
    verdict = judged(encoded(order(quantity="2", note=1)))
    tally.add(verdict, "pending", "orders:0:7")
    assert tally.totals() == {"in": 1, "pending": 1}
    assert (*tally.samples.findings, *tally.samples.encoded_clean()) == ()
    assert tally.customers == {}
    tally.add(verdict, "clean", "orders:0:7", waited=True)
    assert tally.totals() == {
        "in": 1, "pending": 0, "clean": 1, "rev": 1998, "repaired": 1, "r:quantity.number": 1,
        "f:record.unknownField": 1, "v:record.unknownField": 1998, "u:note": 1, "risk": 1998,
        "d:conformity": 1, "warned": 1,
    }  # fmt: skip


def test_a_record_that_waited_is_counted_by_the_segments_of_what_it_waited_for() -> None:
    tally = Tally(shop("built-in").contracts["orders"])
    verdict = judged(encoded(order()))
    tally.add(verdict, "pending", "orders:0:7")
    (window,) = tally.minutes.values()
    assert window["s|product_id.category|in|(none)"] == 1
    tally.add(verdict, "clean", "orders:0:7", waited=True, segments={"product_id.category": "Toys"})
    counted = {name: count for name, count in window.items() if name.startswith("s|product_id.category|") and count}
    assert counted == {
        "s|product_id.category|in|Toys": 1,
        "s|product_id.category|clean|Toys": 1,
        "s|product_id.category|rev|Toys": 1998,
    }


def test_a_pending_record_may_end_rejected() -> None:
    contract = shop("built-in").contracts["orders"]
    tally = Tally(contract)
    verdict = judged(encoded(order()))
    tally.add(verdict, "pending", "orders:0:7")
    verdict = verdict.with_findings([contract.rules["customer_id.reference"]])
    assert verdict.rejected
    tally.add(verdict, "rejected", "orders:0:7", waited=True)
    assert tally.totals().get("pending", 0) == 0
    assert tally.totals().get("rejected", 0) == 1
    assert tally.totals().get("rev", 0) == 0
    assert tally.totals().get("f:customer_id.reference", 0) == 1
    assert tally.totals().get("v:customer_id.reference", 0) == 1998
    assert tally.customers == {}


@settings(max_examples=examples(400), deadline=None)
@given(quantity=st.integers(-10_000, 10_000), pence=st.integers(0, 10_000_000))
def test_revenue_is_exact_in_minor_units(quantity: int, pence: int) -> None:
    record = GOOD["online-retail", "orders"] | {"quantity": quantity, "price": pence / 100, "invoice_no": "C536365"}
    tally = Tally(shop("online-retail").contracts["orders"])
    verdict = judged(encoded(record), "orders", "online-retail")
    tally.add(verdict, "clean", "orders:0:0")
    assert tally.totals().get("rev", 0) == quantity * pence


@pytest.mark.parametrize(("quantity", "price"), [(2**63 - 1, 1e300), (-(2**63), 1e300), (2**63 - 1, 1.0), (10**15, 10.0)])
@pytest.mark.parametrize("result", ["clean", "rejected"])
def test_money_beyond_measure_does_not_stop_the_count(quantity: int, price: float, result: Any) -> None:
    contract = shop("online-retail").contracts["orders"]
    record = GOOD["online-retail", "orders"] | {
        "quantity": quantity,
        "price": price,
        "invoice_no": "C536365",
        "description": None,
    }
    tally = Tally(contract)
    verdict = judged(encoded(record), "orders", "online-retail")
    assert not verdict.rejected
    for _ in range(1000):
        tally.add(verdict, result, "orders:0:0")
    assert abs(tally.totals().get("rev", 0)) == (1000 * MOST if result == "clean" else 0)
    assert tally.totals().get("v:description_missing", 0) == 1000 * MOST < 2**53


def test_segments_count_by_value_in_the_windows_only() -> None:
    contract = shop("online-retail").contracts["orders"]
    tally = Tally(contract)
    for raw in GIFTS:
        verdict = judged(raw, "orders", "online-retail")
        tally.add(verdict, outcome(verdict), "orders:0:0")
    merged: dict[str, int] = {}
    for window in tally.minutes.values():
        for key, count in window.items():
            merged[key] = merged.get(key, 0) + count
    assert merged["s|country|in|United Kingdom"] == 2
    assert merged["s|country|in|France"] == 1
    assert merged["s|country|in|(none)"] == 1
    assert merged["s|country|rejected|United Kingdom"] == 1
    assert merged["s|country|f:country_unspecified|Unspecified"] == 1
    assert {key: number for key, number in merged.items() if key.startswith("s|line_type|f:price_zero|#")} == {
        f"s|line_type|f:price_zero|{SegmentNames({}).text('line_type', 'gift')}": 1
    }
    assert not any("gift" in key for key in merged), "the contract does not list it"
    assert not any(key.startswith("s|") for key in tally.totals())


def test_a_record_counts_in_the_minute_of_its_event_time() -> None:
    tally = Tally(shop("built-in").contracts["orders"])
    for text in ("2024-05-01T10:00:59.999Z", "2024-05-01T10:00:00Z", "2024-05-01T10:01:00Z"):
        tally.add(judged(encoded(order(order_date=text))), "clean", "orders:0:0")
    assert {minute: window["clean"] for minute, window in tally.minutes.items()} == {28_575_960: 2, 28_575_961: 1}
    assert tally.customers == {28_575_960: {"7"}, 28_575_961: {"7"}}


def test_orders_are_counted_apart_only_where_a_record_is_not_an_order() -> None:
    assert order_is_unique(shop("built-in").contracts["orders"])
    assert not order_is_unique(shop("online-retail").contracts["orders"])
    tally = Tally(shop("online-retail").contracts["orders"])
    for raw in GIFTS[:3]:
        tally.add(judged(raw, "orders", "online-retail"), "clean", "orders:0:0")
    assert list(tally.orders.values()) == [{"536365", "C536365"}]
    assert list(tally.customers.values()) == [{"17850"}]


def test_counter_fields_hold_no_values_but_those_of_segments() -> None:
    tally = Tally(shop("built-in").contracts["customers"])
    raw = encoded(
        {"customer_id": "secret-1", "name": "secret-2\x00", "email": "secret-3", "country": "secret-4", "secret-5": 1}
    )
    for number in range(1000):
        tally.add(judged(raw, "customers"), "rejected", f"customers:0:{number}")
    assert "secret" not in json.dumps([list(window) for window in tally.minutes.values()]).replace("secret-4", "")
    assert tally.totals().get("in", 0) == tally.totals().get("rejected", 0) == 1000


def test_info_findings_are_counted() -> None:
    tally = Tally(shop("online-retail").contracts["orders"])
    record = GOOD["online-retail", "orders"] | {"customer_id": None}
    tally.add(judged(encoded(record), "orders", "online-retail"), "clean", "orders:0:0")
    assert tally.totals().get("f:guest", 0) == 1


# --- batches over several minutes -------------------------------------------------------------------------------------


ORDERS: Contract = shop("built-in").contracts["orders"]


def batch(*records: dict[str, Any], contract: Contract = ORDERS) -> Verdicts:
    return Judge(contract).judge_all([encoded(record) for record in records], [AS_OF] * len(records))


def counted(verdicts: Verdicts, pending: Collection[int] = (), segments: Mapping[str, Any] | None = None) -> Tally:
    tally = Tally(verdicts.contract)
    tally.add_all(verdicts, pending, lambda index: f"orders:0:{index}", segments)
    return tally


def test_a_batch_that_goes_back_and_forth_between_minutes_counts_each_record_in_its_own() -> None:
    times = [f"2024-05-01T10:0{minute}:00Z" for minute in (0, 1, 0, 2, 2, 0)]
    optional = replace(ORDERS, fields=tuple(replace(field, required=field.name != "customer_id") for field in ORDERS.fields))
    orders = [order(order_id=number, order_date=at, customer_id=None) for number, at in enumerate(times, 1)]
    rows = batch(*orders, contract=optional)
    assert not rows.marked
    tally = counted(rows)
    assert {minute - 28_575_960: window["clean"] for minute, window in tally.minutes.items()} == {0: 3, 1: 1, 2: 2}
    assert {minute - 28_575_960: window["n:customer_id"] for minute, window in tally.minutes.items()} == {0: 3, 1: 1, 2: 2}
    assert not any(tally.customers.values())


def test_clean_records_without_event_time_count_at_the_moment_by_which_they_were_judged() -> None:
    undated = replace(ORDERS, fields=tuple(replace(field, required=field.name != "order_date") for field in ORDERS.fields))
    rows = batch(order(order_id=1, order_date=None), order(order_id=2), contract=undated)
    assert not rows.marked
    tally = counted(rows)
    assert {minute: window["clean"] for minute, window in tally.minutes.items()} == {AS_OF // 60_000: 1, 28_575_960: 1}


@pytest.mark.parametrize("sign", [1, -1])
def test_money_beyond_measure_is_cut_in_a_batch_too(sign: int) -> None:
    free = replace(ORDERS, fields=tuple(replace(field, options={}) for field in ORDERS.fields), conditions=())
    rows = batch(order(order_id=1, quantity=sign * 10**9, price=1e9), order(order_id=2), contract=free)
    assert not rows.marked
    assert counted(rows).totals()["rev"] == sign * MOST + 1998


def test_findings_of_several_records_add_up() -> None:
    tally = counted(batch(order(order_id=1, quantity=0), order(order_id=2, quantity=0), order(order_id=3, note=1)))
    totals = tally.totals()
    assert (totals["f:quantity.minimum"], totals["f:record.unknownField"]) == (2, 1)
    # A rule that doubts the quantity does not tell what the order is worth.
    assert {name: number for name, number in totals.items() if name.startswith("v:")} == {"v:record.unknownField": 1998}


def test_a_pending_record_counts_under_no_value_of_the_record_that_it_waits_for() -> None:
    tally = counted(batch(order()), pending={0}, segments={"product_id.category": ["Toys"]})
    (window,) = tally.minutes.values()
    assert {name for name in window if name.startswith("s|product_id.category|")} == {"s|product_id.category|in|(none)"}


def test_values_of_clean_records_are_learned_by_week() -> None:
    rows = batch(order(order_id=1), order(order_id=2, note=1), order(order_id=3, quantity=0))
    tally = counted(rows)
    tally.add_all(rows, (), lambda index: f"orders:0:{index}")
    tally.stream_ms = AS_OF
    (rule, week, counts), *_ = [row for row in tally.learned() if row[0] == "quantity_outlier"]
    # 2024-05-01 is in week 2834; the finding of an unknown field is a warning, so that the second order teaches nothing.
    assert (rule, week, counts) == ("quantity_outlier", 2834, {"3|14": 2})
    assert Tally(rows.contract).learned() == []


def test_a_record_is_at_risk_once_if_its_worth_can_be_believed_and_it_repeats_none() -> None:
    rules = ORDERS.rules

    def at_risk(*found: str, **changes: Any) -> tuple[int, int]:
        verdict = judged(encoded(order(**changes)))
        verdict.findings = tuple(rules[one] for one in found)
        tally = Tally(ORDERS)
        tally.add(verdict, "rejected", "orders:0:1")
        totals = tally.totals()
        return totals.get("risk", 0), totals.get("unvalued", 0)

    assert at_risk("customer_id.reference") == (1998, 0)
    assert at_risk("customer_id.reference", "product_id.reference") == (1998, 0)
    assert at_risk("customer_id.reference", "quantity.minimum") == (0, 1)
    assert at_risk("price.type", price="abc") == (0, 1)
    assert at_risk("order_id.unique") == (0, 0)
    assert at_risk("order_id.contradiction") == (1998, 0)
    assert at_risk() == (0, 0)


def test_the_revenue_of_clean_records_in_doubt_is_counted_apart() -> None:
    rules = ORDERS.rules

    def doubted(outcome: Outcome, *found: str) -> tuple[int, int, int]:
        verdict = judged(encoded(order()))
        verdict.findings = tuple(rules[one] for one in found)
        tally = Tally(ORDERS)
        tally.add(verdict, outcome, "orders:0:1")
        totals = tally.totals()
        return totals.get("doubt", 0), totals.get("doubtrev", 0), totals.get("rev", 0)

    assert doubted("clean", "price_deviation") == (1, 1998, 1998)
    assert doubted("clean", "price_deviation", "record.unknownField") == (1, 1998, 1998)
    assert doubted("clean", "record.unknownField") == (0, 0, 1998)
    assert doubted("rejected", "price_deviation") == (0, 0, 0)


def test_what_cannot_be_read_has_no_known_worth() -> None:
    totals = counted(Judge(ORDERS).judge_all([b"not JSON", None], [AS_OF, AS_OF])).totals()
    assert totals == {
        "in": 2, "rejected": 2, "f:record.syntax": 1, "f:record.tombstone": 1, "unvalued": 2,
        "d:conformity": 1, "d:completeness": 1,
    }  # fmt: skip
