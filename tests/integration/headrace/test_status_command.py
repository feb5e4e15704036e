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


@pytest.fixture
def shop(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("HEADRACE_REDIS", redis_url)
    now = int(datetime.now(UTC).timestamp() * 1000)
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=now // 1000, now_ms=now)
        shop.announce()
        shop.fill(120)
        shop.beat({"orders": 4, "customers": 0, "products": 0})
        return shop


def test_json_is_the_status(shop: Shop) -> None:
    result = CliRunner().invoke(command, ["--json"], catch_exceptions=False)

    status = json.loads(result.output)
    assert set(status) == {"entities", "kpis", "freshness", "lag", "workers", "stopped"}
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
