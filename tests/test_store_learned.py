"""What is usual becomes a version: of all that was learned of the newest weeks, by one worker at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import redis

from stream_app.contract import load_shop
from stream_app.judge.baseline import WEEKS
from stream_app.store import learned
from stream_app.store.keys import Keys
from stream_app.store.write import Store
from tests.support.stores import with_store

pytestmark = pytest.mark.stack

KEYS = Keys("headrace")
ORDERS = load_shop().contracts["orders"]
RULE = "quantity_outlier"


@pytest.fixture
def client(redis_url: str) -> Any:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def run(redis_url: str) -> Callable[[Callable[[Store], Awaitable[Any]]], Any]:
    """Calls a function with a store."""
    return partial(with_store, redis_url)


def renew(run: Any) -> int:
    return int(run(lambda store: store.learned.renew(ORDERS)))


def teach(client: Any, week: int, product: int, place: int, times: int) -> None:
    """Quantities of a product that fell into a bucket (e^(0.049 × place)), as a batch adds them."""
    client.hincrby(KEYS.learned("orders", RULE, week), f"{product}|{place}", times)
    client.hset(KEYS.learned_weeks("orders", RULE), str(week), "1")
    client.hincrby(KEYS.baseline("orders"), "learned", times)


def test_a_version_is_made_when_a_week_has_begun_or_enough_was_learned(client: Any, run: Any) -> None:
    assert renew(run) == 0
    teach(client, 7, 1, 14, 150)
    assert renew(run) == 1, "the first week"
    teach(client, 7, 1, 14, 349)
    assert renew(run) == 1
    teach(client, 7, 1, 14, 1)
    assert renew(run) == 2
    made = run(lambda store: store.learned.baseline("orders"))
    low, high = made.bounds[RULE]["1"]
    assert (made.version, made.learned) == (2, 500)
    assert low < 2 < high < 20
    teach(client, 8, 1, 14, 1)
    assert renew(run) == 3


@pytest.mark.parametrize("page", [7, 20_000])
def test_it_is_the_same_however_the_histogram_is_read(
    client: Any, run: Any, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "_PAGE", page)
    for product in range(200):
        for place in range(10):
            teach(client, 7 + product % 2, product, place, 50)
    assert renew(run) == 1
    made = run(lambda store: store.learned.baseline("orders"))
    bounds = {made.bounds[RULE][str(product)] for product in range(200)}
    assert len(bounds) == 1 and len(made.bounds[RULE]) >= 200


def test_while_one_worker_makes_a_version_others_go_on_with_the_last(client: Any, run: Any) -> None:
    teach(client, 7, 1, 14, 300)
    client.set(KEYS.baseline_turn("orders"), "1")
    assert renew(run) == 0
    client.delete(KEYS.baseline_turn("orders"))
    assert renew(run) == 1
    assert not client.exists(KEYS.baseline_turn("orders"))


def test_a_worker_that_died_over_a_version_is_not_waited_for_for_ever(
    client: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(client, 7, 1, 14, 300)

    def die(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(learned, "build", die)
    with pytest.raises(RuntimeError):
        renew(run)
    monkeypatch.undo()
    assert renew(run) == 1

    async def lapse(store: Store) -> int:
        client.set(KEYS.baseline_turn("orders"), "1", px=1)
        await asyncio.sleep(0.01)
        return await store.learned.renew(ORDERS)

    teach(client, 7, 1, 14, 900)
    assert run(lapse) == 2


def test_weeks_that_are_too_old_are_forgotten(client: Any, run: Any) -> None:
    for week in range(WEEKS + 2):
        teach(client, week, 1, 14 if week > 1 else 60, 100)
    assert renew(run) == 1
    assert sorted(map(int, client.hkeys(KEYS.learned_weeks("orders", RULE)))) == list(range(2, WEEKS + 2))
    assert not client.exists(KEYS.learned("orders", RULE, 0))
    assert run(lambda store: store.learned.baseline("orders")).bounds[RULE]["1"][1] < 10
