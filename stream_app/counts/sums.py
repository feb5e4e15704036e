"""Sums of windows, each computed once: of a range only the window that still counts is added at a refresh."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stream_app.counts.fields import Counts, add
from stream_app.counts.kept import Kept

#: Numbers in all sums that are kept: about 100 bytes each.
NUMBERS_KEPT = 100_000

_SUMS: Kept[Counts] = Kept(NUMBERS_KEPT)
#: A tuple of objects tells by one of these whether segments were added.
_WITH, _WITHOUT = object(), object()
#: Up to this number of parts, the sum of all but the last one is not worth keeping.
_FEW = 3


def summed(parts: Iterable[Counts], *, segments: bool = True) -> Counts:
    """Return the sum of several counts, as ``fields.add`` does, of parts that it or ``fields.parse`` made."""
    some = tuple(parts)
    if len(some) == 1 and (segments or not some[0].segments):
        return some[0]
    kind = _WITH if segments else _WITHOUT
    return _SUMS.or_compute((kind, *some), lambda: _add(kind, some, segments=segments), numbers)


def _add(kind: object, some: tuple[Counts, ...], *, segments: bool) -> Counts:
    if len(some) == 1:
        return replace(some[0], segments={})
    if len(some) <= _FEW:
        return add(some, segments=segments)
    # Mostly the last window alone has changed since the last refresh.
    first = _SUMS.or_compute((kind, *some[:-1]), lambda: add(some[:-1], segments=segments), numbers)
    return add((first, some[-1]), segments=segments)


def numbers(counts: Counts) -> int:
    """Return about how many numbers counts hold."""
    named = (counts.findings, counts.at_risk_minor, counts.repairs, counts.nulls, counts.unknown, counts.dimensions)
    return 32 + sum(map(len, named)) + sum(6 + len(one.findings) for of in counts.segments.values() for one in of.values())
