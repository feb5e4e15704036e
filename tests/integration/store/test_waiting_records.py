"""Records that wait, in a real Redis: they settle once, and a decision and its reasons stay."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from stream_app.counts.tally import Tally
from stream_app.judge.owners import Owner
from stream_app.judge.request import Claim
from stream_app.position import Position
from stream_app.store.changes import Changes
from stream_app.store.keys import applied_field
from stream_app.store.writer import Decision, SettledAlready, WaitingState
from tests.support.stores import FIELD, KEYS, SHOP, changes, everything
from tests.support.stream import BEGIN, order

UNIQUE = "order_id.unique"


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
    claims = [Claim(UNIQUE, True, [1], [Owner(0, 5, generation=generation).encode()])]
    run(lambda store: store.look_up("orders", (FIELD, Position()), [], claims))
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
