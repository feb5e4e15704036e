"""Windows as the monitor takes them, made from minutes; and which of them are final."""

from __future__ import annotations

from collections.abc import Collection, Mapping

_DAY_MS = 86_400_000
_AHEAD_MS = 26 * 3_600_000
#: A stream runs on the clock when its time was within this of the clock when it was last processed.
_LIVE_MS = 15 * 60_000
_SILENCE_MS = 60_000


def stream_time(times: Mapping[str, int], clocked: Collection[str]) -> int | None:
    """The stream's time in ms, from the largest event time (ms) of each entity; None before the first.

    Entities that carry no event time (not in ``clocked``) are counted as they arrive. Where that is on the same clock,
    within a day, they move it too; beside a replay of another year they may not.
    """
    known = [at for entity, at in times.items() if entity in clocked]
    if not known:
        return max(times.values(), default=None)
    stream = max(known)
    return max([stream, *(at for at in times.values() if at <= stream + _DAY_MS)])


def final_until(
    times: Mapping[str, int], clocked: Collection[str], now_ms: int, processed_ms: int | None, *, idle: bool
) -> int | None:
    """The stream's time (ms) by which windows are final; None before the first record.

    A shop whose records carry a time has none before the first of those: customers that arrive today say nothing of orders
    of another year that are still to be read.

    It is ``stream_time``, with two exceptions that look at the clock. A stream that is ahead of the clock by up to 26 hours
    is taken to be as late as the clock: one record dated tomorrow must not close today's windows. And where the stream
    runs on the clock, nothing is left to read (``idle``) and nothing has been processed since ``processed_ms`` for a
    minute, its time goes on by the clock: otherwise an outage would be seen only when it is over.
    """
    stream = stream_time(times, clocked)
    if stream is None or (clocked and not times.keys() & set(clocked)):
        return None
    if now_ms < stream <= now_ms + _AHEAD_MS:
        stream = now_ms
    if idle and processed_ms is not None and abs(processed_ms - stream) <= _LIVE_MS and now_ms - processed_ms > _SILENCE_MS:
        stream = max(stream, now_ms - max(0, processed_ms - stream))
    return stream
