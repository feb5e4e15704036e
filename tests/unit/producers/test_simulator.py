"""The simulated shop is repeatable, plausible, and broken exactly where the truth says so."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import pytest

from producers.simulator.simulator import DISCOUNT, Event, Simulation
from stream_app.contract import load_shop
from stream_app.judge.judge import Judge

START = 1767571200000  # Monday 2026-01-05T00:00:00Z
SHOP = load_shop(None)
JUDGES = {entity: Judge(contract) for entity, contract in SHOP.contracts.items()}


def events(count: int, **options: Any) -> list[Event]:
    return list(Simulation(**{"seed": 7, "start_ms": START, "count": count} | options).events())


def digest(found: list[Event]) -> str:
    total = hashlib.sha256()
    for event in found:
        total.update(repr(event.record).encode())
    return total.hexdigest()


def fields(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.record.value)
    return found


def test_the_same_seed_count_and_start_give_the_same_bytes() -> None:
    assert digest(events(2000)) == digest(events(2000))
    assert digest(events(2000)) != digest(events(2000, seed=8))
    assert digest(events(2000)) != digest(events(2000, start_ms=START + 1000))


def test_the_first_records_do_not_depend_on_the_count() -> None:
    assert events(3000, faults=0.1)[:2500] == events(1500, faults=0.1)[:2500]


def test_what_is_not_broken_is_clean_as_it_stands() -> None:
    for event in events(3000, faults=0.0):
        verdict = JUDGES[event.record.entity].judge(event.record.value, event.record.as_of_ms or 0)
        assert not verdict.findings
        assert not verdict.repairs
        assert verdict.body == event.record.value, "canonical already"


def test_files_get_no_fault_that_a_file_cannot_hold() -> None:
    for event in events(12_000, faults=0.3, files=True):
        assert event.fault is None or event.fault.files
        assert event.record.value.strip()
        assert b"\n" not in event.record.value


def test_the_share_of_faults_is_kept() -> None:
    found = [event for event in events(20_000, faults=0.05) if event.record.entity == "orders"]
    assert sum(event.fault is not None for event in found) / len(found) == pytest.approx(0.05, abs=0.006)


def test_references_hold_in_the_end_and_some_orders_come_before_their_customer() -> None:
    found = events(20_000, faults=0.1)
    customers = {fields(event)["customer_id"] for event in found if event.record.entity == "customers" and not event.fault}
    products = {fields(event)["product_id"] for event in found if event.record.entity == "products" and not event.fault}
    known: set[int] = set()
    early = 0
    for event in found:
        if event.fault is not None:
            continue
        record = fields(event)
        if event.record.entity == "customers":
            known.add(record["customer_id"])
        elif event.record.entity == "orders":
            assert record["customer_id"] in customers
            assert record["product_id"] in products
            early += record["customer_id"] not in known
    assert 0 < early < 200


def test_a_repeated_order_stands_behind_the_first_one_with_the_same_key() -> None:
    first: dict[int, Event] = {}
    repeats = 0
    for event in events(20_000, faults=0.2):
        if event.record.entity != "orders":
            continue
        if event.fault is None:
            first[fields(event)["order_id"]] = event
        elif event.fault.name == "duplicate_order":
            repeats += 1
            original = first[fields(event)["order_id"]]
            assert (original.record.value, original.record.key) == (event.record.value, event.record.key)
    assert repeats > 20


def test_order_ids_are_unique_also_across_runs() -> None:
    ids = [fields(event)["order_id"] for event in events(5000, faults=0.0) if event.record.entity == "orders"]
    later = [
        fields(event)["order_id"]
        for event in events(5000, faults=0.0, start_ms=START + 60_000)
        if event.record.entity == "orders"
    ]
    assert len(set(ids + later)) == 10_000


def test_an_order_costs_what_its_product_costs_then_within_the_discount() -> None:
    prices: dict[int, float] = {}
    changed = off = count = 0
    for event in events(10_000, faults=0.0):
        record = fields(event)
        if event.record.entity == "products":
            changed += record["product_id"] in prices
            prices[record["product_id"]] = record["unit_price"]
        elif event.record.entity == "orders":
            deviation = abs(record["price"] / prices[record["product_id"]] - 1)
            assert deviation <= DISCOUNT + 1e-9
            off += deviation > 0
            count += 1
    assert changed > 100
    assert 0.2 < off / count < 0.4


def test_list_prices_stay_around_their_first_value() -> None:
    prices: dict[int, list[float]] = {}
    for event in events(20_000, faults=0.0):
        if event.record.entity == "products":
            record = fields(event)
            prices.setdefault(record["product_id"], []).append(record["unit_price"])
    assert sum(len(found) > 3 for found in prices.values()) > 30
    for first, *later in prices.values():
        assert all(0.84 * first - 0.01 <= price <= 1.19 * first + 0.01 for price in later)


def test_few_products_make_most_of_the_sales() -> None:
    sold = Counter(fields(e)["product_id"] for e in events(20_000, faults=0.0) if e.record.entity == "orders")
    top = sum(count for _, count in sold.most_common(20))
    assert 0.4 < top / sold.total() < 0.8
    assert len(sold) > 190


def test_days_have_a_rhythm_and_weeks_too() -> None:
    found = [e.at_ms for e in events(30_000, faults=0.0, per_second=30_000 / (14 * 86_400)) if e.record.entity == "orders"]
    hours = Counter((at - START) // 3_600_000 % 24 for at in found)
    days = Counter((at - START) // 86_400_000 % 7 for at in found if at < START + 14 * 86_400_000)
    assert hours[19] > 3 * hours[3]
    assert days[5] > 1.15 * days[6]
    assert (found[-1] - START) / 86_400_000 == pytest.approx(14, abs=1)


def test_times_never_run_backwards() -> None:
    times = [event.at_ms for event in events(5000)]
    assert times == sorted(times)
