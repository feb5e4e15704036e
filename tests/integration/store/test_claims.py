"""Looking up keys in a real Redis: they belong to their first source, and what was found stays until it is applied."""

from __future__ import annotations

from typing import Any

import pytest

from stream_app.judge.owners import Owner
from stream_app.judge.request import Claim, Found, Wanted
from stream_app.position import Position
from stream_app.store.keys import applied_field
from stream_app.store.writer import PartitionMoved
from tests.support.stores import FIELD, KEYS, changes

UNIQUE = "order_id.unique"


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
