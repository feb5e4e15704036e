"""The Redis connection of readers, and what its failures mean to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
import redis.exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream_app.counts.fields import Counts, parse
from stream_app.errors import StoreError
from stream_app.settings import Settings


def connect(settings: Settings) -> redis.Redis:
    """A client for readers: it gives up within seconds, because someone is looking.

    Raises:
        StoreError: HEADRACE_REDIS is no Redis URL.
    """
    try:
        return redis.Redis.from_url(
            settings.redis.get_secret_value(),
            decode_responses=True,
            # Another program's bytes are to be said, not to be tripped over.
            encoding_errors="backslashreplace",
            socket_connect_timeout=2.0,
            socket_timeout=5.0,
            retry=Retry(NoBackoff(), 1),
            health_check_interval=30,
        )
    except ValueError:
        raise StoreError("HEADRACE_REDIS is no Redis URL; write redis://host:port/db, or rediss:// for TLS") from None


def place(client: redis.Redis) -> str:
    """``host:port`` (or the socket's path) that a client talks to; never its user or password."""
    options = client.connection_pool.connection_kwargs
    if "path" in options:
        return str(options["path"])
    return f"{options.get('host', '127.0.0.1')}:{options.get('port', 6379)}"


@contextmanager
def reading(client: redis.Redis, prefix: str) -> Iterator[None]:
    """Turn what redis-py raises into a StoreError that says where, what, and what to do."""
    where = f"Redis at {place(client)}"
    try:
        yield
    except redis.AuthenticationError:
        raise StoreError(f"{where} refused the user or password; correct them in HEADRACE_REDIS") from None
    except redis.BusyLoadingError:
        raise StoreError(f"{where} is still loading its data; try again in a moment") from None
    except redis.TimeoutError:
        raise StoreError(f"{where} does not answer in time; is it overloaded, or behind a firewall?") from None
    except (redis.ConnectionError, OSError):
        raise StoreError(f"{where} cannot be reached; start it, or name the right one in HEADRACE_REDIS") from None
    except redis.exceptions.NoPermissionError:
        raise StoreError(f"{where}: this user may not read {prefix}:*; grant it +@read ~{prefix}:*") from None
    except redis.ResponseError as error:
        if str(error).startswith("NOAUTH"):
            raise StoreError(f"{where} wants a password; put it into HEADRACE_REDIS") from None
        raise StoreError(
            f"{where} cannot answer from the keys under {prefix}: ({type(error).__name__}); another program writes "
            "there? Give Headrace a prefix of its own with HEADRACE_REDIS_PREFIX"
        ) from None
    except redis.RedisError as error:
        raise StoreError(f"{where} failed ({type(error).__name__}); look into its log") from None


def text(value: Any) -> str:
    """A Redis string, whether or not the client decodes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def not_ours(key: str, problem: str) -> StoreError:
    """The error of a key that another program writes."""
    return StoreError(
        f"Redis key {key}: {problem}; another program writes here? Give Headrace a prefix of its own with HEADRACE_REDIS_PREFIX"
    )


def parsed(key: str, raw: Mapping[Any, Any], *, segments: bool = True) -> Counts:
    """``counts.fields.parse`` of the hash under a key.

    Raises:
        StoreError: a field does not hold an integer; the message names key and field.
    """
    try:
        return parse(raw, segments=segments)
    except ValueError as error:
        raise not_ours(key, str(error)) from None
