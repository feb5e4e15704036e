"""A shop to look at, and an empty cache before each test."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis
import streamlit as st

from headrace.embedded import EmbeddedStack
from stream_app.store.queries import Queries
from tests.support.fill import Shop, a_live_shop


@pytest.fixture(scope="session")
def filled() -> Iterator[str]:
    """A Redis with a shop of two months, which tests only read."""
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        a_live_shop(client, "headrace", time.time_ns() // 1_000_000, days=61, per_minute=0.3).reports()
        yield stack.redis_url


@pytest.fixture(autouse=True)
def fresh(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty Redis, no Kafka, and nothing cached."""
    monkeypatch.setenv("HEADRACE_REDIS", redis_url)
    monkeypatch.setenv("HEADRACE_KAFKA", "127.0.0.1:1")
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def shop(filled: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queries]:
    """The filled shop, with a worker that is there now."""
    monkeypatch.setenv("HEADRACE_REDIS", filled)
    with redis.Redis.from_url(filled) as client:
        Shop(client, "headrace", until=0, now_ms=time.time_ns() // 1_000_000).beat()
        yield Queries(client, "headrace")
