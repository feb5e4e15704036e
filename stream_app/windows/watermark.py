"""How far a stream is: its time, and the watermark up to which windows are final. Pure: the clock is an argument.

Partitions are read side by side, in a replay days of event time apart, by workers that report once a second. So nothing is
final by the largest event time alone: the watermark is the minimum over partitions, as in Flink, and each partition's time is
that of its ``clock``. ``Watermark`` has the rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from stream_app.windows.grain import Grain

_DAY_MS = 86_400_000
#: A stream that is ahead of the clock by up to this is taken to be as late as the clock.
_AHEAD_MS = 26 * 3_600_000
#: A stream is live if its time was within this of the clock when a record was last processed.
_LIVE_MS = 15 * 60_000
#: A live stream is silent once nothing has been processed for this long.
_SILENCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the stream is, as the workers have reported it.

    Attributes:
        event: entity → the event time (ms) that its furthest partition has reached.
        processed: entity → when its last batch was applied (ms of the clock).
        reported: the oldest of the workers' last reports (ms of the clock); None without workers, and while partitions move
            between workers: nobody reports what is unread in a partition that nobody has.
        behind: the smallest event time (ms) that a partition has reached that is not idle; None if all are.
        caught_up: there are workers, and none has anything left to read or is retrying.
        closed: the producers are done for good.
    """

    event: Mapping[str, int]
    processed: Mapping[str, int]
    reported: int | None
    behind: int | None
    caught_up: bool
    closed: bool


def stream_time(times: Mapping[str, int], clocked: Collection[str]) -> int | None:
    """Return the stream's time (ms), from the largest event time (ms) of each entity; None before the first record.

    The records of entities outside ``clocked`` carry no event time and are counted as they arrive. If that is on the same
    clock, within a day, they move the stream's time too; beside a replay of another year they must not.
    """
    known = [at for entity, at in times.items() if entity in clocked]
    if not known:
        return max(times.values(), default=None)
    stream = max(known)
    return max([stream, *(at for at in times.values() if at <= stream + _DAY_MS)])


@dataclass(frozen=True, slots=True)
class Finality:
    """Windows of a grain are final ``grace`` seconds after their end."""

    grain: Grain = Grain.HOUR
    grace: float = 300.0

    def end(self, at_ms: int) -> int:
        """Return where final windows end (s) at a time of the stream: those that end by then are final."""
        return self.grain.start(at_ms / 1000 - self.grace)

    def next_ms(self, end: int) -> int:
        """Return the time of the stream (ms), or one shortly before, from which ``end`` of it is later than ``end``."""
        return int((end + self.grain.seconds + self.grace) * 1000)


@dataclass(frozen=True, slots=True)
class Watermark:
    """The event time up to which all records have been counted.

    It can fall back, when a partition with older unread records turns up.

    Attributes:
        clocked: the entities whose records carry an event time.
        at: event time in ms; None while nothing is final.
        progress: the last report that counted, and ``read_at``: when it was read (ms of the clock).
    """

    clocked: frozenset[str]
    at: int | None = None
    progress: Progress | None = None
    read_at: int = 0

    def advance(self, progress: Progress, now_ms: int) -> Watermark:
        """Return the watermark after ``progress`` was read at ``now_ms``.

        The rules, in this order:

        1. Event times count only once every worker has reported after they were read: until then a worker may have read
           older records that it has not reported yet.
        2. A shop whose records carry event times has no watermark before the first of them: customers that arrive today say
           nothing about orders of another year that are still unread.
        3. A stream that is ahead of the clock by up to 26 hours is as late as the clock: one record dated tomorrow must not
           close today's windows. A simulation that is further ahead keeps its own time.
        4. A live stream that is idle (nothing unread, and nothing processed for a minute) goes on by the clock: otherwise an
           outage would be seen only when it is over.
        5. Partitions that are not idle hold the watermark back to the least event time that they have reached.
        """
        before = self.progress
        if before is None:
            return replace(self, progress=progress, read_at=now_ms)
        if progress.reported is None or progress.reported <= self.read_at:
            return self
        return Watermark(self.clocked, self._time(before, progress, now_ms), progress, now_ms)

    def _time(self, before: Progress, progress: Progress, now_ms: int) -> int | None:
        """Rules 2 to 5, on the event times of ``before``: ``progress`` shows which older records were still unread."""
        stream = stream_time(before.event, self.clocked)
        if stream is None or (self.clocked and not before.event.keys() & self.clocked):
            return self.at
        if now_ms < stream <= now_ms + _AHEAD_MS:
            stream = now_ms
        idle = progress.caught_up and not progress.closed and before.processed == progress.processed
        processed = max(before.processed.values(), default=None)
        if idle and processed is not None and abs(processed - stream) <= _LIVE_MS and now_ms - processed > _SILENCE_MS:
            stream = max(stream, now_ms - max(0, processed - stream))
        return stream if progress.behind is None else min(stream, progress.behind)

    def final_before(self, grain: Grain, grace: float) -> int | None:
        """Return where final windows end (s): those that end by then are final, ``grace`` seconds after the watermark.

        None while nothing is final.
        """
        return None if self.at is None else Finality(grain, grace).end(self.at)
