"""A worker and the Redis it finds: refused at once, waited for while it is unfit, found again after a failover."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from stream_app.settings import Settings
from tests.support.crew import REFERENCES, changed, crew_at_work, orders
from tests.support.recount import assert_exact
from tests.support.redis_servers import RedisServer, Replicated
from tests.support.stream import await_settled, make_topics, produce, workers
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def refused(settings: Settings, folder: Path) -> str:
    """The log of a worker that ends by itself, at once."""
    make_topics(settings)
    with workers(settings, folder, 1) as (worker,):
        assert worker.process.wait(20) == 1
        assert "Traceback" not in worker.output()
        return worker.output()


def test_an_evicting_redis_is_refused_at_the_start(settings: Settings, redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.configure(maxmemory_policy="allkeys-lru")
    said = refused(changed(settings, redis=redis_server.url), tmp_path)
    assert f"127.0.0.1:{redis_server.port}: maxmemory-policy is allkeys-lru" in said
    assert "Set maxmemory-policy to noeviction" in said


def test_a_replica_is_refused_at_the_start(settings: Settings, redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.ask("REPLICAOF", "127.0.0.1", "1")
    said = refused(changed(settings, redis=redis_server.url), tmp_path)
    assert "it is a replica (role slave) and takes no writes" in said


def test_redis_cluster_is_refused_by_name(settings: Settings, tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path / "a", "--cluster-enabled", "yes") as first,
        RedisServer(tmp_path / "b", "--cluster-enabled", "yes") as second,
    ):
        first.ask("CLUSTER", "ADDSLOTS", *range(8192))
        second.ask("CLUSTER", "ADDSLOTS", *range(8192, 16384))
        first.ask("CLUSTER", "MEET", "127.0.0.1", second.port)
        eventually(lambda: "cluster_state:ok" in str(first.ask("CLUSTER", "INFO")), "all slots are served")
        first.ask("ACL", "SETUSER", "worker", "on", ">s3cret", "~*", "+@all")
        said = refused(changed(settings, redis=f"redis://worker:s3cret@127.0.0.1:{first.port}/0"), tmp_path)
    assert "Headrace does not work with Redis Cluster, because one look-up and one apply script a batch touch many keys" in said
    assert "s3cret" not in said


def test_a_policy_that_begins_to_evict_stops_the_worker_until_it_is_cured(
    settings: Settings, redis_server: RedisServer, tmp_path: Path
) -> None:
    settings = changed(settings, redis=redis_server.url)
    with crew_at_work(settings, tmp_path, records=REFERENCES) as crew:
        await_settled(settings, {"customers": 50}, crew)
        redis_server.configure(maxmemory_policy="allkeys-lru")
        # A new connection is checked at once, an old one within ten seconds.
        redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
        produce(settings, orders(1, 1_001))
        eventually(lambda: "maxmemory-policy is allkeys-lru" in crew[0].output(), "the worker says why it waits")
        redis_server.configure(maxmemory_policy="noeviction")
        await_settled(settings, {"orders": 1_000}, crew)
        eventually(lambda: "may be used again" in crew[0].output(), "the worker says that it goes on")
        assert crew[0].terminate() == 0
    assert_exact(settings)


def test_a_store_that_has_lost_keys_is_rebuilt(settings: Settings, redis_server: RedisServer, tmp_path: Path) -> None:
    settings = changed(settings, redis=redis_server.url)
    with crew_at_work(settings, tmp_path, records=REFERENCES) as crew:
        produce(settings, orders(1, 1_001))
        await_settled(settings, {"customers": 50, "orders": 1_000}, crew)
        eventually(
            lambda: redis_server.ask("HGET", f"{settings.redis_prefix}:evictions", "evicted") == "0", "the server is checked"
        )
        evict(redis_server)
        # A new connection is checked at once, an old one within ten seconds.
        redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
        eventually(lambda: "the store is level with the log again" in crew[0].output(), "the store is rebuilt", timeout=40)
        produce(settings, orders(1_001, 2_001))
        await_settled(settings, {"orders": 2_000}, crew)
        assert crew[0].terminate() == 0
    assert_exact(settings)


def evict(server: RedisServer) -> None:
    """Let the server evict some thousands of keys, ours among them, and set it right again."""
    for number in range(200):
        server.ask("SET", f"another:{number}", "x" * 20_000)
    server.configure(maxmemory_policy="allkeys-random")
    server.configure(maxmemory=server.info("memory")["used_memory"] - 2_000_000)
    server.ask("SET", "another", "x")
    eventually(lambda: server.info("stats")["evicted_keys"] > 0, "keys are evicted")
    server.configure(maxmemory_policy="noeviction", maxmemory=0)


def test_workers_go_on_with_the_new_master_after_a_failover(settings: Settings, tmp_path: Path) -> None:
    with Replicated(tmp_path / "servers") as servers:
        settings = changed(settings, redis=SecretStr(servers.url))
        with crew_at_work(settings, tmp_path, records=REFERENCES) as crew:
            produce(settings, orders(1, 1_001))
            await_settled(settings, {"orders": 1_000}, crew)
            servers.catch_up()
            servers.fail_over()
            produce(settings, orders(1_001, 2_001))
            await_settled(settings, {"orders": 2_000}, crew)
            new = servers.master
            said = crew[0].output()
            assert f"127.0.0.1:{new.port} is another process than before" in said
            assert crew[0].terminate() == 0
        assert_exact(settings)


def test_a_failover_to_a_replica_that_lags_costs_no_count(settings: Settings, tmp_path: Path) -> None:
    with Replicated(tmp_path / "servers", down_after=1.5) as servers:
        settings = changed(settings, redis=SecretStr(servers.url))
        with crew_at_work(settings, tmp_path, 2, REFERENCES) as crew:
            produce(settings, orders(1, 1_001))
            await_settled(settings, {"customers": 50, "orders": 1_000}, crew)
            servers.catch_up()
            servers.lag()
            produce(settings, orders(1_001, 2_001))
            await_settled(settings, {"orders": 2_000}, crew)
            servers.fail_over()
            # The new master knows nothing of the second thousand.
            produce(settings, orders(2_001, 3_001))
            await_settled(settings, {"orders": 3_000}, crew)
            assert [worker.terminate() for worker in crew] == [0, 0]
        assert_exact(settings)
