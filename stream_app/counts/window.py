"""Windows of counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stream_app.counts.fields import Counts
from stream_app.windows.grain import Grain


@dataclass(frozen=True, slots=True)
class Window:
    """One tumbling window; ``start`` in seconds since the epoch, event time."""

    start: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class HashWindow:
    """One tumbling window: ``start`` in seconds since the epoch, ``counts`` as in the window's hash; empty: no records."""

    start: int
    counts: Mapping[str, int]


def windows_of(
    minutes: Mapping[int, Mapping[str, int]], grain: str, since: int | None = None, until: int | None = None
) -> Iterator[HashWindow]:
    """The windows of a tally's ``minutes`` (epoch minute → counts), in order, without gaps.

    ``since`` and ``until`` in seconds since the epoch; default: from the first to the last that holds a record. A window
    that ``until`` cuts is left out.
    """
    seconds = Grain(grain).seconds
    merged: dict[int, dict[str, int]] = {}
    for minute, counts in minutes.items():
        into = merged.setdefault(minute * 60 // seconds * seconds, {})
        for name, number in counts.items():
            into[name] = into.get(name, 0) + number
    if not merged and (since is None or until is None):
        return
    first = (min(merged) if since is None else since) // seconds * seconds
    last = max(merged) + seconds if until is None else until
    for start in range(first, last - seconds + 1, seconds):
        yield HashWindow(start, merged.get(start, {}))
