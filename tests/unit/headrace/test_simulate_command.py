"""`headrace simulate` writes files, and the truth file names the line of each broken record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headrace.cli.simulate import command

ENTITIES = ("customers", "products", "orders", "visits")


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def to_files(folder: Path, *options: str, count: int = 500) -> Any:
    arguments = ["--count", str(count), "--start", "2026-01-05", "--out", str(folder), *options]
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_the_same_options_write_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert to_files(tmp_path / name).exit_code == 0
    for entity in ENTITIES:
        assert (tmp_path / "a" / f"{entity}.jsonl").read_bytes() == (tmp_path / "b" / f"{entity}.jsonl").read_bytes()


def test_the_truth_names_the_line_of_every_broken_record(tmp_path: Path) -> None:
    to_files(tmp_path / "out", "--truth", str(tmp_path / "truth.jsonl"), "--faults", "10%", count=3000)
    files = {entity: (tmp_path / "out" / f"{entity}.jsonl").read_bytes().split(b"\n") for entity in ENTITIES}
    truth = lines(tmp_path / "truth.jsonl")
    assert len(truth) > 200
    for line in truth:
        raw = files[line["entity"]][line["line"] - 1]
        if line["fault"] == "text_quantity":
            assert isinstance(json.loads(raw)["quantity"], str)
        if line["fault"] == "null_customer":
            assert json.loads(raw)["customer_id"] is None
    assert {"rejected", "clean"} == {line["outcome"] for line in truth}
    assert not any(b"fault" in raw for raw in files["orders"]), "the truth is not in the stream"


def test_the_truth_file_can_have_every_record(tmp_path: Path) -> None:
    to_files(tmp_path / "out", "--truth", str(tmp_path / "truth.jsonl"), "--truth-all")
    truth = lines(tmp_path / "truth.jsonl")
    count = sum((tmp_path / "out" / f"{entity}.jsonl").read_bytes().count(b"\n") for entity in ENTITIES)
    assert [line["number"] for line in truth] == list(range(count))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--out", "x"], "--count"), (["--truth-all"], "--truth FILE"), (["--faults", "300%"], "not a share"),
        (["--start", "yesterday"], "not a time"), (["--rate", "0"], "such as 200/s"), (["--count", "0"], "0"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options: list[str], says: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 2
    assert says in result.output
