"""Days of a time zone from windows of UTC: a day's window and the few hours by which the two days differ."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from stream_app.counts.fields import Counts, SegmentCounts, add
from stream_app.counts.kept import Kept
from stream_app.counts.sums import NUMBERS_KEPT, numbers
from stream_app.counts.window import Window
from stream_app.store.cardinality import Part
from stream_app.windows.grain import Grain, Span

_HOUR, _DAY = Grain.HOUR.seconds, Grain.DAY.seconds
_MOST_ADDED = 12

#: A window of UTC, by its grain and start.
Key = tuple[Grain, int]

#: Days by what they were added up from, and what stands between its parts: with segments or not, and before the hours that
#: are taken away.
_DAYS: Kept[Counts] = Kept(NUMBERS_KEPT)
_KINDS = {True: object(), False: object()}
_MINUS = object()


class LocalDay(NamedTuple):
    """A day, and the windows of UTC whose counts add up to it: those of ``plus`` less those of ``minus``."""

    start: int
    plus: list[Key]
    minus: list[Key]


def local_days(span: Span, known: Collection[int]) -> list[LocalDay]:
    """Return the days of a span and of the range before it that have records. ``known``: starts of the windows of days."""
    first = span.start if span.previous is None else span.previous
    limits = (*span.zone.days(first, span.end), span.end)
    found = []
    for start, end in pairwise(limits):
        day = LocalDay(start, [], [])
        for utc in range(Grain.DAY.start(start), end, _DAY):
            if utc in known:
                _part(day, utc, max(start, utc), min(end, utc + _DAY))
        if day.plus:
            found.append(day)
    return found


def _part(day: LocalDay, utc: int, start: int, end: int) -> None:
    """Add the part from ``start`` up to ``end`` of a day of UTC: its hours, or the whole without the other hours."""
    inside = range(start, end, _HOUR)
    if len(inside) <= _MOST_ADDED:
        day.plus.extend((Grain.HOUR, at) for at in inside)
        return
    day.plus.append((Grain.DAY, utc))
    day.minus.extend((Grain.HOUR, at) for at in range(utc, utc + _DAY, _HOUR) if at not in inside)


def keys_of(days: Iterable[LocalDay]) -> list[Key]:
    """Return the windows to read, each once: hours first, because no counter of a day is behind that of its hours then."""
    found = {key for day in days for key in (*day.plus, *day.minus)}
    return sorted(found, key=lambda key: (key[0] is Grain.DAY, key[1]))


def windows_of(days: Iterable[LocalDay], counts: Mapping[Key, Counts], *, segments: bool) -> tuple[Window, ...]:
    """Return the days as windows."""

    def of_day(day: LocalDay) -> Counts:
        plus, minus = [counts[key] for key in day.plus], [counts[key] for key in day.minus]
        return _DAYS.or_compute(
            (_KINDS[segments], *plus, _MINUS, *minus),
            lambda: add([*plus, *map(_negative, minus)], segments=segments),
            numbers,
        )

    return tuple(Window(day.start, of_day(day)) for day in days)


def _negative(counts: Counts) -> Counts:
    """Return counts with the opposite sign."""
    segments = {
        of: {value: SegmentCounts(*map(_opposite, msgspec.structs.astuple(one))) for value, one in values.items()}
        for of, values in counts.segments.items()
    }
    others = {one.name: _opposite(getattr(counts, one.name)) for one in fields(counts) if one.name != "segments"}
    return Counts(**others, segments=segments)


def _opposite(value: Any) -> Any:
    return -value if isinstance(value, int) else {name: -number for name, number in value.items()}


def parts_within(hours: Sequence[Part], days: Sequence[Part], start: int, end: int) -> list[Part]:
    """Return the windows with distinct values that make up a period of whole hours: its days, and hours before and after."""
    first, last = -(-start // _DAY) * _DAY, end // _DAY * _DAY
    if first >= last:
        return _between(hours, start, end)
    return [*_between(hours, start, first), *_between(days, first, last), *_between(hours, last, end)]


def _between(parts: Sequence[Part], start: int, end: int) -> list[Part]:
    return list(parts[bisect_left(parts, start, key=_start) : bisect_left(parts, end, key=_start)])


def _start(part: Part) -> int:
    return part.start
