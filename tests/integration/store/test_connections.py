"""Connections to Redis: who answers is known before the first command; Sentinels lead to the master, also after a failover."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis

from stream_app.errors import StoreError
from stream_app.settings import load_settings
from stream_app.store.connection import UNAVAILABLE, address, connect, connect_worker, connect_writer
from stream_app.store.queries import Queries
from stream_app.store.server import ServerFacts, judge
from tests.support.fill import Shop
from tests.support.redis_servers import RedisServer, Replicated

T = TypeVar("T")


def with_worker(url: str, on_server: Callable[[ServerFacts], None], action: Callable[[Any], Awaitable[T]]) -> T:
    """The result of a function that gets the client of a worker."""

    async def body() -> T:
        client = connect_worker(url, on_server)
        try:
            return await action(client)
        finally:
            await client.aclose()

    return asyncio.run(body())


async def until_it_works(command: Callable[[], Awaitable[T]], seconds: float = 20.0) -> T:
    """The answer to a command that is repeated while Redis is unavailable."""
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(*UNAVAILABLE):
                return await command()
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def reading(url: str) -> Iterator[Queries]:
    """The queries of a reader."""
    with connect(load_settings(redis=url)) as client:
        yield Queries(client, "headrace")


def test_a_worker_learns_who_answers_once_per_connection(redis_server: RedisServer) -> None:
    seen: list[ServerFacts] = []

    async def restart(client: Any) -> None:
        await client.set("a", 1)
        assert len(seen) == 1
        await client.get("a")
        assert len(seen) == 1, "once per connection"
        redis_server.stop()
        redis_server.start()
        await until_it_works(lambda: client.get("a"))
        assert len(seen) == 2

    with_worker(redis_server.url, seen.append, restart)
    first, second = seen
    assert first.run_id != second.run_id == redis_server.info("server")["run_id"]
    assert second.role == "master"
    assert second.address == f"127.0.0.1:{redis_server.port}"
    assert second.cluster is False


def test_a_server_that_the_worker_does_not_want_gets_no_command(redis_server: RedisServer) -> None:
    wanted = False

    def refuse(_: ServerFacts) -> None:
        if not wanted:
            raise redis.ConnectionError("another store")

    async def try_twice(client: Any) -> None:
        nonlocal wanted
        with pytest.raises(redis.ConnectionError, match="another store"):
            await client.set("a", 1)
        assert redis_server.ask("GET", "a") is None
        wanted = True
        await client.set("a", 1)
        assert redis_server.ask("GET", "a") == "1"

    with_worker(redis_server.url, refuse, try_twice)


def test_an_error_of_ours_reaches_the_caller_and_leaves_no_connection(redis_server: RedisServer) -> None:
    def refuse(_: ServerFacts) -> None:
        raise StoreError("no")

    async def once(client: Any) -> None:
        with pytest.raises(StoreError):
            await client.set("a", 1)

    with_worker(redis_server.url, refuse, once)
    assert redis_server.ask("GET", "a") is None


def test_a_user_that_may_not_ask_gets_the_address_only(redis_server: RedisServer) -> None:
    redis_server.ask("ACL", "SETUSER", "worker", "on", ">s3cret", "~*", "+@all", "-info")
    seen: list[ServerFacts] = []

    async def ping(client: Any) -> None:
        await client.ping()

    with_worker(f"redis://worker:s3cret@127.0.0.1:{redis_server.port}/0", seen.append, ping)
    assert seen == [ServerFacts(address=f"127.0.0.1:{redis_server.port}")]


def test_workers_readers_and_writers_find_the_master_again_after_a_failover(replicated: Replicated) -> None:
    seen: list[ServerFacts] = []
    settings = load_settings(redis=replicated.url)
    old = replicated.master

    async def fail_over(client: Any) -> None:
        await client.set("a", 1)
        replicated.catch_up()
        with connect(settings) as reader, connect_writer(replicated.url) as writer:
            assert reader.get("a") == "1"
            assert f"127.0.0.1:{old.port} (Sentinel" in address(reader)
            replicated.fail_over()
            await until_it_works(lambda: client.incr("a"))
            await until_it_works(lambda: asyncio.to_thread(writer.incr, "a"))
            assert await until_it_works(lambda: asyncio.to_thread(reader.get, "a")) == "3"

    with_worker(replicated.url, seen.append, fail_over)
    new = replicated.master
    assert new is not old
    assert [one.address for one in (seen[0], seen[-1])] == [f"127.0.0.1:{old.port}", f"127.0.0.1:{new.port}"]
    assert seen[0].run_id != seen[-1].run_id


def test_readers_ask_a_replica_if_they_are_to(replicated: Replicated) -> None:
    with connect(load_settings(redis=f"{replicated.url}?read_from=replicas")) as reader:
        assert reader.info("replication")["role"] == "slave"


def test_sentinels_with_a_password_and_a_master_with_another(tmp_path: Path) -> None:
    lines = ["requirepass guard", "sentinel sentinel-pass guard"]
    with Replicated(tmp_path, sentinels=1, replicas=0, sentinel_lines=lines, sentinel_password="guard") as servers:
        servers.master.ask("ACL", "SETUSER", "worker", "on", ">s3cret/@", "~*", "+@all")
        url = servers.url.replace("://", "://worker:s3cret%2F%40@") + "?sentinel_password=guard"
        seen: list[ServerFacts] = []

        async def ping(client: Any) -> Any:
            return await client.execute_command("ACL", "WHOAMI")

        assert with_worker(url, seen.append, ping) == b"worker"
        assert seen[0].run_id == servers.master.info("server")["run_id"]


def test_a_unix_socket_still_works(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with RedisServer(tmp_path, "--unixsocket", str(path)):
        seen: list[ServerFacts] = []

        async def ping(client: Any) -> Any:
            return await client.ping()

        assert with_worker(f"unix://{path}", seen.append, ping)
        assert seen[0].address == str(path)
        with connect(load_settings(redis=f"unix://{path}")) as reader:
            assert reader.ping()


def test_a_reader_names_redis_cluster_and_the_reason(tmp_path: Path) -> None:
    said = r"this is a Redis Cluster, .* one script counts a batch under many keys"
    with (
        RedisServer(tmp_path, "--cluster-enabled", "yes") as server,  # it has no slots
        reading(server.url) as queries,
        pytest.raises(StoreError, match=said),
    ):
        queries.contracts()


def test_sentinels_that_do_not_help_are_named(tmp_path: Path) -> None:
    lines = ["requirepass guard"]
    with Replicated(tmp_path, sentinels=1, replicas=0, sentinel_lines=lines, sentinel_password="guard") as servers:
        for url, said in (
            (servers.url, "refused the user or password"),
            (f"{servers.url}?sentinel_password=s3cret", "refused the user or password"),
            (servers.url.replace("/headrace/", "/other/") + "?sentinel_password=guard", "no Sentinel names a master"),
        ):
            with reading(url) as queries, pytest.raises(StoreError, match=said) as caught:
                queries.contracts()
            assert "s3cret" not in str(caught.value)


def test_a_full_redis_can_still_be_read(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        Shop(client, "headrace", until=1_790_000_000, now_ms=1_790_000_000_000).announce()
    redis_server.configure(maxmemory="100kb")
    with reading(redis_server.url) as queries:
        assert set(queries.states(queries.contracts())) == {"orders", "customers", "products", "visits"}
        assert "full" in {problem.check for problem in judge(queries.server())}
