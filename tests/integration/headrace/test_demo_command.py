"""`headrace demo` runs everything as child processes and leaves none of them behind, however it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis

from headrace.embedded import EmbeddedStack
from stream_app.store.keys import Keys
from tests.support.processes import clean_environment, descendants, describe, headrace_command, is_running, kill, run_headrace
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove with the test what a failed or killed demo leaves."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    """Options for three small files: 40 orders, two of them with a customer that nobody knows, one without a quantity."""
    orders = [f"{n},{n % 2 + 1},1,2,5.00,2024-01-01T10:{n:02d}:00Z" for n in range(1, 38)]
    orders += [
        "38,77,1,2,5.00,2024-01-01T11:00:00Z",
        "39,78,1,2,5.00,2024-01-01T11:00:00Z",
        "40,1,1,,5.00,2024-01-01T11:00:00Z",
    ]
    files = {
        "products": ["product_id,category,unit_price", "1,Books,5.00"],
        "customers": [
            "customer_id,name,email,country",
            "1,Ann Example,ann@example.com,France",
            "2,Bob Example,bob@example.com,France",
        ],
        "orders": ["order_id,customer_id,product_id,quantity,price,order_date", *orders],
    }
    for name, lines in files.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return [option for name in files for option in ("--data", str(tmp_path / f"{name}.csv"))]


@contextmanager
def running(*arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as a process; whatever is left of it afterwards is ended."""
    demo = subprocess.Popen(
        headrace_command("demo", "--no-open", *arguments),
        env=clean_environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert demo.stdout is not None
    with demo.stdout:
        try:
            yield demo
        finally:
            left = {demo.pid} | descendants(demo.pid)
            kill(left)
            demo.wait(10)


def line_with(demo: subprocess.Popen[str], what: str) -> str:
    """The lines up to the first that contains ``what``."""
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if what in line:
            return "".join(lines)
    raise AssertionError(f"the demo ended without saying {what!r}: {''.join(lines)}")


def child_with(demo: subprocess.Popen[str], *words: str) -> int:
    """The id of the child whose command line has these words, once there is one."""

    def look() -> int | None:
        return next((pid for pid in descendants(demo.pid) if all(word in describe(pid).split() for word in words)), None)

    pid = eventually(look, f"a child that runs {words}")
    assert pid is not None
    return pid


def all_gone(pids: set[int]) -> None:
    eventually(lambda: not any(is_running(pid) for pid in pids), f"none of {pids} runs", timeout=10)


def test_a_one_shot_run_prints_the_exact_status_and_nothing_else_on_stdout(data: list[str], tmp_path: Path) -> None:
    done = run_headrace("demo", "--once", "--json", *data, timeout=120)
    assert done.returncode == 0, done.stderr
    orders = json.loads(done.stdout)["entities"]["orders"]
    assert (orders["in"], orders["clean"], orders["rejected"], orders["pending"]) == (40, 37, 3, 0)
    assert orders["findings"]["customer_id.reference"] == 2
    assert not list(tmp_path.glob("headrace-*")), "temporary folders are left"


def test_ctrl_c_stops_every_process_in_order() -> None:
    with running("--rate=50/s") as demo:
        announced = line_with(demo, "Ctrl-C")
        url = next(word for word in announced.split() if word.startswith("http://127.0.0.1:"))
        child_with(demo, "simulate", "--rate=50/s")

        def page() -> bool:
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        eventually(page, "the dashboard answers", timeout=40)
        pids = descendants(demo.pid)
        assert len(pids) >= 5  # broker, Redis, worker, dashboard, simulator
        demo.send_signal(signal.SIGINT)
        assert demo.wait(40) == 0
        all_gone(pids)


def test_no_process_survives_a_demo_that_is_killed() -> None:
    with running("--no-dashboard") as demo:
        line_with(demo, "Ctrl-C")
        child_with(demo, "worker")
        child_with(demo, "simulate")
        pids = descendants(demo.pid)
        demo.kill()
        demo.wait(10)
        all_gone(pids)


def test_a_child_that_dies_ends_the_demo_and_shows_its_log(tmp_path: Path) -> None:
    with running("--no-dashboard") as demo:
        line_with(demo, "Ctrl-C")
        worker = child_with(demo, "worker")
        pids = descendants(demo.pid)
        kill([worker])
        message = line_with(demo, "worker 1 ended")
        assert "exit code -9" in message
        assert "worker-1.log, ends with:" in message
        assert demo.wait(40) == 1
        all_gone(pids)
    assert list(tmp_path.glob("headrace-demo-*/worker-1.log")), "the log is kept for whoever has to find out"


def test_a_producer_that_fails_ends_the_demo(tmp_path: Path) -> None:
    (tmp_path / "what.csv").write_text("a,b\n1,2\n")
    done = run_headrace("demo", "--once", "--data", str(tmp_path / "what.csv"), timeout=120)
    assert done.returncode == 1
    assert "producer failed (exit code 2)" in done.stderr
    assert "what.csv" in done.stderr


def test_services_that_are_named_in_the_settings_are_used(
    data: list[str], stack: EmbeddedStack, redis_url: str, topic_prefix: str
) -> None:
    settings = {
        "HEADRACE_KAFKA": stack.kafka,
        "HEADRACE_REDIS": redis_url,
        "HEADRACE_TOPIC_PREFIX": topic_prefix,
        "HEADRACE_GROUP": topic_prefix,
        "HEADRACE_SESSION_TIMEOUT": "3",
    }
    with running("--no-dashboard", *data, **settings) as demo:
        announced = line_with(demo, "all records are sent")
        assert f"Kafka      {stack.kafka}\n" in announced
        assert redis_url not in announced  # it may hold a password
        assert {psutil.Process(pid).name() for pid in descendants(demo.pid)} & {"tansu", "redis-server"} == set()
        total = Keys("headrace").total("orders")
        with redis.Redis.from_url(redis_url) as client:
            eventually(lambda: client.hget(total, "in") == b"40", "the orders are counted in that Redis", timeout=40)
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(40) == 0


def test_a_port_that_was_asked_for_and_is_taken_is_reported() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_headrace("demo", f"--port={port}", timeout=120)
    assert done.returncode == 1
    assert f"port {port} is in use" in done.stdout
