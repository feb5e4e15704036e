"""A client that looks into the store, and the worker's store, for every test of scripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import pytest
import redis

from stream_app.store.writer import Store
from tests.support.stores import with_store

T = TypeVar("T")


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    """A client that decodes; owners of keys are bytes that are not text."""
    with redis.Redis.from_url(redis_url, decode_responses=True, encoding_errors="replace") as client:
        yield client


@pytest.fixture
def run(redis_url: str) -> Callable[[Callable[[Store], Awaitable[T]]], T]:
    """Calls a function with a store."""
    return partial(with_store, redis_url)
