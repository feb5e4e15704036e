"""The times of a judged batch: how far they move the partition's clock, and which records are late. Pure.

A record is late if the windows of its time were final by what its partition had reached before it. This is a function of the
partition's log alone (as in Kafka Streams, whose stream time is per partition), so a repeated batch has the same late records.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from stream_app.judge.batch import Verdicts
from stream_app.windows.as_of import UNKNOWN
from stream_app.windows.calendar import milliseconds
from stream_app.windows.clock import LATEST, PartitionClock, RunningClock, Timing
from stream_app.windows.watermark import Finality


def timing(clock: PartitionClock, verdicts: Verdicts, finality: Finality) -> Timing:
    """Return the times of a judged batch after ``clock``. Records that are rejected by their bytes do not move it."""
    if not len(verdicts):
        return Timing(clock)
    name, as_of, bodies = verdicts.contract.event_time, verdicts.as_of, verdicts.bodies
    if name is None:
        # These count as they arrive: none is late.
        times = [at for at, body in zip(as_of, bodies, strict=True) if body is not None and at != UNKNOWN]
        return Timing(clock.advance(times))
    quick = _quick(clock, verdicts, verdicts.column(name), finality)
    return _one_by_one(clock, verdicts, finality) if quick is None else quick


def moving_times(verdicts: Verdicts) -> list[int | None]:
    """Return the time by which each record of a judged batch moves its partition's clock; None of one that does not."""
    times = _times(verdicts) if verdicts.contract.event_time is not None else verdicts.as_of
    return [
        None if body is None or time == UNKNOWN else _bounded(time, as_of)
        for time, as_of, body in zip(times, verdicts.as_of, verdicts.bodies, strict=True)
    ]


def _quick(clock: PartitionClock, verdicts: Verdicts, column: Sequence[Any], finality: Finality) -> Timing | None:
    """Return the times of a batch in which no record is late and none leaps; None if that needs a look at each."""
    as_of, bodies = verdicts.as_of, verdicts.bodies
    others: list[int] = []
    # Records that are rejected for their date count at their as-of moment.
    early = [one.event_ms for one in verdicts.marked.values() if one.body is None and one.event_ms != UNKNOWN]
    extent = verdicts.extent(verdicts.contract.event_time or "") if None not in column else None
    oldest, newest = extent or (None, None)
    at = _last_index(column, newest) if newest is not None else -1
    if oldest is None or newest is None or bodies[at] is None:
        kept = [(moment, at) for moment, at, body in zip(column, as_of, bodies, strict=True) if body is not None]
        dated = [moment for moment, _ in kept if moment is not None]
        others = [at for moment, at in kept if moment is None and at != UNKNOWN]
        if not dated:
            return None
        newest, oldest = max(dated), min(dated)
        at = _last_index(column, newest)
    top = milliseconds(newest)
    if as_of[at] != UNKNOWN and top > as_of[at]:
        return None
    top = max([top, *others])
    bottom = min([milliseconds(oldest), *others, *early])
    if not clock.takes(top) or bottom < finality.end(max(top, clock.reached)) * 1000:
        return None
    return Timing(clock.moved(top, _last(verdicts, column)))


def _last_index(column: Sequence[Any], moment: datetime) -> int:
    """Return the last index of this very object."""
    return next(index for index in range(len(column) - 1, -1, -1) if column[index] is moment)


def _last(verdicts: Verdicts, column: Sequence[Any]) -> list[int]:
    """Return the times of the last records that move the clock, in order."""
    as_of, bodies, found = verdicts.as_of, verdicts.bodies, []
    for index in range(len(column) - 1, -1, -1):
        if bodies[index] is not None:
            moment, at = column[index], as_of[index]
            time = at if moment is None else _bounded(milliseconds(moment), at)
            if time != UNKNOWN:
                found.append(time)
                if len(found) == LATEST:
                    break
    return found[::-1]


def _bounded(time: int, as_of: int) -> int:
    """Return a record's own time, at most its as-of moment."""
    return time if as_of == UNKNOWN or time < as_of else as_of


def _one_by_one(clock: PartitionClock, verdicts: Verdicts, finality: Finality) -> Timing:
    running = RunningClock(clock)
    late: dict[int, int] = {}
    end, again = 0, 0
    for index, (time, as_of, body) in enumerate(zip(_times(verdicts), verdicts.as_of, verdicts.bodies, strict=True)):
        if time == UNKNOWN:
            continue
        if running.reached >= again or not running.full:
            end = finality.end(running.reached) if running.settled else 0
            again = finality.next_ms(end)
        if time < end * 1000:
            late[index] = end
        if body is not None:
            running.take(_bounded(time, as_of))
    return Timing(running.clock(), late)


def _times(verdicts: Verdicts) -> list[int]:
    """Return the time at which each record counts."""
    column = verdicts.column(verdicts.contract.event_time or "")
    times = [at if moment is None else milliseconds(moment) for moment, at in zip(column, verdicts.as_of, strict=True)]
    for index, verdict in verdicts.marked.items():
        times[index] = verdict.event_ms
    return times
