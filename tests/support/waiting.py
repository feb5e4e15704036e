"""Waiting for something to become true, with a deadline instead of a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T | Literal[False] | None], what: str, timeout: float = 20.0, every: float = 0.05) -> T:
    """The first truthy value of ``probe()``; fails the test after ``timeout`` seconds, saying ``what`` never came."""
    deadline = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:.0f} s: {what} (last seen: {value!r})")
        time.sleep(every)


def soon(probe: Callable[[], object], timeout: float = 20.0, every: float = 0.05) -> bool:
    """True if ``probe()`` becomes true within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not probe():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
