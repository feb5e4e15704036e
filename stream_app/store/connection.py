"""Connections to Redis: the clients of readers, of workers and of the monitor, and what their failures mean to people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import redis
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from stream_app.counts.fields import Counts, parse
from stream_app.errors import StoreError
from stream_app.redis_url import SentinelUrl, read_sentinel_url
from stream_app.settings import Settings
from stream_app.store import packing
from stream_app.store.server import ServerFacts, facts_of, parse_info

#: What Redis raises when it is away, not ready, or refuses for now; worth a retry. The refusals (OOM, READONLY, MISCONF,
#: NOREPLICAS, BUSY, NOSCRIPT …) have no class in common but the last: Redis 6 gives a script's as a plain ResponseError.
UNAVAILABLE = (redis.ConnectionError, redis.TimeoutError, OSError, redis.ResponseError)


class ServerUnverified(redis.ConnectionError):
    """Another server process answers than the one that was verified; the command was not sent."""


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


def connect_worker(url: str, on_server: Callable[[ServerFacts], None] | None = None) -> redis.asyncio.Redis:
    """Return the client of a worker's stream; the caller retries (``UNAVAILABLE``).

    ``on_server`` is called on each new connection, before the first command is sent on it, with what the server says of
    itself (INFO; nothing but the address where the user may not ask). It may raise a ``redis.ConnectionError``: then the
    connection is closed, and the command fails with that error.

    Raises:
        StoreError: HEADRACE_REDIS is not a Redis URL.
    """
    packing.install()
    options: dict[str, Any] = {"socket_timeout": 10, "socket_connect_timeout": 5, "retry": AsyncRetry(NoBackoff(), 1)}
    if on_server is not None:
        options["redis_connect_func"] = partial(_greet, on_server)
    with _url_errors():
        sentinel = read_sentinel_url(url)
        if sentinel is None:
            return redis.asyncio.from_url(url, **options)
        master = _options(sentinel.master)
        asks = _node_options(sentinel, master) | {"retry": AsyncRetry(NoBackoff(), 0)}
        # redis-py's own code is untyped here.
        manager: Any = redis.asyncio.Sentinel(sentinel.nodes, sentinel_kwargs=asks, **master | options)  # type: ignore[no-untyped-call]
        client: redis.asyncio.Redis = manager.master_for(sentinel.service, redis_class=_SentinelClient)
        return client


class _SentinelClient(redis.asyncio.Redis):
    """The client of a master; it closes the clients of the Sentinels with its own connections."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's signature
        await super().aclose(close_connection_pool)
        pool: Any = self.connection_pool
        await pool.sentinel_manager.aclose()


async def _greet(on_server: Callable[[ServerFacts], None], connection: Any) -> None:
    """Log in on a new connection, and tell ``on_server`` who answers."""
    await connection.on_connect()
    await connection.send_command("INFO", check_health=False)
    try:
        info = parse_info(await connection.read_response())
    except redis.ResponseError:
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
        sentinel = read_sentinel_url(url)
        if sentinel is None:
            return redis.Redis.from_url(url, **options)
        master = _options(sentinel.master)
        asks = _node_options(sentinel, master) | {"retry": Retry(NoBackoff(), 0)}
        manager: Any = Sentinel(sentinel.nodes, sentinel_kwargs=asks, **master | options)  # type: ignore[no-untyped-call]
        choose = manager.slave_for if reads and sentinel.replicas else manager.master_for
        client: redis.Redis = choose(sentinel.service)
        return client


def _options(url: str) -> dict[str, Any]:
    """The options that a URL of a master without a host gives, for a pool of Sentinel's connections."""
    options = dict(parse_url(url))  # type: ignore[no-untyped-call]
    if options.pop("connection_class", None) is not None:
        options["ssl"] = True
    return options


def _node_options(sentinel: SentinelUrl, master: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a connection to a Sentinel: TLS as the master's, a user and password of its own."""
    tls = {name: value for name, value in master.items() if name.startswith("ssl")}
    return {
        "username": sentinel.username,
        "password": sentinel.password,
        "socket_connect_timeout": 1.0,
        "socket_timeout": 2.0,
        **tls,
    }


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


def address(client: redis.Redis) -> str:
    """Return the ``host:port`` (or the socket's path) that a client talks to; never its user or password."""
    pool = client.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        master = pool.master_address
        return f"{_host_port(*master)} (Sentinel service {pool.service_name})" if master else f"service {pool.service_name}"
    return _address(pool.connection_kwargs)


def _address(options: Mapping[str, Any]) -> str:
    if options.get("path"):
        return str(options["path"])
    return _host_port(options.get("host", "127.0.0.1"), options.get("port", 6379))


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
