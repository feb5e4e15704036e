"""`headrace evaluate` simulates, judges, watches and compares; what is certain is found without exception."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headrace.cli.evaluate import command
from headrace.cli.simulate import command as simulate
from headrace.evaluation.run import Trial, run
from headrace.evaluation.table import BEGIN, END
from stream_app.errors import SourceError
from tests.support.processes import run_headrace

pytestmark = pytest.mark.slow


def evaluate(*options: str) -> Result:
    return CliRunner().invoke(command, options, catch_exceptions=False)


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    options = ("--seeds", "3", "--records", "20000", "--faults", "10%", "--streams", "quiet,faults", "--jobs", "2", "--json")
    made = run_headrace("evaluate", "--per-hour", "200", *options)
    assert made.returncode == 0, made.stderr
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def test_rules_that_are_certain_have_precision_and_recall_one(small: dict[str, Any]) -> None:
    certain = [row for row in small["rules"] if row["kind"] != "outlier"]
    assert len(certain) > 40
    for row in certain:
        assert (row["precision"], row["recall"]) == (1.0, 1.0), row
        assert row["caught"] > 0
    assert small["wrong_outcomes"] == []
    assert small["records"] > 40_000


def test_rules_that_nothing_breaks_are_named(small: dict[str, Any]) -> None:
    assert "orders record.tombstone" in small["not_exercised"]
    assert "orders price_deviation" not in small["not_exercised"]


def test_streams_without_faults_are_watched_after_the_warm_up(small: dict[str, Any]) -> None:
    quiet = small["false_alarms"]["quiet"]
    assert quiet["weeks"] == pytest.approx((20_000 / 200 - 24) / 168, rel=0.1)
    assert quiet["count"] <= 1


def test_every_kind_of_incident_is_staged_once_and_the_gross_ones_are_found() -> None:
    outcome = run(Trial("incidents", 1, 30_000, 45.0, 0.0))
    assert len({one.name for one in outcome.staged}) == len(outcome.staged) >= 15
    names = {alarm.name for alarm in outcome.alarms}
    assert "orders:volume" in names
    assert any(name.startswith("orders:drift:") for name in names)


def test_the_same_trial_comes_to_the_same() -> None:
    trial = Trial("faults", 5, 2_000, 200.0, 0.1)
    assert run(trial).records.rules == run(trial).records.rules


def test_a_required_target_that_is_reached_ends_with_zero() -> None:
    made = evaluate(
        "--seeds", "3", "--records", "1000", "--per-hour", "200", "--streams", "quiet", "--jobs", "1", "--require", "alarms=0"
    )
    assert made.exit_code == 0, "nothing is raised in five hours"
    assert "nothing is broken" in made.output


def written(folder: Path) -> list[str]:
    options = ["--count", "4000", "--start", "2026-01-05", "--faults", "10%", "--out", str(folder / "shop")]
    options += ["--truth", str(folder / "truth.jsonl"), "--rate", "400/h", "--incidents", "null_flood@2h+2h"]
    assert CliRunner().invoke(simulate, options, catch_exceptions=False).exit_code == 0
    return [str(path) for path in sorted((folder / "shop").glob("*.jsonl"))]


def test_files_are_compared_with_the_truth_that_was_written_beside_them(tmp_path: Path) -> None:
    files = written(tmp_path)
    truth = tmp_path / "truth.jsonl"
    made = evaluate("--truth", str(truth), *files, "--json", "--require", "rules=1")
    found = json.loads(made.stdout)
    rows = {row["rule"]: row for row in found["rules"] if row["entity"] == "orders" and row["kind"] == "deterministic"}
    assert len(rows) > 20
    assert all((row["precision"], row["recall"]) == (1.0, 1.0) for row in rows.values())
    # A fault that the truth does not tell of is a false finding.
    lines = [line for line in truth.read_text("utf-8").splitlines() if '"zero_price"' not in line]
    truth.write_text("\n".join(lines), "utf-8")
    made = evaluate("--truth", str(truth), *files, "--json", "--require", "rules=1")
    assert made.exit_code == 1
    (row,) = [row for row in json.loads(made.stdout)["rules"] if row["rule"] == "price.exclusiveMinimum"]
    assert row["wrong"] > 0
    assert row["precision"] < 1


def test_a_truth_of_a_stream_is_refused_for_files(tmp_path: Path) -> None:
    files = written(tmp_path)
    (tmp_path / "other.jsonl").write_text(
        '{"entity":"orders","fault":null,"rule":null,"outcome":"clean","offset":3}\n', "utf-8"
    )
    with pytest.raises(SourceError, match="line 1 does not name a line of a file"):
        evaluate("--truth", str(tmp_path / "other.jsonl"), *files)


def test_the_tables_stand_between_the_marks_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "quality.md"
    page.write_text(f"# Quality\n\nby hand\n\n{BEGIN}\nold\n{END}\n\nby hand too\n", "utf-8")
    options = ("--seeds", "3", "--records", "2000", "--streams", "faults", "--jobs", "1", "--markdown", str(page))
    assert evaluate(*options).exit_code == 0
    text = page.read_text("utf-8")
    assert text.startswith("# Quality\n\nby hand\n")
    assert text.endswith("by hand too\n")
    assert "old" not in text
    assert "| orders | `price.exclusiveMinimum` | `negative_price`, `zero_price` |" in text
    page.write_text("# Quality\n", "utf-8")
    for bad, says in ((page, "add the lines"), (tmp_path / "none" / "page.md", "the folder does not exist")):
        with pytest.raises(SourceError, match=says):
            evaluate("--records", "1000000", "--markdown", str(bad))
