"""A reporter says when figures from its Redis may be wrong."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from reporter.author import TemplateAuthor
from reporter.service import Reporter
from reporter.watch import SERVER_EVERY, Watch
from stream_app.settings import load_settings
from tests.support.redis_servers import RedisServer


def test_a_watching_reporter_says_once_that_redis_evicts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    with RedisServer(tmp_path) as server, caplog.at_level(logging.WARNING, "reporter"):
        reporter = Reporter(load_settings(redis=server.url), TemplateAuthor())
        watch = Watch(reporter, 3_600, 60.0, clock=lambda: now)
        watch.step()
        assert not caplog.records
        server.configure(maxmemory_policy="allkeys-lru")
        for _ in range(3):
            now += SERVER_EVERY
            watch.step()
        (record,) = caplog.records
        assert "maxmemory-policy is allkeys-lru" in record.getMessage()
        assert [doubt.partition(": ")[2][:16] for doubt in reporter.doubts()] == ["maxmemory-policy", "nothing is writt"]
