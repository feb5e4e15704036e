"""The script that applies a batch, against a real Redis: it counts once, adds up, and keeps its limits."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from stream_app.contract.segments import OTHER, SegmentNames
from stream_app.contract.summary import describe
from stream_app.counts.found import IN_WINDOW, WINDOWS
from stream_app.counts.tally import Outcome
from stream_app.position import Position
from stream_app.store import changes as module
from stream_app.store.found import read_found
from stream_app.store.keys import applied_field
from stream_app.store.queries import Queries
from stream_app.store.writer import PartitionMoved
from stream_app.windows.grain import Grain
from tests.support.records import shop
from tests.support.stores import FIELD, KEYS, SHOP, changes, everything
from tests.support.stream import BEGIN, Raw, customer, order, product


def applied(run: Any, field: str) -> int:
    """The offset up to which a partition is applied."""
    (position,) = run(lambda store: store.positions([field]))
    return int(position.applied)


def test_applying_a_batch_again_changes_nothing(client: Any, run: Any) -> None:
    batch = changes([(order(1), "clean"), (order(2, quantity=-1), "rejected")], applied=(FIELD, Position(-1), Position(1)))
    run(lambda store: store.apply(batch))
    before = everything(client)
    with pytest.raises(PartitionMoved) as moved:
        run(lambda store: store.apply(batch))
    assert moved.value.position.applied == 1
    assert everything(client) == before
    assert client.hget(KEYS.total("orders"), "in") == "2"


def test_a_partition_of_which_nothing_is_applied_may_be_written_as_such(run: Any) -> None:
    run(lambda store: store.apply(changes([], applied=(FIELD, Position(), Position()))))
    run(lambda store: store.look_up("orders", (FIELD, Position()), [], []))
    run(lambda store: store.apply(changes([(order(1), "clean")], applied=(FIELD, Position(), Position(7)))))
    assert applied(run, FIELD) == 7


def test_a_batch_that_begins_where_another_worker_has_gone_on_is_refused(client: Any, run: Any) -> None:
    run(lambda store: store.apply(changes([(order(1), "clean")], applied=(FIELD, Position(-1), Position(7)))))
    with pytest.raises(PartitionMoved) as moved:
        run(lambda store: store.look_up("orders", (FIELD, Position(-1)), [], []))
    assert moved.value.position.applied == 7
    assert applied(run, FIELD) == 7


def test_a_topic_created_anew_starts_from_nothing(run: Any) -> None:
    run(
        lambda store: store.apply(
            changes([(order(1), "clean")], applied=(applied_field("orders", "first", 0), Position(-1), Position(7)))
        )
    )
    assert applied(run, applied_field("orders", "second", 0)) == -1
    run(
        lambda store: store.apply(
            changes([(order(1), "clean")], applied=(applied_field("orders", "second", 0), Position(-1), Position(0)))
        )
    )


def test_the_time_of_an_entity_is_that_of_its_furthest_partition(client: Any, run: Any) -> None:
    """Also after it has gone back, as it may while a partition has few records."""
    for partition, clock, expected in ((0, "50 50", 50), (1, "90 90", 90), (0, "60", 90), (1, "70 70", 70), (1, "20", 60)):
        field, applied_now = applied_field("orders", "", partition), applied(run, applied_field("orders", "", partition))
        moved = changes([], applied=(field, Position(applied_now), Position(applied_now + 1)), clock=(field, clock))
        run(lambda store, moved=moved: store.apply(moved))
        assert client.hget(KEYS.total("orders"), "et") == str(expected)


def test_windows_add_up_to_the_totals(client: Any, run: Any) -> None:
    records: list[tuple[Raw, Outcome]] = [(order(n * 500), "clean") for n in range(1, 400)]
    run(lambda store: store.apply(changes(records, applied=(FIELD, Position(-1), Position(399)))))
    total = {k: v for k, v in client.hgetall(KEYS.total("orders")).items() if k not in ("et", "at")}
    for grain in Grain:
        starts = client.zrange(KEYS.windows("orders", grain), 0, -1)
        summed: dict[str, int] = {}
        for start in starts:
            for name, value in client.hgetall(KEYS.window("orders", grain, int(start))).items():
                if not name.startswith("s|"):
                    summed[name] = summed.get(name, 0) + int(value)
        assert summed == {name: int(value) for name, value in total.items()}


def test_what_is_learned_adds_up(client: Any, run: Any) -> None:
    for number in range(2):
        more = changes(
            [],
            applied=(FIELD, Position(number - 1), Position(number)),
            learned=[("quantity_outlier", 7, {"4|11": 2, "5|0": 1})],
        )
        run(lambda store, more=more: store.apply(more))
    assert client.hgetall(KEYS.learned("orders", "quantity_outlier", 7)) == {"4|11": "4", "5|0": "2"}
    assert client.hgetall(KEYS.learned_weeks("orders", "quantity_outlier")) == {"7": "1"}


def kept(client: Any) -> tuple[int, int]:
    """How many minutes there are, and how many sketches of them."""
    stems = KEYS.window_stem("orders", Grain.MINUTE), KEYS.sketch_stem("orders", "customers", Grain.MINUTE)
    windows, sketches = (len(client.keys(f"{stem}*")) for stem in stems)
    return windows, sketches


def test_the_oldest_windows_are_trimmed(client: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grain, "kept", 3)
    for number in range(5):
        batch = changes([(order(60 * number), "clean")], applied=(FIELD, Position(number - 1), Position(number)))
        run(lambda store, batch=batch: store.apply(batch))
    starts = [int(start) for start in client.zrange(KEYS.windows("orders", Grain.MINUTE), 0, -1)]
    first = Grain.MINUTE.start(BEGIN)
    assert starts == [first + 120, first + 180, first + 240]
    assert kept(client) == (3, 3)
    # A record too late for any window that is kept counts in the totals, and leaves no window behind.
    run(lambda store: store.apply(changes([(order(0), "clean")], applied=(FIELD, Position(4), Position(5)))))
    assert [int(start) for start in client.zrange(KEYS.windows("orders", Grain.MINUTE), 0, -1)] == starts
    assert kept(client) == (3, 3)
    assert client.hget(KEYS.total("orders"), "in") == "6"


def test_segment_values_beyond_the_cap_are_counted_together(client: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_VALUES", 2)
    countries = ["France", "Spain", "Italy", "Norway", "France"]
    records: list[tuple[Raw, Outcome]] = [(customer(n, country=name), "clean") for n, name in enumerate(countries, 1)]
    for offset, record in enumerate(records):
        batch = changes([record], entity="customers", applied=(FIELD, Position(offset - 1), Position(offset)))
        run(lambda store, batch=batch: store.apply(batch))
    window = client.hgetall(KEYS.window("customers", Grain.DAY, Grain.DAY.start(BEGIN)))
    segments = {name: int(value) for name, value in window.items() if name.startswith("s|")}
    assert segments == {
        f"s|country|{what}|{value}": count
        for value, count in (("France", 2), ("Spain", 1), (OTHER, 2))
        for what in ("in", "clean")
    }


def test_a_name_in_the_field_of_a_segment_is_nowhere_in_the_store(client: Any, run: Any) -> None:
    """A shifted column puts it there: it is rejected in one contract, and only a warning in the other."""
    name = "Zebulon Quackenbush"
    customers: list[tuple[Raw, Outcome]] = [(customer(n, country=name), "rejected") for n in range(1, 5)]
    products: list[tuple[Raw, Outcome]] = [(product(n, category=name), "clean") for n in range(1, 8)]
    run(lambda store: store.apply(changes(customers, entity="customers", applied=(FIELD, Position(), Position(1)))))
    run(lambda store: store.apply(changes(products, entity="products", applied=("products//0", Position(), Position(1)))))
    assert name not in repr(everything(client))
    for entity, field, what, number in (("customers", "country", "rejected", 4), ("products", "category", "clean", 7)):
        text = SegmentNames(SHOP.contracts[entity].listed).text(field, name)
        window = client.hgetall(KEYS.window(entity, Grain.DAY, Grain.DAY.start(BEGIN)))
        assert {one: int(of) for one, of in window.items() if one.startswith("s|") and "|f:" not in one} == {
            f"s|{field}|in|{text}": number, f"s|{field}|{what}|{text}": number,
        }, "and its records are counted by value"  # fmt: skip


def test_recent_findings_and_records_are_cut_and_mask_personal_data(
    client: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FINDINGS_KEPT", 700)
    monkeypatch.setattr(module, "CLEAN_KEPT", 50)
    bad: list[tuple[Raw, Outcome]] = [(customer(n, country="Atlantis"), "rejected") for n in range(1, 300)]
    good: list[tuple[Raw, Outcome]] = [(customer(n), "clean") for n in range(300, 600)]
    for number in range(6):
        batch = changes([*bad, *good], entity="customers", applied=(FIELD, Position(number - 1), Position(number)))
        run(lambda store, batch=batch: store.apply(batch))
    assert client.llen(KEYS.findings()) == 700
    assert client.llen(KEYS.clean("customers")) == 50
    text = json.dumps([client.lrange(KEYS.findings(), 0, -1), client.lrange(KEYS.clean("customers"), 0, -1)])
    assert "example.org" not in text
    assert "Ada" not in text
    assert "Atlantis" not in text


def test_the_lag_is_that_of_the_workers_that_still_report(client: Any, run: Any) -> None:
    now = time.time_ns() // 1_000_000
    client.hset(KEYS.workers(), "here", json.dumps({"at": now, "lag": {"orders": 3}}))
    client.hset(KEYS.workers(), "there", json.dumps({"at": now, "lag": {"orders": 4, "customers": 1}}))
    client.hset(KEYS.workers(), "gone", json.dumps({"at": now - 16_000, "lag": {"orders": 100}}))
    assert run(lambda store: store.lags()) == {"orders": 7, "customers": 1}
    assert run(lambda store: store.lags(now)) == {"orders": 7, "customers": 1}
    assert run(lambda store: store.lags(now + 1)) is None, "they reported before"


def test_findings_are_kept_by_rule_and_window_however_much_other_rules_find(client: Any, run: Any) -> None:
    rare: list[tuple[Raw, Outcome]] = [(customer(n, email="nobody"), "rejected") for n in range(1, 4)]
    often: list[tuple[Raw, Outcome]] = [(customer(n, country="Atlantis"), "rejected") for n in range(10, 450)]
    for number, batch in enumerate([rare, often, often, often]):
        one = changes(batch, entity="customers", applied=(FIELD, Position(number - 1), Position(number)))
        run(lambda store, one=one: store.apply(one))
    queries = Queries(client, KEYS.prefix)
    summary = "customers", describe(shop("built-in").contracts["customers"])
    rare_found = read_found(client, KEYS, summary, "email.format", (None, None), 50)
    often_found = read_found(client, KEYS, summary, "country_known", (None, None), 500)

    assert len(rare_found) == 3
    assert {row.severity for row in rare_found} == {"error"}
    assert "email.format" not in {row.rule for row in queries.findings()}
    windows = [
        (grain, start)
        for grain in WINDOWS
        for start in client.zrange(KEYS.found_windows("customers", "country_known", grain), 0, -1)
    ]
    lengths = [client.llen(KEYS.found("customers", "country_known", *window)) for window in windows]
    assert max(lengths) == IN_WINDOW
    assert 0 < len(often_found) <= sum(lengths)
    since = BEGIN + 86_400 * 400
    assert read_found(client, KEYS, summary, "email.format", (since, None), 50) == ()


def test_the_oldest_windows_of_findings_are_trimmed(client: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOUND_WINDOWS", dict.fromkeys(WINDOWS, 2))
    for number in range(5):
        bad: list[tuple[Raw, Outcome]] = [(order(86_400 * number, quantity=-1), "rejected")]
        batch = changes(bad, applied=(FIELD, Position(number - 1), Position(number)))
        run(lambda store, batch=batch: store.apply(batch))
    for grain in WINDOWS:
        kept = [int(start) for start in client.zrange(KEYS.found_windows("orders", "quantity.minimum", grain), 0, -1)]
        assert len(kept) == 2
        lists = client.keys(KEYS.found("orders", "quantity.minimum", grain, 0).removesuffix("0") + "*")
        assert sorted(lists) == sorted(KEYS.found("orders", "quantity.minimum", grain, start) for start in kept)
