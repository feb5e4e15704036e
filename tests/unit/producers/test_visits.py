"""Simulated visits: several per order, with the rhythm of the shop, and clean; the orders are the same without them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from producers.simulator.fields import VISIT_FIELDS, has_visits
from producers.simulator.incidents import BY_NAME, HOUR_MS, Incident
from producers.simulator.simulator import Event, Simulation
from producers.simulator.visits import LOGGED_IN, SOURCES
from stream_app.contract import load_shop
from stream_app.judge.judge import Judge
from tests.support.paths import RETAIL

START = 1767571200000  # Monday 2026-01-05T00:00:00Z
VISITS = load_shop(None).contracts["visits"]


def events(count: int, **options: Any) -> list[Event]:
    return list(Simulation(**{"seed": 7, "start_ms": START, "count": count, "visits": 4.0} | options).events())


def visits_of(found: list[Event]) -> list[dict[str, Any]]:
    return [json.loads(event.record.value) for event in found if event.record.entity == "visits"]


def test_orders_are_the_same_with_and_without_visits() -> None:
    def others(**options: Any) -> list[object]:
        return [event.record for event in events(3_000, faults=0.1, **options) if event.record.entity != "visits"]

    assert others() == others(visits=0.0)


@pytest.mark.parametrize("ratio", [0.5, 4.0, 40.0])
def test_there_are_as_many_visits_per_order_as_asked_for(ratio: float) -> None:
    found = Counter(event.record.entity for event in events(4_000, visits=ratio, per_second=0.05))
    assert found["visits"] / found["orders"] == pytest.approx(ratio, rel=0.05)


def test_visits_are_clean_as_they_stand_and_none_is_repeated() -> None:
    judge, ids = Judge(VISITS), set()
    for event in events(2_000, faults=0.1):
        if event.record.entity == "visits":
            verdict = judge.judge(event.record.value, event.record.as_of_ms or 0)
            assert not verdict.findings
            assert not verdict.repairs
            assert verdict.body == event.record.value, "canonical already"
            fields = json.loads(event.record.value)
            assert tuple(fields) == VISIT_FIELDS
            assert event.record.key == str(fields["visit_id"]).encode()
            ids.add(fields["visit_id"])
    assert len(ids) > 6_000


def test_the_contract_lists_every_source() -> None:
    (rule,) = (one for one in VISITS.values if one.metric == "invalidValues")
    assert set(rule.values) == {name for name, _ in SOURCES}
    found = Counter(visit["source"] for visit in visits_of(events(5_000)))
    assert found["search"] / found.total() == pytest.approx(0.38, abs=0.02)


def test_some_visitors_are_customers() -> None:
    found = events(5_000)
    customers = {json.loads(e.record.value)["customer_id"] for e in found if e.record.entity == "customers" and e.fault is None}
    visitors = [visit["customer_id"] for visit in visits_of(found)]
    known = [one for one in visitors if one is not None]
    assert set(known) <= customers
    assert len(known) / len(visitors) == pytest.approx(LOGGED_IN, abs=0.02)


def test_people_go_on_coming_while_their_orders_are_missing() -> None:
    outage = Incident(BY_NAME["outage"], START + 12 * HOUR_MS, START + 18 * HOUR_MS, 1.0)
    found = events(2_000, per_second=0.02, incidents=(outage,), faults=0.0)
    hours = Counter((event.record.entity, (event.at_ms - START) // HOUR_MS) for event in found)
    assert not any(hours["orders", hour] for hour in range(12, 18))
    assert all(hours["visits", hour] > 200 for hour in range(12, 18))


def test_a_shop_may_do_without_visits() -> None:
    assert has_visits(load_shop(None))
    assert not has_visits(load_shop(RETAIL))
