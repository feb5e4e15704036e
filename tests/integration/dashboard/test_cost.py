"""A refresh costs Redis a bounded number of commands, whatever the history, and all viewers share one read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import redis
import streamlit as st

from dashboard import data
from headrace.embedded import EmbeddedStack
from stream_app.store.keys import Keys
from stream_app.views.ranges import Custom, TimeRange
from stream_app.windows.grain import MOST_WINDOWS, Grain
from tests.support.fill import Shop
from tests.support.paths import ROOT

NOW = 1_790_000_123_000
VIEWERS = 20


@pytest.fixture(scope="module")
def server() -> Iterator[redis.Redis]:
    """A Redis of its own, because its command statistics are of the whole server, with windows of more than two years."""
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        shop = Shop(client, "headrace", until=NOW // 1000, now_ms=NOW)
        shop.announce()
        shop.fill(3 * 1_440, per_minute=0.2)
        shop.recent()
        keys = Keys("headrace")
        pipe = client.pipeline(transaction=False)
        for grain, number in ((Grain.DAY, 800), (Grain.HOUR, 9_000), (Grain.MINUTE, 10_000)):
            last = grain.start(NOW / 1000)
            starts = [last - back * grain.seconds for back in range(number)]
            pipe.zadd(keys.windows("orders", grain), {str(start): start for start in starts})
            for start in starts[::7]:
                pipe.hincrby(keys.window("orders", grain, start), "clean", 1)
        pipe.execute()
        yield client


@pytest.fixture(autouse=True)
def fresh(server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    port = server.connection_pool.connection_kwargs["port"]
    monkeypatch.setenv("HEADRACE_REDIS", f"redis://127.0.0.1:{port}/0")
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def commands(server: redis.Redis, work: Callable[[], object]) -> dict[str, int]:
    """Redis' own count of the commands that ``work`` sends."""
    server.config_resetstat()
    work()
    stats = server.info("commandstats")
    counted = {name.removeprefix("cmdstat_"): int(row["calls"]) for name, row in stats.items()}
    return {name: calls for name, calls in counted.items() if not name.startswith(("config", "info", "client", "hello"))}


@pytest.mark.parametrize(
    "chosen", [*TimeRange, Custom(NOW // 1000 - 700 * 86_400, NOW // 1000), Custom(NOW // 1000 - 7_200, NOW // 1000)]
)
def test_a_view_reads_a_bounded_number_of_keys_whatever_the_history(server: redis.Redis, chosen: TimeRange | Custom) -> None:
    for read in (data.overview, data.quality):
        sent = commands(server, lambda read=read: read(chosen))  # type: ignore[misc]

        assert sent["hgetall"] <= 3 * MOST_WINDOWS + 10
        assert sum(sent.values()) <= 4 * MOST_WINDOWS + 400


def test_twenty_viewers_cost_as_much_as_one(server: redis.Redis) -> None:
    def look() -> None:
        data.overview(TimeRange.LAST_DAY)
        data.pulse()
        data.findings()
        data.incidents()

    look()  # what is read once and for all is out of the way
    for each in (data.overview, data.pulse, data.findings, data.incidents):
        each.clear()
    alone = commands(server, look)

    def all_look() -> None:
        for each in (data.overview, data.pulse, data.findings, data.incidents):
            each.clear()
        ready = threading.Barrier(VIEWERS)

        def one() -> None:
            ready.wait()
            look()

        viewers = [threading.Thread(target=one) for _ in range(VIEWERS)]
        for viewer in viewers:
            viewer.start()
        for viewer in viewers:
            viewer.join()

    together = commands(server, all_look)
    # Connections that are opened beside each other cost a SELECT or so; reads are shared to the last.
    reads = ("hgetall", "zrange", "zrangebyscore", "lrange", "pfcount", "hvals", "hget", "hlen", "scard")
    assert {name: together.get(name, 0) for name in reads} == {name: alone.get(name, 0) for name in reads}


def test_nothing_is_written(server: redis.Redis) -> None:
    before = server.info("persistence")["rdb_changes_since_last_save"]
    for chosen in (TimeRange.ALL, TimeRange.LAST_HOUR):
        data.overview(chosen)
        data.quality(chosen)
    data.pulse(), data.findings(), data.incidents(), data.reports(), data.clean("orders")

    assert server.info("persistence")["rdb_changes_since_last_save"] == before


def compose_rules() -> list[str]:
    """Rights of the dashboard's user in docker-compose.yml, without its password."""
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    (line,) = [line for line in compose.splitlines() if "--user dashboard " in line]
    return [rule for rule in line.split()[3:] if not rule.startswith(">")]


@pytest.mark.parametrize("rules", [["~headrace:*", "+@read", "+@connection", "+@transaction"], compose_rules()])
def test_a_user_that_may_only_read_sees_every_page(
    server: redis.Redis, monkeypatch: pytest.MonkeyPatch, rules: list[str]
) -> None:
    server.execute_command("ACL", "SETUSER", "viewer", "reset", "on", ">looks", *rules)  # type: ignore[no-untyped-call]
    port = server.connection_pool.connection_kwargs["port"]
    monkeypatch.setenv("HEADRACE_REDIS", f"redis://viewer:looks@127.0.0.1:{port}/0")
    st.cache_resource.clear()
    read = [data.overview(TimeRange.LAST_DAY), data.quality(TimeRange.ALL), data.pulse(), data.findings(), data.clean("orders")]

    assert not [one.reason for one in (*read, data.incidents(), data.reports()) if isinstance(one, data.Down)]
    with redis.Redis.from_url(f"redis://viewer:looks@127.0.0.1:{port}/0") as viewer:
        for write in (("SET", "headrace:x", "1"), ("DEL", "headrace:total:orders"), ("FLUSHALL",), ("CONFIG", "GET", "*")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                viewer.execute_command(*write)
