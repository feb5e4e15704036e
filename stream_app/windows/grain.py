"""The lengths of windows, and spans of time that are made of windows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grain(StrEnum):
    """The length of a window; the value stands in keys."""

    MINUTE = "m"
    HOUR = "h"
    DAY = "d"

    @property
    def seconds(self) -> int:
        """The length of one window, in seconds."""
        return _SECONDS[self]

    @property
    def kept(self) -> int:
        """How many windows of this grain are kept."""
        return _KEPT[self]

    @classmethod
    def of(cls, name: str) -> Grain:
        """Return the grain that settings call ``minute``, ``hour`` or ``day``.

        Raises:
            KeyError: no grain has this name.
        """
        return cls[name.upper()]

    def start(self, seconds: float) -> int:
        """The start of the window that holds ``seconds`` since the epoch."""
        return int(seconds // self.seconds) * self.seconds


_SECONDS = {Grain.MINUTE: 60, Grain.HOUR: 3_600, Grain.DAY: 86_400}
_KEPT = {Grain.MINUTE: 10_080, Grain.HOUR: 9_600, Grain.DAY: 3_660}
#: A view reads at most this many windows of an entity, the range before included.
MOST_WINDOWS = 400


@dataclass(frozen=True, slots=True)
class Span:
    """Windows of ``grain`` from ``start`` up to, not including, ``end``: seconds since the epoch.

    ``previous``: where the equally long range before starts; None for all time.
    """

    grain: Grain
    start: int
    end: int
    previous: int | None = None

    @property
    def windows(self) -> int:
        """How many windows there are from ``start`` to ``end``."""
        return (self.end - self.start) // self.grain.seconds


#: The longest period that is read, in seconds: a year and its day.
LONGEST = 366 * 86_400


def tiles(start: int, end: int) -> tuple[tuple[Grain, int], ...]:
    """The fewest windows that cover ``start`` up to ``end`` (s, whole minutes) exactly, in order of time.

    At most 118 minutes, 46 hours and 366 days.

    Raises:
        ValueError: no whole minutes, nothing between them, or longer than LONGEST.
    """
    if start % 60 or end % 60 or start < 0:
        raise ValueError("a period starts and ends on a whole minute of the epoch")
    if not 0 < end - start <= LONGEST:
        raise ValueError("a period ends after its start and lasts at most 366 days")
    found: list[tuple[Grain, int]] = []
    at = start
    while at < end:
        grain = next(
            grain for grain in (Grain.DAY, Grain.HOUR, Grain.MINUTE) if at % grain.seconds == 0 and at + grain.seconds <= end
        )
        found.append((grain, at))
        at += grain.seconds
    return tuple(found)
