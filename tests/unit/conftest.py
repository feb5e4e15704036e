"""Unit tests run without services: a fixture that needs one is not found here, and a process cannot be started."""

from __future__ import annotations

import subprocess

import pytest


@pytest.fixture(autouse=True)
def no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a unit test that starts a process."""

    def refuse(self: object, args: object, *_: object, **__: object) -> None:
        pytest.fail(f"a unit test started a process: {args}; move it to tests/integration")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
