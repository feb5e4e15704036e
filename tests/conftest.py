"""Hooks and fixtures of every layer: order by recorded durations, markers by folder, no process left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.durations import Recorder, longest_first
from tests.support.examples import load_profile
from tests.support.paths import ROOT
from tests.support.processes import descendants, describe, kill
from tests.support.waiting import soon

for name in [name for name in os.environ if name.startswith("HEADRACE_") and not name.startswith("HEADRACE_TEST_")]:
    del os.environ[name]  # whoever runs the tests may have a cluster of their own configured

load_profile()

#: Markers that the tests of a layer have without saying so. No unit test takes two minutes, even on a busy machine.
LAYERS = {"unit": pytest.mark.timeout(120), "browser": pytest.mark.browser, "chaos": pytest.mark.chaos}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-durations", action="store_true", help="write what each file takes to tests/durations.json")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--record-durations") and not hasattr(config, "workerinput"):  # only one process records
        config.pluginmanager.register(Recorder())


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the markers of its layer and its fixtures, and put the longest files first."""
    for item in items:
        layer = item.path.relative_to(ROOT / "tests").parts[0]
        if layer in LAYERS and item.get_closest_marker(LAYERS[layer].name) is None:
            item.add_marker(LAYERS[layer])
        if {"kafka", "own_kafka"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)
    longest_first(items)


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left_behind() -> Iterator[None]:
    """Fail the session when a test leaves a process running, and end that process."""
    before = descendants(os.getpid())
    yield
    soon(lambda: not descendants(os.getpid()) - before, timeout=5)
    left = {pid: describe(pid) for pid in descendants(os.getpid()) - before}
    kill(left)
    assert not left, f"tests left processes running: {left}"


@pytest.fixture
def shop_dir(tmp_path: Path) -> Path:
    """A copy of the built-in shop's contracts, to change at will."""
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "stream_app" / "contracts", folder)
    return folder
