"""`headrace simulate` sends or writes what it says, and the truth file says where each broken record is."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from headrace.cli.simulate import command
from stream_app.settings import Settings
from tests.support.paths import RETAIL
from tests.support.processes import as_environment, clean_environment, headrace_command, run_headrace
from tests.support.stream import read_topic
from tests.support.waiting import eventually

ENTITIES = ("customers", "products", "orders", "visits")


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def to_files(folder: Path, *options: str, count: int = 500) -> Any:
    arguments = ["--count", str(count), "--start", "2026-01-05", "--out", str(folder), *options]
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_files_that_exist_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").write_text("mine")
    done = run_headrace("simulate", "--count", "5", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (tmp_path / "orders.jsonl").read_text() == "mine"


def test_a_shop_of_other_fields_is_refused(tmp_path: Path) -> None:
    retail = RETAIL
    done = run_headrace("simulate", "--count", "5", "--out", str(tmp_path / "out"), "--shop", str(retail))
    assert done.returncode == 2
    assert "orders lacks order_date, order_id" in done.stderr


def test_the_truth_joins_with_the_topic_by_partition_and_offset(settings: Settings, tmp_path: Path) -> None:
    truth_file = tmp_path / "truth.jsonl"
    done = run_headrace(
        "simulate", "--count", "2000", "--rate", "100000/s", "--faults", "10%", "--truth", str(truth_file), "--truth-all",
        "--start", "2026-01-05T12:00:00Z", settings=as_environment(settings),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stored = {
        (record.topic, record.partition, record.offset): record
        for entity in ENTITIES
        for record in read_topic(settings, f"{settings.topic_prefix}{entity}")
    }
    truth = lines(truth_file)
    positions = {(line["topic"], line["partition"], line["offset"]): line for line in truth}
    assert set(positions) == set(stored)
    for position, line in positions.items():
        raw = stored[position].value or b""
        assert stored[position].key == line["key"].encode()
        if line["fault"] == "invalid_utf8":
            assert b"\xff" in raw
        elif line["fault"] == "empty_record":
            assert raw == b""
        elif line["fault"] is None and line["entity"] == "orders":
            assert str(json.loads(raw)["customer_id"]) == line["key"]


def test_a_live_simulation_runs_until_stopped_and_delivers_all_it_sent(settings: Settings, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    process = subprocess.Popen(
        headrace_command("simulate", "--rate", "300/s", "--truth", str(truth), "--truth-all", "--customers", "10"),
        env=clean_environment(**as_environment(settings)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        eventually(
            lambda: truth.exists() and len(read_topic(settings, f"{settings.topic_prefix}orders")) > 100, "orders on the topic"
        )
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, said
    sent = sum(len(read_topic(settings, f"{settings.topic_prefix}{entity}")) for entity in ENTITIES)
    assert len(lines(truth)) == sent
    assert f"{sent:,} records delivered" in said


def test_history_is_sent_at_once_and_what_follows_at_its_pace(settings: Settings) -> None:
    # A day holds some 430 orders at this rate; the next order comes 20 seconds after them.
    pace = ["--start", "2026-01-05", "--history", "1d", "--rate", "0.05/s", "--speed", "10x", "--faults", "0"]
    sender = subprocess.Popen(
        headrace_command("simulate", *pace), env=clean_environment(**as_environment(settings)),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        eventually(lambda: len(read_topic(settings, f"{settings.topic_prefix}orders")) > 300, "the first day is there")
        assert sender.poll() is None
        assert len(read_topic(settings, f"{settings.topic_prefix}orders")) < 600
    finally:
        sender.send_signal(signal.SIGINT)
        sender.wait(20)


def test_a_check_of_the_files_finds_exactly_what_was_broken(tmp_path: Path) -> None:
    to_files(tmp_path / "out", "--truth", str(tmp_path / "truth.jsonl"), "--faults", "8%", count=4000)
    truth = lines(tmp_path / "truth.jsonl")
    files = [str(tmp_path / "out" / f"{entity}.jsonl") for entity in ENTITIES]
    done = run_headrace("check", "--json", *files)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["entities"]
    for entity in ENTITIES:
        broken = [line for line in truth if line["entity"] == entity]
        assert found[entity]["rejected"] == sum(line["outcome"] == "rejected" for line in broken)
        assert found[entity]["pending"] == 0
        expected = Counter(line["rule"] for line in broken if line["rule"])
        assert {rule: found[entity]["findings"].get(rule) for rule in expected} == expected
