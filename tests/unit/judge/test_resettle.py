"""A batch that was delivered before keeps the outcomes that it had then, and so do its keys."""

from __future__ import annotations

from typing import Any

import pytest

from stream_app.judge.batch import Batch
from stream_app.judge.lookups import LookUps
from stream_app.judge.owners import Owner
from stream_app.judge.request import Found
from stream_app.judge.verdict import Verdict
from stream_app.position import Position
from tests.support.records import AS_OF, GOOD, encoded, judge_of, shop


@pytest.mark.parametrize(("outcome", "given_back"), [("clean", False), ("pending", False), ("rejected", True)])
def test_a_key_is_given_back_only_by_a_record_that_was_rejected(outcome: str, given_back: bool) -> None:
    """Judged again, the order is rejected. What counts is how it was delivered."""
    orders = LookUps(shop("built-in"), "orders", {})
    verdicts = judge_of("built-in", "orders").judge_all([encoded(GOOD["built-in", "orders"])], [AS_OF])
    clean: Verdict = verdicts[0]
    batch = Batch(3, "orders//3", Position(), [None], [7], [b"orders:3:7"], [AS_OF], [True], verdicts, generation=2)
    request = orders.plan(batch)
    claims: list[Any] = [[] for _ in request.claims]
    contradicts = [[0], *claims[1:]]
    found = Found([[] for _ in request.wanted], claims, contradicts, [[b""] * len(one.ids) for one in request.wanted])
    settled = orders.settle(batch, request, found)
    assert settled.verdicts[0].rejected
    assert [row[2] for row in settled.releases] == [Owner(3, 7, generation=2).encode()]
    known = {"clean": clean, "pending": None, "rejected": settled.verdicts[0]}[outcome]
    again = orders.resettle(batch, request, found, settled, {0: known})
    assert bool(again.releases) is given_back
    assert again.pending == ({0} if outcome == "pending" else set())
