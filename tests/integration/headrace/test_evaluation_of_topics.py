"""Compare what workers made of a simulated stream with its truth."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from stream_app.settings import Settings
from tests.support.processes import as_environment, run_headrace
from tests.support.stream import await_settled, workers

pytestmark = pytest.mark.slow


def test_workers_find_every_fault_of_a_simulated_stream(settings: Settings, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    settings = settings.model_copy(update={"grace": 1.0})
    environment = as_environment(settings)
    sent = run_headrace(
        "simulate", "--count", "3000", "--rate", "100000/s", "--speed", "10000x", "--faults", "15%", "--truth", str(truth),
        "--truth-all", "--start", "2026-01-05T12:00:00Z", "--quiet", settings=environment,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    counts = Counter(json.loads(line)["entity"] for line in truth.read_text("utf-8").splitlines())
    with workers(settings, tmp_path) as crew:
        await_settled(settings, dict(counts), crew)
    made = run_headrace("evaluate", "--truth", str(truth), "--topics", "--json", "--require", "rules=1", settings=environment)
    found = json.loads(made.stdout)
    assert made.returncode == 0, found["unmet"]
    assert found["records"] == counts.total()
    assert found["wrong_outcomes"] == []
    caught = {row["rule"] for row in found["rules"] if row["kind"] == "deterministic" and row["caught"]}
    assert {"order_id.unique", "order_id.contradiction", "price_deviation", "order_before_customer", "customer_stale"} <= caught
