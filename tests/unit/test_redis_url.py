"""The URLs of HEADRACE_REDIS: Redis's own as before, those with Sentinels taken apart, and what is wrong with others."""

from __future__ import annotations

import pytest

from stream_app.redis_url import SentinelUrl, check_redis_url, read_sentinel_url


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("redis+sentinel://one/shop", SentinelUrl((("one", 26379),), "shop", "redis:///")),
        ("redis+sentinel://one:1,two:2/shop/3", SentinelUrl((("one", 1), ("two", 2)), "shop", "redis:///3")),
        ("rediss+sentinel://u:p%40@one:1/shop/3", SentinelUrl((("one", 1),), "shop", "rediss://u:p%40@/3")),
        (
            "redis+sentinel://:p@[::1]:1/my%20shop?sentinel_password=a%26b&sentinel_username=c&read_from=replicas&protocol=2",
            SentinelUrl((("::1", 1),), "my shop", "redis://:p@/?protocol=2", "c", "a&b", replicas=True),
        ),
    ],
)
def test_a_sentinel_url_is_taken_apart(url: str, parts: SentinelUrl) -> None:
    assert read_sentinel_url(url) == parts
    check_redis_url(url)


@pytest.mark.parametrize("url", ["redis://u:p@host:1/0", "rediss://host", "unix:///run/redis.sock?db=1"])
def test_other_urls_are_left_to_redis_py(url: str) -> None:
    assert read_sentinel_url(url) is None
    check_redis_url(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://host", r"starts with redis://, rediss://, unix://, redis\+sentinel:// or rediss\+sentinel://"),
        ("redis://u:s3cret@host:x/0", "port of the Redis URL"),
        ("redis+sentinel://u:s3cret@host:1", "name of the service"),
        ("redis+sentinel://u:s3cret@host:1/shop/x", "name of the service"),
        ("redis+sentinel://u:s3cret@host:x/shop", "port of a Sentinel"),
        ("redis+sentinel://u:s3cret@host:99999/shop", "port of a Sentinel"),
        ("redis+sentinel://u:s3cret@/shop", "names the Sentinels"),
        ("redis+sentinel://one,,two/shop", "names the Sentinels"),
        ("redis+sentinel://one/shop?read_from=nobody", "read_from"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        check_redis_url(url)
    assert "s3cret" not in str(caught.value)


def test_a_password_is_not_in_the_repr() -> None:
    assert "s3cret" not in repr(read_sentinel_url("redis+sentinel://u:s3cret@one/shop?sentinel_password=s3cret"))
