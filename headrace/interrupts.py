"""SIGINT and SIGTERM until a command takes them itself: an interrupt, and a note of it.

The note is what counts when it is too early to stop in an orderly way: in the middle of an import, some library takes any
exception for a missing module and goes on, and the interrupt is lost.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


#: Seconds in which signals count as one: `timeout` signals its child, and then the child's group once more.
ONE_SIGNAL = 0.5


class Stop:
    """Set by SIGINT or SIGTERM; a second signal ends the process at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._at = 0.0
        self._woken: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def wait(self, seconds: float) -> None:
        """Sleep, at most until the stop."""
        # A handler runs in the middle of the main thread's work, its waiting included: an Event's lock would be held by the
        # very thread that it interrupts, and a SimpleQueue of Python 3.11 may wait for ever when its time is over at once.
        # The byte that the interpreter writes for a signal ends the wait also when it comes just before it.
        if self.signal is None:
            woken, _, _ = select.select([] if self._woken is None else [self._woken], [], [], max(0.0, seconds))
            if woken and not self:  # by a signal that somebody else takes
                os.read(woken[0], 4096)

    @property
    def exit_code(self) -> int:
        return 128 + (self.signal or signal.SIGINT)

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Take SIGINT and SIGTERM; the former handlers come back afterwards."""

        def handle(number: int, frame: FrameType | None) -> None:
            now = time.monotonic()
            if self.signal is not None:
                if now - self._at < ONE_SIGNAL:
                    return
                raise KeyboardInterrupt
            self.signal, self._at = number, now

        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        before_wake = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        if (early := received()) is not None and self.signal is None:
            handle(early, None)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before_wake)
            os.close(self._woken)
            os.close(wake)
            self._woken = None
