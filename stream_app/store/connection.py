"""Connections to Redis: the clients of readers, of workers and of the monitor, and what their failures mean to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
import redis.asyncio
import redis.exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream_app.counts.fields import Counts, parse
from stream_app.errors import StoreError
from stream_app.settings import Settings
from stream_app.store import packing

#: What Redis raises when it is away, not ready, or refuses for now; worth a retry. The refusals (OOM, READONLY, MISCONF,
#: NOREPLICAS, BUSY, NOSCRIPT …) have no class in common but the last: Redis 6 gives a script's as a plain ResponseError.
UNAVAILABLE = (redis.ConnectionError, redis.TimeoutError, OSError, redis.ResponseError)


def connect(settings: Settings) -> redis.Redis:
    """Return a client for readers: it gives up within seconds, because someone is looking.

    Raises:
        StoreError: HEADRACE_REDIS is not a Redis URL.
    """
    try:
        return redis.Redis.from_url(
            settings.redis.get_secret_value(),
            decode_responses=True,
            # Another program's bytes must be shown, and must not fail the query.
            encoding_errors="backslashreplace",
            socket_connect_timeout=2.0,
            socket_timeout=5.0,
            retry=Retry(NoBackoff(), 1),
            health_check_interval=30,
        )
    except ValueError:
        raise StoreError("HEADRACE_REDIS is not a Redis URL; write redis://host:port/db, or rediss:// for TLS") from None


def connect_worker(url: str) -> redis.asyncio.Redis:
    """Return the client of a worker's stream; the caller retries (``UNAVAILABLE``)."""
    packing.install()
    return redis.asyncio.from_url(url, socket_timeout=10, socket_connect_timeout=5)


def connect_writer(url: str) -> redis.Redis:
    """Return a client for one thread that writes: the monitor's, and that of producers; the caller retries."""
    return redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5)


def execute(client: redis.Redis, prefix: str, pipe: Any) -> list[Any]:
    """Return the answers to a pipeline: one round trip.

    Raises:
        StoreError: Redis is down, or its keys are not ours.
    """
    with reading(client, prefix):
        answers: list[Any] = pipe.execute()
        return answers


def address(client: redis.Redis) -> str:
    """Return the ``host:port`` (or the socket's path) that a client talks to; never its user or password."""
    options = client.connection_pool.connection_kwargs
    if "path" in options:
        return str(options["path"])
    return f"{options.get('host', '127.0.0.1')}:{options.get('port', 6379)}"


@contextmanager
def reading(client: redis.Redis, prefix: str) -> Iterator[None]:
    """Turn what redis-py raises into a StoreError that says where, what, and what to do."""
    where = f"Redis at {address(client)}"
    try:
        yield
    except redis.AuthenticationError:
        raise StoreError(f"{where} refused the user or password; correct them in HEADRACE_REDIS") from None
    except redis.BusyLoadingError:
        raise StoreError(f"{where} is still loading its data; try again in a moment") from None
    except redis.TimeoutError:
        raise StoreError(
            f"{where} did not answer in time; check whether it is overloaded or a firewall is in between"
        ) from None
    except (redis.ConnectionError, OSError):
        raise StoreError(f"{where} cannot be reached; start it, or correct the address in HEADRACE_REDIS") from None
    except redis.exceptions.NoPermissionError:
        raise StoreError(f"{where}: this user may not read {prefix}:*; grant it +@read ~{prefix}:*") from None
    except redis.ResponseError as error:
        if str(error).startswith("NOAUTH"):
            raise StoreError(f"{where} requires a password; add it to HEADRACE_REDIS") from None
        raise StoreError(
            f"{where} cannot answer from the keys under {prefix}: ({type(error).__name__}); another program may write "
            "there. Give Headrace a prefix of its own with HEADRACE_REDIS_PREFIX"
        ) from None
    except redis.RedisError as error:
        raise StoreError(f"{where} failed ({type(error).__name__}); look into its log") from None


def not_ours(key: str, problem: str) -> StoreError:
    """Return the error for a key that another program writes."""
    return StoreError(
        f"Redis key {key}: {problem}; another program may write here. Give Headrace a prefix of its own with "
        "HEADRACE_REDIS_PREFIX"
    )


def parsed(key: str, raw: Mapping[Any, Any], *, segments: bool = True) -> Counts:
    """Return ``counts.fields.parse`` of the hash under a key.

    Raises:
        StoreError: a field does not hold an integer; the message names key and field.
    """
    try:
        return parse(raw, segments=segments)
    except ValueError as error:
        raise not_ours(key, str(error)) from None
