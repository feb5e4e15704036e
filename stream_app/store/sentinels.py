"""Clients that ask Sentinels for the master, at each new connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from stream_app.redis_url import SentinelUrl

C = TypeVar("C", bound=redis.asyncio.Redis)
#: Seconds that a Sentinel may take to accept a connection, and to answer: then the next one is asked.
_CONNECT, _ANSWER = 1.0, 2.0


def reader_or_writer(url: SentinelUrl, options: Mapping[str, Any], *, reads: bool) -> redis.Redis:
    """Return the client of one thread. ``reads``: it may ask replicas, if the URL says so."""
    master = dict(options) | _options(url.master)
    asks = _node_options(url, master) | {"retry": Retry(NoBackoff(), 0)}
    sentinels: Any = _Sentinels(url.nodes, sentinel_kwargs=asks, **master)  # type: ignore[no-untyped-call]
    choose = sentinels.slave_for if reads and url.replicas else sentinels.master_for
    client: redis.Redis = choose(url.service, redis_class=_Client)
    return client


def worker(url: SentinelUrl, options: Mapping[str, Any], kind: type[C]) -> C:
    """Return the client of a worker, of this class; ``close`` closes what belongs to it."""
    master = dict(options) | _options(url.master)
    asks = _node_options(url, master) | {"retry": AsyncRetry(NoBackoff(), 0)}
    sentinels: Any = _WorkerSentinels(url.nodes, sentinel_kwargs=asks, **master)  # type: ignore[no-untyped-call]
    client: C = sentinels.master_for(url.service, redis_class=kind)
    return client


async def close(client: redis.asyncio.Redis) -> None:
    """Close the connections to Sentinels of a worker's client, if it has any."""
    sentinels = getattr(client.connection_pool, "sentinel_manager", None)
    if sentinels is not None:
        await sentinels.aclose()


def service_of(client: redis.Redis | redis.asyncio.Redis) -> tuple[str, tuple[str, int] | None] | None:
    """Return the service and the address of its master, as far as it is known; None without Sentinels."""
    pool: Any = client.connection_pool
    if not isinstance(pool, (redis.sentinel.SentinelConnectionPool, redis.asyncio.sentinel.SentinelConnectionPool)):
        return None
    return pool.service_name, pool.master_address


class _Client(redis.Redis):
    """A client that closes the clients of the Sentinels, too."""

    def close(self) -> None:
        super().close()
        pool: Any = self.connection_pool
        for node in pool.sentinel_manager.sentinels:
            node.close()


class _Sentinels(redis.sentinel.Sentinel):
    """Sentinels that tell a refused password from a missing master."""

    def discover_master(self, service_name: str) -> Any:
        try:
            return super().discover_master(service_name)  # type: ignore[no-untyped-call]
        except redis.sentinel.MasterNotFoundError as error:
            raise _no_master(error) from None


class _WorkerSentinels(redis.asyncio.sentinel.Sentinel):
    """The same for a worker."""

    async def discover_master(self, service_name: str) -> Any:
        try:
            return await super().discover_master(service_name)
        except redis.asyncio.sentinel.MasterNotFoundError as error:
            raise _no_master(error) from None


def _no_master(error: redis.ConnectionError) -> redis.ConnectionError:
    """The reason why no Sentinel named a master; redis-py gives the Sentinels' errors in the text of its own only."""
    refused = "AuthenticationError" in str(error)
    return redis.AuthenticationError("a Sentinel refused the user or password") if refused else error


def _options(url: str) -> dict[str, Any]:
    """The options that a URL of a master without a host gives, for a pool of Sentinel's connections."""
    options = dict(parse_url(url))  # type: ignore[no-untyped-call]
    if options.pop("connection_class", None) is not None:
        options["ssl"] = True
    return options


def _node_options(url: SentinelUrl, master: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a connection to a Sentinel: TLS as the master's, a user and password of its own."""
    tls = {name: value for name, value in master.items() if name.startswith("ssl")}
    own = {"username": url.username, "password": url.password, "socket_connect_timeout": _CONNECT, "socket_timeout": _ANSWER}
    return own | tls
