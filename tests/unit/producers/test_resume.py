"""The position of a replay survives whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from producers.sending.resume import Checkpoint, Position


def test_a_position_survives_only_whole(tmp_path: Path) -> None:
    checkpoint = Checkpoint({"a": 1}, tmp_path)
    assert checkpoint.read() is None
    checkpoint.write(Position(7, 2, 60_000), now=True)
    assert checkpoint.read() == Position(7, 2, 60_000)
    assert Checkpoint({"a": 2}, tmp_path).read() is None
    for text in ("", "[]", '{"records": -1}', '{"records": "7"}', '{"other": 1}', "null"):
        checkpoint.file.write_text(text)
        assert checkpoint.read() is None
    checkpoint.remove()
    checkpoint.remove()
    assert not checkpoint.file.exists()


def test_a_cache_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    checkpoint = Checkpoint({}, blocked)
    checkpoint.write(Position(1), now=True)
    assert checkpoint.read() is None
    checkpoint.remove()
    assert not checkpoint.kept


def test_a_disk_that_is_full_leaves_no_half_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    checkpoint = Checkpoint({}, tmp_path)
    checkpoint.write(Position(1), now=True)
    assert checkpoint.kept
    monkeypatch.setattr(json, "dump", full)
    checkpoint.write(Position(2), now=True)
    assert not checkpoint.kept
    assert [file.name for file in tmp_path.iterdir()] == [checkpoint.file.name]


def test_a_user_without_a_home_folder_is_no_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "expanduser", homeless)
    checkpoint = Checkpoint({})
    checkpoint.write(Position(1), now=True)
    assert not list(tmp_path.iterdir())
    assert not checkpoint.kept
