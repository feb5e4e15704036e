"""Batches that cannot be read: what is known of one, and the partitions that have stopped at one."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

log = logging.getLogger("headrace.worker")
#: Seconds until a batch that could not be read is fetched again, which doubles each time up to the second number: another
#: replica may have it undamaged, or retention may have deleted it.
_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0

#: What to do at a batch that cannot be read: stop its partition, or keep its bytes and go on.
Policy = Literal["stop", "skip"]


class UnreadableError(Exception):
    """A batch cannot be read; the text is the reason, to follow "the batch cannot be read: "."""


@dataclass(frozen=True, slots=True)
class UnreadableBatch:
    """A batch that cannot be read. To the pipeline it is one record without key and value, at its last offset.

    Attributes:
        base: its first offset.
        last: its last offset; None if its end is unknown.
        reason: why it cannot be read.
        data: its bytes, as they stand in the log.
        timestamp: its largest timestamp, ms; -1 if unknown.
    """

    topic: str
    partition: int
    base: int
    last: int | None
    reason: str
    data: bytes = field(repr=False)
    timestamp: int = -1

    key = value = checksum = None
    headers: Any = ()
    timestamp_type = 0

    @property
    def offset(self) -> int:
        """The last offset: what is committed is behind the batch."""
        return self.base if self.last is None else self.last

    @property
    def records(self) -> int:
        """Offsets that the batch covers; 1 if its end is not known."""
        return self.offset - self.base + 1

    def __str__(self) -> str:
        upto = "an unknown offset" if self.last is None else str(self.last)
        return f"{self.topic}[{self.partition}]: the batch of offsets {self.base} to {upto} cannot be read: {self.reason}"


@dataclass(slots=True)
class _Stop:
    batch: UnreadableBatch
    attempts: int = 1
    since: float = field(default_factory=time.time)


class Stopped:
    """The partitions that have stopped. The consumer's thread writes here, the worker reads.

    ``skip_topics``: those in which ``skip`` is meant; the others stop, whatever the policy.
    """

    def __init__(self, policy: Policy = "stop", skip_topics: Collection[str] = ()) -> None:
        self.policy: Policy = policy
        self._skip_topics = frozenset(skip_topics) if policy == "skip" else frozenset()
        self._stops: dict[tuple[str, int], _Stop] = {}

    def __bool__(self) -> bool:
        return bool(self._stops)

    def __contains__(self, partition: object) -> bool:
        return partition in self._stops

    @property
    def batches(self) -> list[tuple[UnreadableBatch, int]]:
        """The batches at which partitions have stopped, and since when (ms since the epoch)."""
        return [(stop.batch, int(stop.since * 1000)) for stop in list(self._stops.values())]

    def skips(self, batch: UnreadableBatch) -> bool:
        """True if the batch is to be kept elsewhere and passed over; the first offset after it must be known."""
        return batch.topic in self._skip_topics and batch.last is not None

    def skip(self, batch: UnreadableBatch) -> None:
        """Say that a batch is passed over."""
        log.error("%s; its bytes go to the dead-letter topic, and the partition goes on", batch)
        self._stops.pop((batch.topic, batch.partition), None)

    def stop(self, batch: UnreadableBatch) -> float:
        """Note that a partition stops at a batch; return the seconds until it is to be fetched again."""
        at = batch.topic, batch.partition
        before = self._stops.get(at)
        if before is not None and (before.batch.base, before.batch.reason) == (batch.base, batch.reason):
            before.attempts += 1
            return min(_FIRST_RETRY * 2.0 ** min(before.attempts, 10), _LAST_RETRY)
        self._stops[at] = _Stop(batch)
        if batch.topic in self._skip_topics:
            cure = "its end is unknown, so that it cannot be skipped"
        elif self.policy == "skip":
            cure = "records of this topic are registered elsewhere, so that it is not skipped"
        else:
            cure = "set HEADRACE_UNREADABLE_BATCHES=skip to keep its bytes in the dead-letter topic and go on"
        log.error("%s. The partition stops here, the others go on; %s", batch, cure)
        return _FIRST_RETRY

    def resume(self, topic: str, partition: int, offset: int) -> None:
        """Note that a partition has been read up to an offset."""
        stop = self._stops.get((topic, partition))
        if stop is not None and offset >= stop.batch.base:
            del self._stops[topic, partition]
            log.warning("%s[%d] goes on at offset %d: the batch there can be read, or is gone", topic, partition, offset)

    def forget(self, partitions: Collection[tuple[str, int]]) -> None:
        """Forget partitions that are another worker's now."""
        for topic, partition in partitions:
            self._stops.pop((topic, partition), None)
