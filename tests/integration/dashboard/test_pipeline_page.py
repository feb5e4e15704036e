"""The pipeline page shows counts, workers and what is wrong, and says what is unknown."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
import redis
import streamlit as st

from stream_app.store.heartbeat import Problem
from stream_app.store.keys import Keys
from stream_app.store.losses import Loss
from stream_app.store.queries import Queries
from stream_app.views.pulse import read_pulse
from tests.support.fill import Shop
from tests.support.pages import frames, open_page, tiles, words
from tests.support.redis_servers import RedisServer

NOW = time.time_ns() // 1_000_000


def test_the_pipeline_page_shows_counts_contracts_and_workers(shop: Queries) -> None:
    page = open_page("pipeline")
    pulse = read_pulse(shop)
    entities = frames(page)[0]

    assert tiles(page)["Throughput"] == "1,840 /s"
    assert tiles(page)["Workers"] == "1"
    assert tiles(page)["Latency"] == "38 ms"
    assert list(entities["In"]) == [total.received for total in pulse.totals.values()]
    assert next(iter(entities["Contract in force"])) == "headrace-shop-orders:1.0.0"
    assert "No Kafka broker answers at 127.0.0.1:1" in words(page)
    assert tiles(page)["Unread"] == "0"
    assert tiles(page)["Waiting"] == "3"


def test_a_pipeline_without_workers_says_what_is_unknown_and_what_to_run(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=NOW // 1_000, now_ms=NOW)
        shop.announce()
        shop.fill(20)
    page = open_page("pipeline")

    assert [tiles(page)[name] for name in ("Throughput", "Unread", "Latency", "Workers")] == [
        "–",
        "unknown",
        "–",
        "0",
    ]
    assert [block.value for block in page.code] == ["headrace worker"]


def test_a_workers_problem_is_shown_as_text_and_what_it_does_beside_the_stream(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=NOW // 1_000, now_ms=time.time_ns() // 1_000_000)
        shop.announce()
        notes = {"store": "is restored from the topics (empty): 3 partitions are level"}
        shop.beat(state="retrying", problems=(Problem(text="<b>ConnectionError</b>: **no** broker"),), notes=notes)
    shown = words(open_page("pipeline"))

    assert "&lt;b&gt;ConnectionError&lt;/b&gt;: **no** broker" in shown
    assert "<b>" not in shown
    assert "is restored from the topics (empty): 3 partitions are level" in shown


def test_lost_records_are_on_the_pipeline_page(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=NOW // 1_000, now_ms=time.time_ns() // 1_000_000)
        shop.announce()
        loss = Loss("orders", "orders", 1, records=1_234, since=NOW, at=NOW, begin=20, end=60)
        client.hset(Keys("headrace").lost(), "orders/id/1", msgspec.json.encode(loss))
    assert "up to 1,234 records are lost" in words(open_page("pipeline"))


def test_a_redis_that_evicts_is_said_on_every_page_and_in_full_on_the_pipeline_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RedisServer(tmp_path) as server, server.client() as client:
        Shop(client, "headrace", until=NOW // 1000, now_ms=NOW).announce()
        monkeypatch.setenv("HEADRACE_REDIS", server.url)
        server.configure(maxmemory_policy="allkeys-lfu", maxmemory="1gb")

        assert "maxmemory-policy is allkeys-lfu" in words(open_page("quality"))
        said = words(open_page("pipeline"))
        for text in ("Figures may be wrong", "maxmemory-policy is allkeys-lfu", "of 1,074 MB", "appendonly", "none", "master"):
            assert text in said
        server.configure(maxmemory_policy="noeviction")
        st.cache_resource.clear()
        assert "Figures may be wrong" not in words(open_page("quality"))
