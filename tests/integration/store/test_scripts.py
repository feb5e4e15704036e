"""The atomic scripts against a real Redis: a batch counts once, unique ids belong to their first source, decisions stay."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import pytest
import redis

from stream_app.contract import load_shop
from stream_app.counts import fields
from stream_app.counts.tally import Outcome, Tally
from stream_app.judge import Judge
from stream_app.judge.owners import Owner
from stream_app.judge.request import Claim, Found, Wanted
from stream_app.position import Position
from stream_app.store import changes as module
from stream_app.store import keys
from stream_app.store.changes import Changes
from stream_app.store.keys import Keys, applied_field
from stream_app.store.writer import Decision, PartitionMoved, SettledAlready, Store, WaitingState
from stream_app.windows.grain import Grain
from tests.support.stores import with_store
from tests.support.stream import BEGIN, Raw, customer, order

SHOP = load_shop(None)
KEYS = Keys("headrace")
T = TypeVar("T")
UNIQUE = "order_id.unique"
FIELD = applied_field("orders", "", 0)


@pytest.fixture
def client(redis_url: str) -> Any:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def run(redis_url: str) -> Callable[[Callable[[Store], Awaitable[T]]], T]:
    """Calls a function with a store."""
    return partial(with_store, redis_url)


def changes(records: list[tuple[Raw, Outcome]], *, entity: str = "orders", waited: bool = False, **more: Any) -> Changes:
    """Changes that these records make to the store."""
    contract = SHOP.contracts[entity]
    judge, tally = Judge(contract), Tally(contract)
    for number, (raw, outcome) in enumerate(records):
        tally.add(judge.judge(raw.value, BEGIN * 1000), outcome, f"{entity}:0:{number}", waited=waited)
    return Changes(tally, 1, **more)


def everything(client: Any) -> dict[str, object]:
    """The contents of the database."""
    return {key: client.dump(key) if client.type(key) == "string" else contents(client, key) for key in client.scan_iter()}


def contents(client: Any, key: str) -> object:
    readers = {"hash": client.hgetall, "set": client.smembers}
    kind = client.type(key)
    if kind == "list":
        return client.lrange(key, 0, -1)
    return client.zrange(key, 0, -1) if kind == "zset" else readers[kind](key)


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


# --- keys that must be unique ----------------------------------------------------------------------------------------


def owner(text: str) -> bytes:
    """The owner that is written as its source, with ``:generation`` if that is not 0, or as ``source fingerprint``."""
    source, _, content = text.partition(" ")
    _, partition, offset, *generation = source.split(":")
    return Owner(
        int(partition), int(offset), int(content, 16) if content else None, int(generation[0]) if generation else 0
    ).encode()


def find(run: Any, ids: list[Any], holders: list[str], claim: bool = True, applied: int = -1) -> Found:
    claims = [Claim(UNIQUE, claim, ids, [owner(holder) for holder in holders])]
    found: Found = run(lambda store: store.look_up("orders", (FIELD, Position(applied)), [], claims))
    return found


def look(run: Any, ids: list[str], sources: list[str], claim: bool = True, applied: int = -1) -> list[int]:
    return list(find(run, ids, sources, claim, applied).repeats[0])


def test_a_key_belongs_to_the_first_source_that_claims_it(run: Any) -> None:
    assert look(run, ["1", "2", "1"], ["orders:0:0", "orders:0:1", "orders:0:2"]) == [2]
    assert look(run, ["1"], ["orders:1:0"]) == [0]


def test_the_same_records_in_a_topic_that_is_created_again_are_repeats(client: Any, run: Any) -> None:
    """They have the same offsets, and belong to the key's holder only if they are of its topic."""
    assert find(run, ["1", "2"], ["orders:0:0 aa", "orders:0:1 aa"]).repeats == [[]]
    for generation in (1, 2):
        again = [f"orders:0:{offset}:{generation} aa" for offset in range(2)]
        assert find(run, ["1", "2"], again).repeats == [[0, 1]]
        assert find(run, ["1", "2"], again).repeats == [[0, 1]], "the same when the batch is judged again"
        assert set(client.hgetall(KEYS.lookup_notes(FIELD)).items()) == {(f"{UNIQUE}|0", "1"), (f"{UNIQUE}|1", "1")}
    release(run, "orders:0:0:1")
    assert client.hexists(f"{KEYS.unique('orders', UNIQUE)}/0", "1"), "the first topic's record has it"
    release(run, "orders:0:0", applied_field("orders", "", 2))
    assert not client.hexists(f"{KEYS.unique('orders', UNIQUE)}/0", "1")


def test_a_record_judged_again_is_not_its_own_duplicate(run: Any) -> None:
    for _ in range(2):
        assert look(run, ["1", "1"], ["orders:0:0", "orders:0:1"]) == [1]


def test_the_fingerprint_separates_a_repeat_from_a_contradiction(run: Any) -> None:
    found = find(run, ["1", "1", "1"], ["orders:0:0 aa", "orders:0:1 aa", "orders:0:2 bb"])
    assert (found.repeats, found.contradictions) == ([[1]], [[2]])
    again = find(run, ["1", "1", "1"], ["orders:0:0 aa", "orders:0:1 aa", "orders:0:2 bb"])
    assert (again.repeats, again.contradictions) == ([[1]], [[2]]), "the same when the batch is judged again"
    other = find(run, ["1"], ["orders:1:0 cc"], claim=False)
    assert (other.repeats, other.contradictions) == ([[]], [[0]])


def test_many_keys_are_claimed_at_once(client: Any, run: Any) -> None:
    ids = [str(number) for number in range(3_500)]
    assert look(run, ids, [f"orders:0:{number}" for number in ids]) == []
    assert client.hgetall(KEYS.unique("orders", UNIQUE)) == {"0": "-1 0 0"}, "one period, in which texts are stored flat"
    assert client.hlen(f"{KEYS.unique('orders', UNIQUE)}/0") == 3_500
    assert look(run, ids, [f"orders:1:{number}" for number in ids]) == list(range(3_500))


def test_a_look_up_returns_what_is_known_of_references(run: Any) -> None:
    run(lambda store: store.apply(changes([], entity="customers", references={"1": "one", "3": "three"})))
    asked = [Wanted("customers", ["1", "2", "3"], True), Wanted("customers", ["2", "3"])]
    found = run(lambda store: store.look_up("orders", (FIELD, Position(-1)), asked, []))
    assert found.missing == [[1], [0]]
    assert found.values == [[b"one", b"", b"three"], []]


def test_notes_stay_until_their_records_are_applied(client: Any, run: Any) -> None:
    run(lambda store: store.note((FIELD, Position(-1)), -1, 9, b"found"))
    found = find(run, ["1"], ["orders:0:0"])
    assert (found.upto, found.notes) == (9, b"found")
    run(lambda store: store.apply(changes([], applied=(FIELD, Position(-1), Position(5)))))
    assert find(run, ["2"], ["orders:0:6"], applied=5).upto == 9, "records 6 to 9 may have been sent"
    run(lambda store: store.apply(changes([], applied=(FIELD, Position(5), Position(9)))))
    assert find(run, ["3"], ["orders:0:10"], applied=9).upto == -1
    assert not client.exists(KEYS.lookup_notes(FIELD))


def test_what_another_worker_noted_meanwhile_stands(run: Any) -> None:
    run(lambda store: store.note((FIELD, Position(-1)), -1, 9, b"first"))
    with pytest.raises(PartitionMoved):
        run(lambda store: store.note((FIELD, Position(-1)), -1, 12, b"of one who looked before"))
    assert find(run, ["1"], ["orders:0:0"]).notes == b"first"
    run(lambda store: store.note((FIELD, Position(-1)), 9, 12, b"more"))
    assert find(run, ["1"], ["orders:0:0"]).notes == b"more"


def test_nothing_is_noted_of_a_batch_that_another_worker_has_applied(run: Any) -> None:
    run(lambda store: store.apply(changes([], applied=(FIELD, Position(-1), Position(5)))))
    with pytest.raises(PartitionMoved):
        run(lambda store: store.note((FIELD, Position(-1)), -1, 5, b"late"))


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


def test_a_record_that_only_looks_claims_nothing(run: Any) -> None:
    assert look(run, ["1"], ["orders:0:0"], claim=False) == []
    assert look(run, ["1"], ["orders:0:1"]) == []
    assert look(run, ["1"], ["orders:0:2"], claim=False) == [0]


def release(run: Any, source: str, field: str = applied_field("orders", "", 1)) -> None:
    """Apply a batch of another partition whose rejected record gives its key back."""
    run(
        lambda store: store.apply(
            changes([], applied=(field, Position(-1), Position(0)), release=[(UNIQUE, "1", owner(source))])
        )
    )


def test_a_key_is_given_back_by_its_holder_only(client: Any, run: Any) -> None:
    look(run, ["1"], ["orders:0:0"])
    release(run, "orders:1:0")
    assert client.hexists(f"{KEYS.unique('orders', UNIQUE)}/0", "1")
    release(run, "orders:0:0", applied_field("orders", "", 2))
    assert not client.hexists(f"{KEYS.unique('orders', UNIQUE)}/0", "1")


def test_a_duplicate_stays_one_until_it_is_applied_even_when_the_key_is_given_back_meanwhile(run: Any) -> None:
    look(run, ["1"], ["orders:1:0"])
    assert look(run, ["1"], ["orders:0:3"]) == [0]
    release(run, "orders:1:0")
    assert look(run, ["1"], ["orders:0:3"]) == [0], "it may be dead-lettered already"
    run(lambda store: store.apply(changes([], applied=(FIELD, Position(-1), Position(3)))))
    assert look(run, ["1"], ["orders:0:4"], applied=3) == []


def test_what_a_rejected_record_found_out_about_its_key_stays_until_it_is_applied(client: Any, run: Any) -> None:
    assert look(run, ["1"], ["orders:0:0"], claim=False) == []
    look(run, ["1"], ["orders:0:9"])
    assert look(run, ["1"], ["orders:0:0"], claim=False) == [], "its findings are on the dead-letter topic already"
    run(lambda store: store.apply(changes([], applied=(FIELD, Position(-1), Position(9)))))
    assert not client.exists(KEYS.lookup_notes(FIELD))


def test_a_shorter_batch_keeps_what_is_noted_of_the_records_after_it(client: Any, run: Any) -> None:
    assert look(run, ["1", "1", "1"], ["orders:0:0", "orders:0:1", "orders:0:2"]) == [1, 2]
    run(lambda store: store.apply(changes([], applied=(FIELD, Position(-1), Position(1)))))
    assert client.hgetall(KEYS.lookup_notes(FIELD)) == {f"{UNIQUE}|2": "1"}


# --- records that wait -----------------------------------------------------------------------------------------------


def wait_for(run: Any, offset: int = 0) -> None:
    """An order becomes pending at this offset."""
    state = f'{{"since":{BEGIN * 1000},"decision":null,"rules":["{UNIQUE}"]}}'
    batch = changes([(order(1), "pending")], applied=(FIELD, Position(-1), Position(offset)), wait=[(f"0:{offset}", state)])
    run(lambda store: store.apply(batch))


def decide(run: Any, over: bool, offset: int = 0) -> tuple[int, list[int]]:
    state, missing, _ = decision(run, BEGIN * 1000 if over else BEGIN * 1000 - 1, offset)
    return state, missing


def decision(run: Any, before: int, offset: int = 0) -> Decision:
    row = (f"0:{offset}", FIELD, offset, [("customers", "1"), ("products", "1")])
    found: Decision = run(lambda store: store.decide("orders", [row], before))[0]
    return found


def know(run: Any, entity: str) -> None:
    run(lambda store: store.apply(changes([], entity=entity, references={"1": "1"})))


def test_a_waiting_record_becomes_known_when_all_its_references_are(run: Any) -> None:
    wait_for(run)
    assert decide(run, over=False) == (WaitingState.WAITS, [])
    know(run, "customers")
    assert decide(run, over=False) == (WaitingState.WAITS, [])
    know(run, "products")
    assert decide(run, over=False) == (WaitingState.KNOWN, [])
    assert decide(run, over=True) == (WaitingState.KNOWN, []), "the grace does not matter to a record that need not wait"


@pytest.mark.parametrize("generation", [0, 1])
def test_a_tombstone_rejects_the_waiting_record_of_the_topic_that_it_came_from(client: Any, run: Any, generation: int) -> None:
    topics = ("first", "second%")
    for topic in topics:
        state, field = '{"since":1,"decision":null}', applied_field("orders", topic, 0)
        wait = [(f"0:5:{topic}", state)]
        run(lambda store, field=field, wait=wait: store.apply(changes([], applied=(field, Position(), Position(5)), wait=wait)))
    find(run, [1], [f"orders:0:5:{generation}"])
    field = applied_field("orders", "second%", 0)
    keyed_by_order = Tally(replace(SHOP.contracts["orders"], key="order_id"))
    tombstone = Changes(keyed_by_order, 1, applied=(field, Position(5), Position(6)), deleted=["1"], topic_ids=topics)
    run(lambda store: store.apply(tombstone))
    decisions = [json.loads(client.hget(KEYS.waiting("orders"), f"0:5:{topic}"))["decision"] for topic in topics]
    assert decisions == (["rejected", None] if generation == 0 else [None, "rejected"])


def test_the_grace_counts_from_the_moment_the_record_began_to_wait(run: Any) -> None:
    wait_for(run)
    assert decision(run, before=BEGIN * 1000 - 1)[0] == WaitingState.WAITS
    assert decision(run, before=-1)[0] == WaitingState.WAITS
    assert decision(run, before=BEGIN * 1000) == (WaitingState.REJECTED, [0, 1], [UNIQUE])


def test_what_was_found_before_the_record_waited_is_handed_back_when_it_settles(run: Any) -> None:
    wait_for(run)
    know(run, "customers")
    know(run, "products")
    assert decision(run, before=-1) == (WaitingState.KNOWN, [], [UNIQUE])


def test_a_rejection_and_its_reasons_stay_whatever_arrives_after(client: Any, run: Any) -> None:
    wait_for(run)
    know(run, "products")
    assert decide(run, over=True) == (WaitingState.REJECTED, [0])
    know(run, "customers")
    assert decide(run, over=False) == (WaitingState.REJECTED, [0])
    row = json.loads(client.hget(KEYS.waiting("orders"), "0:0"))
    assert row["decision"] == "rejected"
    assert int(row["since"]) == BEGIN * 1000


def test_a_record_that_is_sent_but_not_counted_yet_is_not_taken_for_settled(run: Any) -> None:
    assert decide(run, over=True) == (WaitingState.WAITS, [])
    wait_for(run)
    assert decide(run, over=True)[0] == WaitingState.REJECTED


def test_a_record_whose_batch_is_counted_and_that_does_not_wait_is_settled(run: Any) -> None:
    run(lambda store: store.apply(changes([(order(1), "clean")], applied=(FIELD, Position(-1), Position(5)))))
    assert decide(run, over=False, offset=5) == (WaitingState.GONE, [])
    assert decide(run, over=False, offset=6) == (WaitingState.WAITS, [])


def test_settling_twice_counts_once(client: Any, run: Any) -> None:
    wait_for(run)
    settled = changes([(order(1), "clean")], waited=True, settle=["0:0"])
    run(lambda store: store.apply(settled))
    before = everything(client)
    with pytest.raises(SettledAlready) as already:
        run(lambda store: store.apply(settled))
    assert already.value.fields == {"0:0"}
    assert everything(client) == before
    total = client.hgetall(KEYS.total("orders"))
    assert (total["in"], total["clean"], total["pending"]) == ("1", "1", "0")
    assert client.hlen(KEYS.waiting("orders")) == 0


def test_settling_some_that_are_gone_changes_nothing(client: Any, run: Any) -> None:
    wait_for(run)
    before = everything(client)
    with pytest.raises(SettledAlready) as already:
        run(lambda store: store.apply(changes([(order(1), "clean")], waited=True, settle=["0:0", "0:1"])))
    assert already.value.fields == {"0:1"}
    assert everything(client) == before


def test_what_was_found_late_the_first_time_counts(run: Any) -> None:
    wait_for(run)
    assert run(lambda store: store.note_late_findings("orders", [("0:0", ["a"]), ("0:7", ["b"])])) == [["a"], ["b"]]
    assert run(lambda store: store.note_late_findings("orders", [("0:0", ["b"]), ("0:7", [])])) == [["a"], []]


# --- limits ----------------------------------------------------------------------------------------------------------


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
        for value, count in (("France", 2), ("Spain", 1), (fields.OTHER, 2))
        for what in ("in", "clean")
    }


def test_recent_findings_and_records_are_cut_and_mask_personal_data(client: Any, run: Any) -> None:
    bad: list[tuple[Raw, Outcome]] = [(customer(n, country="Atlantis"), "rejected") for n in range(1, 300)]
    good: list[tuple[Raw, Outcome]] = [(customer(n), "clean") for n in range(300, 600)]
    for number in range(6):
        batch = changes([*bad, *good], entity="customers", applied=(FIELD, Position(number - 1), Position(number)))
        run(lambda store, batch=batch: store.apply(batch))
    assert 0 < client.llen(KEYS.findings()) <= keys.FINDINGS_KEPT
    assert 0 < client.llen(KEYS.clean("customers")) <= keys.CLEAN_KEPT
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
