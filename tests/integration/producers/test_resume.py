"""A replay that is stopped goes on where it stopped, repeating at most what was not acknowledged."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from stream_app.settings import Settings
from tests.support.order_files import orders
from tests.support.processes import as_environment, clean_environment, headrace_command, run_headrace
from tests.support.stream import read_topic
from tests.support.waiting import eventually


def start(settings: Settings, home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        headrace_command("replay", *arguments),
        env=clean_environment(**as_environment(settings), HOME=str(home)),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def numbers(settings: Settings) -> Counter[int]:
    try:
        seen = read_topic(settings, f"{settings.topic_prefix}orders")
    except KeyError:
        return Counter()
    return Counter(json.loads(record.value or b"")["order_id"] for record in seen)


def stop_midway(settings: Settings, home: Path, number: signal.Signals, *arguments: str) -> tuple[int, str]:
    process = start(settings, home, *arguments)
    try:
        eventually(lambda: len(numbers(settings)) > 100, "records on the topic")
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_replay_goes_on_and_repeats_nothing(settings: Settings, tmp_path: Path, number: signal.Signals) -> None:
    path = orders(tmp_path / "orders.csv", 2000)
    code, said = stop_midway(settings, tmp_path, number, "--rate", "600/s", str(path))
    assert code == 128 + number
    match = re.search(r"stopped after ([\d,]+) acknowledged records", said)
    assert match, said
    acknowledged = int(match[1].replace(",", ""))
    assert 100 < acknowledged < 2000
    assert sum(numbers(settings).values()) == acknowledged
    done = run_headrace("replay", str(path), settings=as_environment(settings) | {"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert f"resuming after {acknowledged:,} records" in done.stderr
    assert numbers(settings) == Counter(range(1, 2001))
    assert not list((tmp_path / ".cache").rglob("*.json"))


def test_a_killed_replay_loses_nothing_and_repeats_little(settings: Settings, tmp_path: Path) -> None:
    path = orders(tmp_path / "orders.csv", 4000)
    process = start(settings, tmp_path, "--rate", "600/s", str(path))
    try:
        eventually(lambda: list((tmp_path / ".cache").rglob("*.json")), "a noted position")
        eventually(lambda: len(numbers(settings)) > 1200, "records on the topic")
    finally:
        process.kill()
        process.communicate()
    done = run_headrace("replay", str(path), settings=as_environment(settings) | {"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    seen = numbers(settings)
    assert set(seen) == set(range(1, 4001))
    assert sum(seen.values()) - 4000 < 2000, "at most what was sent since the last note is repeated"


def test_no_resume_starts_over(settings: Settings, tmp_path: Path) -> None:
    path = orders(tmp_path / "orders.csv", 2000)
    stop_midway(settings, tmp_path, signal.SIGINT, "--rate", "600/s", str(path))
    before = sum(numbers(settings).values())
    done = run_headrace("replay", "--no-resume", str(path), settings=as_environment(settings) | {"HOME": str(tmp_path)})
    assert "resuming" not in done.stderr
    assert sum(numbers(settings).values()) == before + 2000


def test_a_changed_file_starts_over(settings: Settings, tmp_path: Path) -> None:
    path = orders(tmp_path / "orders.csv", 2000)
    stop_midway(settings, tmp_path, signal.SIGINT, "--rate", "600/s", str(path))
    orders(path, 50, start=5001)
    done = run_headrace("replay", str(path), settings=as_environment(settings) | {"HOME": str(tmp_path)})
    assert "resuming" not in done.stderr
    assert "50 records delivered" in done.stderr


def test_a_loop_moves_event_times_on_by_the_span_of_the_file(settings: Settings, tmp_path: Path) -> None:
    path = orders(tmp_path / "orders.csv", 60)
    process = start(settings, tmp_path, "--loop", "--rate", "200/s", str(path))
    try:
        eventually(lambda: numbers(settings)[60] >= 3, "three rounds")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert "--loop" in said
    seen = [json.loads(record.value or b"") for record in read_topic(settings, f"{settings.topic_prefix}orders")]
    times = sorted(record["order_date"] for record in seen if record["order_id"] == 1)
    assert times[:3] == ["2026-01-05T00:00:01Z", "2026-01-05T00:01:01Z", "2026-01-05T00:02:01Z"]


def test_nothing_is_not_repeated_for_ever(settings: Settings, tmp_path: Path) -> None:
    path = orders(tmp_path / "orders.csv", 0)
    done = run_headrace("replay", "--loop", str(path), settings=as_environment(settings) | {"HOME": str(tmp_path)})
    assert done.returncode == 2
    assert "nothing to repeat" in done.stderr
