"""Which Redis servers are refused and which are doubted, from what they say of themselves."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import redis

from stream_app.failures import classify
from stream_app.store.connection import UNAVAILABLE
from stream_app.store.server import REFUSED, WARNED, Complete, ServerFacts, judge, lost_keys, refusal
from stream_app.store.server_check import ServerCheck, ServerUnfit
from stream_app.store.server_info import facts_of, parse_info

#: INFO of a Redis 7 as it is recommended, cut to what is read.
INFO = b"""# Server\r
redis_version:7.0.15\r
redis_mode:standalone\r
run_id:1f3a\r
config_file:/etc/redis/redis.conf\r
\r
# Memory\r
used_memory:1000000\r
maxmemory:4000000\r
maxmemory_policy:noeviction\r
\r
# Persistence\r
loading:0\r
rdb_last_bgsave_status:ok\r
aof_enabled:1\r
aof_last_bgrewrite_status:ok\r
aof_last_write_status:ok\r
\r
# Stats\r
evicted_keys:0\r
\r
# Replication\r
role:master\r
connected_slaves:1\r
\r
# Cluster\r
cluster_enabled:0\r
"""
OPTIONS = {"appendfsync": "everysec", "save": "3600 1", "min-replicas-to-write": "0"}
GOOD = facts_of(parse_info(INFO), "127.0.0.1:6379", OPTIONS)


def checks(facts: ServerFacts, **how: bool) -> list[str]:
    return [problem.check for problem in judge(facts, **how)]


def test_a_good_server_has_no_problem() -> None:
    assert ServerFacts(
        address="127.0.0.1:6379", run_id="1f3a", version="7.0.15", redis_version="7.0.15", role="master", cluster=False,
        maxmemory=4_000_000, policy="noeviction", used_memory=1_000_000, evicted_keys=0, aof=True, fsync="everysec",
        save="3600 1", saved=True, replicas=1, min_replicas=0,
    ) == GOOD  # fmt: skip
    assert checks(GOOD) == []
    assert refusal(judge(GOOD)) is None


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"cluster": True}, "cluster"),
        ({"role": "slave"}, "replica"),
        ({"role": "active-replica"}, "replica"),
        ({"redis_version": "5.0.14"}, "old"),
        ({"policy": "allkeys-lru"}, "evicts"),
        ({"policy": "allkeys-random", "maxmemory": 0}, "evicts"),
        ({"policy": "eviction"}, "evicts"),
        ({"policy": "volatile-lru"}, "evicts-claims"),
        ({"evicted_keys": 3}, "evicted"),
        ({"used_memory": 3_700_000}, "full"),
        ({"aof": False, "save": ""}, "in-memory"),
        ({"fsync": "no"}, "fsync"),
        ({"saved": False}, "unsaved"),
        ({"min_replicas": 2}, "few-replicas"),
        ({"run_id": None}, "unknown"),
        ({"product": "Dragonfly"}, "untested"),
    ],
)
def test_each_problem_is_named_with_the_server_and_what_to_do(changes: dict[str, Any], check: str) -> None:
    (problem,) = judge(replace(GOOD, **changes))

    assert problem.check == check
    assert problem.severity == ("refuse" if check in REFUSED else "warn")
    assert "at 127.0.0.1:6379: " in problem.text
    assert "{" not in problem.text


def test_every_check_can_fail() -> None:
    tested = {"evicts-notes", "no-replica"}
    tested |= {marks[1] for marks in test_each_problem_is_named_with_the_server_and_what_to_do.pytestmark[0].args[1]}
    assert tested == {*REFUSED, *WARNED}


def test_notes_of_transactions_must_not_be_evicted() -> None:
    volatile = replace(GOOD, policy="volatile-ttl")
    assert checks(volatile, exactly_once=True) == ["evicts-notes"]
    assert checks(replace(volatile, maxmemory=0), exactly_once=True) == []
    assert checks(replace(volatile, maxmemory=0)) == []


def test_sentinels_need_a_replica() -> None:
    assert checks(replace(GOOD, replicas=0)) == []
    assert checks(replace(GOOD, replicas=0), sentinel=True) == ["no-replica"]
    assert checks(replace(GOOD, replicas=0, min_replicas=1), sentinel=True) == ["few-replicas"]


def test_a_failover_under_way_is_waited_for_and_no_problem_of_a_setting() -> None:
    check = ServerCheck(sentinel=True)
    demoted = replace(GOOD, role="slave")
    with pytest.raises(ServerUnfit, match="a failover takes some seconds"):
        check(demoted)
    assert check.unfit is None
    assert checks(demoted, sentinel=True) == []


def test_a_server_that_evicted_keys_is_refused_until_the_store_is_complete_again() -> None:
    check = ServerCheck()
    now = int(time.time())
    check.complete = Complete("1f3a", 0, now)
    evicted = replace(GOOD, evicted_keys=7)
    with pytest.raises(ServerUnfit, match="has evicted 7 keys since it was last checked"):
        check(evicted)
    check.complete = Complete("1f3a", 7, now)
    check(evicted)
    assert check.judge(evicted) == [], "the store has been rebuilt since"
    check.complete = Complete("other", 7, now)
    assert [problem.check for problem in check.judge(replace(evicted, evicted_keys=0))] == []


def test_snapshots_alone_are_persistence_and_an_unknown_fact_is_no_problem() -> None:
    assert checks(replace(GOOD, aof=False)) == []
    assert checks(replace(GOOD, aof=False, save=None, fsync=None)) == []
    assert replace(GOOD, aof=False, save=None).persistent is None


def test_the_embedded_redis_is_in_memory_by_design() -> None:
    raw = INFO.replace(b"/etc/redis/redis.conf", b"/tmp/x/headrace-embedded.conf").replace(b"aof_enabled:1", b"aof_enabled:0")
    assert checks(facts_of(parse_info(raw), options={"save": "", "appendfsync": "everysec"})) == []


@pytest.mark.parametrize(
    ("lines", "product", "version"),
    [
        ("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\nserver_mode:standalone", "Valkey", "8.0.1"),
        ("redis_version:6.3.4\r\nserver_threads:2\r\nmvcc_depth:0", "KeyDB", "6.3.4"),
        ("redis_version:7.4.0\r\ndragonfly_version:df-v1.27.1", "Dragonfly", "1.27.1"),
        ("redis_version:255.255.255", "Redis", "255.255.255"),
    ],
)
def test_other_products_are_recognised(lines: str, product: str, version: str) -> None:
    facts = facts_of(parse_info(f"run_id:1\r\n{lines}\r\n"))
    assert (facts.product, facts.version) == (product, version)
    assert "old" not in checks(facts)


def test_valkey_calls_the_mode_otherwise() -> None:
    assert facts_of({"server_mode": "cluster"}).cluster
    assert facts_of({}).cluster is None


def test_evicted_keys_count_since_the_last_check() -> None:
    evicted = replace(GOOD, evicted_keys=5, uptime=60)
    before = Complete("1f3a", 2, 1_000)
    assert lost_keys(None, evicted, 1_010) == 0, "the store may be newer"
    assert lost_keys(before, evicted, 1_010) == 3
    assert lost_keys(before, replace(evicted, policy="volatile-lru"), 1_010) == 0, "only keys with an expiry"
    assert lost_keys(before, replace(evicted, evicted_keys=None), 1_010) == 0

    another = before._replace(run_id="another", evicted=20)
    assert lost_keys(another, evicted, 1_100) == 5, "restarted since, and counted from zero"
    assert lost_keys(another, evicted, 1_010) == 0, "it was a replica then"


def test_a_connection_to_an_unfit_server_fails_until_it_is_cured() -> None:
    said: list[tuple[str | None, str | None]] = []
    check = ServerCheck(on_other=lambda facts, before: said.append((before.run_id, facts.run_id)))
    check(GOOD)
    with pytest.raises(ServerUnfit, match="allkeys-lru") as caught:
        check(replace(GOOD, policy="allkeys-lru"))
    assert isinstance(caught.value, UNAVAILABLE), "the step is repeated"
    failure = classify(caught.value)
    assert not failure.permanent
    assert "Set maxmemory-policy to noeviction" in failure.text
    assert check.unfit is not None
    check(GOOD)
    assert check.unfit is None
    assert said == [], "it is the same server"
    check(replace(GOOD, run_id="another"))
    assert said == [("1f3a", "another")]


def test_another_server_is_said_again_until_it_is_accepted() -> None:
    tries: list[str | None] = []

    def other(facts: ServerFacts, _: ServerFacts) -> None:
        tries.append(facts.run_id)
        if len(tries) == 1:
            raise redis.ConnectionError("wait")

    check = ServerCheck(on_other=other)
    check(GOOD)
    second = replace(GOOD, run_id="second")
    with pytest.raises(redis.ConnectionError):
        check(second)
    check(second)
    check(second)
    assert tries == ["second", "second"]
