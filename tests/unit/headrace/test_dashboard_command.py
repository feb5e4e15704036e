"""``headrace dashboard`` starts Streamlit on the loopback interface, quietly."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.cli.dashboard import command
from stream_app.errors import SettingsError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: seen.extend(arguments))
    monkeypatch.setattr("subprocess.call", seen.extend)
    return seen


def test_it_listens_on_loopback_and_reports_to_nobody(started: list[str]) -> None:
    CliRunner().invoke(command, ["--port", "8123"])

    assert "--server.address=127.0.0.1" in started
    assert "--server.port=8123" in started
    assert "--server.headless=true" in started
    assert "--browser.gatherUsageStats=false" in started
    assert Path(started[4]).name == "app.py"


def test_another_address_is_warned_about(started: list[str]) -> None:
    result = CliRunner().invoke(command, ["--host", "0.0.0.0"])

    assert "no log-in" in result.stderr


def test_a_wrong_setting_is_reported_before_anything_starts(started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PARTITIONS", "many")

    with pytest.raises(SettingsError, match="HEADRACE_PARTITIONS"):
        CliRunner().invoke(command, [], catch_exceptions=False)
    assert started == []


def test_errors_show_no_stack_traces_to_viewers(started: list[str]) -> None:
    CliRunner().invoke(command, [])
    config = tomllib.loads((Path(started[4]).parent / ".streamlit" / "config.toml").read_text(encoding="utf-8"))

    assert config["client"]["showErrorDetails"] == "none"
    assert config["browser"]["gatherUsageStats"] is False
