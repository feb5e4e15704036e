"""``headrace status`` tells people and programs how the stream stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import redis
from click.testing import CliRunner

from headrace.cli.status import command
from stream_app.errors import StoreError
from tests.support.fill import Shop
from tests.support.redis_servers import RedisServer


@pytest.fixture
def shop(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("HEADRACE_REDIS", redis_url)
    now = int(datetime.now(UTC).timestamp() * 1000)
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=now // 1000, now_ms=now)
        shop.announce()
        shop.fill(120)
        shop.beat({"orders": 4, "customers": 0, "products": 0, "visits": 0})
        return shop


def test_json_is_the_status(shop: Shop) -> None:
    result = CliRunner().invoke(command, ["--json"], catch_exceptions=False)

    status = json.loads(result.output)
    assert set(status) == {
        "entities", "kpis", "freshness", "lag", "workers", "trouble", "notes", "redis", "stopped", "lost", "losses",
        "estimates", "memory",
    }  # fmt: skip
    assert status["memory"]["kinds"]["windows"] > 0
    assert status["entities"]["orders"]["clean"] == shop.recounts["orders"].total()["clean"]
    assert status["lag"]["orders"] == 4


def test_the_table_fits_eighty_columns_without_cutting_a_number(shop: Shop) -> None:
    result = CliRunner().invoke(command, [], catch_exceptions=False, env={"COLUMNS": "80"})
    orders = shop.recounts["orders"].total()

    for number in (orders["in"], orders["clean"], orders["rejected"]):
        assert f"{number:,}" in result.output
    assert "…" not in result.output
    assert "1 worker running" in result.output


def test_before_the_first_worker_it_says_what_to_run(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_REDIS", redis_url)

    assert "headrace worker" in CliRunner().invoke(command, [], catch_exceptions=False).output


def test_without_redis_it_fails_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_REDIS", "redis://:s3cret@127.0.0.1:1/0")

    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
        CliRunner().invoke(command, ["--json"], catch_exceptions=False)
    assert "s3cret" not in str(caught.value)


def test_unknown_lag_and_no_worker_are_said(shop: Shop) -> None:
    shop.client.delete("headrace:workers")
    result = CliRunner().invoke(command, [], catch_exceptions=False)

    assert "no worker is running" in result.output
    assert "unknown" in result.output


def test_a_redis_that_takes_no_writes_is_said_at_once(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_REDIS", redis_server.url)
    with redis.Redis.from_url(redis_server.url) as client:
        shop = Shop(client, "headrace", until=1_790_000_000, now_ms=1_790_000_000_000)
        shop.announce()
        client.config_set("maxmemory", "1mb")
        result = CliRunner().invoke(command, [], catch_exceptions=False, env={"COLUMNS": "400"})
        assert "Redis stopped OOM: Redis has reached its maxmemory and refuses writes; raise maxmemory" in result.output
        client.config_set("maxmemory", "0")
        assert "OOM" not in CliRunner().invoke(command, [], catch_exceptions=False).output


def test_what_is_wrong_with_the_redis_server_is_said(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_REDIS", redis_server.url)
    redis_server.configure(maxmemory_policy="allkeys-lru")
    printed = " ".join(CliRunner().invoke(command, [], catch_exceptions=False).output.split())
    status = json.loads(CliRunner().invoke(command, ["--json"], catch_exceptions=False).output)

    assert "maxmemory-policy is allkeys-lru" in printed
    assert [(one["check"], one["severity"]) for one in status["redis"]["problems"]] == [
        ("evicts", "refuse"),
        ("in-memory", "warn"),
    ]
    assert status["redis"]["policy"] == "allkeys-lru"


def test_a_user_without_rights_to_ask_sees_the_rest(redis_url: str, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.client.execute_command(
        "ACL", "SETUSER", "viewer", "reset", "on", ">looks", "~headrace:*", "+@read", "+@connection", "+@transaction"
    )  # type: ignore[no-untyped-call]
    monkeypatch.setenv("HEADRACE_REDIS", redis_url.replace("redis://", "redis://viewer:looks@"))
    status = json.loads(CliRunner().invoke(command, ["--json"], catch_exceptions=False).output)

    assert [one["check"] for one in status["redis"]["problems"]] == ["unknown"]
    assert status["redis"]["policy"] is None
    assert status["lag"]["orders"] == 4
