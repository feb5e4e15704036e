"""Time ranges on the stream's own clock: which windows a range covers, and how they group into bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from stream_app.windows.grain import MOST_WINDOWS, Grain, Span


class TimeRange(StrEnum):
    """How far back a view looks from the stream's time."""

    LAST_15_MINUTES = "15m"
    LAST_HOUR = "1h"
    LAST_DAY = "24h"
    LAST_WEEK = "7d"
    LAST_30_DAYS = "30d"
    ALL = "all"

    @property
    def seconds(self) -> int | None:
        """Its length; None for all time."""
        return _LENGTHS[self][0]

    @property
    def grain(self) -> Grain:
        """The windows it is read from (all time: days, or finer where the stream is short)."""
        return _LENGTHS[self][1]

    @property
    def label(self) -> str:
        """What people call it."""
        return _LENGTHS[self][2]


_LENGTHS: dict[TimeRange, tuple[int | None, Grain, str]] = {
    TimeRange.LAST_15_MINUTES: (15 * 60, Grain.MINUTE, "15 min"),
    TimeRange.LAST_HOUR: (3_600, Grain.MINUTE, "1 h"),
    TimeRange.LAST_DAY: (86_400, Grain.HOUR, "24 h"),
    TimeRange.LAST_WEEK: (7 * 86_400, Grain.HOUR, "7 d"),
    TimeRange.LAST_30_DAYS: (30 * 86_400, Grain.DAY, "30 d"),
    TimeRange.ALL: (None, Grain.DAY, "All"),
}


@dataclass(frozen=True, slots=True)
class Custom:
    """A range that a viewer cut out: from ``start`` up to ``end``, seconds since the epoch, event time."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= 253_402_300_800:
            raise ValueError("a range starts before it ends, between 1970 and 9999")

    @property
    def seconds(self) -> int:
        """Its length."""
        return self.end - self.start

    @property
    def label(self) -> str:
        """What people call it."""
        days, rest = divmod(self.seconds, 86_400)
        if not rest:
            return f"{days} d"
        return f"{self.seconds / 3_600:.3g} h"

    @property
    def value(self) -> str:
        """Its text in an address, ``2010-12-01T08:00_2010-12-02T08:00``; ``Custom.parse`` reads it."""
        return "_".join(datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M") for at in (self.start, self.end))

    @classmethod
    def parse(cls, text: str) -> Custom:
        """Read what ``value`` wrote.

        Raises:
            ValueError: the text is no such range.
        """
        begin, _, end = text.partition("_")
        start, stop = (datetime.strptime(part, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC) for part in (begin, end))
        return cls(int(start.timestamp()), int(stop.timestamp()))


#: What a view may be asked for.
Chosen = TimeRange | Custom


def span_before(chosen: TimeRange, stream_seconds: float) -> Span:
    """The windows of a range that ends with the window that holds the stream's time, itself included."""
    if chosen.seconds is None:
        raise ValueError("all time has no length: use span_of_all")
    end = chosen.grain.start(stream_seconds) + chosen.grain.seconds
    start = end - chosen.seconds
    return Span(chosen.grain, start, end, start - chosen.seconds)


def span_of_all(first: int, stream_seconds: float) -> Span:
    """From ``first`` on, in the finest windows that are few enough; at most the last MOST_WINDOWS days."""
    for grain in (Grain.MINUTE, Grain.HOUR):
        start, end = grain.start(first), grain.start(stream_seconds) + grain.seconds
        if (end - start) // grain.seconds <= MOST_WINDOWS:
            return Span(grain, start, end)
    end = Grain.DAY.start(stream_seconds) + Grain.DAY.seconds
    return Span(Grain.DAY, max(Grain.DAY.start(first), end - MOST_WINDOWS * Grain.DAY.seconds), end)


def span_of_custom(chosen: Custom, stream_seconds: float) -> Span:
    """The windows that cover a custom range: the finest that are few enough and, by the stream's time, still kept.

    Where the range and the one before it together are too many days, there is none before; of a range that alone is
    too long, the last MOST_WINDOWS days.
    """
    for grain in (Grain.MINUTE, Grain.HOUR, Grain.DAY):
        start, end = grain.start(chosen.start), grain.start(chosen.end - 1) + grain.seconds
        length = end - start
        kept = start - length >= stream_seconds - grain.kept * grain.seconds
        if 2 * length // grain.seconds <= MOST_WINDOWS and (kept or grain is Grain.DAY):
            return Span(grain, start, end, max(0, start - length))
    start, end = Grain.DAY.start(chosen.start), Grain.DAY.start(chosen.end - 1) + Grain.DAY.seconds
    return Span(Grain.DAY, max(start, end - MOST_WINDOWS * Grain.DAY.seconds), end)


def span_of(chosen: Chosen, first: int | None, stream_seconds: float) -> Span:
    """The windows of any range. ``first``: start of the stream (s), None where nothing came yet."""
    if isinstance(chosen, Custom):
        return span_of_custom(chosen, stream_seconds)
    if chosen is TimeRange.ALL:
        return span_of_all(int(stream_seconds) if first is None else first, stream_seconds)
    return span_before(chosen, stream_seconds)


def suggest_range(first_seconds: float, stream_seconds: float) -> TimeRange:
    """The longest range that the stream covers twice, so that there is something to compare with."""
    covered = stream_seconds - first_seconds
    fits = [one for one in TimeRange if one.seconds is not None and 2 * one.seconds <= covered]
    return fits[-1] if fits else TimeRange.LAST_15_MINUTES


_STEPS = {
    Grain.MINUTE: (1, 2, 5, 10, 15, 30, 60),
    Grain.HOUR: (1, 2, 3, 6, 12, 24),
    Grain.DAY: (1, 7, 14, 28),
}


def bar_seconds(span: Span, most: int) -> int:
    """The shortest usual length of a bar that draws ``span`` in about ``most`` bars."""
    for step in _STEPS[span.grain]:
        if span.windows / step <= most:
            return step * span.grain.seconds
    return _STEPS[span.grain][-1] * span.grain.seconds


#: Bars of whole weeks start on Mondays: the first Monday of the epoch, in seconds.
_MONDAY = 4 * 86_400


def bar_start(seconds: int, length: int) -> int:
    """The round start of the bar of ``length`` seconds that holds ``seconds``."""
    shift = _MONDAY if length >= 7 * 86_400 else 0
    return (seconds - shift) // length * length + shift


def bars(span: Span, most: int) -> tuple[tuple[int, int], ...]:
    """``span`` as about ``most`` bars, ``(start, end)``, on the clock's round times: the outer two may stick out."""
    length = bar_seconds(span, most)
    return tuple((start, start + length) for start in range(bar_start(span.start, length), span.end, length))


def groups(span: Span, most: int) -> tuple[tuple[int, int], ...]:
    """``span`` cut into at most ``most`` equal groups of windows, ``(start, end)``, the last one ending with it."""
    length = -(-span.windows // most) * span.grain.seconds
    starts = range(span.end - length, span.start - length, -length)
    return tuple((max(start, span.start), start + length) for start in reversed(starts))
