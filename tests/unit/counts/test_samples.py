"""Samples of clean records hide personal fields."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from headrace.embedded import EmbeddedStack
from stream_app.store.read_values import clean_records


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def empty(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_personal_fields_are_masked_even_where_the_writer_forgot(empty: redis.Redis) -> None:
    rows = ['{"source":"customers:0:1","event_time":1,"record":{"email":"ann@example.org","country":"France"}}']

    assert clean_records(rows, frozenset({"email"}))[0].record == {"email": "•••", "country": "France"}
