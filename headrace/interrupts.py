"""Handle SIGINT and SIGTERM: record a signal that comes early, and let a command stop in order.

An early signal must be recorded: during an import, a library may take the KeyboardInterrupt for a missing module and
continue, and the signal would be lost.
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
    """Record signals from now on; each also raises ``KeyboardInterrupt``."""
    _received.clear()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)


def received() -> int | None:
    """Return the first signal since ``listen``; None if there was none."""
    return _received[0] if _received else None


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    raise KeyboardInterrupt


#: Seconds within which signals count as one: `timeout` signals its child, and then the group of the child again.
ONE_SIGNAL = 0.5


class Stop:
    """True after SIGINT or SIGTERM; a second signal raises ``KeyboardInterrupt``."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._at = 0.0
        self._woken: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def wait(self, seconds: float) -> None:
        """Sleep until the stop, at most ``seconds``."""
        # A handler interrupts the main thread, even while that thread waits: it would deadlock on the lock of an Event, and a
        # SimpleQueue of Python 3.11 may wait for ever if its timeout is over at once. The byte that the interpreter writes for
        # a signal ends the wait, even if it is written just before.
        if self.signal is None:
            woken, _, _ = select.select([] if self._woken is None else [self._woken], [], [], max(0.0, seconds))
            if woken and not self:  # by a signal that another handler takes
                os.read(woken[0], 4096)

    @property
    def exit_code(self) -> int:
        """Exit code as in a shell: 128 + signal."""
        return 128 + (self.signal or signal.SIGINT)

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Handle SIGINT and SIGTERM; restore the former handlers afterwards."""

        def handle(number: int, _frame: FrameType | None) -> None:
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
