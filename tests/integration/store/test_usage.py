"""Memory by kind, at a bounded cost: all that workers write is in one of the kinds."""

from __future__ import annotations

import pytest
import redis

from stream_app.errors import StoreError
from stream_app.judge.owners import owners_of
from stream_app.judge.request import Claim
from stream_app.position import Position
from stream_app.store.keys import Keys
from stream_app.store.queries import Queries
from stream_app.windows.grain import Grain
from tests.support.stores import FIELD, SHOP, changes, with_store
from tests.support.stream import order


@pytest.mark.parametrize("looked_through", [5_000, 100])
def test_memory_by_kind(redis_url: str, looked_through: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_app.store.usage._LOOKED_THROUGH", looked_through)
    monkeypatch.setattr("stream_app.store.usage._AT_ONCE", 50)
    with_store(redis_url, lambda store: store.describe(SHOP.contracts.values()))
    for at in (0, 10_000, 20_000):
        ids = list(range(at, at + 10_000))
        claims = [Claim("order_id.unique", claim=True, ids=ids, holders=owners_of(0, ids))]
        with_store(redis_url, lambda store, claims=claims: store.look_up("orders", None, [], claims))  # type: ignore[misc]
    records = [(order(number, customer_id=number), "clean") for number in range(100)]
    records += [(order(number, customer_id=number, quantity=0), "rejected") for number in range(100, 140)]
    with_store(redis_url, lambda store: store.apply(changes(records, applied=(FIELD, Position(), Position(139)))))  # type: ignore[arg-type]
    more = changes([], entity="customers", references={str(number): "1" for number in range(5_000)})
    with_store(redis_url, lambda store: store.apply(more))
    with redis.Redis.from_url(redis_url, decode_responses=True, encoding_errors="backslashreplace") as client:
        memory = Queries(client, "headrace").memory()
        keys = sum(client.memory_usage(name, samples=0) for name in client.scan_iter("headrace:uniq:*", count=1000))
        found = sum(client.memory_usage(name, samples=0) for name in client.scan_iter("headrace:f*", count=1000))
        references = client.memory_usage(Keys("headrace").references("customers"), samples=0)
    assert memory is not None
    assert memory.kinds["keys"] == pytest.approx(keys, rel=0.25)
    assert memory.kinds["references"] == pytest.approx(references, rel=0.1)
    assert memory.kinds["findings"] == pytest.approx(found, rel=0.25)
    assert all(memory.kinds[kind] > 0 for kind in ("windows", "sketches"))


def test_memory_is_noted_once_an_hour(redis_url: str) -> None:
    for hour in (10, 10, 11, 70):
        with_store(redis_url, lambda store, hour=hour: store.expiry.note_memory(hour * 3_600 + 60))  # type: ignore[misc]
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert set(client.hgetall(Keys("headrace").memory_seen())) == {"70"}


def test_what_another_program_stored_crashes_no_reader(redis_url: str) -> None:
    keys = Keys("headrace")
    with_store(redis_url, lambda store: store.describe(SHOP.contracts.values()))
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.hset(keys.evictions(), mapping={"run_id": "x", "evicted": "many", "at": "now"})
        client.hset(keys.memory_seen(), "soon", "much")
        assert Queries(client, "headrace").server().accounted is None
        assert Queries(client, "headrace").memory() is not None
        client.zadd(keys.windows("orders", Grain.DAY), {"soon": 1})
        with pytest.raises(StoreError, match="not an integer"):
            Queries(client, "headrace").memory()


def test_a_user_who_may_not_ask_gets_no_memory(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.acl_setuser("reader", enabled=True, nopass=True, categories=["+@read"], keys=["headrace:*"], reset=True)
        try:
            host = client.connection_pool.connection_kwargs
            with redis.Redis(
                host=host["host"], port=host["port"], username="reader", password="x", decode_responses=True
            ) as one:
                assert Queries(one, "headrace").memory() is None
        finally:
            client.acl_deluser("reader")
