"""One worker at a time makes a baseline version of all that was learned in the newest weeks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from stream_app.contract import load_shop
from stream_app.judge.baseline import WEEKS, Baseline, build
from stream_app.store import baselines
from stream_app.store.keys import Keys
from tests.support.stores import with_store

KEYS = Keys("headrace")
ORDERS = load_shop().contracts["orders"]
RULE = "quantity_outlier"


class Lessons:
    """Learned quantities of orders, in one Redis."""

    def __init__(self, url: str) -> None:
        self.url, self.client = url, redis.Redis.from_url(url)

    def teach(self, week: int, product: int, bucket: int, times: int) -> None:
        """Quantities of a product that fell into a bucket (e^(0.049 × bucket)), as a batch adds them."""
        self.client.hincrby(KEYS.learned("orders", RULE, week), f"{product}|{bucket}", times)
        self.client.hset(KEYS.learned_weeks("orders", RULE), str(week), "1")
        self.client.hincrby(KEYS.baseline("orders"), "learned", times)

    def renew(self) -> int:
        """The version in force after a worker has looked."""
        return with_store(self.url, lambda store: store.baselines.renew(ORDERS))

    def version(self) -> Baseline:
        """The version in force."""
        made = with_store(self.url, lambda store: store.baselines.baseline("orders"))
        assert made is not None
        return made


@pytest.fixture
def lessons(redis_url: str) -> Iterator[Lessons]:
    made = Lessons(redis_url)
    yield made
    made.client.close()


def test_a_version_is_made_when_a_week_has_begun_or_enough_was_learned(lessons: Lessons) -> None:
    assert lessons.renew() == 0
    lessons.teach(7, 1, 14, 150)
    assert lessons.renew() == 1, "the first week"
    lessons.teach(7, 1, 14, 349)
    assert lessons.renew() == 1
    lessons.teach(7, 1, 14, 1)
    assert lessons.renew() == 2
    made = lessons.version()
    low, high = made.bounds[RULE]["1"]
    assert (made.version, made.learned) == (2, 500)
    assert low < 2 < high < 20
    lessons.teach(8, 1, 14, 1)
    assert lessons.renew() == 3


@pytest.mark.parametrize("page", [7, 20_000])
def test_it_is_the_same_however_the_histogram_is_read(lessons: Lessons, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "_PAGE", page)
    for product in range(200):
        for bucket in range(10):
            lessons.teach(7 + product % 2, product, bucket, 50)
    assert lessons.renew() == 1
    made = lessons.version()
    bounds = {made.bounds[RULE][str(product)] for product in range(200)}
    assert len(bounds) == 1


def test_while_one_worker_makes_a_version_others_go_on_with_the_last(lessons: Lessons) -> None:
    lessons.teach(7, 1, 14, 300)
    lessons.client.set(KEYS.baseline_turn("orders"), "1")
    assert lessons.renew() == 0
    lessons.client.delete(KEYS.baseline_turn("orders"))
    assert lessons.renew() == 1
    assert not lessons.client.exists(KEYS.baseline_turn("orders"))


def test_a_worker_that_died_over_a_version_is_not_waited_for_for_ever(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons.teach(7, 1, 14, 300)
    left: list[int] = []

    def look(*given: Any) -> Baseline:
        left.append(lessons.client.pttl(KEYS.baseline_turn("orders")))
        return build(*given)

    monkeypatch.setattr(baselines, "build", look)
    assert lessons.renew() == 1
    assert len(left) == 1
    assert 0 < left[0] <= 10_000


def test_a_worker_that_fails_over_a_version_lets_others_make_it(lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> None:
    lessons.teach(7, 1, 14, 300)

    def fail(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(baselines, "build", fail)
        with pytest.raises(RuntimeError):
            lessons.renew()
    assert lessons.renew() == 1


def test_weeks_that_are_too_old_are_forgotten(lessons: Lessons) -> None:
    for week in range(WEEKS + 2):
        lessons.teach(week, 1, 14 if week > 1 else 60, 100)
    assert lessons.renew() == 1
    assert sorted(map(int, lessons.client.hkeys(KEYS.learned_weeks("orders", RULE)))) == list(range(2, WEEKS + 2))
    assert not lessons.client.exists(KEYS.learned("orders", RULE, 0))
    assert lessons.version().bounds[RULE]["1"][1] < 10
