"""Distinct customers and orders of windows and ranges: a recount of them, and where they turn into estimates."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from stream_app.counts.estimates import ERROR
from stream_app.counts.tally import Tally
from stream_app.position import Position
from stream_app.store import cardinality
from stream_app.store import changes as module
from stream_app.store.cardinality import SIZE_UNIT, member_keys
from stream_app.store.changes import Changes
from stream_app.store.queries import Queries
from stream_app.windows.grain import Grain, Span
from tests.support.stores import FIELD, KEYS, SHOP

CONTRACT = SHOP.contracts["orders"]
#: Midnight.
DAY = 1_790_035_200 // 86_400 * 86_400
#: Distinct values that a window keeps before it is split, that it keeps at all, and that a range unites, in these tests.
UNSPLIT, WINDOW, UNION = 6, 30, 70


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("UNSPLIT", UNSPLIT), ("WINDOW_EXACT", WINDOW)):
        monkeypatch.setattr(module, name, value)
        monkeypatch.setattr(cardinality, name, value)
    monkeypatch.setattr(cardinality, "UNION_EXACT", UNION)


class Shop:
    """Applies batches of customers by minute, and keeps them for a recount."""

    def __init__(self, run: Any) -> None:
        self.run = run
        self.customers: dict[int, set[str]] = {}
        self._at = -1

    def apply(self, batch: dict[int, set[str]]) -> None:
        tally = Tally(CONTRACT)
        for minute, values in batch.items():
            tally.minutes[minute // 60] = defaultdict(int, {"in": len(values), "clean": len(values)})
            tally.customers[minute // 60] = values
            self.customers.setdefault(minute, set()).update(values)
        moved = Changes(tally, 1, applied=(FIELD, Position(self._at), Position(self._at + 1)))
        self.run(lambda store: store.apply(moved))
        self._at += 1

    def distinct(self, start: int, end: int) -> set[str]:
        return set().union(*(values for minute, values in self.customers.items() if start <= minute < end))

    def estimated(self, grain: Grain, start: int, end: int) -> bool:
        """True if a window of the grain has more than it keeps, or all windows together more than a range unites."""
        sizes = [len(self.distinct(at, at + grain.seconds)) for at in range(start, end, grain.seconds)]
        return max(sizes) > WINDOW or (sum(map(bool, sizes)) > 1 and sum(sizes) > UNION)


def name(kind: str, number: int) -> str:
    return {"integers": str(number), "wide": str(number * 17_000_000), "texts": f"C-{number:03d}"}[kind]


def batches(draw: random.Random, kind: str) -> Iterator[dict[int, set[str]]]:
    known = draw.choice([10, 40, 300])
    for _ in range(30):
        minutes = draw.sample(range(DAY, DAY + 3 * 86_400, 60), draw.choice([1, 3]))
        if draw.random() < 0.5:
            minutes = [DAY + 3_600 + 60 * draw.randrange(10)]
        yield {minute: {name(kind, draw.randrange(known)) for _ in range(draw.choice([1, 5, 25]))} for minute in minutes}


@pytest.mark.parametrize("kind", ["integers", "wide", "texts"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("small")
def test_a_range_is_recounted(client: Any, run: Any, seed: int, kind: str) -> None:
    draw, shop, queries = random.Random(f"{seed} {kind}"), Shop(run), Queries(client, "headrace")
    run(lambda store: store.describe([CONTRACT]))
    contracts = queries.contracts()
    exact = estimates = 0
    for number, batch in enumerate(batches(draw, kind)):
        shop.apply(batch)
        if number % 3:
            continue
        # The same queries again and again: what they keep of windows must not become stale.
        for grain, start, end in (
            (Grain.MINUTE, DAY + 3_600, DAY + 7_200), (Grain.HOUR, DAY, DAY + 86_400), (Grain.DAY, DAY, DAY + 3 * 86_400),
        ):  # fmt: skip
            span = Span(grain, start, end)
            cuts = [(start, end), (start, start + grain.seconds), (start, start + 3 * grain.seconds)]
            starts = queries.starts(contracts, span, sales="orders")
            found = queries.windows(contracts, span, starts, cuts=cuts).distinct
            for cut in cuts:
                truth = len(shop.distinct(*cut))
                counted, estimated = found.get(("customers", *cut), cardinality.Cardinality())
                assert estimated == shop.estimated(grain, *cut)
                assert abs(counted - truth) <= (max(2, ERROR * truth) if estimated else 0)
                exact, estimates = exact + (not estimated and truth > 1), estimates + estimated
        begin, end = DAY + 3_540, DAY + 86_400 + 7_200
        period = queries.period(begin, end)["orders"]
        truth = len(shop.distinct(begin, end))
        assert abs(period.customers - truth) <= (max(2, ERROR * truth) if period.estimated else 0)
        assert period.estimated <= {"customers"}
    assert exact
    assert estimates or len({one for values in shop.customers.values() for one in values}) <= WINDOW


@pytest.mark.usefixtures("small")
def test_windows_that_are_trimmed_leave_nothing(client: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grain, "kept", 2)
    shop = Shop(run)
    for day in range(4):
        for many in (3, 20, 40):
            shop.apply({DAY + 86_400 * day: {str(number) for number in range(many)}})
    for grain in Grain:
        starts = client.zrange(KEYS.windows("orders", grain), 0, -1)
        assert starts == [str(DAY + 86_400 * day) for day in (2, 3)]
        assert client.zrange(KEYS.sizes("orders", "customers", grain), 0, -1) == starts
        stem = KEYS.members_stem("orders", "customers", grain)
        assert {*client.keys(f"{stem}*")} == {f"{stem}sizes", *(f"{stem}{start}" for start in starts)}


def test_a_window_of_thousands_is_exact_in_few_bytes(client: Any, run: Any) -> None:
    shop = Shop(run)
    for many in range(0, 5_000, 500):
        shop.apply({DAY: {f"customer-{number}" for number in range(many, many + 500)}})
    assert client.zscore(KEYS.sizes("orders", "customers", Grain.DAY), str(DAY)) == DAY + 5_000 / SIZE_UNIT
    names = [one for one in member_keys(KEYS, "orders", "customers", Grain.DAY, DAY) if client.exists(one)]
    assert {client.object("encoding", one) for one in names[1:]} == {"intset"}
    assert sum(client.memory_usage(one) for one in names) <= 9 * 5_000 + 18 * 150
    shop.apply({DAY: {"one-more"}})
    assert client.zscore(KEYS.sizes("orders", "customers", Grain.DAY), str(DAY)) == DAY
    found = Queries(client, "headrace")
    run(lambda store: store.describe([CONTRACT]))
    period = found.period(DAY, DAY + 86_400)["orders"]
    assert period.estimated == {"customers"}
    assert abs(period.customers - 5_001) <= ERROR * 5_001
