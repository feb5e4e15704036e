"""Connections to Redis: the clients of readers, of workers and of the monitor, and what their failures mean to people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import redis
import redis.asyncio
import redis.exceptions
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream_app.counts.fields import Counts, integer, parse
from stream_app.errors import StoreError
from stream_app.failures import classify, name_of
from stream_app.redis_url import read_sentinel_url
from stream_app.settings import Settings
from stream_app.store import packing, sentinels
from stream_app.store.server import OLDEST, ServerFacts
from stream_app.store.server_info import facts_of, parse_info

#: What Redis raises when it is away, not ready, or refuses for now; worth a retry. The refusals (OOM, READONLY, MISCONF,
#: NOREPLICAS, BUSY, NOSCRIPT …) have no class in common but the last: Redis 6 gives a script's as a plain ResponseError.
UNAVAILABLE = (redis.ConnectionError, redis.TimeoutError, OSError, redis.ResponseError)


def is_forbidden(error: BaseException) -> bool:
    """True if a user or a managed service may not run a command at all."""
    return isinstance(error, redis.exceptions.NoPermissionError) or "unknown command" in str(error)


class ServerUnverified(redis.ConnectionError):
    """Another server process answers than the one that was verified; the command was not sent."""

    passing = True


def connect(settings: Settings) -> redis.Redis:
    """Return a client for readers: it gives up within seconds, because someone is looking.

    Raises:
        StoreError: HEADRACE_REDIS is not a Redis URL.
    """
    return _client(
        settings.redis.get_secret_value(),
        reads=True,
        decode_responses=True,
        # Another program's bytes must be shown, and must not fail the query.
        encoding_errors="backslashreplace",
        socket_connect_timeout=2.0,
        socket_timeout=5.0,
        health_check_interval=30,
    )


def connect_writer(url: str) -> redis.Redis:
    """Return a client for one thread that writes: the monitor's, and that of producers; the caller retries.

    Raises:
        StoreError: HEADRACE_REDIS is not a Redis URL.
    """
    return _client(url, socket_timeout=10, socket_connect_timeout=5)


def connect_worker(url: str, on_server: Callable[[ServerFacts], None] | None = None, **more: Any) -> redis.asyncio.Redis:
    """Return the client of a worker's stream; the caller retries (``UNAVAILABLE``).

    ``on_server`` is called on each new connection, before the first command is sent on it, with what the server says of
    itself (INFO; nothing but the address where the user may not ask). It may raise a ``redis.ConnectionError``: then the
    connection is closed, and the command fails with that error. ``more``: further options of redis-py.

    Raises:
        StoreError: HEADRACE_REDIS is not a Redis URL.
    """
    packing.install()
    options: dict[str, Any] = {"socket_timeout": 10, "socket_connect_timeout": 5, "retry": AsyncRetry(NoBackoff(), 1), **more}
    if on_server is not None:
        options["redis_connect_func"] = partial(_greet, on_server)
    with _url_errors():
        by_sentinels = read_sentinel_url(url)
        if by_sentinels is None:
            return _WorkerClient.from_url(url, **options)
        return sentinels.worker(by_sentinels, options, _WorkerClient)


class _WorkerClient(redis.asyncio.Redis):
    """The client of a worker; the clients of its Sentinels are closed with it."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's signature
        await super().aclose(close_connection_pool)
        await sentinels.close(self)


async def _greet(on_server: Callable[[ServerFacts], None], connection: Any) -> None:
    """Log in on a new connection, and tell ``on_server`` who answers."""
    await connection.on_connect()
    await connection.send_command("INFO", check_health=False)
    try:
        info = parse_info(await connection.read_response())
    except redis.ResponseError as error:
        if not is_forbidden(error):
            raise
        info = {}
    try:
        on_server(facts_of(info, _address(vars(connection))))
    except redis.RedisError:
        raise  # redis-py closes the connection
    except BaseException:
        await connection.disconnect(nowait=True)
        raise


def _client(url: str, *, reads: bool = False, **options: Any) -> redis.Redis:
    options["retry"] = Retry(NoBackoff(), 1)
    with _url_errors():
        by_sentinels = read_sentinel_url(url)
        if by_sentinels is None:
            return redis.Redis.from_url(url, **options)
        return sentinels.reader_or_writer(by_sentinels, options, reads=reads)


@contextmanager
def _url_errors() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError):
        # Nothing of the URL is quoted: it may contain a password.
        raise StoreError(
            "HEADRACE_REDIS is not a Redis URL; write redis://host:port/db, rediss:// for TLS, "
            "or redis+sentinel://host:port,host:port/service/db"
        ) from None


def execute(client: redis.Redis, prefix: str, pipe: Any) -> list[Any]:
    """Return the answers to a pipeline: one round trip.

    Raises:
        StoreError: Redis is down, or its keys are not ours.
    """
    with reading(client, prefix):
        answers: list[Any] = pipe.execute()
        return answers


def address(client: redis.Redis | redis.asyncio.Redis) -> str:
    """Return the ``host:port`` (or the socket's path) that a client talks to; never its user or password."""
    if (of_sentinels := sentinels.service_of(client)) is not None:
        service, master = of_sentinels
        return f"{_host_port(*master)} (Sentinel service {service})" if master else f"service {service}"
    return _address(client.connection_pool.connection_kwargs)


def _address(options: Mapping[str, Any]) -> str:
    if options.get("path"):
        return str(options["path"])
    return _host_port(options.get("host", "127.0.0.1"), options.get("port", 6379))


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def reading(client: redis.Redis, prefix: str) -> Iterator[None]:
    """Turn what redis-py raises into a StoreError that says where, what, and what to do."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise reading_problem(f"Redis at {address(client)}", prefix, error) from None


def reading_problem(where: str, prefix: str, error: BaseException) -> StoreError:
    """Return the error that says what a reader's failure means, by the table of ``failures``, and what to do.

    ``where``: ``Redis at host:port``.
    """
    found = classify(error)
    if isinstance(error, redis.sentinel.MasterNotFoundError):
        return StoreError(
            f"{where}: no Sentinel names a master; a failover takes some seconds. Otherwise start the Sentinels, or correct "
            "their addresses and the service in HEADRACE_REDIS"
        )
    if "HELLO" in str(error):
        return StoreError(f"{where} is older than Redis {OLDEST[0]}.{OLDEST[1]}, which Headrace needs; upgrade it")
    if isinstance(error, redis.exceptions.NoPermissionError):
        return StoreError(f"{where}: this user may not read {prefix}:*; grant it +@read ~{prefix}:*")
    if name_of(error) == "WRONGTYPE" or (type(error) is redis.ResponseError and not found.permanent):
        return StoreError(
            f"{where} cannot answer from the keys under {prefix}: ({name_of(error)}); another program may write "
            "there. Give Headrace a prefix of its own with HEADRACE_REDIS_PREFIX"
        )
    if found.meaning.startswith("Redis "):
        return StoreError(f"{where} {found.meaning.removeprefix('Redis ')}; {found.advice}")
    return StoreError(f"{where} failed ({name_of(error)}): {found.text}")


def not_ours(key: str, problem: str) -> StoreError:
    """Return the error for a key that another program writes."""
    return StoreError(
        f"Redis key {key}: {problem}; another program may write here. Give Headrace a prefix of its own with "
        "HEADRACE_REDIS_PREFIX"
    )


def whole(key: str, what: str, value: Any) -> int:
    """Return the integer of 64 bits that a value under a key holds.

    Raises:
        StoreError: it holds anything else; ``what`` names the value.
    """
    number = integer(value)
    if number is None:
        raise not_ours(key, f"{what} is not an integer")
    return number


def parsed(key: str, raw: Mapping[Any, Any], *, segments: bool = True) -> Counts:
    """Return ``counts.fields.parse`` of the hash under a key.

    Raises:
        StoreError: a field does not hold an integer; the message names key and field.
    """
    try:
        return parse(raw, segments=segments)
    except ValueError as error:
        raise not_ours(key, str(error)) from None
