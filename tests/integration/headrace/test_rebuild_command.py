"""``headrace rebuild`` asks first, waits for workers, says when there is none, and Ctrl-C ends only the waiting."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream_app.settings import Settings
from stream_app.store.ownership import READY
from tests.support.crew import changed, stocked_crew
from tests.support.processes import as_environment, clean_environment, headrace_command, run_headrace
from tests.support.rebuilt import contents, restored, state
from tests.support.recount import assert_exact
from tests.support.redis_servers import RedisServer
from tests.support.stream import await_settled, order, produce, workers
from tests.support.waiting import eventually


@pytest.fixture
def counted(settings: Settings, redis_server: RedisServer, tmp_path: Path) -> Settings:
    """Settings of a store with a hundred orders, whose worker has ended."""
    settings = changed(settings, redis=redis_server.url, partitions=2)
    with stocked_crew(settings, tmp_path) as crew:
        produce(settings, [order(number, quantity=number % 10) for number in range(1, 101)])
        await_settled(settings, {"orders": 100}, crew)
        assert crew[0].terminate() == 0
    return settings


@contextmanager
def waiting(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """A rebuild that has said that no worker runs."""
    environment = clean_environment(**as_environment(settings))
    command = headrace_command("rebuild", "--yes")
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "worker" in line and "rebuilt by" not in line)
            assert said == "no worker runs; start one with `headrace worker`: it rebuilds the store\n"
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_only_the_waiting_and_the_next_worker_rebuilds(counted: Settings, tmp_path: Path) -> None:
    kept, before = contents(counted), state(counted)
    with waiting(counted) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    assert state(counted).state not in {"", READY}
    (tmp_path / "next").mkdir()
    with workers(counted, tmp_path / "next") as crew:
        eventually(restored(counted, before), "the store is restored", 30)
        assert contents(counted) == kept
        produce(counted, [order(101)])
        await_settled(counted, {"orders": 101}, crew)
    assert_exact(counted)


def test_a_later_rebuild_replaces_the_one_that_waits(counted: Settings) -> None:
    with waiting(counted) as first, waiting(counted):
        assert first.wait(10) == 0
        assert first.stderr is not None
        assert "another rebuild has begun; it replaces this one" in first.stderr.read()


def test_nothing_is_emptied_before_somebody_has_agreed(counted: Settings) -> None:
    kept, before = contents(counted), state(counted)
    run = run_headrace("rebuild", settings=as_environment(counted))
    assert run.returncode == 1
    assert f"Empty everything under the Redis prefix {counted.redis_prefix} but reports" in run.stdout + run.stderr
    assert (contents(counted), state(counted)) == (kept, before)


def test_without_redis_it_says_what_to_start() -> None:
    run = run_headrace("rebuild", "--yes", settings={"HEADRACE_REDIS": "redis://:s3cret@127.0.0.1:1/0"})
    assert run.returncode == 1
    assert "127.0.0.1:1 cannot be reached" in run.stderr
    assert "s3cret" not in run.stderr
