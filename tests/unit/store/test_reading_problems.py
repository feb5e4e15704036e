"""A reader of Redis says what its failure means, where, and what to do."""

from __future__ import annotations

import pytest
import redis
from redis._parsers.base import BaseParser

from stream_app.store.connection import reading_problem


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("NOAUTH Authentication required.", "Redis at h:1 requires a password; add it to HEADRACE_REDIS"),
        (
            "WRONGPASS invalid username-password pair",
            "Redis at h:1 refused the user or password; correct them in HEADRACE_REDIS",
        ),
        ("NOPERM User r has no permissions", "this user may not read shop:*; grant it +@read ~shop:*"),
        ("MOVED 1 127.0.0.1:2", "(MOVED): this is a Redis Cluster"),
        ("LOADING Redis is loading the dataset in memory", "Redis at h:1 is still loading its data"),
        ("WRONGTYPE Operation against a key", "keys under shop: (WRONGTYPE); another program may write there"),
        ("ERR something", "HEADRACE_REDIS_PREFIX"),
        ("ERR DB index is out of range", "correct the number at the end of HEADRACE_REDIS"),
        ("MASTERDOWN Link with MASTER is down", "replica without its master"),
    ],
)
def test_a_reply_says_what_to_do(reply: str, said: str) -> None:
    error = BaseParser.parse_error(reply)  # type: ignore[no-untyped-call]
    assert said in str(reading_problem("Redis at h:1", "shop", error))


def test_a_redis_that_is_away_or_slow_is_named() -> None:
    away = reading_problem("Redis at h:1", "shop", redis.ConnectionError())
    assert str(away) == "Redis at h:1 cannot be reached; start it, or correct the address in HEADRACE_REDIS"
    assert "Redis at h:1 does not answer in time" in str(reading_problem("Redis at h:1", "shop", redis.TimeoutError()))
