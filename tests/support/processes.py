"""Looking at processes by id, and running the ``headrace`` command as one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import psutil
from pydantic import SecretStr

from stream_app.settings import Settings


def is_running(pid: int) -> bool:
    """True if the process exists and is not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> set[int]:
    """The ids of all processes below this one."""
    with suppress(psutil.NoSuchProcess):
        return {process.pid for process in psutil.Process(pid).children(recursive=True)}
    return set()


def describe(pid: int) -> str:
    """The command line of a process, shortened."""
    try:
        return " ".join(psutil.Process(pid).cmdline())[:200]
    except psutil.NoSuchProcess:
        return "(gone)"


def kill(pids: Iterable[int]) -> None:
    """End processes that a test started, by id."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def headrace_command(*arguments: str) -> list[str]:
    """The ``headrace`` command of this interpreter, as a list for ``subprocess``."""
    return [sys.executable, "-m", "headrace", *arguments]


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment without the caller's HEADRACE_* variables, plus ``settings``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    return kept | settings


def as_environment(settings: Settings) -> dict[str, str]:
    """The HEADRACE_* variables that make these settings, for a child process."""
    values = settings.model_dump(include=settings.model_fields_set)
    plain = {name: v.get_secret_value() if isinstance(v, SecretStr) else str(v) for name, v in values.items()}
    return {f"HEADRACE_{name.upper()}": value for name, value in plain.items()}


def run_headrace(
    *arguments: str, settings: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the ``headrace`` command to its end, with ``HEADRACE_*`` settings."""
    return subprocess.run(
        headrace_command(*arguments),
        env=clean_environment(**(settings or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def printed_status(settings: Settings) -> dict[str, Any]:
    """Return what ``headrace status --json`` prints."""
    done = run_headrace("status", "--json", settings=as_environment(settings))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
