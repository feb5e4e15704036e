"""Windows of counts, and the minutes of a tally summed to windows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from stream_app.counts.fields import Counts, parse
from stream_app.windows.grain import Grain


@dataclass(frozen=True, slots=True)
class Window:
    """One tumbling window of event time; ``start`` in seconds since the epoch. Without records its counts are empty.

    ``orders``: distinct orders, where several records may share one; None: not asked for, or each record is an order.
    """

    start: int
    counts: Counts
    orders: int | None = None


def by_grain(minutes: Mapping[int, Mapping[str, int]], grain: Grain) -> dict[int, dict[str, int]]:
    """Sum a tally's ``minutes`` (epoch minute → field → number) by window: start in seconds → field → number, in order."""
    merged: dict[int, dict[str, int]] = {}
    for minute, counts in minutes.items():
        into = merged.setdefault(grain.start(minute * 60), {})
        for name, number in counts.items():
            into[name] = into.get(name, 0) + number
    return dict(sorted(merged.items()))


def distinct_by_grain(minutes: Mapping[int, Collection[str]], grain: Grain) -> dict[int, set[str]]:
    """Unite distinct values (epoch minute → values) by window: start in seconds → values, in order."""
    merged: dict[int, set[str]] = {}
    for minute, values in minutes.items():
        merged.setdefault(grain.start(minute * 60), set()).update(values)
    return dict(sorted(merged.items()))


def windows_of(
    minutes: Mapping[int, Mapping[str, int]],
    grain: Grain,
    since: int | None = None,
    until: int | None = None,
    orders: Mapping[int, Collection[str]] | None = None,
) -> Iterator[Window]:
    """Yield the windows of a tally's ``minutes``, in order, without gaps; with ``orders``, also their distinct orders.

    ``since`` and ``until`` in seconds since the epoch; default: from the first to the last that holds a record. A window
    that ``until`` cuts is left out.
    """
    merged = by_grain(minutes, grain)
    if not merged and (since is None or until is None):
        return
    first = grain.start(min(merged) if since is None else since)
    last = max(merged) + grain.seconds if until is None else until
    distinct = None if orders is None else distinct_by_grain(orders, grain)
    for start in range(first, last - grain.seconds + 1, grain.seconds):
        yield Window(start, parse(merged.get(start, {})), None if distinct is None else len(distinct.get(start, ())))
