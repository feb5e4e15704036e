"""The heartbeats of workers: the stored document, and what readers conclude from those of all workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from stream_app.counts.fields import text
from stream_app.store.states import Freshness
from stream_app.windows.as_of import is_shown
from stream_app.windows.watermark import Progress

#: A worker that has not reported for this long is gone (seconds).
WORKER_GONE_AFTER = 15.0
#: Seconds that the clocks of a worker and of a reader may be apart; a heartbeat that is further ahead would never end.
CLOCKS_APART = 3_600.0
_MOST_LAG = 2**53
#: Seconds without a record after which a partition without unread records holds nothing back (Flink's ``withIdleness``).
IDLE_AFTER = 5.0


class StoppedPartition(msgspec.Struct, frozen=True):
    """A partition that has stopped at a batch that cannot be read.

    Attributes:
        base: the batch's first offset; ``last``: its last one, None if its end is not known.
        since: when it stopped, ms since the epoch.
    """

    topic: str
    partition: int
    base: int
    last: int | None
    reason: str
    since: int


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An open problem of a worker.

    Attributes:
        subject: the entity, with its partition (``orders[3]``), or the part of the worker; empty for the worker itself.
        text: what does not work, and what to do.
        since: in ms since the epoch.
        stopped: a permanent error has stopped the entity; it goes on once the cause is cured.
        beside: the stream goes on without what does not work.
    """

    subject: str = ""
    text: str = ""
    since: int = 0
    stopped: bool = False
    beside: bool = False


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """The last report of a worker: moments in ms since the epoch, ``rate`` in records per second.

    Attributes:
        lag: entity → records in the worker's partitions of the raw topic that are not applied yet.
        behind: the smallest event time (ms) that one of its partitions has reached, of those that are not idle; None if all
            are. A partition is idle once it has nothing unread, and has had no record for ``IDLE_AFTER`` seconds.
        reached: entity → partition → the event time (ms) that it has reached.
        assigned: partitions of raw topics that the worker has; ``partitions``: that there are.
        problems: of the worker, the most important one first; ``notes``: subject → what the worker does beside the stream.
        state: ``running``, ``retrying``, or ``stopped`` while a permanent error has stopped an entity.
        stopped: the worker's partitions that have stopped at a batch that cannot be read.
        latency_ms: from a record's arrival in Kafka to its count, since the heartbeat before; None without a batch.
    """

    at: int
    id: str = ""
    started: int = 0
    pid: int = 0
    host: str = ""
    rate: float = 0.0
    lag: Mapping[str, int] = {}
    behind: int | None = None
    reached: Mapping[str, Mapping[int, int]] = {}
    assigned: int = msgspec.field(default=0, name="held")
    partitions: int = 0
    state: str = "running"
    stopped: tuple[StoppedPartition, ...] = ()
    latency_ms: float | None = None
    problems: tuple[Problem, ...] = ()
    notes: Mapping[str, str] = {}

    def to_json(self) -> bytes:
        """Return the stored document."""
        # A problem may quote text that is not UTF-8, such as a file's name; JSON cannot contain it.
        problems = tuple(msgspec.structs.replace(one, text=_utf8(one.text)) for one in self.problems)
        notes = {subject: _utf8(note) for subject, note in self.notes.items()}
        return msgspec.json.encode(msgspec.structs.replace(self, problems=problems, notes=notes))


def _utf8(message: str) -> str:
    return message.encode("utf-8", "backslashreplace").decode()


def alive(raw: Mapping[Any, Any], now_ms: int) -> tuple[Heartbeat, ...]:
    """Return the workers that reported lately, by id; one without a readable heartbeat is left out.

    ``raw`` is the hash of worker ids and documents, decoded or not.
    """
    beats = []
    for worker, document in raw.items():
        try:
            beat = _DECODER.decode(document)
        except (msgspec.DecodeError, UnicodeError):
            continue
        if -CLOCKS_APART * 1000 < now_ms - beat.at < WORKER_GONE_AFTER * 1000:
            started = beat.started if is_shown(beat.started) and beat.started else beat.at
            beats.append(msgspec.structs.replace(beat, id=text(worker), started=started, lag=_bounded(beat.lag)))
    return tuple(sorted(beats, key=lambda beat: beat.id))


def stopped(beats: Iterable[Heartbeat]) -> list[StoppedPartition]:
    """Return the partitions that have stopped, over all workers, by topic and partition."""
    found = {(one.topic, one.partition): one for beat in beats for one in beat.stopped}
    return [found[at] for at in sorted(found)]


def _bounded(lag: Mapping[str, int]) -> Mapping[str, int]:
    """Return a lag whose sums over workers stay integers of 64 bits."""
    return {entity: max(0, min(records, _MOST_LAG)) for entity, records in lag.items()}


def total_lag(beats: Iterable[Heartbeat]) -> dict[str, int]:
    """Return the records that wait in the raw topics, by entity, over all workers; without entities that none reports."""
    lag: dict[str, int] = {}
    for beat in beats:
        for entity, records in beat.lag.items():
            lag[entity] = lag.get(entity, 0) + records
    return lag


def _is_blocked(beat: Heartbeat) -> bool:
    """True if a problem of the worker may keep it from reading and counting."""
    return any(not one.beside for one in beat.problems)


def progress(beats: Sequence[Heartbeat], totals: Mapping[str, Freshness], *, closed: bool) -> Progress:
    """Return how far the stream is, from the heartbeats of the workers that are alive and the totals of the entities."""
    # While a partition moves between workers the sum differs from the number of partitions.
    complete = sum(beat.assigned for beat in beats) == max((beat.partitions for beat in beats), default=0)
    return Progress(
        event={entity: one.event_time for entity, one in totals.items() if one.event_time is not None},
        processed={entity: one.processed_at for entity, one in totals.items() if one.processed_at is not None},
        reported=min((beat.at for beat in beats), default=None) if complete else None,
        behind=min((beat.behind for beat in beats if beat.behind is not None), default=None),
        caught_up=bool(beats) and not any(_is_blocked(beat) or any(beat.lag.values()) for beat in beats),
        closed=closed,
    )


_DECODER = msgspec.json.Decoder(Heartbeat)
