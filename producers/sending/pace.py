"""Pace records: by a rate, or by event time at a multiple of the clock's speed."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable

from stream_app.windows.clock import RunningClock

#: Seconds of delay that are caught up after a stall; a longer delay is dropped, so that no burst follows.
CATCH_UP = 1.0
#: Seconds between two portions of records that are sent to a broker: one log batch per record would cost the broker more
#: than the records do.
TICK = 0.2
_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}


def parse_rate(text: str) -> float:
    """Return records per second from ``200``, ``200/s``, ``12000/min`` or ``1.5/h``.

    Raises:
        ValueError: the text is not a rate, or not above zero.
    """
    match = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?)(?:/(s|sec|min|h))?", text.strip())
    rate = float(match[1]) / _UNITS[match[2] or ""] if match else 0.0
    if rate <= 0:
        raise ValueError(f"{text!r} is not a rate; write one such as 200/s or 12000/min")
    return rate


def parse_speed(text: str) -> float:
    """Return the factor from ``60x`` or ``60``.

    Raises:
        ValueError: the text is not a speed, or not above zero.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)x?", text.strip())
    speed = float(match[1]) if match else 0.0
    if speed <= 0:
        raise ValueError(f"{text!r} is not a speed; write one such as 60x")
    return speed


class Pacer:
    """Tell how long to wait before the next record.

    Args:
        rate: records per second; ``None``: unlimited.
        speed: seconds of event time per second; ``None``: regardless of event time.
        tick: records that are due within the same tick (seconds) go together at its end; 0: each record at its own time.
        now: a clock in seconds.
    """

    def __init__(
        self,
        rate: float | None = None,
        speed: float | None = None,
        tick: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._step = 1.0 / rate if rate else 0.0
        self._speed = speed
        self._tick = tick
        self._now = now
        self._due: float | None = None
        self._origin: tuple[float, int] | None = None
        self._clock = RunningClock()

    @property
    def idle(self) -> bool:
        """True if no record ever has to wait."""
        return not self._step and self._speed is None

    def delay(self, as_of_ms: int | None) -> float:
        """Count the record and return the seconds until it is due; 0 or less if it is due now."""
        now = self._now()
        due = now
        if self._step:
            due = now if self._due is None else max(self._due, now - CATCH_UP)
            self._due = due + self._step
        if self._speed is not None and as_of_ms is not None:
            # A record that is late in event time is due at once, and does not move the others.
            # Nor does one that is dated far ahead.
            self._clock.take(as_of_ms)
            start, first = self._origin or (now, as_of_ms)
            timed = start + (self._clock.reached - first) / 1000 / self._speed
            behind = now - timed
            self._origin = (start + behind if behind > CATCH_UP else start, first)
            due = max(due, timed)
        if self._tick and due > now:
            due = math.ceil(due / self._tick) * self._tick
        return due - now
