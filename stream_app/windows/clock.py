"""The time that one partition has reached, which no single record can move. Pure, and a function of the log alone.

Kafka Streams takes the largest timestamp of a partition, and Flink the largest less a bound; either lets one record that is
dated a year ahead close every window before it. Here a record counts up to its as-of moment, and a leap of more than a day
counts once the records next to it agree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from statistics import median_low

#: A time up to this (ms) ahead of what the partition has reached counts at once; one further ahead is a leap.
LEAP_MS = 86_400_000
#: The latest records of a partition, among which a leap must not stand apart; nothing is late before MINIMUM of them.
LATEST, MINIMUM = 8, 3
#: A gap this many times as large as the median gap of the other records, and of more than LEAP_MS, sets times apart.
_APART = 4


@dataclass(frozen=True, slots=True)
class PartitionClock:
    """The time of one partition, in ms since the epoch.

    Attributes:
        reached: the largest time that counts; 0 before the first record.
        latest: the times of the latest records, in order of offsets; at most LATEST.
    """

    reached: int = 0
    latest: tuple[int, ...] = ()

    def takes(self, time: int) -> bool:
        """True if a time counts whatever comes next to it."""
        return len(self.latest) == LATEST and time <= self.reached + LEAP_MS

    def advance(self, times: Sequence[int]) -> PartitionClock:
        """Return the clock after records of these times, in order of offsets."""
        if not times:
            return self
        if self.takes(top := max(times)):
            return self.moved(top, times[-LATEST:])
        running = RunningClock(self)
        for time in times:
            running.take(time)
        return running.clock()

    def moved(self, top: int, last: Sequence[int]) -> PartitionClock:
        """Return the clock after records that it ``takes``: the largest of their times, and those of the last."""
        return PartitionClock(max(self.reached, top), (*self.latest, *last)[-LATEST:])

    def to_text(self) -> str:
        """Return the stored form; it begins with ``reached``."""
        return " ".join(map(str, chain((self.reached,), self.latest)))

    @classmethod
    def from_text(cls, text: str) -> PartitionClock:
        """Read what ``to_text`` wrote; anything else is a clock before its first record."""
        try:
            reached, *latest = map(int, text.split())
        except ValueError:
            return cls()
        return cls(reached, tuple(latest[-LATEST:])) if min(reached, *latest, 0) >= 0 else cls()


class RunningClock:
    """A clock that takes one record after the other."""

    __slots__ = ("_latest", "reached")

    def __init__(self, clock: PartitionClock = PartitionClock()) -> None:
        self.reached = clock.reached
        self._latest = deque(clock.latest, LATEST)

    @property
    def settled(self) -> bool:
        """True once enough records came that one cannot move the clock."""
        return len(self._latest) >= MINIMUM

    @property
    def full(self) -> bool:
        """True once the clock cannot go back any more."""
        return len(self._latest) == LATEST

    def take(self, time: int) -> None:
        """Move the clock by the time of the next record."""
        latest = self._latest
        if len(latest) < LATEST:
            # The first records may correct each other.
            latest.append(time)
            self.reached = agreed(latest)
            return
        latest.append(time)
        if time <= self.reached:
            return
        self.reached = time if time <= self.reached + LEAP_MS else max(self.reached, agreed(latest))

    def clock(self) -> PartitionClock:
        """Return the clock as it stands."""
        return PartitionClock(self.reached, tuple(self._latest))


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a batch: the clock after it, and index → the end (s) of the windows that were final before a late record."""

    clock: PartitionClock = field(default_factory=PartitionClock)
    late: Mapping[int, int] = field(default_factory=dict)


def agreed(times: Iterable[int]) -> int:
    """Return the largest of some times that does not stand apart.

    Less than half of them stand apart if a gap separates them that is larger than a day, and than four times the median gap
    of the others: a shop with an order a week has no outliers of a week.
    """
    ordered = sorted(times)
    for apart in range((len(ordered) - 1) // 2, 0, -1):
        rest = ordered[:-apart]
        gaps = [later - earlier for earlier, later in pairwise(rest)]
        if ordered[-apart] - rest[-1] > max(LEAP_MS, _APART * median_low(gaps)):
            return rest[-1]
    return ordered[-1]
