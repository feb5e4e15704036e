"""SIGINT and SIGTERM until a command takes them itself: an interrupt, and a note of it.

The note is what counts when it is too early to stop in an orderly way: in the middle of an import, some library takes any
exception for a missing module and goes on, and the interrupt is lost.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

_received: list[int] = []


def listen() -> None:
    """From now on a signal raises ``KeyboardInterrupt``, and is remembered."""
    _received.clear()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)


def received() -> int | None:
    """The first signal since ``listen``."""
    return _received[0] if _received else None


def _interrupt(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    raise KeyboardInterrupt
