"""The health of the stream, as the dashboard reads it from Redis."""

from __future__ import annotations

import pytest

from dashboard.text.health import health
from stream_app.store.heartbeat import Problem, StoppedPartition
from stream_app.store.queries import Queries
from stream_app.views.pulse import read_pulse
from stream_app.views.selection import gravest_first
from tests.support.fill import Shop

NOW = 1_790_000_123_000


class TestHealth:
    @pytest.fixture
    def shop(self, redis_url: str) -> Shop:
        import redis

        with redis.Redis.from_url(redis_url) as client:
            shop = Shop(client, "t", until=NOW // 1000, now_ms=NOW)
            shop.announce()
            shop.fill(20)
            return shop

    def state(self, shop: Shop, after_ms: int = 0) -> tuple[str, str]:
        found = health(read_pulse(Queries(shop.client, "t", now=lambda: NOW)), NOW + after_ms)
        return found.level, found.label

    def test_records_flowing_are_live(self, shop: Shop) -> None:
        shop.beat()
        assert self.state(shop) == ("live", "Live")

    def test_a_partition_that_stopped_is_trouble_although_records_flow(self, shop: Shop) -> None:
        shop.beat(stopped=(StoppedPartition("orders", 1, 5, 9, "its checksum does not match", NOW),))
        assert self.state(shop) == ("trouble", "Partition stopped")

    def test_nothing_new_and_nothing_to_read_is_caught_up(self, shop: Shop) -> None:
        shop.beat()
        assert self.state(shop, 60_000) == ("idle", "Caught up")

    def test_a_stream_that_went_silent_is_no_longer_green(self, shop: Shop) -> None:
        shop.beat()
        shop.beat(at=NOW + 20 * 60_000)
        found = health(read_pulse(Queries(shop.client, "t", now=lambda: NOW + 20 * 60_000)), NOW + 20 * 60_000)
        assert (found.level, found.label) == ("quiet", "No new records for 20 min")

    def test_records_to_read_and_none_processed_is_stale(self, shop: Shop) -> None:
        shop.beat({"orders": 12})
        assert self.state(shop, 60_000) == ("trouble", "Stale")

    def test_much_to_read_is_catching_up(self, shop: Shop) -> None:
        shop.beat({"orders": 120_000})
        assert self.state(shop) == ("behind", "Catching up")

    def test_a_retrying_worker_is_said(self, shop: Shop) -> None:
        shop.beat(state="retrying", problems=(Problem(text="ConnectionError"),))
        assert self.state(shop)[0] == "trouble"

    def test_a_stopped_entity_is_named_with_what_to_do(self, shop: Shop) -> None:
        problem = Problem(subject="orders[3]", text="could not deliver: no right; grant WRITE", since=NOW, stopped=True)
        shop.beat(state="stopped", problems=(problem,))
        found = health(read_pulse(Queries(shop.client, "t", now=lambda: NOW)), NOW)
        assert (found.level, found.label) == ("trouble", "orders is stopped")
        assert "Could not deliver: no right; grant WRITE." in found.advice

    def test_no_worker_is_said(self, shop: Shop) -> None:
        assert self.state(shop) == ("stopped", "No worker running")


def test_an_error_is_not_hidden_behind_newer_warnings(redis_url: str) -> None:
    import redis

    with redis.Redis.from_url(redis_url) as client:
        made = Shop(client, "t", until=NOW // 1000, now_ms=NOW).incidents()

    assert [one.severity for one in gravest_first(made)] == ["error", "error", "warning", "warning", "warning"]
