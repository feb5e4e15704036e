"""Unique keys in the store: buckets of numbers, periods, and what a key costs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from stream_app.counts.tally import Outcome
from stream_app.judge.owners import Owner, owners_of
from stream_app.judge.request import Claim, Request
from stream_app.position import Position
from stream_app.store.changes import Changes
from stream_app.store.keys import Keys, applied_field
from stream_app.store.memory import MemoryStore
from stream_app.store.queries import Queries
from tests.support.stores import FIELD, KEYS, SHOP, changes
from tests.support.stream import Raw, order

RULE = "order_id.unique"
CONTRACT = SHOP.contracts["orders"]
KEY = KEYS.unique("orders", RULE)


def look(run: Any, ids: Sequence[Any], first: int = 0, periods: Any = 0, claim: bool = True, partition: int = 0) -> list[int]:
    """The indexes of ids that another record owns; the records have the offsets from ``first`` on."""
    owners = owners_of(partition, range(first, first + len(ids)), [b"%d" % number for number in range(len(ids))])
    one = Claim(RULE, claim, ids, owners, periods)
    found = run(lambda store: store.look_up("orders", (FIELD, Position()), [], [one]))
    return sorted([*found.repeats[0], *found.contradictions[0]])


@pytest.mark.parametrize("begin", [0, -500, 176_000_000_000_000])
def test_numbers_that_lie_close_together_are_stored_in_buckets(client: Any, run: Any, begin: int) -> None:
    numbers = list(range(begin, begin + 6_000))
    random.Random(1).shuffle(numbers)
    for at in range(0, len(numbers), 1_500):
        assert look(run, numbers[at : at + 1_500], first=at) == []
    assert client.hlen(f"{KEY}/0") == 1_500, "those of the first batch, before the width was known"
    assert int(client.hget(KEY, "0").split()[0]) == 256, "a quarter of them was known, so that 32 seemed to be in each"
    buckets = list(client.scan_iter(f"{KEY}/0/*", count=1_000))
    assert {client.type(key) for key in buckets} == {"string"}
    assert sum(client.strlen(key) for key in buckets) == 4_500 * 16, "2 bytes that say which number, and 14 of its owner"
    assert look(run, numbers, first=0) == [], "each belongs to the same record again"
    assert look(run, numbers, first=10_000) == list(range(6_000))
    assert look(run, [begin + 6_000], first=20_000, claim=False) == []


@pytest.mark.parametrize("step", [7, 100])
def test_a_wide_bucket_confuses_no_keys(client: Any, run: Any, step: int) -> None:
    numbers = list(range(0, 4_000 * step, step))
    for at in range(0, 4_000, 2_000):
        assert look(run, numbers[at : at + 2_000], first=at) == []
    assert int(client.hget(KEY, "0").split()[0]) == {7: 256, 100: 4_096}[step]
    assert look(run, numbers, first=9_000) == list(range(4_000))
    between = [number + offset for number in numbers for offset in (1, 3, 5)]
    assert look(run, between, first=20_000, claim=False) == []


@pytest.mark.parametrize("far", ["apart", "text"])
def test_other_keys_are_stored_flat(client: Any, run: Any, far: str) -> None:
    chance = random.Random(2)
    ids = chance.sample(range(10**12), 3_000)
    asked: list[Any] = ids if far == "apart" else [f"A-{number}" for number in ids]
    assert look(run, asked) == []
    assert client.hget(KEY, "0") == "-1 0 0"
    assert look(run, asked, first=5_000) == list(range(3_000))


def test_numbers_and_texts_are_keys_of_one_rule(run: Any) -> None:
    numbers = list(range(2_000))
    assert look(run, numbers) == []
    assert look(run, [*range(2_000, 2_100), str(2**60)], first=2_000) == []
    assert look(run, [str(2**60), 2_050, 5], first=3_000) == [0, 1, 2]


def test_a_key_counts_for_two_periods_before_and_after_its_own(run: Any) -> None:
    assert look(run, [1], first=0, periods=10) == []
    assert look(run, [1], first=1, periods=12) == [0]
    assert look(run, [1], first=2, periods=8) == [0]
    assert look(run, [1], first=3, periods=13) == [], "too late; it owns the key of its own period"
    assert look(run, [1], first=4, periods=15) == [0]
    assert look(run, [1], first=0, periods=10) == [], "the first one is judged again"


def test_records_of_several_periods_are_compared_in_their_order(run: Any) -> None:
    assert look(run, [7, 7, 7, 8], periods=[10, 13, 11, 10]) == [2]
    assert look(run, [7, 7, 8], first=9, periods=[13, 16, 13], claim=False) == [0]


def test_as_the_store_in_memory(run: Any) -> None:
    chance, memory = random.Random(3), MemoryStore()
    offset = 0
    for _ in range(30):
        count = chance.choice([1, 7, 300])
        ids: list[Any] = [chance.randrange(2_000) for _ in range(count)]
        periods: Any = chance.randrange(4) if chance.random() < 0.5 else [chance.randrange(6) for _ in ids]
        claim = chance.random() < 0.8
        owners = owners_of(0, range(offset, offset + count))
        request = Request([], [Claim(RULE, claim, ids, owners, periods)])
        expected = memory.look_up("orders", request).repeats[0]
        found = run(lambda store, request=request: store.look_up("orders", (FIELD, Position()), [], request.claims))
        assert sorted(found.repeats[0]) == sorted(expected)
        offset += count


def test_a_key_is_given_back_wherever_it_is(run: Any) -> None:
    numbers = list(range(2_500))
    assert look(run, numbers[:1_200]) == []
    assert look(run, numbers[1_200:], first=1_200) == []

    def release(number: int, offset: int) -> Changes:
        return changes(
            [],
            applied=(applied_field("orders", "", offset), Position(), Position(0)),
            release=[(RULE, number, Owner(0, offset).encode())],
        )

    for number, offset in ((3, 3), (2_000, 2_000), (2_001, 9)):
        run(lambda store, number=number, offset=offset: store.apply(release(number, offset)))
    assert look(run, [3, 2_000, 2_001], first=9_000) == [2]


def test_what_was_delivered_owns_its_keys_whoever_claimed_them(run: Any) -> None:
    assert look(run, [1, 2], first=50) == []
    claims = [Claim(RULE, True, [1, 2], owners_of(0, [0, 1]), [0, 1])]
    run(lambda store: store.apply(changes([], applied=(FIELD, Position(), Position(1)), claims=claims)))
    found = run(lambda store: store.look_up("orders", (FIELD, Position(1)), [], [Claim(RULE, False, [1], owners_of(0, [50]))]))
    assert found.repeats == [[0]]


def test_what_was_delivered_owns_its_keys_in_buckets_too(run: Any) -> None:
    numbers = list(range(4_000))
    assert look(run, numbers[:2_000]) == []
    assert look(run, numbers[2_000:], first=2_000) == []
    other = list(range(1_500, 2_500))
    claims = [Claim(RULE, True, other, owners_of(1, other, [b"x"] * len(other)), 0)]
    run(lambda store: store.apply(changes([], applied=(FIELD, Position(), Position(0)), claims=claims)))

    def repeated(partition: int) -> list[int]:
        claim = Claim(RULE, False, numbers, owners_of(partition, numbers), 0)
        found = run(lambda store: store.look_up("orders", None, [], [claim]))
        return sorted([*found.repeats[0], *found.contradictions[0]])

    assert repeated(0) == other
    assert repeated(1) == [*range(1_500), *range(2_500, 4_000)]


def test_a_contract_may_begin_or_cease_to_compare_contents(run: Any) -> None:
    """Buckets have owners of one size, whatever the size of those that come later."""
    numbers = list(range(3_000))
    assert look(run, numbers[:1_500]) == []
    plain = Claim(RULE, True, numbers[1_500:], owners_of(0, numbers[1_500:]))
    with_content = Claim(RULE, True, numbers, owners_of(1, numbers, [b"%d" % number for number in numbers]))
    for claim, own, others in ((plain, [], []), (plain, [], []), (with_content, numbers[:1_500], numbers[1_500:])):
        found = run(lambda store, claim=claim: store.look_up("orders", None, [], [claim]))
        assert (found.repeats, found.contradictions) == ([own], [others])


def test_few_keys_at_a_time_take_as_little_memory(client: Any, run: Any) -> None:
    look(run, list(range(2_000)))
    empty = sum(client.memory_usage(key, samples=0) for key in client.scan_iter(f"{KEY}*", count=10_000))
    for at in range(2_000, 4_000, 5):
        assert look(run, list(range(at, at + 5)), first=at) == []
    used = sum(client.memory_usage(key, samples=0) for key in client.scan_iter(f"{KEY}*", count=10_000))
    assert (used - empty) / 2_000 <= 48
    assert look(run, list(range(4_000)), first=0) == []
    assert look(run, list(range(4_000)), first=9_000) == list(range(4_000))


@pytest.mark.parametrize(("kind", "limit"), [("numbers", 26), ("text", 96)])
def test_bytes_of_a_key(client: Any, run: Any, kind: str, limit: int) -> None:
    """Those of the first batch, before the width of buckets is known, take more than the 20 bytes of all others."""
    count = 40_000
    for at in range(0, count, 3_000):
        ids: list[Any] = list(range(at, at + 3_000))
        asked = ids if kind == "numbers" else [f"ORD-{random.Random(one).getrandbits(48):016d}" for one in ids]
        look(run, asked, first=at)
    used = sum(client.memory_usage(key, samples=0) for key in client.scan_iter(f"{KEY}*", count=10_000))
    assert used / count <= limit


def test_keys_that_are_too_old_are_removed_a_period_at_a_time(client: Any, run: Any) -> None:
    [unique] = CONTRACT.uniques
    assert unique.within_ms == 400 * 86_400_000, "the default"
    period_ms = unique.within_ms // 2
    for period in (1, 4, 6):
        for at in range(0, 3_000, 1_500):
            look(run, list(range(period * 10_000 + at, period * 10_000 + at + 1_500)), first=at, periods=period)
    assert run(lambda store: store.expiry.sweep(CONTRACT, 4 * period_ms)) == 0, "three periods before are kept"
    assert run(lambda store: store.expiry.sweep(CONTRACT, 7 * period_ms)) == 1
    assert {key.split("/")[1] for key in client.scan_iter(f"{KEY}/*")} == {"4", "6"}
    assert set(client.hgetall(KEY)) == {"4", "6"}
    assert not client.exists("headrace:uniq-expired")
    assert look(run, [40_000, 60_000], first=9_000, periods=6) == [0, 1]


def test_an_interrupted_removal_is_finished_by_the_next_one(client: Any, run: Any) -> None:
    look(run, [1], periods=1)
    client.hdel(KEY, "1")
    client.sadd("headrace:uniq-expired", f"{KEY}/1")
    assert run(lambda store: store.expiry.sweep(CONTRACT, 0)) == 0
    assert not list(client.scan_iter(f"{KEY}*"))


def test_many_distinct_customers_are_estimated(client: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_app.store.changes.DISTINCT_EXACT", 50)
    queries = Queries(client, "headrace")
    run(lambda store: store.describe([CONTRACT]))

    def batch(number: int) -> Changes:
        numbers = range(number * 30 + 1, number * 30 + 31)
        records: list[tuple[Raw, Outcome]] = [(order(one, customer_id=one), "clean") for one in numbers]
        return changes(records, applied=(applied_field("orders", "", number), Position(), Position(0)))

    run(lambda store: store.apply(batch(0)))
    assert queries.totals()["orders"].active_customers == 30
    for number in (1, 2):
        run(lambda store, number=number: store.apply(batch(number)))
    assert not client.exists(Keys("headrace").distinct("orders", "customers"))
    assert abs(queries.totals()["orders"].active_customers - 90) <= 3
