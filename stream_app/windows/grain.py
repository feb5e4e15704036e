"""The lengths of windows, spans of windows, and the fewest windows that cover a period."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stream_app.windows.zone import UTC, Zone


class Grain(StrEnum):
    """The length of a window; the value is part of Redis keys and of stored documents."""

    MINUTE = "m"
    HOUR = "h"
    DAY = "d"

    @property
    def seconds(self) -> int:
        """The length of one window, in seconds."""
        return _SECONDS[self]

    @property
    def kept(self) -> int:
        """The number of windows of this grain that are kept."""
        return _KEPT[self]

    @classmethod
    def of(cls, name: str) -> Grain:
        """Return the grain that settings call ``minute``, ``hour`` or ``day``.

        Raises:
            KeyError: no grain has this name.
        """
        return cls[name.upper()]

    def start(self, seconds: float) -> int:
        """Return the start of the window with the moment ``seconds`` since the epoch in it."""
        return int(seconds // self.seconds) * self.seconds


_SECONDS = {Grain.MINUTE: 60, Grain.HOUR: 3_600, Grain.DAY: 86_400}
_KEPT = {Grain.MINUTE: 10_080, Grain.HOUR: 9_600, Grain.DAY: 3_660}
#: Most windows of an entity that a view reads, the range before included.
MOST_WINDOWS = 400


@dataclass(frozen=True, slots=True)
class Span:
    """Windows of ``grain`` from ``start`` up to, not including, ``end``: seconds since the epoch.

    ``previous``: where the equally long range before starts; None for all time. ``zone``: whose days the days are.
    """

    grain: Grain
    start: int
    end: int
    previous: int | None = None
    zone: Zone = UTC

    @property
    def local(self) -> bool:
        """True if the windows are days of another zone than UTC, which are put together from hours."""
        return self.grain is Grain.DAY and not self.zone.is_utc

    @property
    def windows(self) -> int:
        """The number of windows from ``start`` to ``end``."""
        if self.local:
            return len(self.zone.days(self.start, self.end))
        return (self.end - self.start) // self.grain.seconds


#: The longest period that is read, in seconds: a leap year.
LONGEST = 366 * 86_400


def tiles(start: int, end: int) -> tuple[tuple[Grain, int], ...]:
    """Return the fewest windows that cover ``start`` up to ``end`` (s, whole minutes) exactly, in order of time.

    At most 118 minutes, 46 hours and 366 days.

    Raises:
        ValueError: ``start`` or ``end`` is not a whole minute, the period is empty, or it is longer than LONGEST.
    """
    if start % 60 or end % 60 or start < 0:
        raise ValueError("a period must start and end on a whole minute")
    if not 0 < end - start <= LONGEST:
        raise ValueError("a period must end after its start and last at most 366 days")
    found: list[tuple[Grain, int]] = []
    at = start
    while at < end:
        grain = next(
            grain for grain in (Grain.DAY, Grain.HOUR, Grain.MINUTE) if at % grain.seconds == 0 and at + grain.seconds <= end
        )
        found.append((grain, at))
        at += grain.seconds
    return tuple(found)
