"""With a log-in configured the dashboard shows nothing before it, and only to those on its list."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.gate import refusal, writer
from headrace.cli.dashboard import command
from stream_app.errors import SettingsError
from stream_app.settings import Settings, load_settings
from tests.support.paths import ROOT

APP = str(ROOT / "dashboard" / "app.py")
AUTH = """
[auth]
redirect_uri = "http://127.0.0.1:8501/oauth2callback"
cookie_secret = "c"
client_id = "i"
client_secret = "s3cret"
server_metadata_url = "https://id.example.org/.well-known/openid-configuration"
"""
LIST = "ann@example.org, @shop.example"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "login.toml"
    file.write_text(AUTH, encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("HEADRACE_DASHBOARD_LOGIN", str(file))
    monkeypatch.setenv("HEADRACE_DASHBOARD_ALLOW", LIST)
    return file


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: seen.extend(arguments))
    monkeypatch.setattr("subprocess.call", lambda arguments: 0)
    return seen


@pytest.mark.parametrize(
    "user",
    [
        {"email": "ann@example.org", "email_verified": True},
        {"email": "ANN@Example.org", "email_verified": "true"},
        {"email": "anyone@shop.example", "email_verified": True},
    ],
)
def test_those_on_the_list_come_in(user: dict[str, object]) -> None:
    assert refusal(user, LIST) is None


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"email": None, "email_verified": True},
        {"email": "bob@example.org", "email_verified": True},
        {"email": "ann@example.org"},
        {"email": "ann@example.org", "email_verified": False},
        {"email": "bob@not-shop.example", "email_verified": True},
        {"email": "bob@shop.example.evil.example", "email_verified": True},
        {"email": "x@shop.example@evil.example", "email_verified": True},
        {"email": "@shop.example, ann@example.org", "email_verified": True},
    ],
)
def test_everyone_else_stays_out(user: dict[str, object]) -> None:
    assert refusal(user, LIST) is not None


@pytest.mark.parametrize("allowed", ["", " , ", "@"])
def test_a_list_that_names_nobody_lets_nobody_in(allowed: str) -> None:
    assert refusal({"email": "ann@example.org", "email_verified": True}, allowed) is not None


def test_before_the_log_in_nothing_but_its_button_is_shown(login: Path) -> None:
    page = AppTest.from_file(APP, default_timeout=30).run()

    assert not page.exception
    assert [button.label for button in page.button] == ["Log in"]
    assert not page.metric
    assert not page.dataframe
    assert not page.toggle


def test_the_command_hands_the_file_to_streamlit(login: Path, started: list[str]) -> None:
    result = CliRunner().invoke(command, ["--host", "0.0.0.0"], catch_exceptions=False)

    assert f"--secrets.files={login}" in started
    assert "s3cret" not in " ".join(started)
    assert "no log-in" not in result.stderr
    assert "chmod" not in result.stderr


def test_a_file_that_others_may_read_is_reported(login: Path, started: list[str]) -> None:
    login.chmod(0o644)

    assert "chmod 600" in CliRunner().invoke(command, [], catch_exceptions=False).stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"HEADRACE_DASHBOARD_ALLOW": " , "}, "the list is empty"),
        ({"HEADRACE_DASHBOARD_ALLOW": "@"}, "the list is empty"),
        ({"HEADRACE_DASHBOARD_LOGIN": "/nowhere/login.toml"}, "cannot be read"),
    ],
)
def test_half_a_log_in_is_refused(
    login: Path, started: list[str], monkeypatch: pytest.MonkeyPatch, change: dict[str, str], said: str
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=said):
        CliRunner().invoke(command, [], catch_exceptions=False)
    assert started == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "lacks redirect_uri"), ("[auth]\nclient_id = 'i'", "lacks redirect_uri, cookie_secret"), ("[auth", "not TOML")],
)
def test_a_file_without_its_settings_is_refused(login: Path, started: list[str], text: str, said: str) -> None:
    login.write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=said):
        CliRunner().invoke(command, [], catch_exceptions=False)
    assert started == []


@pytest.mark.parametrize(
    ("write", "user", "who"),
    [
        (True, {"is_logged_in": True, "email": "ann@example.org", "email_verified": True}, "ann@example.org"),
        (False, {"is_logged_in": True, "email": "ann@example.org", "email_verified": True}, None),
        (True, {"is_logged_in": False}, None),
        (True, {"is_logged_in": True, "email": "ann@example.org", "email_verified": False}, None),
        (True, {"is_logged_in": True, "email": "eve@example.org", "email_verified": True}, None),
    ],
)
def test_only_who_has_logged_in_and_is_on_the_list_acts(
    monkeypatch: pytest.MonkeyPatch, write: bool, user: dict[str, object], who: str | None
) -> None:
    settings = Settings(dashboard_write=write, dashboard_login=Path("x.toml"), dashboard_allow="ann@example.org")
    monkeypatch.setattr(data, "settings", lambda: settings)
    monkeypatch.setattr(st, "user", SimpleNamespace(to_dict=lambda: user))
    assert writer() == who


def test_writing_on_pages_needs_a_log_in() -> None:
    with pytest.raises(SettingsError, match="HEADRACE_DASHBOARD_LOGIN"):
        load_settings(dashboard_write=True)
