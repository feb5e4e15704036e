"""Incidents change a simulated stream as they say, from their start to their end, and only the truth file tells of them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headrace.cli.simulate import command
from producers.simulator.incidents import BY_NAME, HOUR_MS, KINDS, Incident, Kind
from producers.simulator.schedule import parse_schedule
from producers.simulator.simulator import Event, Simulation
from stream_app.contract import load_shop
from stream_app.errors import SettingsError

START = 1_767_571_200_000  # Monday 2026-01-05T00:00:00Z
BEGIN, END = START + 8 * HOUR_MS, START + 11 * HOUR_MS
SHOP = load_shop(None)
QUIET = Simulation(seed=7, start_ms=START + 7 * HOUR_MS, per_second=0.2, count=4_500, faults=0.0)


def staged(name: str, magnitude: float | None = None) -> list[Event]:
    kind = BY_NAME[name]
    incident = Incident(kind, BEGIN, END, kind.magnitude if magnitude is None else magnitude)
    return list(replace(QUIET, incidents=(incident,)).events())


@pytest.fixture(scope="module")
def quiet() -> list[Event]:
    return list(QUIET.events())


def orders(events: list[Event], *, within: bool = True) -> list[dict[str, Any]]:
    found = [e for e in events if e.record.entity == "orders" and (BEGIN <= e.at_ms < END) is within]
    return [json.loads(event.record.value) for event in found]


def changed(events: list[Event]) -> list[dict[str, Any]]:
    return [json.loads(event.record.value) for event in events if event.incident is not None]


def test_there_are_at_least_ten_kinds_and_their_rules_are_the_contracts() -> None:
    assert len(KINDS) >= 10
    assert len(BY_NAME) == len(KINDS)
    rules = {f"orders:finding:{rule}" for rule in SHOP.contracts["orders"].rules}
    for kind in KINDS:
        assert set(kind.rules) <= set(SHOP.contracts["orders"].rules), kind.name
        assert {name for name in kind.shown_by if name.startswith("orders:finding:")} <= rules, kind.name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_outside_of_its_time_an_incident_changes_nothing(kind: Kind, quiet: list[Event]) -> None:
    events = staged(kind.name)
    before = [event for event in events if event.at_ms < BEGIN]
    assert before == [event for event in quiet if event.at_ms < BEGIN]
    for event in events:
        if event.incident is not None:
            assert BEGIN <= event.at_ms < END or kind.way == "late"
    assert not any(kind.name.encode() in event.record.value for event in events), "the truth is not in the stream"
    assert [event.number for event in events] == list(range(len(events)))
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)


def test_in_an_outage_nothing_comes(quiet: list[Event]) -> None:
    assert len(orders(quiet)) > 1_000
    assert not orders(staged("outage"))
    assert 0.3 < len(orders(staged("outage", 0.6))) / len(orders(quiet)) < 0.5


def test_in_a_spike_so_many_times_as_many_orders_come(quiet: list[Event]) -> None:
    first, usual = (
        sum(event.record.entity == "orders" and BEGIN <= event.at_ms < BEGIN + HOUR_MS for event in events)
        for events in (staged("spike", 4.0), quiet)
    )
    assert 3.5 < first / usual < 4.5


def test_prices_are_multiplied(quiet: list[Event]) -> None:
    usual = {order["order_id"]: order["price"] for order in orders(quiet)}
    for order in orders(staged("price_times", 100.0)):
        assert order["price"] == pytest.approx(100 * usual[order["order_id"]])


def test_a_share_of_the_orders_is_priced_in_another_currency(quiet: list[Event]) -> None:
    usual = {order["order_id"]: order["price"] for order in orders(quiet)}
    found = orders(staged("currency_mixup", 0.3))
    factors = Counter(round(order["price"] / usual[order["order_id"]]) for order in found)
    assert set(factors) == {1, 155}
    assert 0.25 < factors[155] / len(found) < 0.35


def test_in_a_null_flood_a_share_of_the_orders_has_no_customer() -> None:
    found = orders(staged("null_flood", 0.5))
    assert 0.45 < sum(order["customer_id"] is None for order in found) / len(found) < 0.55


def test_in_a_duplicate_storm_orders_are_repeated_byte_for_byte() -> None:
    events = [event for event in staged("duplicate_storm", 0.5) if event.record.entity == "orders"]
    repeats = [(before, event) for before, event in itertools.pairwise(events) if event.incident is not None]
    assert len(repeats) > 500
    assert all(before.record == event.record for before, event in repeats)


def test_the_clock_of_one_source_is_ahead() -> None:
    events = [event for event in staged("clock_skew", 36.0) if event.incident is not None]
    for event in events:
        date = json.loads(event.record.value)["order_date"]
        (stamped,) = parse_schedule(f"outage@{date}", seed=1, start_ms=0, span_ms=0)
        assert stamped.start_ms - event.at_ms // 1000 * 1000 == 36 * HOUR_MS


@pytest.mark.parametrize(
    ("name", "entity", "field"), [("country_gone", "customers", "country"), ("category_gone", "products", "category")]
)
def test_a_country_or_category_that_is_gone_neither_orders_nor_changes(name: str, entity: str, field: str) -> None:
    events = staged(name)
    gone = {"country_gone": "United Kingdom", "category_gone": "Kitchen"}[name]
    key = {"customers": "customer_id", "products": "product_id"}[entity]
    now: dict[int, str] = {}
    ordered: Counter[tuple[bool, bool]] = Counter()
    for event in events:
        record = json.loads(event.record.value)
        if event.record.entity == entity:
            now[record[key]] = record[field]
        elif event.record.entity == "orders" and record[key] in now:
            ordered[BEGIN <= event.at_ms < END, now[record[key]] == gone] += 1
    assert ordered[True, True] == 0
    assert ordered[True, False] > 500
    assert ordered[False, True] > 200


def test_a_field_is_renamed_a_field_is_new_and_numbers_come_as_text() -> None:
    assert all("price" not in order and order["unit_price"] > 0 for order in changed(staged("field_renamed")))
    assert all(order["channel"] == "app" for order in changed(staged("new_field")))
    for order in changed(staged("numbers_as_text")):
        assert isinstance(order["quantity"], str)
        assert isinstance(order["price"], str)


def test_a_slow_decay_grows() -> None:
    events = [e for e in staged("slow_decay", 0.4) if e.record.entity == "orders" and BEGIN <= e.at_ms < END]
    quarters: list[list[bool]] = [[], [], [], []]
    for event in events:
        quarters[4 * (event.at_ms - BEGIN) // (END - BEGIN)].append(event.incident is not None)
    shares = [sum(part) / len(part) for part in quarters]
    assert shares == sorted(shares)
    assert shares[0] < 0.15
    assert 0.3 < shares[3] < 0.45


def test_delayed_orders_come_at_the_end_with_their_own_dates(quiet: list[Event]) -> None:
    events = staged("late_delivery", 0.8)
    late = [event for event in events if event.incident is not None]
    assert 0.1 < len(orders(events)) / len(orders(quiet)) < 0.3
    assert all(event.at_ms >= END and event.record.as_of_ms == event.at_ms // 1000 * 1000 for event in late)
    assert all("2026-01-05T08" <= json.loads(event.record.value)["order_date"] < "2026-01-05T11" for event in late)
    ids = Counter(order["order_id"] for order in [*orders(events), *orders(events, within=False)])
    assert max(ids.values()) == 1


def test_bulk_orders_are_a_hundred_times_as_large(quiet: list[Event]) -> None:
    usual = {order["order_id"]: order["quantity"] for order in orders(quiet)}
    assert all(order["quantity"] == 100 * usual[order["order_id"]] for order in changed(staged("bulk_orders")))


def test_a_schedule_is_read_as_it_is_written() -> None:
    (first, second) = parse_schedule("spike@3d12h+90m*6, outage@2026-01-06T06:00:00Z", seed=1, start_ms=START, span_ms=0)
    assert (first.kind.name, first.start_ms, first.end_ms) == ("outage", START + 30 * HOUR_MS, START + 36 * HOUR_MS)
    assert (second.start_ms, second.end_ms) == (START + 84 * HOUR_MS, START + 84 * HOUR_MS + 90 * 60_000)
    assert second.rate() == 6.0


def test_a_random_schedule_is_the_same_for_the_same_seed_and_does_not_overlap() -> None:
    month = 30 * 24 * HOUR_MS
    found = parse_schedule("random:15", seed=3, start_ms=START, span_ms=month)
    assert found == parse_schedule("random:15", seed=3, start_ms=START, span_ms=month)
    assert found != parse_schedule("random:15", seed=4, start_ms=START, span_ms=month)
    assert len({incident.kind.name for incident in found}) == 15
    for before, after in itertools.pairwise(found):
        assert before.end_ms < after.start_ms
    assert found[0].start_ms > START + month // 4
    assert all(6 <= incident.start_ms // HOUR_MS % 24 < 18 for incident in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("flood@3d", "unknown incident .flood.; incidents: outage"), ("outage", "is not an incident"),
        ("outage@soon", "not a time"),
        ("outage@3d+long", "not a duration"), ("outage@3d*2", "share"), ("outage@3d+0h", "zero"), ("random:99", "random:5"),
        ("random:15", "do not fit"),
    ],
)  # fmt: skip
def test_a_schedule_that_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse_schedule(text, seed=1, start_ms=START, span_ms=24 * HOUR_MS)


def test_the_truth_file_tells_of_incidents_that_the_stream_came_to(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    arguments = [
        "--count", "3000", "--rate", "300/h", "--start", "2026-01-05", "--faults", "0", "--out", str(tmp_path / "out"),
        "--truth", str(truth), "--incidents", "price_times@5h+1h*10,outage@9d",
    ]  # fmt: skip
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    first, *rest = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    assert first["incident"] == "price_times"
    assert (first["start"], first["end"]) == ("2026-01-05T05:00:00Z", "2026-01-05T06:00:00Z")
    assert first["magnitude"] == 10.0
    assert "orders:finding:price_deviation" in first["shown_by"]
    assert len(rest) > 50
    raws = (tmp_path / "out" / "orders.jsonl").read_bytes().split(b"\n")
    for line in rest:
        assert (line["incident"], line["outcome"], line["rule"]) == ("price_times", None, None)
        assert "price_deviation" in line["also"]
        assert json.loads(raws[line["line"] - 1])["order_date"].startswith("2026-01-05T05")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--incidents", "random:3"], "--count"), (["--incidents", "nothing@3d"], "incidents: outage"),
        (["--incidents", "clock_skew@3d", "--count", "9", "--out", "x"], "files"),
    ],
)  # fmt: skip
def test_incidents_that_cannot_be_staged_are_refused(options: list[str], says: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code != 0
    assert says in f"{result.output}{result.exception}"
