"""A worker as a process: in and out without Faust's waits, few words, few looks for garbage."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Iterable
from typing import Any


class Seldom(logging.Filter):
    """Lets a client library say the same thing once in half a minute: without a broker they say it a hundred times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(("aiokafka", "faust", "mode")):
            return True
        what = record.name, record.msg
        if record.created - self._said.get(what, 0.0) < 30.0:
            return False
        self._said[what] = record.created
        return True


async def end(tasks: Iterable[asyncio.Task[Any]], every: float = 1.0) -> None:
    """Cancel ``tasks`` until they have ended; what they raise is dropped.

    Once is not enough: in Python 3.11 a ``wait_for`` (there is one in each command to Redis) that ends in the very moment
    swallows the cancellation, and the task goes on.
    """
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        ended, running = await asyncio.wait(running, timeout=every)
        await asyncio.gather(*ended, return_exceptions=True)


def quieten() -> None:
    """Log warnings to stderr, the clients' own seldom; look for garbage seldom: a batch is short-lived objects, no cycles."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom())
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def spare_garbage_collection() -> None:
    """Look for garbage seldom, from now on in this process.

    A sender keeps thousands of short-lived objects and makes no cycles: looking costs a sixth of its time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
