"""Incidents in Redis: what the monitor knows of each entity, the incidents that are kept, and what is still to be told.

The state of an entity, the place up to which its windows have been looked at, the incidents and what is to be sent
change in one script, and only from the place where the writer stands: however many workers look at the same windows and
whenever one dies, each window counts once. What is to be sent waits in lists (boxes) until it has been.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis

from stream_app.counts.fields import text
from stream_app.monitor.incident import Change, Incident
from stream_app.settings import Settings
from stream_app.store.keys import Keys
from stream_app.store.scripts import pack
from stream_app.windows.grain import Grain

__all__ = ["INCIDENTS_KEPT", "Box", "Incident", "IncidentStore", "Times", "incidents"]

#: The newest incidents that are kept.
INCIDENTS_KEPT = 1_000
#: Messages to people that wait at the most; older ones are dropped.
MESSAGES_KEPT = 1_000
#: ``topic``: changes for the anomalies topic; ``people``: changes for the notification channels.
Box = Literal["topic", "people"]

#: ARGV: prefix, payload {entity, grain, before, after, state, incidents: [[id, start, json]…], topic: […], people: […]}.
#: Returns 1, or 0 without any change when the place is not ``before`` any more.
_COMMIT = """
local prefix, p = ARGV[1], cmsgpack.unpack(ARGV[2])
local key = prefix .. ':monitor:' .. p.entity .. ':' .. p.grain
if (redis.call('HGET', key, 'at') or '') ~= p.before then return 0 end
redis.call('HSET', key, 'at', p.after, 'state', p.state)
local kept, index = prefix .. ':incidents', prefix .. ':incidents:by-start'
for _, i in ipairs(p.incidents) do
  redis.call('HSET', kept, i[1], i[3])
  redis.call('ZADD', index, i[2], i[1])
end
while redis.call('ZCARD', index) > p.kept do
  redis.call('HDEL', kept, redis.call('ZPOPMIN', index)[1])
end
for _, text in ipairs(p.topic) do redis.call('RPUSH', prefix .. ':tell:topic', text) end
for _, text in ipairs(p.people) do redis.call('RPUSH', prefix .. ':tell:people', text) end
redis.call('LTRIM', prefix .. ':tell:people', -p.messages, -1)
return 1
"""
#: KEYS: the lease. ARGV: owner, milliseconds. Returns 1 when the owner holds it now.
_LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
#: KEYS: the box. ARGV: texts that have been sent. Takes them off the front, as long as they are there.
_SENT = """
for _, text in ipairs(ARGV) do
  if redis.call('LINDEX', KEYS[1], 0) ~= text then return 0 end
  redis.call('LPOP', KEYS[1])
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Times:
    """When things happened: ``event`` and ``processed`` by entity, ms since the epoch.

    ``reported``: when the worker that reported longest ago did, ms of the clock; None without workers, and while
    partitions move between them: what nobody holds may be unread, and nobody would say so. ``behind``: the
    least event time (ms) that a partition with unread records has reached; None where there is none.
    ``caught_up``: workers are there, none has anything left to read or is retrying. ``closed``: no more input will come.
    """

    event: Mapping[str, int]
    processed: Mapping[str, int]
    reported: int | None
    behind: int | None
    caught_up: bool
    closed: bool


class IncidentStore:
    """The write side, for one thread. Methods raise what ``redis`` raises when it is away."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._redis = client
        self._prefix, self._keys = prefix, Keys(prefix)
        self._commit, self._lease, self._sent = (client.register_script(text) for text in (_COMMIT, _LEASE, _SENT))

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def lead(self, owner: str, seconds: float) -> bool:
        """Whether this owner is the one to look at windows for so long. It saves work; nothing depends on it."""
        return bool(self._lease(keys=[self._keys.monitor_lease()], args=[owner, int(seconds * 1000)]))

    def times(self, entities: Sequence[str], alive_since_ms: int) -> Times:
        """How far the stream is. Workers that have not reported since ``alive_since_ms`` do not count."""
        pipe = self._redis.pipeline(transaction=False)
        for entity in entities:
            pipe.hmget(self._keys.total(entity), "et", "at")
        pipe.hvals(self._keys.workers())
        pipe.get(self._keys.input())
        *rows, beats, closed = pipe.execute()
        alive = [beat for beat in (json.loads(text(beat)) for beat in beats) if beat["at"] >= alive_since_ms]
        held = sum(int(beat.get("held") or 0) for beat in alive)
        whole = held == max((int(beat.get("partitions") or 0) for beat in alive), default=0)
        return Times(
            event={entity: int(row[0]) for entity, row in zip(entities, rows, strict=True) if row[0]},
            processed={entity: int(row[1]) for entity, row in zip(entities, rows, strict=True) if row[1]},
            reported=min((int(beat["at"]) for beat in alive), default=None) if whole else None,
            behind=min((int(beat["behind"]) for beat in alive if beat.get("behind") is not None), default=None),
            caught_up=bool(alive) and not any(beat.get("error") or any((beat.get("lag") or {}).values()) for beat in alive),
            closed=closed is not None and text(closed) == "closed",
        )

    def place(self, entity: str, grain: Grain) -> tuple[int | None, dict[str, Any] | None]:
        """The start (s) of the last window that was looked at, and the monitor's state then; None before the first."""
        at, state = self._redis.hmget(self._keys.monitor(entity, grain), "at", "state")
        return (None if at is None else int(at)), (None if state is None else json.loads(text(state)))

    def starts(self, entity: str, grain: Grain, since: int, until: int) -> list[int]:
        """The starts (s) of the windows with records from ``since`` up to and without ``until``."""
        members = self._redis.zrangebyscore(self._keys.windows(entity, grain), since, f"({until}")
        return [int(text(member)) for member in members]

    def counts(self, entity: str, grain: Grain, starts: Sequence[int]) -> list[dict[str, int]]:
        """The hashes of several windows, in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        for start in starts:
            pipe.hgetall(self._keys.window(entity, grain, start))
        return [{text(name): int(value) for name, value in row.items()} for row in pipe.execute()] if starts else []

    def commit(
        self, entity: str, grain: Grain, before: int | None, after: int, state: Mapping[str, Any],
        changes: Sequence[Change], tell: Callable[[Change], bool],
    ) -> bool:  # fmt: skip
        """Go on from the window ``before`` to ``after``, all of it or nothing; False: another worker was there first.

        ``tell``: which changes are for people; the topic gets all but those that only go on.
        """
        latest = {change.incident.id: change.incident for change in changes}
        news = [change for change in changes if change.kind != "continued"]
        payload = {
            "entity": entity,
            "grain": grain.value,
            "before": "" if before is None else str(before),
            "after": str(after),
            "state": json.dumps(state, ensure_ascii=False, separators=(",", ":")),
            "incidents": [[incident.id, incident.start, incident.to_json()] for incident in latest.values()],
            "topic": [change_to_json(change) for change in news],
            "people": [change_to_json(change) for change in news if tell(change)],
            "kept": INCIDENTS_KEPT,
            "messages": MESSAGES_KEPT,
        }
        return bool(self._commit(args=[self._prefix, pack(payload)]))

    def waiting(self, box: Box, limit: int) -> list[str]:
        """The oldest texts that have not been sent."""
        return [text(one) for one in self._redis.lrange(self._keys.tell(box), 0, limit - 1)]

    def sent(self, box: Box, texts: Sequence[str]) -> None:
        """Take what has been sent off the front of the box."""
        if texts:
            self._sent(keys=[self._keys.tell(box)], args=list(texts))

    def told(self, hour: int, messages: int = 0) -> int:
        """Messages to people in an hour (since the epoch, wall clock), after counting so many more."""
        key = self._keys.told(hour)
        pipe = self._redis.pipeline()
        pipe.incrby(key, messages)
        pipe.expire(key, 7_200)
        return int(pipe.execute()[0])


def open_incident_store(settings: Settings) -> IncidentStore:
    """The write side on the Redis that the settings name; nothing is sent until it is used."""
    client = redis.Redis.from_url(settings.redis.get_secret_value(), socket_timeout=10, socket_connect_timeout=5)
    return IncidentStore(client, settings.redis_prefix)


def change_to_json(change: Change) -> str:
    """What stands in a box: ``{"kind": …, "incident": {…}}``."""
    return json.dumps({"kind": change.kind, "incident": change.incident.to_dict()}, ensure_ascii=False, separators=(",", ":"))


def change_from_json(raw: str) -> Change:
    """Read what ``change_to_json`` wrote."""
    plain = json.loads(raw)
    return Change(plain["kind"], Incident.from_dict(plain["incident"]))


def incidents(
    rows: Sequence[Any], *, since: int | None = None, until: int | None = None, state: str | None = None, limit: int = 200
) -> tuple[Incident, ...]:
    """The incidents among JSON ``rows`` that touch the time from ``since`` up to ``until`` (s), newest first.

    A row that cannot be read, because another version wrote it, is left out.
    """
    found = []
    for row in rows:
        try:
            incident = Incident.from_json(text(row))
        except ValueError:
            continue
        over = since is not None and incident.end <= since and incident.state == "closed"
        ahead = until is not None and incident.start >= until
        if not over and not ahead and state in {None, incident.state}:
            found.append(incident)
    found.sort(key=lambda incident: (-incident.start, incident.id))
    return tuple(found[:limit])
