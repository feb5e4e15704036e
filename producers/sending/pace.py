"""Paces records: so many per second, or event time so many times as fast as the clock."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable

#: Seconds of delay that are made up for after a stall; a longer one is not, so that no burst follows it.
CATCH_UP = 1.0
#: Seconds between two portions of records, for whoever sends to a broker: a batch of the log for each record would cost it
#: more than the records.
TICK = 0.2
_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}


def parse_rate(text: str) -> float:
    """Records per second out of ``200``, ``200/s``, ``12000/min`` or ``1.5/h``.

    Raises:
        ValueError: it is none, or not above zero.
    """
    match = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?)(?:/(s|sec|min|h))?", text.strip())
    rate = float(match[1]) / _UNITS[match[2] or ""] if match else 0.0
    if rate <= 0:
        raise ValueError(f"{text!r} is no rate; write one such as 200/s or 12000/min")
    return rate


def parse_speed(text: str) -> float:
    """A factor out of ``60x`` or ``60``.

    Raises:
        ValueError: it is none, or not above zero.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)x?", text.strip())
    speed = float(match[1]) if match else 0.0
    if speed <= 0:
        raise ValueError(f"{text!r} is no speed; write one such as 60x")
    return speed


class Pacer:
    """Says how long to wait before the next record.

    Args:
        rate: records per second, or None.
        speed: seconds of event time per second, or None.
        tick: records that are due within the same so many seconds go together, at their end; 0: each at its time.
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
        self._latest = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to wait for, ever."""
        return not self._step and self._speed is None

    def delay(self, as_of_ms: int | None) -> float:
        """Seconds until this record is due, 0 or less when it is; counts the record."""
        now = self._now()
        due = now
        if self._step:
            due = now if self._due is None else max(self._due, now - CATCH_UP)
            self._due = due + self._step
        if self._speed is not None and as_of_ms is not None:
            # A record that comes late in event time is due at once, and changes nothing for the others.
            self._latest = max(self._latest, as_of_ms) if self._origin else as_of_ms
            start, first = self._origin or (now, as_of_ms)
            timed = start + (self._latest - first) / 1000 / self._speed
            behind = now - timed
            self._origin = (start + behind if behind > CATCH_UP else start, first)
            due = max(due, timed)
        if self._tick and due > now:
            due = math.ceil(due / self._tick) * self._tick
        return due - now
