"""Acts of people on incidents: written to the topic first, then to Redis; a store that was rebuilt has them from the topic."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import redis

from stream_app.counts.fields import text
from stream_app.errors import StoreError
from stream_app.monitor.acts import Act, Kind
from stream_app.monitor.incident import Incident
from stream_app.settings import Settings
from stream_app.store.connection import UNAVAILABLE, connect_writer, reading_problem
from stream_app.store.keys import Keys

#: Most acts that Redis keeps, and for how long (ms); the topic has all.
ACTS_KEPT, ACTS_AGE = 10_000, 400 * 86_400_000


def field_of(act: Act) -> str:
    """Return the field of an act in the hash of all acts."""
    return f"{act.incident}|{act.id}"


def kept(acts: Iterable[Act], now_ms: int) -> tuple[Act, ...]:
    """Return the acts that Redis keeps, oldest first: the newest ACTS_KEPT, and none that is older than ACTS_AGE."""
    young = [act for act in acts if act.at > now_ms - ACTS_AGE]
    return tuple(sorted(young, key=lambda one: (one.at, one.id))[-ACTS_KEPT:])


def expire(client: redis.Redis, keys: Keys, acts: Sequence[Act], now_ms: int) -> tuple[tuple[Act, ...], int]:
    """Take the acts that are not ``kept`` from Redis, and return those that are, and how many are gone."""
    left = kept(acts, now_ms)
    if gone := {field_of(act) for act in acts} - {field_of(act) for act in left}:
        client.hdel(keys.incident_acts(), *sorted(gone))
    return left, len(gone)


def put(client: redis.Redis, keys: Keys, acts: Iterable[Act]) -> None:
    """Put those of these acts that are ``kept`` into Redis; an act that is there already stays as it is."""
    rows: dict[Any, Any] = {field_of(act): act.to_json() for act in kept(acts, time.time_ns() // 1_000_000)}
    if rows:
        client.hset(keys.incident_acts(), mapping=rows)


def acts_of(rows: Sequence[Any]) -> tuple[Act, ...]:
    """Return the acts among JSON rows, oldest first; a row of another version is left out."""
    found = []
    for row in rows:
        try:
            found.append(Act.from_json(text(row)))
        except ValueError:
            continue
    return tuple(sorted(found, key=lambda one: (one.at, one.id)))


def new_act(
    incident: Incident,
    kind: Kind,
    by: str,
    *,
    text: str = "",
    to: str = "",
    until: int | None = None,
    judged: int | None = None,
    others: Sequence[Incident] = (),
) -> Act:
    """Return an act of this moment on the cause that ``incident`` names; ``others``: the other incidents of the cause.

    ``judged``: event time (s) up to which windows are judged; default: the incident's last change.

    Raises:
        ValueError: it lacks something, such as the person that the incident is assigned to.
    """
    return Act(
        id=uuid.uuid4().hex, incident=incident.id, entity=incident.entity, metric=incident.metric, kind=kind, by=by,
        at=time.time_ns() // 1_000_000, text=text, to=to, until=until, judged=incident.updated if judged is None else judged,
        others=tuple(one.id for one in others), metrics=tuple(sorted({one.metric for one in others} - {incident.metric})),
    )  # fmt: skip


def write(settings: Settings, act: Act, send: Callable[[str, str], None]) -> None:
    """Write an act: to the topic, which acknowledges it, then to Redis.

    ``send``: writes key and value to the topic of acts.

    Raises:
        DeliveryError: the topic did not acknowledge it; nothing was written.
        StoreError: Redis did not take it; if the topic has it, the next worker that starts puts it into Redis.
    """
    client = connect_writer(settings.redis.get_secret_value())
    keys, sent = Keys(settings.redis_prefix), False
    try:
        # A Redis that does not answer is found out before the topic has the act.
        client.hlen(keys.incident_acts())
        send(act.id, act.to_json())
        sent = True
        put(client, keys, [act])
    except UNAVAILABLE as error:
        if sent:
            raise StoreError(
                f"Redis at {settings.redis_address} did not take the act, but its topic has it: the next worker that starts "
                "puts it into Redis, so do not repeat it"
            ) from None
        raise reading_problem(f"Redis at {settings.redis_address}", settings.redis_prefix, error) from None
    finally:
        client.close()
