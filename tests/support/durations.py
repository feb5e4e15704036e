"""Durations of the test files, recorded in ``tests/durations.json``: the longest files start first."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.support.paths import ROOT

FILE = ROOT / "tests" / "durations.json"
#: Seconds assumed of a file that is not recorded yet: it starts among the longest.
UNKNOWN = 30.0


def recorded() -> dict[str, float]:
    """Seconds by file, as of the last record."""
    seconds: dict[str, float] = json.loads(FILE.read_text("utf-8"))
    return seconds


def longest_first(items: list[pytest.Item]) -> None:
    """Sort tests by the duration of their file. A file that starts last would be waited for alone."""
    seconds = recorded()
    items.sort(key=lambda item: -seconds.get(file_of(item.nodeid), UNKNOWN))


def file_of(nodeid: str) -> str:
    """Path of a test's file, relative to the checkout."""
    return nodeid.partition("::")[0]


class Recorder:
    """A pytest plugin: writes what the files of this run took over what was recorded of them."""

    def __init__(self) -> None:
        self.measured: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.measured[file_of(report.nodeid)] += report.duration  # type: ignore[assignment]

    def pytest_sessionfinish(self) -> None:
        both = recorded() | {name: round(seconds, 1) for name, seconds in self.measured.items()}
        kept = {name: seconds for name, seconds in sorted(both.items()) if (ROOT / name).exists()}
        FILE.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")
