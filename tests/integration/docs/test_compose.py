"""docker-compose.yml runs: every service with its command and environment, and every user with its rights in Redis."""

from __future__ import annotations

import shlex
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from headrace.embedded import EmbeddedStack
from headrace.embedded.child import Child, free_port
from headrace.embedded.readiness import is_listening, wait_until
from headrace.embedded.redis_server import binary
from stream_app.settings import load_settings
from stream_app.store.keys import Keys
from stream_app.store.queries import open_queries
from stream_app.store.writer import close_input
from stream_app.views.pulse import read_status
from tests.support.compose import OURS, compose_file
from tests.support.processes import headrace_command
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return compose_file()


@pytest.fixture(scope="module")
def secured(compose: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Redis with the users of the file."""
    folder = tmp_path_factory.mktemp("redis")
    port = free_port()
    arguments = shlex.split(compose["services"]["redis"]["command"])[1:]
    command = [str(binary()), "-", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *arguments]
    child = Child.start("Redis", command, folder / "log")
    try:
        wait_until(child, lambda: is_listening(port))
        yield port
    finally:
        child.stop()


def url_of(compose: dict[str, Any], service: str, port: int) -> str:
    return str(compose["services"][service]["environment"]["HEADRACE_REDIS"]).replace("@redis:6379", f"@127.0.0.1:{port}")


def test_the_worker_may_write_and_the_dashboard_may_read(compose: dict[str, Any], secured: int) -> None:
    url = url_of(compose, "worker", secured)
    close_input(url, "headrace")
    with redis.Redis.from_url(url) as worker:
        assert worker.eval("return redis.call('PFADD', ARGV[1], 'a')", 0, "headrace:hll:orders:customers:m:0") == 1
        assert worker.hset(Keys("headrace").total("orders"), "in", 3) == 1
    model = open_queries(load_settings(redis=url_of(compose, "dashboard", secured)))
    assert read_status(model)["entities"] == {}


def test_the_dashboard_may_not_write(compose: dict[str, Any], secured: int) -> None:
    with redis.Redis.from_url(url_of(compose, "dashboard", secured)) as dashboard:
        assert dashboard.pfcount("headrace:hll:orders:customers:m:0") >= 0
        for write in (
            lambda: dashboard.set("headrace:input", "closed"),
            lambda: dashboard.delete("headrace:input"),
            dashboard.flushdb,
            lambda: dashboard.eval("return redis.call('SET', 'headrace:input', 'x')", 0),
            lambda: dashboard.get("somebody:else"),
        ):
            with pytest.raises(NoPermissionError):
                write()


def test_nobody_gets_in_without_a_password(secured: int) -> None:
    with redis.Redis(port=secured, retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(redis.RedisError, match=r"(?i)auth"):
        stranger.get("headrace:input")


def test_every_service_runs_with_its_command_and_environment(
    compose: dict[str, Any], secured: int, stack: EmbeddedStack, topic_prefix: str, tmp_path: Path
) -> None:
    port = free_port()
    addresses = {"kafka:19092": stack.kafka, "@redis:6379": f"@127.0.0.1:{secured}", "--port=8501": f"--port={port}"}
    running: dict[str, Child] = {}

    def start(name: str) -> None:
        service = compose["services"][name]
        command, environment = service["command"], {n: v for n, v in service["environment"].items() if v is not None}
        for inside, outside in addresses.items():
            command = command.replace(inside, outside)
            environment = {variable: value.replace(inside, outside) for variable, value in environment.items()}
        environment |= {"HEADRACE_TOPIC_PREFIX": topic_prefix, "HEADRACE_SESSION_TIMEOUT": "3"}
        running[name] = Child.start(name, headrace_command(*command.split()), tmp_path / f"{name}.log", environment)

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    settings = load_settings(redis=url_of(compose, "dashboard", secured))
    try:
        for name in OURS:
            start(name)
        model = open_queries(settings)
        eventually(
            lambda: read_status(model)["entities"].get("orders", {}).get("clean", 0) > 0, "orders are judged", timeout=40
        )
        eventually(answers, "the dashboard answers", timeout=40)
        assert {name: child.exit_code for name, child in running.items()} == dict.fromkeys(OURS), running["reporter"].tail()
        assert "Traceback" not in running["reporter"].tail(100)
    finally:
        for child in running.values():
            child.stop()
