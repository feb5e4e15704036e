"""The Redis servers of the tests do what chaos needs of them: snapshots, kills, a failover that loses writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.redis_servers import RedisServer, Replicated
from tests.support.waiting import eventually


@pytest.mark.parametrize("aof", [False, True])
def test_an_old_snapshot_comes_back(tmp_path: Path, aof: bool) -> None:
    with RedisServer(tmp_path, aof=aof) as server:
        server.ask("SET", "a", 1)
        snapshot = server.snapshot()
        server.ask("SET", "a", 2)
        server.restore(snapshot)
        assert server.ask("GET", "a") == "1"
        server.ask("SET", "a", 3)
        server.kill()
        server.start()
        assert server.ask("GET", "a") == ("3" if aof else "1")


def test_a_failover_loses_what_a_lagging_replica_lacks(replicated: Replicated) -> None:
    first = replicated.master
    first.ask("SET", "a", 1)
    replicated.catch_up()
    replicated.lag()
    first.ask("SET", "a", 2)
    assert replicated.fail_over() is first
    new = replicated.master
    assert new is not first
    assert new.ask("GET", "a") == "1"
    first.start()
    eventually(lambda: first.role == "slave", "the Sentinels make the old master a replica", timeout=30)


def test_a_frozen_server_answers_when_it_goes_on(redis_server: RedisServer) -> None:
    redis_server.freeze()
    assert redis_server.frozen
    redis_server.thaw()
    assert redis_server.ask("PING")
