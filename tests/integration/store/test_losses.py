"""Lost records in the store: each offset once, and what was gone before the first worker came not at all."""

from __future__ import annotations

import redis

from stream_app.monitor.wording import body, title
from stream_app.store.keys import Keys
from stream_app.store.losses import Gap, Loss, LossStore, incident_of, loss_field, losses_of
from stream_app.store.writer import Store
from tests.support.stores import with_store

FIELD = loss_field("orders", "id", 0)


def gap(begin: int, end: int) -> Gap:
    return Gap("orders", "orders", 0, begin, end)


async def note(losses: LossStore, *gaps: tuple[int, int]) -> list[int]:
    return [await losses.note(FIELD, gap(*one), topic=True, people=True) for one in gaps]


def lost(redis_url: str) -> list[tuple[int, int, int]]:
    with redis.Redis.from_url(redis_url) as client:
        return [(one.records, one.begin, one.end) for one in losses_of(client.hvals(Keys("headrace").lost()))]


def test_a_gap_counts_once_and_its_growth_too(redis_url: str) -> None:
    async def act(store: Store) -> list[int]:
        # Noticed, noticed again, grown, then from an earlier offset: what was fetched and not applied is gone as well.
        return await note(store.losses, (10, 20), (10, 20), (10, 25), (5, 25), (40, 50), (40, 50))

    assert with_store(redis_url, act) == [10, 0, 5, 5, 10, 0]
    assert lost(redis_url) == [(30, 40, 50)]
    with redis.Redis.from_url(redis_url) as client:
        assert client.hlen(Keys("headrace").incidents()) == 3  # one that has grown is the same
        assert client.llen(Keys("headrace").unsent("topic")) == client.llen(Keys("headrace").unsent("people")) == 4


def test_what_was_gone_when_the_first_worker_came_is_not_lost(redis_url: str) -> None:
    async def act(store: Store) -> list[int]:
        assert await store.losses.expected([FIELD]) == {FIELD: None}
        await store.losses.begin({FIELD: Loss("orders", "orders", 0, first=30)})
        await store.losses.begin({FIELD: Loss("orders", "orders", 0, first=99)})
        assert await store.losses.expected([FIELD]) == {FIELD: 30}
        return await note(store.losses, (0, 30), (0, 32))

    assert with_store(redis_url, act) == [0, 2]
    assert lost(redis_url) == [(2, 30, 32)]


def test_a_partition_that_nobody_is_known_to_have_read_has_lost_nothing_at_its_beginning(redis_url: str) -> None:
    assert with_store(redis_url, lambda store: note(store.losses, (0, 30), (30, 35))) == [0, 5]


def test_the_next_offset_follows_what_is_applied(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.hset(Keys("headrace").applied(), FIELD, "41 7 3 0")
    assert with_store(redis_url, lambda store: store.losses.expected([FIELD])) == {FIELD: 42}


def test_an_incident_says_how_many_and_what_to_do() -> None:
    from stream_app.monitor.incident import Change

    change = Change("opened", incident_of(gap(10, 1_510), 1_700_000_030_000))
    assert title(change) == "orders: records of partition 0 are lost (error)"
    assert body(change).startswith("At most 1,500 records were deleted before a worker read them.")
    assert (change.incident.state, change.incident.start) == ("closed", 1_700_000_000 // 60 * 60)
