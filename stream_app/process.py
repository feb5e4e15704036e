"""Set up a process that handles many records (logging, garbage collection), and end its tasks."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Iterable
from typing import Any

from stream_app.failures import classify

#: Seconds in which a client library may log the same message once.
_REPEAT_SECONDS = 30.0
#: Loggers of the client libraries.
_CLIENTS = frozenset({"aiokafka", "faust", "kafka", "mode"})


class ClientLog(logging.Filter):
    """Makes the log of the client libraries readable while a broker is missing.

    They log it a hundred times per second, and some of them with a traceback: a repeated message is dropped, and of an error
    that passes, only its name is logged.
    """

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True unless the same message was logged a moment ago."""
        if record.name.partition(".")[0] not in _CLIENTS:
            return True
        message = record.name, record.msg
        if record.created - self._logged.get(message, 0.0) < _REPEAT_SECONDS:
            return False
        self._logged[message] = record.created
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and (known := classify(error)).errors and not known.permanent:
            record.msg, record.args = f"{record.getMessage()} ({type(error).__name__})", ()
            record.exc_info = record.exc_text = None
        return True


def log_warnings() -> None:
    """Log warnings to stderr; those of the client libraries throttled."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(ClientLog())


def collect_garbage_rarely() -> None:
    """Make Python's cycle collector run rarely from now on.

    Records are many short-lived objects without cycles: by default the collector takes a sixth of a sender's time.
    """
    gc.freeze()
    gc.set_threshold(1_000_000, 50, 50)


def collect_young_garbage() -> None:
    """Collect what has become garbage since the last call: without load, the thresholds are not reached for days."""
    gc.collect(1)


async def cancel_all(tasks: Iterable[asyncio.Task[Any]], every: float = 1.0) -> None:
    """Cancel ``tasks`` every ``every`` seconds until all have ended; drop what they raise.

    One cancellation is not enough: in Python 3.11 ``wait_for`` (every Redis command has one) swallows a cancellation that
    arrives at the moment it ends, and the task goes on.
    """
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        ended, running = await asyncio.wait(running, timeout=every)
        await asyncio.gather(*ended, return_exceptions=True)
