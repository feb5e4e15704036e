"""Incidents in Redis: the monitor's checkpoint per entity, the newest incidents, and the changes still to be sent.

The monitor's state, the last window it looked at, the incidents and what is to be sent change in one script, and only from
the checkpoint that the writer started at: however many workers look at the same windows and whenever one dies, each window
counts once. Changes wait in a list per recipient until they have been sent. A store that was restored gets its incidents back
from the topic, and then does not list what the topic has as a change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import redis

from stream_app.counts.fields import APPLIED_AT, EVENT_TIME, Counts, text
from stream_app.counts.window import Window
from stream_app.monitor.acts import Act
from stream_app.monitor.incident import Change, Incident
from stream_app.monitor.state import State
from stream_app.settings import Settings
from stream_app.store.acts import acts_of, expire, put
from stream_app.store.cardinality import MANY, Part, ask_sizes, parts_of
from stream_app.store.connection import connect_writer, parsed
from stream_app.store.heartbeat import alive, progress
from stream_app.store.keys import INPUT_CLOSED, Keys
from stream_app.store.ownership import StoreState
from stream_app.store.scripts import load, pack
from stream_app.store.states import Freshness, starts_of
from stream_app.windows.as_of import END_MS, FIRST_MS
from stream_app.windows.grain import Grain
from stream_app.windows.watermark import Progress

__all__ = [
    "INCIDENTS_KEPT", "Checkpoint", "Incident", "IncidentStore", "Recipient", "incidents", "open_incident_store",
]  # fmt: skip

#: The newest incidents that are kept.
INCIDENTS_KEPT = 1_000
#: Unsent messages to people that are kept; older ones are dropped.
MESSAGES_KEPT = 1_000
#: ``topic``: changes for the anomalies topic; ``people``: changes for the notification channels.
Recipient = Literal["topic", "people"]


class Checkpoint(NamedTuple):
    """The start (s) of the last window that the monitor looked at, and its state then; None before the first.

    The state is None too if another version of the monitor stored it.
    """

    window: int | None
    state: State | None


class IncidentStore:
    """The monitor's store, for one thread. Methods raise ``connection.UNAVAILABLE`` when Redis is away.

    Attributes:
        epoch: of the store, in which its incidents are known to be restored; commits in another one are refused.
    """

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._redis = client
        self._keys = Keys(prefix)
        self._commit = load(client, "commit_windows")
        self._lead = load(client, "lead")
        self._restore = load(client, "restore_incidents")
        self._remove_sent = load(client, "remove_sent")
        self.epoch = 0

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def lead(self, owner: str, seconds: float) -> bool:
        """Take or renew the lease of the worker that runs the monitor; False while another has it.

        The lease saves work; nothing depends on it.
        """
        return bool(self._lead(keys=[self._keys.monitor_lease()], args=[owner, int(seconds * 1000)]))

    def progress(self, entities: Sequence[str], now_ms: int) -> Progress:
        """Return how far the stream is, by the workers that are alive at ``now_ms``."""
        pipe = self._redis.pipeline(transaction=False)
        for entity in entities:
            pipe.hmget(self._keys.total(entity), EVENT_TIME, APPLIED_AT)
        pipe.hgetall(self._keys.workers())
        pipe.get(self._keys.input())
        *rows, beats, closed = pipe.execute()
        totals = {
            entity: Freshness.of(self._keys.total(entity), dict(zip((EVENT_TIME, APPLIED_AT), times, strict=True)))
            for entity, times in zip(entities, rows, strict=True)
        }
        return progress(alive(beats, now_ms), totals, closed=closed is not None and text(closed) == INPUT_CLOSED)

    def checkpoint(self, entity: str, grain: Grain) -> Checkpoint:
        """Return where the monitor is with an entity's windows."""
        window, state = self._redis.hmget(self._keys.monitor(entity, grain), "at", "state")
        return Checkpoint(None if window is None else int(window), None if state is None else State.from_json(state))

    def starts(self, entity: str, grain: Grain, since: int, until: int) -> list[int]:
        """Return the starts (s) of the windows with records from ``since`` up to and without ``until``."""
        members = self._redis.zrangebyscore(self._keys.windows(entity, grain), since, f"({until}")
        return starts_of(self._keys.windows(entity, grain), members)

    def windows(self, entity: str, grain: Grain, since: int, until: int, *, orders: bool = False) -> list[Window]:
        """Return every window from ``since`` up to and without ``until``, in order; those without records are empty.

        ``orders``: with their distinct orders, estimated where a window has more than ``WINDOW_EXACT``.

        Raises:
            StoreError: a counter does not hold an integer.
        """
        starts = self.starts(entity, grain, since, until)
        keys = [self._keys.window(entity, grain, start) for start in starts]
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.hgetall(key)
        if orders:
            ask_sizes(pipe, self._keys, entity, "orders", grain, since, until)
        answers = pipe.execute() if starts or orders else []
        distinct = self._orders(parts_of(self._keys, entity, "orders", grain, answers.pop())) if orders else None
        counts = {start: parsed(key, raw) for start, key, raw in zip(starts, keys, answers, strict=True)}
        return [
            Window(start, counts.get(start, Counts()), None if distinct is None else distinct.get(start, 0))
            for start in range(since, until, grain.seconds)
        ]

    def _orders(self, parts: Sequence[Part]) -> dict[int, int]:
        """Return start → distinct orders of windows; sketches count those of large ones."""
        large = [part for part in parts if part.size == MANY]
        pipe = self._redis.pipeline(transaction=False)
        for part in large:
            pipe.pfcount(self._keys.sketch(*part[:4]))
        estimates = zip(large, pipe.execute() if large else [], strict=True)
        return {part.start: part.size for part in parts} | {part.start: int(number) for part, number in estimates}

    def commit(
        self, entity: str, grain: Grain, before: int | None, after: Checkpoint, changes: Sequence[Change],
        for_people: Callable[[Change], bool],
    ) -> bool:  # fmt: skip
        """Move the checkpoint from the window ``before`` to ``after``, all of it or nothing; False: another worker was first.

        ``for_people``: true for the changes that people get; the topic gets all but ``continued`` ones. Neither gets what was
        announced before the store was restored.
        """
        keys = self._keys
        latest = {change.incident.id: change.incident for change in changes}
        news = [change for change in changes if change.kind != "continued"]
        payload = {
            "before": "" if before is None else str(before),
            "epoch": str(self.epoch),
            "after": str(after.window),
            "state": "" if after.state is None else after.state.to_json(),
            "incidents": [row_of(incident) for incident in latest.values()],
            "incidents_kept": INCIDENTS_KEPT,
            "topic": [_news(change) for change in news],
            "people": [_news(change) for change in news if for_people(change)],
            "messages_kept": MESSAGES_KEPT,
        }
        done = self._commit(
            keys=[
                keys.monitor(entity, grain), keys.incidents(), keys.incidents_by_start(), keys.unsent("topic"),
                keys.unsent("people"),
            ],
            args=[pack(payload)],
        )  # fmt: skip
        return bool(done)

    def state(self) -> StoreState:
        """Return the state of the store as a whole."""
        return StoreState.read(self._redis.hgetall(self._keys.store()))

    def announced(self, entities: Sequence[str], grain: Grain, epoch: int) -> dict[str, int] | None:
        """Return entity → up to when (s) changes were announced before ``epoch``; None until incidents are restored in it."""
        pipe = self._redis.pipeline(transaction=False)
        for entity in entities:
            pipe.hmget(self._keys.monitor(entity, grain), "epoch", "announced")
        found = {}
        for entity, (restored, announced) in zip(entities, pipe.execute(), strict=True):
            if restored is None or int(restored) != epoch:
                return None
            found[entity] = int(announced)
        return found

    def restore(self, found: Sequence[Incident], announced: Mapping[str, int], grain: Grain, epoch: int) -> bool:
        """Put incidents back, and note up to when each entity's changes were announced; False: the store has changed again."""
        keys = self._keys
        newest = sorted(found, key=lambda incident: incident.start)[-INCIDENTS_KEPT:]
        payload = {
            "epoch": str(epoch),
            "incidents": [row_of(incident) for incident in newest],
            "incidents_kept": INCIDENTS_KEPT,
            "announced": list(announced.values()),
        }
        monitors = [keys.monitor(entity, grain) for entity in announced]
        done = self._restore(
            keys=[keys.store(), keys.incidents(), keys.incidents_by_start(), *monitors], args=[pack(payload)]
        )  # fmt: skip
        return bool(done)

    def number_of_acts(self) -> int:
        """Return how many acts there are, without reading them."""
        return self._redis.hlen(self._keys.incident_acts())

    def acts(self, now_ms: int) -> tuple[tuple[Act, ...], int]:
        """Return what people said and did about incidents, oldest first, and how many acts expired: too old, or too many."""
        return expire(self._redis, self._keys, acts_of(self._redis.hvals(self._keys.incident_acts())), now_ms)

    def put_acts(self, acts: Sequence[Act]) -> None:
        """Keep acts that the topic has."""
        put(self._redis, self._keys, acts)

    def open_incidents(self, entity: str, grain: Grain) -> list[Incident]:
        """Return the open incidents of the monitor of an entity and grain."""
        rows = self._redis.hvals(self._keys.incidents())
        found = incidents(rows, state="open", limit=INCIDENTS_KEPT)
        return [incident for incident in found if (incident.entity, incident.grain) == (entity, grain)]

    def unsent(self, recipient: Recipient, limit: int) -> list[str]:
        """Return the oldest changes that have not been sent, as JSON."""
        return [text(change) for change in self._redis.lrange(self._keys.unsent(recipient), 0, limit - 1)]

    def remove_sent(self, recipient: Recipient, changes: Sequence[str]) -> None:
        """Remove changes that have been sent from the front of the list."""
        if changes:
            self._remove_sent(keys=[self._keys.unsent(recipient)], args=list(changes))

    def messages_sent(self, hour: int, more: int = 0) -> int:
        """Return the messages sent to people in an hour (since the epoch, wall clock), after counting ``more``."""
        key = self._keys.messages_sent(hour)
        pipe = self._redis.pipeline()
        pipe.incrby(key, more)
        pipe.expire(key, 7_200)
        return int(pipe.execute()[0])


def row_of(incident: Incident) -> list[str | int]:
    """Return an incident as scripts take it."""
    return [incident.id, incident.start, incident.updated, incident.to_json()]


def _news(change: Change) -> list[str | int]:
    return [change.incident.id, change.incident.updated, change.to_json()]


def open_incident_store(settings: Settings) -> IncidentStore:
    """Return the monitor's store on the Redis that the settings name; nothing is sent until it is used."""
    return IncidentStore(connect_writer(settings.redis.get_secret_value()), settings.redis_prefix)


def incidents(
    rows: Sequence[Any], *, since: int | None = None, until: int | None = None, state: str | None = None, limit: int = 200
) -> tuple[Incident, ...]:
    """Return the incidents among JSON ``rows`` that touch the time from ``since`` up to ``until`` (s), newest first.

    A row that cannot be read because another version wrote it is left out; times that cannot be shown become the nearest.
    """
    found = []
    for row in rows:
        try:
            incident = Incident.from_json(text(row))
        except ValueError:
            continue
        start, end = (min(max(FIRST_MS, at * 1000), END_MS - 1000) // 1000 for at in (incident.start, incident.end))
        if (start, end) != (incident.start, incident.end):
            incident = msgspec.structs.replace(incident, start=start, end=end)
        over = since is not None and incident.end <= since and incident.state == "closed"
        ahead = until is not None and incident.start >= until
        if not over and not ahead and state in {None, incident.state}:
            found.append(incident)
    found.sort(key=lambda incident: (-incident.start, incident.id))
    return tuple(found[:limit])
