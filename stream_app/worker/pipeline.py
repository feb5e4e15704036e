"""One batch of one partition, in five numbered steps; the heart of the delivery promise."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from stream_app.counts.tally import Tally
from stream_app.judge import Verdict
from stream_app.judge.batch import Batch, Settled, Verdicts
from stream_app.judge.lookups import lookup_rule_ids
from stream_app.judge.tombstones import before_reuse, deleted_id
from stream_app.kafka.batches.unreadable import UnreadableBatch
from stream_app.kafka.headers import read_as_of
from stream_app.kafka.outbox import KEPT_OF_OVERSIZED
from stream_app.store.changes import Changes
from stream_app.store.writer import PartitionMoved
from stream_app.worker.delivery import deliver
from stream_app.worker.entity import Entity

log = logging.getLogger("headrace.worker")


async def process(entity: Entity, partition: int, records: Sequence[Any], acknowledge: Callable[[], None]) -> None:
    """Take the records of one partition, in offset order, through the five steps.

    Steps 1 to 4 are repeated until they succeed: step 2 claims ids for their sources and step 4 applies once, so that a
    repeated step changes nothing, and what step 3 sends again carries the same ``headrace.source`` and bytes.

    Raises:
        GaveUp: Kafka or Redis stayed away too long. Nothing is acknowledged.
    """
    while True:
        batch = await take(entity, partition, records)
        if not len(batch):
            break
        # 1. Judge every record: pure, no waiting.
        batch = judge(entity, batch)
        try:
            # 2. Look up references and keys in one round trip, settle the verdicts, and note what must not change again.
            batch = await settle(entity, batch)
            # 3. Deliver clean, dead-letter and pending records, and wait for every acknowledgement.
            await entity.retry("deliver", lambda batch=batch: deliver(entity, batch))  # type: ignore[misc]
            # 4. Apply the counts and the offset, once, in one atomic script.
            await apply(entity, batch)
            if batch.offsets[-1] == records[-1].offset:
                break
        except PartitionMoved as moved:
            log.info("%s[%d] was applied up to offset %d by another worker", entity.topics.raw, partition, moved.applied)
            entity.services.health.move(entity.topics.raw, partition, moved.applied)
    # 5. Acknowledge the records to Faust, which commits them.
    acknowledge()


async def take(entity: Entity, partition: int, records: Sequence[Any]) -> Batch:
    """Return the batch of those records that are not applied yet: the others were delivered and counted before."""
    topic, field = entity.topics.raw, entity.applied_field(partition)
    position = entity.services.health.position(topic, partition)
    if position is None:
        applied = await entity.retry("read the applied offset", lambda: entity.services.store.applied(field))
        entity.services.health.move(topic, partition, applied)
    else:
        applied = position.applied
    if records and records[0].offset <= applied:
        records = [record for record in records if record.offset > applied]
    values = [record.value for record in records]
    if None in values:
        end = before_reuse(records, values, any_key=bool(entity.look_ups.further))
        records, values = records[:end], values[:end]
    offsets = [record.offset for record in records]
    prefix = b"%b:%d:" % (topic.encode().replace(b"%", b"%%"), partition)
    sources = list(map((prefix + b"%d").__mod__, offsets))
    as_of, dated = read_as_of(records)
    return Batch(partition, field, applied, records, offsets, sources, as_of, dated, values=values)


def judge(entity: Entity, batch: Batch) -> Batch:
    """Step 1: the batch with a verdict on each record."""
    verdicts = entity.judge.judge_all(list(batch.values), list(batch.as_of))
    oversized = [
        index for index, record in enumerate(batch.records) if record.key is not None and len(record.key) > KEPT_OF_OVERSIZED
    ]
    for index in oversized:
        rule = entity.contract.rules["record.oversized"]
        verdicts.put(index, Verdict(None, None, batch.as_of[index], (rule,)))
    if None in batch.values:
        judge_valueless(entity, batch, verdicts, frozenset(oversized))
    return batch.with_verdicts(verdicts)


def judge_valueless(entity: Entity, batch: Batch, verdicts: Verdicts, oversized: Collection[int]) -> None:
    """Judge the records without a value: tombstones, and batches that cannot be read."""
    contract = entity.contract
    for index, (record, value) in enumerate(zip(batch.records, batch.values, strict=True)):
        if value is not None or index in oversized:
            continue
        if isinstance(record, UnreadableBatch):
            verdicts.put(index, Verdict(None, None, batch.as_of[index], (contract.rules["record.unreadable"],)))
        elif record.key is not None and contract.tombstones == "delete":
            verdicts.put_deleted(index, deleted_id(entity.judge, record.key))


async def settle(entity: Entity, batch: Batch) -> Batch:
    """Step 2: the batch with what only a look-up can tell.

    Raises:
        PartitionMoved: another worker has applied or noted records of the partition meanwhile.
    """
    look_ups, at = entity.look_ups, (batch.applied_field, batch.applied)
    request = look_ups.plan(batch)
    found = await entity.look_up("look up references and keys", request, at)
    while look_ups.forget(request, found):
        request = look_ups.plan(batch)
        found = await entity.look_up("look up references and keys", request, at)
    settled = look_ups.settle(batch, request, found)
    if (note := settled.note) is not None:
        store = entity.services.store
        await entity.retry("note what was found", lambda: store.note(at, note.seen, note.upto, note.content))
    return batch.with_settled(settled)


async def apply(entity: Entity, batch: Batch) -> None:
    """Step 4: count the batch, register who waits, and move the applied offset.

    Raises:
        PartitionMoved: another worker has applied records of the partition meanwhile.
    """
    verdicts, sources, pending, last = batch.judged, batch.sources, batch.pending, batch.offsets[-1]
    settled = batch.settled or Settled(verdicts)
    baseline = entity.look_ups.baseline
    now = int(time.time() * 1000)
    tally = Tally(entity.contract, baseline.learned if baseline is not None else 0)
    tally.add_all(verdicts, pending, lambda index: sources[index].decode(), settled.segments)
    changes = Changes(tally, now, applied=(batch.applied_field, batch.applied, last), references=dict(settled.references))
    for index in sorted(pending):
        waiting = {"since": now, "decision": None, "rules": lookup_rule_ids(verdicts[index])}
        changes.wait.append((entity.waiting_field(batch.partition, batch.offsets[index]), json.dumps(waiting)))
    changes.learned = tally.learned()
    changes.release = list(settled.releases)
    changes.deleted, changes.owned = list(settled.deleted), list(settled.owned)
    if None in batch.values:
        for index, record in enumerate(batch.records):
            if isinstance(record, UnreadableBatch):
                tally.add_unreadable(batch.as_of[index], record.records)
    await entity.retry("apply the counts", lambda: entity.services.store.apply(changes))
    entity.learned += sum(sum(counts.values()) for _, _, counts in changes.learned)
    health = entity.services.health
    health.move(entity.topics.raw, batch.partition, last, tally.stream_ms)
    health.counted(len(batch), time.time() * 1000 - batch.records[0].timestamp)
