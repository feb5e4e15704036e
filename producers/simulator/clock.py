"""The event time of a simulated shop: orders and visits arrive at random, by a daily and weekly rhythm."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from producers.simulator.staging import Staging

#: Relative rate by hour of the day (UTC) and by day of the week (Monday first).
HOURS = tuple(h / 24.0 for h in (
    9.0, 8.4, 8.4, 8.4, 8.4, 9.0, 12.0, 18.0, 24.0, 28.0, 31.0, 33.0,
    36.0, 34.0, 32.0, 31.0, 31.0, 32.0, 34.0, 38.0, 40.0, 35.0, 24.0, 11.2,
))  # fmt: skip
DAYS = (1.0, 0.95, 0.95, 1.0, 1.1, 1.15, 0.85)
_HOUR_MEAN = sum(HOURS) / 24


class EventClock:
    """Advances event time from one arrival to the next; incidents change the rate.

    Attributes:
        at_ms: current event time, in milliseconds since the epoch.
    """

    def __init__(self, rng: random.Random, staging: Staging, start_ms: int, per_second: float) -> None:
        self.at_ms = float(start_ms)
        self._rng = rng
        self._staging = staging
        self._per_second = per_second
        self._second, self._text = -1, ""
        staging.advance(start_ms)

    def advance(self) -> None:
        """Go to the next arrival."""
        staging = self._staging
        while True:
            if staging.rate > 0:
                seconds = int(self.at_ms // 1000)
                busy = HOURS[seconds // 3600 % 24] / _HOUR_MEAN * DAYS[(seconds // 86_400 + 3) % 7]
                self.at_ms += self._rng.expovariate(self._per_second * staging.rate * busy) * 1000
            else:
                self.at_ms = staging.next_ms
            if self.at_ms < staging.next_ms:
                return
            staging.advance(self.at_ms)
            if staging.rate > 0:
                return

    def timestamp(self) -> str:
        """Return the event time as ISO 8601, to the second."""
        second = int(self.at_ms // 1000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._text
