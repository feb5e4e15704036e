"""A memory of many references is looked into and never walked: a pass of five records takes the time of five."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stream_app.contract import load_shop
from stream_app.judge import Judge
from stream_app.judge.batch import Batch
from stream_app.judge.lookups import KnownIds, LookUps
from stream_app.judge.related import Known
from stream_app.judge.request import Found, Memory
from stream_app.position import Position

SHOP = load_shop(None)


class Unwalked(Memory):
    """A memory that fails if it is walked."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("the memory is walked")

    keys = values = items = __iter__  # type: ignore[assignment]


def test_the_memory_of_references_is_not_walked() -> None:
    known: KnownIds = {}
    look_ups = LookUps(SHOP, "orders", known)
    for at in (("customers", True), ("products", True), ("customers", False), ("products", False)):
        known[at] = Unwalked({number: Known(1, 1, {"country": "France", "unit_price": 1.0}) for number in range(3)})
    rows = [
        {"order_id": n, "customer_id": n, "product_id": n, "quantity": 1, "price": 1.0, "order_date": "2026-01-05T00:00:00Z"}
        for n in range(1, 6)
    ]
    raws: list[bytes | None] = [json.dumps(row).encode() for row in rows]
    as_of = [1_790_000_000_000] * 5
    verdicts = Judge(SHOP.contracts["orders"]).judge_all(raws, as_of)
    batch = Batch(0, "orders//0", Position(), [None] * 5, range(5), [b"orders:0:0"] * 5, as_of, [True] * 5, verdicts)
    request = look_ups.plan(batch)
    assert {one.entity: sorted(one.ids) for one in request.wanted if one.entity == "customers"} == {
        "customers": ["3", "4", "5"]
    }
    missing = [[index for index, one in enumerate(wanted.ids) if int(one) > 2] for wanted in request.wanted]
    values = [[b"{}" for _ in wanted.ids] for wanted in request.wanted]
    nothing: list[list[int]] = [[] for _ in request.claims]
    settled = look_ups.settle(batch, request, Found(missing, nothing, nothing, values))
    assert settled.pending == {2, 3, 4}
