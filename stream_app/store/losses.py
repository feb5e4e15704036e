"""Records that no worker will ever read: offsets that a topic's retention, or a broker, took before they were applied.

A hash holds one document per partition: how many offsets were lost in all, and the last gap. A gap that is noticed twice, or
grows before the worker has read on, counts once. How many records a gap had cannot be known: compaction and transactions
leave offsets without a record, so every figure is an upper bound.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import redis.asyncio

from stream_app.counts.fields import EVENT_TIME, text
from stream_app.monitor.incident import Change, Incident
from stream_app.store.incidents import INCIDENTS_KEPT, MESSAGES_KEPT, row_of
from stream_app.store.keys import Keys, applied_field
from stream_app.store.scripts import load, pack
from stream_app.windows.grain import Grain


class Loss(msgspec.Struct, frozen=True):
    """The records that one partition lost.

    Attributes:
        entity, topic, partition: the topic is the entity's raw or pending topic.
        records: lost offsets in all; at most this many records.
        since, at: when the first and the last gap were noticed (ms since the epoch).
        begin, end: the last gap, from its first offset up to and without the last.
        first: the first offset that was there when a worker first had the partition; what was gone before is not lost.
    """

    entity: str
    topic: str
    partition: int
    records: int = 0
    since: int = 0
    at: int = 0
    begin: int = 0
    end: int = 0
    first: int = 0


class Gap(msgspec.Struct, frozen=True):
    """Offsets from ``begin`` up to and without ``end`` that a partition does not have any more, and that were not applied."""

    entity: str
    topic: str
    partition: int
    begin: int
    end: int

    @property
    def records(self) -> int:
        """Offsets in the gap."""
        return self.end - self.begin


class LossStore:
    """Losses as the workers write them. Methods raise ``connection.UNAVAILABLE`` when Redis is away."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._redis = client
        self._keys = Keys(prefix)
        self._note_loss = load(client, "note_loss")

    async def expected(self, fields: Sequence[str]) -> dict[str, int | None]:
        """Return partition (``loss_field``) → offset of the next record to apply; None if no worker has had it before."""
        if not fields:
            return {}
        pipe = self._redis.pipeline(transaction=False)
        pipe.hmget(self._keys.lost(), list(fields))
        pipe.hmget(self._keys.applied(), list(fields))
        losses, applied = await pipe.execute()
        return {field: _expected(*row) for field, *row in zip(fields, losses, applied, strict=True)}

    async def begin(self, losses: Mapping[str, Loss]) -> None:
        """Note where partitions begin, by ``loss_field``, unless that is noted."""
        for field, loss in losses.items():
            await self._redis.hsetnx(self._keys.lost(), field, msgspec.json.encode(loss))

    async def note(self, field: str, gap: Gap, *, topic: bool, people: bool) -> int:
        """Note a gap of a partition, and an incident for it; return the number of offsets that were not noted before.

        ``topic``: the incident goes to the topic of incidents; ``people``: they get a message.
        """
        now = time.time_ns() // 1_000_000
        newest = await self._redis.hget(self._keys.total(gap.entity), EVENT_TIME)
        incident = incident_of(gap, int(newest) if newest else now)
        change = Change("opened", incident).to_json()
        keys = self._keys
        more = await self._note_loss(
            keys=[keys.lost(), keys.incidents(), keys.incidents_by_start(), keys.unsent("topic"), keys.unsent("people")],
            args=[
                pack(
                    {
                        "field": field,
                        "loss": msgspec.structs.asdict(Loss(gap.entity, gap.topic, gap.partition)),
                        "begin": gap.begin,
                        "end": gap.end,
                        "now": now,
                        "incident": row_of(incident),
                        "incidents_kept": INCIDENTS_KEPT,
                        "topic": [change] if topic else [],
                        "people": [change] if people else [],
                        "messages_kept": MESSAGES_KEPT,
                    }
                )
            ],
        )
        return int(more)


def incident_of(gap: Gap, event_ms: int) -> Incident:
    """Return the incident of a gap, at the event time that the entity has reached. It is closed: nothing brings them back."""
    start = event_ms // 60_000 * 60
    return Incident(
        id=f"{gap.entity}.lost:{gap.topic}:{gap.partition}:{gap.begin}.{start}",
        entity=gap.entity,
        metric=f"lost:{gap.partition}",
        severity="error",
        state="closed",
        start=start,
        end=start + 60,
        grain=Grain.MINUTE,
        windows=1,
        observed=float(gap.records),
        expected=0.0,
        low=None,
        high=None,
        unit="records",
        direction="high",
        segment=None,
        updated=start,
        outcome="lost",
    )


def loss_field(topic: str, topic_id: str, partition: int) -> str:
    """The field under which the losses of a partition are stored; of a raw topic, the one of its applied offset."""
    return applied_field(topic, topic_id, partition)


def losses_of(rows: Iterable[Any]) -> tuple[Loss, ...]:
    """Return what was lost, by topic and partition; without partitions that lost nothing, and rows that are not ours."""
    found = []
    for row in rows:
        try:
            loss = _DECODER.decode(text(row))
        except msgspec.DecodeError:
            continue
        if loss.records > 0:
            found.append(loss)
    return tuple(sorted(found, key=lambda loss: (loss.entity, loss.topic, loss.partition)))


def lost_records(losses: Iterable[Loss]) -> dict[str, int]:
    """Return entity → offsets lost in all; without entities that lost none."""
    lost: dict[str, int] = {}
    for loss in losses:
        lost[loss.entity] = lost.get(loss.entity, 0) + loss.records
    return lost


def _expected(loss: bytes | None, applied: bytes | None) -> int | None:
    if applied is not None:
        return int(applied.split(b" ")[0]) + 1
    return None if loss is None else _DECODER.decode(loss).first


_DECODER = msgspec.json.Decoder(Loss)
