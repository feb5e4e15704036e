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

#: Most acts that Redis keeps; the topic has all.
ACTS_KEPT = 10_000


def field_of(act: Act) -> str:
    """Return the field of an act in the hash of all acts."""
    return f"{act.incident}|{act.id}"


def put(client: redis.Redis, keys: Keys, acts: Iterable[Act]) -> None:
    """Keep the newest ACTS_KEPT of these acts in Redis; an act that is there already stays as it is."""
    newest = sorted(acts, key=lambda one: (one.at, one.id))[-ACTS_KEPT:]
    rows: dict[Any, Any] = {field_of(act): act.to_json() for act in newest}
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
) -> Act:
    """Return an act of this moment.

    ``judged``: event time (s) up to which windows are judged; default: the incident's last change.

    Raises:
        ValueError: it lacks something, such as the person that the incident is assigned to.
    """
    return Act(
        id=uuid.uuid4().hex, incident=incident.id, entity=incident.entity, metric=incident.metric, kind=kind, by=by,
        at=time.time_ns() // 1_000_000, text=text, to=to, until=until, judged=incident.updated if judged is None else judged,
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
        if client.hlen(keys.incident_acts()) >= ACTS_KEPT:
            raise StoreError(f"Redis key {keys.incident_acts()} has {ACTS_KEPT:,} acts on incidents; delete those of old ones")
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
