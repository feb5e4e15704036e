"""Time ranges on the stream's own clock: the windows that a range covers, and how they group into bars."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from stream_app.windows.as_of import END_MS, FIRST_MS
from stream_app.windows.grain import MOST_WINDOWS, Grain, Span
from stream_app.windows.zone import UTC as UTC_ZONE
from stream_app.windows.zone import Zone

#: Approximate number of bars in a chart, and maximum number of points of a sparkline.
BARS = 90
SPARK_POINTS = 30


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
        """Length of the range; None for all time."""
        return _LENGTHS[self][0]

    @property
    def grain(self) -> Grain:
        """Windows that the range is read from (all time: days, or finer if the stream is short)."""
        return _LENGTHS[self][1]

    @property
    def label(self) -> str:
        """Name of the range on a page."""
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
    """A range with given limits: from ``start`` up to ``end``, seconds since the epoch, event time."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not FIRST_MS // 1000 <= self.start < self.end <= END_MS // 1000:
            raise ValueError("a range must start before it ends, between 1970 and 9998")

    @property
    def seconds(self) -> int:
        """Length of the range."""
        return self.end - self.start

    @property
    def label(self) -> str:
        """Name of the range on a page."""
        days, rest = divmod(self.seconds, 86_400)
        if not rest:
            return f"{days} d"
        return f"{self.seconds / 3_600:.3g} h"

    @property
    def value(self) -> str:
        """The range in a page's address, ``2010-12-01T08:00_2010-12-02T08:00``; ``Custom.parse`` reads it."""
        return "_".join(datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M") for at in (self.start, self.end))

    @classmethod
    def parse(cls, text: str) -> Custom:
        """Read what ``value`` wrote.

        Raises:
            ValueError: the text does not have that format.
        """
        begin, _, end = text.partition("_")
        start, stop = (datetime.strptime(part, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC) for part in (begin, end))
        return cls(int(start.timestamp()), int(stop.timestamp()))


#: A range that a view can show.
Chosen = TimeRange | Custom


#: Days of a zone other than UTC need hours, which are kept for as many days; less two for a zone's distance from UTC.
MOST_LOCAL_DAYS = Grain.HOUR.kept * Grain.HOUR.seconds // Grain.DAY.seconds - 2


def span_before(chosen: TimeRange, stream_seconds: float, zone: Zone = UTC_ZONE) -> Span:
    """Return the windows of a range whose last window contains the stream's time."""
    if chosen.seconds is None:
        raise ValueError("all time has no length; use span_of_all")
    if chosen.grain is Grain.DAY and not zone.is_utc:
        day, days = zone.day(stream_seconds), chosen.seconds // Grain.DAY.seconds
        return Span(Grain.DAY, zone.shift(day, 1 - days), zone.next_day(day), zone.shift(day, 1 - 2 * days), zone)
    end = chosen.grain.start(stream_seconds) + chosen.grain.seconds
    start = end - chosen.seconds
    return Span(chosen.grain, start, end, start - chosen.seconds, zone)


def span_of_all(first: int, stream_seconds: float, zone: Zone = UTC_ZONE) -> Span:
    """Return the windows from ``first`` on, in the finest grain that fits MOST_WINDOWS; else the last MOST_WINDOWS days.

    The first record may be dated ahead of the stream's time.
    """
    first = min(first, int(stream_seconds))
    for grain in (Grain.MINUTE, Grain.HOUR):
        start, end = grain.start(first), grain.start(stream_seconds) + grain.seconds
        if (end - start) // grain.seconds <= MOST_WINDOWS:
            return Span(grain, start, end, zone=zone)
    day = zone.day(stream_seconds)
    most = MOST_WINDOWS if zone.is_utc else MOST_LOCAL_DAYS
    return Span(Grain.DAY, max(zone.day(first), zone.shift(day, 1 - most)), zone.next_day(day), zone=zone)


def span_of_custom(chosen: Custom, stream_seconds: float, zone: Zone = UTC_ZONE) -> Span:
    """Return the windows that cover a custom range, in the finest grain that fits MOST_WINDOWS and is still kept.

    If the range and the previous one together exceed MOST_WINDOWS days, there is no previous range. If the range alone does,
    only its last MOST_WINDOWS days are covered. Days are those of UTC if the hours are gone that days of the zone are made of.
    """
    for grain in (Grain.MINUTE, Grain.HOUR):
        start, end = grain.start(chosen.start), grain.start(chosen.end - 1) + grain.seconds
        length = end - start
        kept = start - length >= stream_seconds - grain.kept * grain.seconds
        if 2 * length // grain.seconds <= MOST_WINDOWS and kept:
            return Span(grain, start, end, max(0, start - length), zone)
    first, last = zone.day(chosen.start), zone.day(chosen.end - 1)
    days = (zone.date_of(last) - zone.date_of(first)).days + 1
    compared_too = 2 * days <= MOST_WINDOWS
    start = zone.shift(last, 1 - days if compared_too else max(1 - days, 1 - MOST_WINDOWS))
    previous = max(0, zone.shift(start, -days)) if compared_too else None
    if not zone.is_utc and (start if previous is None else previous) < stream_seconds - MOST_LOCAL_DAYS * Grain.DAY.seconds:
        return span_of_custom(chosen, stream_seconds)
    return Span(Grain.DAY, start, zone.next_day(last), previous, zone)


def span_of(chosen: Chosen, first: int | None, stream_seconds: float, zone: Zone = UTC_ZONE) -> Span:
    """Return the windows of any range. ``first``: start of the stream (s), None before the first record."""
    if isinstance(chosen, Custom):
        return span_of_custom(chosen, stream_seconds, zone)
    if chosen is TimeRange.ALL:
        return span_of_all(int(stream_seconds) if first is None else first, stream_seconds, zone)
    return span_before(chosen, stream_seconds, zone)


def suggest_range(first_seconds: float, stream_seconds: float) -> TimeRange:
    """Return the longest range that the stream covers twice, so that the previous range is complete."""
    covered = stream_seconds - first_seconds
    fits = [one for one in TimeRange if one.seconds is not None and 2 * one.seconds <= covered]
    return fits[-1] if fits else TimeRange.LAST_15_MINUTES


def bounds(chosen: Chosen, stream_ms: int | None, zone: Zone = UTC_ZONE) -> tuple[int | None, int | None]:
    """Return a range's limits in seconds of event time; None where it is open.

    A range up to the stream's time is open at its end: records rejected for a date in the future are later than the stream's
    time and belong to it.
    """
    if isinstance(chosen, Custom):
        return chosen.start, chosen.end
    if chosen.seconds is None or stream_ms is None:
        return None, None
    return span_before(chosen, stream_ms / 1000, zone).start, None


_STEPS = {
    Grain.MINUTE: (1, 2, 5, 10, 15, 30, 60),
    Grain.HOUR: (1, 2, 3, 6, 12, 24),
    Grain.DAY: (1, 7, 14, 28),
}
_HOUR, _DAY = Grain.HOUR.seconds, Grain.DAY.seconds


def bar_seconds(span: Span, most: int) -> int:
    """Return the shortest usual bar length (s) that draws ``span`` in at most about ``most`` bars."""
    for step in _STEPS[span.grain]:
        if span.windows / step <= most:
            return step * span.grain.seconds
    return _STEPS[span.grain][-1] * span.grain.seconds


def bar_start(seconds: int, length: int, zone: Zone = UTC_ZONE) -> int:
    """Return the aligned start of the bar of ``length`` seconds that contains ``seconds``.

    Bars of whole weeks start on Mondays. Bars that are longer than an hour follow the clocks of the zone: none crosses
    midnight, so that where the clocks change, a day's last bar is shorter, or there is one more.
    """
    if length <= _HOUR:
        return seconds // length * length
    day = zone.day(seconds)
    return zone.group(day, length // _DAY) if length >= _DAY else day + (seconds - day) // length * length


def bar_end(start: int, length: int, zone: Zone = UTC_ZONE) -> int:
    """Return where the bar ends that starts at ``start``."""
    if length <= _HOUR:
        return start + length
    if length < _DAY:
        return min(start + length, zone.next_day(zone.day(start)))
    return zone.next_day(start) if length == _DAY else zone.shift(start, length // _DAY)


def bars(span: Span, most: int) -> tuple[tuple[int, int], ...]:
    """Divide ``span`` into about ``most`` aligned bars, ``(start, end)``; the first and last may extend beyond it."""
    length = bar_seconds(span, most)
    found, start = [], bar_start(span.start, length, span.zone)
    while start < span.end:
        end = bar_end(start, length, span.zone)
        found.append((start, end))
        start = end
    return tuple(found)


def groups(span: Span, most: int) -> tuple[tuple[int, int], ...]:
    """Divide ``span`` into at most ``most`` equal groups of windows, ``(start, end)``; the last one ends with it."""
    size = -(-span.windows // most)
    if span.local:
        days = (*span.zone.days(span.start, span.end), span.end)
        limits = sorted({days[0], *days[::-1][::size]})
        return tuple(itertools.pairwise(limits))
    length = size * span.grain.seconds
    starts = range(span.end - length, span.start - length, -length)
    return tuple((max(start, span.start), start + length) for start in reversed(starts))


def compared(span: Span, stream_seconds: float) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the parts of a span and of the previous one that can be compared: its complete windows, and as many before.

    None if the span has no previous one, or its first window is still running.
    """
    running = span.zone.day(stream_seconds) if span.local else span.grain.start(stream_seconds)
    end = min(span.end, running)
    if span.previous is None or end <= span.start:
        return None
    if span.local:
        days = len(span.zone.days(span.start, end))
        return (span.start, end), (span.previous, span.zone.shift(span.previous, days))
    return (span.start, end), (span.previous, span.previous + end - span.start)


def cuts_of(span: Span, stream_seconds: float) -> set[tuple[int, int]]:
    """Return the periods for which distinct values are counted: sparkline groups, bars, the span, and the compared ones."""
    cuts = {*groups(span, SPARK_POINTS), *bars(span, BARS), (span.start, span.end)}
    return cuts.union(compared(span, stream_seconds) or ())
