"""Read whole topics in portions, the likeliest first, within limits; whoever stopped early can go on later.

The records of a time of the stream may be anywhere in a topic: late and replayed records have a Kafka timestamp after their
event time, and some producers' clocks are wrong. So Kafka's index of timestamps only decides what is read first:

1. from the first record that Kafka dates in the time up to the first one after it, the newest portion first;
2. what came later, the oldest portion first: late and replayed records;
3. what came earlier, the newest portion first: records whose Kafka timestamp is before their event time.

A portion is a range of offsets of one partition and is always read forward. It ends where the consumer's position is at or
behind its end: the last records may be missing after compaction, be markers of transactions, or belong to one that was aborted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple

from kafka import TopicPartition

from stream_app.kafka.admin import end_offsets
from stream_app.kafka.reading import UnreadableRecordsError, chunks
from stream_app.kafka.search import reading
from stream_app.settings import Settings

#: Offsets of a portion: least and most. More portions than ``_PORTIONS`` of a partition are made only of the largest ones.
_LEAST, _MOST, _PORTIONS = 5_000, 20_000, 1_000
#: Seconds without a record after which the broker is taken to give none.
_SILENCE = 3.0
#: The first Kafka timestamp that ListOffsets takes for one.
_FIRST_MS = 0


class Limits(NamedTuple):
    """Where a search stops: after the portion in which it has ``found`` records, and at once after the other two."""

    records: int = 200_000
    seconds: float = 10.0
    found: int = 1_000


class Progress(NamedTuple):
    """Offsets that were read, of those that are to be read; and what was found."""

    read: int
    of: int
    found: int


@dataclass(frozen=True, slots=True)
class Portion:
    """Offsets of a partition from ``begin`` up to ``end``. ``turn``: 1 to 3, as in the module's text."""

    topic: str
    partition: int
    begin: int
    end: int
    turn: int

    @property
    def size(self) -> int:
        """Its number of offsets."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a search came.

    Attributes:
        records: how many were read, by this call.
        found: how many were found, by this call.
        rest: what is still to be read, in order.
        stopped: why there is a rest: ``records``, ``seconds``, ``found``; empty without one.
        problems: what could not be read, and why.
    """

    records: int = 0
    found: int = 0
    rest: tuple[Portion, ...] = ()
    stopped: str = ""
    problems: tuple[str, ...] = ()

    @property
    def likely_left(self) -> bool:
        """True if portions are left that Kafka dates in the time."""
        return any(one.turn == 1 for one in self.rest)


#: Gets the records of a poll, and returns how many of them were wanted.
See = Callable[[Sequence[Any]], int]


def look(
    settings: Settings,
    topics: Sequence[str],
    span: tuple[int | None, int | None],
    see: See,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    progress: Callable[[Progress], object] = lambda _: None,
    rest: Sequence[Portion] | None = None,
) -> Outcome:
    """Give the records of ``topics`` to ``see``, the likeliest first, until all are read or a limit is reached.

    Only committed records count; what an open transaction may still bring is left out. A topic that does not exist has none.

    Args:
        topics: in the order in which they are read, within a turn.
        span: event time in ms, the end excluded; None: open.
        rest: of an earlier call, to go on; then ``topics`` and ``span`` do not matter.

    Raises:
        DeliveryError: no broker answers, or reading fails.
    """
    with reading(settings, committed=True) as consumer:
        todo = list(_portions(consumer, settings, topics, span) if rest is None else rest)
        return _Reading(consumer, see, limits, progress).of(todo)


@dataclass(slots=True)
class _Reading:
    consumer: Any
    see: See
    limits: Limits
    progress: Callable[[Progress], object]
    read: int = 0
    found: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)

    def of(self, todo: list[Portion]) -> Outcome:
        total, deadline = sum(one.size for one in todo), time.monotonic() + self.limits.seconds
        for index, portion in enumerate(todo):
            at = self._portion(portion, deadline, total)
            left = [replace(portion, begin=at)] if at < portion.end else []
            stopped = self._stopped(deadline)
            rest = tuple(chain(left, todo[index + 1 :]))
            if rest and (left or stopped):
                return Outcome(self.records, self.found, rest, stopped, tuple(self.problems))
        return Outcome(self.records, self.found, problems=tuple(self.problems))

    def _portion(self, portion: Portion, deadline: float, total: int) -> int:
        """Read a portion; return the offset to go on with, its end where nothing is left to be read."""
        partition, at, heard = TopicPartition(portion.topic, portion.partition), portion.begin, time.monotonic()
        before = self.read
        try:
            for chunk in chunks(self.consumer, partition, portion.begin, portion.end, 2_000):
                self.records += len(chunk.records)
                self.found += self.see(chunk.records) if chunk.records else 0
                if chunk.next > at:
                    at, heard = chunk.next, time.monotonic()
                    self.read = before + at - portion.begin
                    self.progress(Progress(self.read, total, self.found))
                elif time.monotonic() - heard > _SILENCE:
                    return self._left_out(portion, before, f"the broker gave no records of {_name(portion, at)}")
                if self.records >= self.limits.records or time.monotonic() >= deadline:
                    return at
        except UnreadableRecordsError as error:
            return self._left_out(portion, before, str(error))
        return portion.end

    def _left_out(self, portion: Portion, before: int, problem: str) -> int:
        """Note why the rest of a portion is left out: it would stop each later search, too."""
        self.problems.append(problem)
        self.read = before + portion.size
        return portion.end

    def _stopped(self, deadline: float) -> str:
        if self.records >= self.limits.records:
            return "records"
        if time.monotonic() >= deadline:
            return "seconds"
        return "found" if self.found >= self.limits.found else ""


def _name(portion: Portion, at: int) -> str:
    return f"{portion.topic}[{portion.partition}] from offset {at} up to {portion.end}"


def _portions(
    consumer: Any, settings: Settings, topics: Sequence[str], span: tuple[int | None, int | None]
) -> Iterable[Portion]:
    """Return all portions of the topics, in the order in which they are read."""
    partitions = [TopicPartition(name, one) for name in topics for one in sorted(consumer.partitions_for_topic(name) or ())]
    if not partitions:
        return []
    lows = consumer.beginning_offsets(partitions)
    # With transactions, what an open one may still bring comes after the end that ListOffsets gives.
    ends = consumer.end_offsets(partitions) if settings.exactly_once else end_offsets(consumer, partitions)
    since, until = (None if ms is None else _offsets(consumer, partitions, ms, ends) for ms in span)
    found: list[tuple[tuple[int, int, int, int], Portion]] = []
    for partition in partitions:
        low, end = int(lows[partition]), int(ends[partition])
        first = low if since is None else min(max(low, since[partition]), end)
        last = end if until is None else min(max(first, until[partition]), end)
        for turn, begin, upto in ((1, first, last), (2, last, end), (3, low, first)):
            cut = list(cuts(begin, upto))
            for rank, (at, stop) in enumerate(cut if turn == 2 else reversed(cut)):
                key = turn, topics.index(partition.topic), rank, partition.partition
                found.append((key, Portion(partition.topic, partition.partition, at, stop, turn)))
    return [portion for _, portion in sorted(found, key=lambda one: one[0])]


def cuts(begin: int, end: int) -> Iterable[tuple[int, int]]:
    """Cut the offsets from ``begin`` up to ``end`` into ranges that a search reads at once."""
    size = min(_MOST, max(_LEAST, (end - begin) // _PORTIONS))
    return [(at, min(at + size, end)) for at in range(begin, end, size)]


def _offsets(consumer: Any, partitions: Sequence[Any], ms: int, ends: dict[Any, int]) -> dict[Any, int]:
    """Return the first offset with a Kafka timestamp from ``ms`` on; the end where there is none."""
    answers = consumer.offsets_for_times(dict.fromkeys(partitions, max(_FIRST_MS, ms)))
    return {
        one: int(ends[one] if (answer := answers.get(one)) is None or answer.offset < 0 else answer.offset)
        for one in partitions
    }
