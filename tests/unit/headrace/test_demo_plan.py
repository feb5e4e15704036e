"""The plan of `headrace demo`: its options, its producer, its incidents, its status line and its browser."""

from __future__ import annotations

import webbrowser
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from headrace.cli.demo import command
from headrace.cli.progress import StatusLine
from headrace.embedded.browser import open_browser
from headrace.embedded.demo import Demo
from headrace.embedded.plan import STAGED, Plan, with_history
from headrace.interrupts import Stop
from producers.simulator.schedule import parse_schedule
from stream_app.contract import load_shop
from stream_app.settings import load_settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--once"], "--once needs --data"), (["--json"], "--json needs --once"), (["--workers", "0"], "not in the range")],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_the_producer_is_the_simulator_unless_there_is_data() -> None:
    assert Plan(rate="10/s").producer() == ["simulate", "--faults=3%", "--rate=10/s"]
    assert Plan().producer()[:2] == ["simulate", "--faults=3%"]
    assert Plan(data=("a.csv",), speed="60x").producer() == ["replay", "--speed=60x", "a.csv"]


def test_a_demo_begins_with_four_weeks_of_history_and_stages_incidents_that_there_are() -> None:
    arguments = with_history(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
    assert arguments[:2] == ["--start=2026-02-01", "--history=28d"]
    (staged,) = (argument.partition("=")[2] for argument in arguments if argument.startswith("--incidents="))
    found = parse_schedule(staged, seed=1, start_ms=0, span_ms=0)
    assert len(found) == len(STAGED)
    assert all(incident.start_ms >= 28 * 86_400_000 for incident in found)


def test_the_status_line_sums_the_entities_and_shows_the_rate() -> None:
    def status(received: int, score: float | None) -> dict[str, object]:
        row = {"in": received, "clean": received - 1, "rejected": 1, "pending": 0}
        return {"entities": {"orders": row, "customers": row}, "kpis": {"valid_records": score}}

    line = StatusLine()
    assert line.of(status(1_000, None), now=0.0) == "2,000 in · 1,998 clean · 2 rejected · 0 waiting · 0/s"
    assert line.of(status(2_000, 0.991), now=2.0).endswith("0 waiting · 1,000/s · valid 99.10 %")


def test_a_browser_that_runs_in_the_terminal_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    class Windowed(webbrowser.BackgroundBrowser):
        def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
            opened.append(url)
            return True

    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("lynx"))
    open_browser("http://127.0.0.1:1")
    assert opened == []
    monkeypatch.setattr(webbrowser, "get", lambda: Windowed("firefox"))
    open_browser("http://127.0.0.1:2")
    assert opened == ["http://127.0.0.1:2"]


def test_a_machine_without_a_browser_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    open_browser("http://127.0.0.1:1")


def test_the_status_of_a_one_shot_run_is_not_older_than_the_look_at_what_is_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"in": 0, "clean": 0, "rejected": 0, "pending": 0}

    def counted(_: object) -> dict[str, Any]:
        return {"entities": {"orders": dict(row)}, "lag": {"orders": None}, "kpis": {"valid_records": None}}

    def look(*_: object) -> int:
        row.update({"in": 40, "clean": 40})  # unread records are processed before the broker answers
        return 0

    monkeypatch.setattr("headrace.embedded.demo.lag", look)
    monkeypatch.setattr("headrace.embedded.demo.read_status", counted)
    demo = Demo(Plan(once=True), Stop(), say=print, show=print)
    # Without the services of a whole run.
    demo._settings, demo._shop = load_settings(), load_shop(None)  # noqa: SLF001
    status = demo._drain(None)  # type: ignore[arg-type]  # noqa: SLF001
    assert status is not None
    assert status["entities"]["orders"]["in"] == 40
