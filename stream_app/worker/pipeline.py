"""One batch of one partition, in five numbered steps; the heart of the delivery promise."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from stream_app.contract.compile import AS_OF_RULE, LATE_RULE
from stream_app.counts.tally import Tally
from stream_app.judge import Verdict
from stream_app.judge.batch import Batch, Settled, Verdicts
from stream_app.judge.timing import timing
from stream_app.judge.tombstones import before_reuse, deleted_id
from stream_app.kafka.as_of import read_as_of
from stream_app.kafka.batches.unreadable import UnreadableBatch
from stream_app.kafka.outbox import KEPT_OF_OVERSIZED
from stream_app.store.changes import Changes
from stream_app.store.writer import PartitionMoved, StoreChanged
from stream_app.windows.as_of import UNKNOWN, of_kafka
from stream_app.windows.clock import Timing
from stream_app.worker.delivery import deliver
from stream_app.worker.entity import Entity
from stream_app.worker.outcomes import Outcome, late_end, read_verdicts
from stream_app.worker.registration import registration

log = logging.getLogger("headrace.worker")


async def process(
    entity: Entity, partition: int, records: Sequence[Any], rewound: int, acknowledge: Callable[[], None]
) -> None:
    """Take the records of one partition, in offset order, through the five steps.

    ``rewound`` is how often the partition had been rewound when they were fetched. If it has been again since, they are
    dropped: they come once more, after others that have to be before them.

    Steps 1 to 4 are repeated until they succeed: step 2 claims ids for their sources and step 4 applies once, so that a
    repeated step changes nothing, and what step 3 sends again carries the same ``headrace.source`` and bytes.

    Raises:
        GaveUp: Kafka or Redis stayed away too long. Nothing is acknowledged.
    """
    while True:
        batch = await take(entity, partition, records)
        if rewound < entity.levels[partition].rewound:
            return
        if not len(batch):
            break
        # 1. Judge every record: pure, no waiting.
        batch = judge(entity, batch)
        try:
            # 2. Look up references and keys in one round trip, settle the verdicts, and note what must not change again.
            batch = await settle(entity, batch)
            # 3. Deliver clean, dead-letter and pending records, and wait for every acknowledgement.
            batch, ends = await entity.retry("deliver", lambda batch=batch: deliver(entity, batch))  # type: ignore[misc]
            # 4. Apply the counts and the offset, once, in one atomic script.
            await apply(entity, batch, ends)
            if batch.offsets[-1] == records[-1].offset:
                break
        except PartitionMoved as moved:
            applied = moved.position.applied
            log.info("%s[%d] was applied up to offset %d by another worker", entity.topics.raw, partition, applied)
            entity.services.guardian.levels.moved(entity, partition)
            entity.forget({partition})
        except StoreChanged as changed:
            # What was delivered is found again in its topics, once the store is level with the log.
            await entity.services.guardian.changed(changed.reason)
            entity.forget({partition})
    # 5. Acknowledge the records to Faust, which commits them.
    acknowledge()


async def take(entity: Entity, partition: int, records: Sequence[Any]) -> Batch:
    """Return the batch of those records that are not applied yet: the others were delivered and counted before."""
    topic, field = entity.topics.raw, entity.applied_field(partition)
    while True:
        level = entity.levels.get(partition) or await entity.services.guardian.levels.level(entity, partition)
        applied = level.position.applied
        clock = await entity.clock(partition, applied)
        if entity.levels.get(partition) is level:
            break
    if records and records[0].offset <= applied:
        records = [record for record in records if record.offset > applied]
    if level.counted is not None:
        records = [record for record in records if record.offset not in level.counted]
    values = [record.value for record in records]
    if None in values:
        end = before_reuse(records, values, any_key=bool(entity.look_ups.further))
        records, values = records[:end], values[:end]
    offsets = [record.offset for record in records]
    prefix = b"%b:%d:" % (topic.encode().replace(b"%", b"%%"), partition)
    sources = list(map((prefix + b"%d").__mod__, offsets))
    as_of, dated, misdated = read_as_of(records)
    return Batch(
        partition, field, level.position, records, offsets, sources, as_of, dated,
        topic_id=entity.topic_id, generation=entity.generation(entity.topic_id), misdated=misdated, clock=clock, values=values,
    )  # fmt: skip


def judge(entity: Entity, batch: Batch) -> Batch:
    """Step 1: the batch with a verdict on each record, and the late ones of them."""
    values = list(batch.values) or [record.value for record in batch.records]
    verdicts = entity.judge.judge_all(values, list(batch.as_of))
    keys = [record.key for record in batch.records]
    # Mostly one look at the longest key is enough.
    longest = max(map(len, filter(None, keys)), default=0)
    too_long = longest > KEPT_OF_OVERSIZED
    oversized = [index for index, key in enumerate(keys) if key and len(key) > KEPT_OF_OVERSIZED] if too_long else []
    for index in oversized:
        rule = entity.contract.rules["record.oversized"]
        verdicts.put(index, Verdict(None, None, batch.as_of[index], (rule,)))
    if None in values:
        judge_valueless(entity, batch, verdicts, frozenset(oversized))
    if batch.misdated:
        verdicts = verdicts.with_findings({index: [entity.contract.rules[AS_OF_RULE]] for index in batch.misdated})
    found = timing(batch.clock, verdicts, entity.finality)
    if found.late and entity.contract.rejects_late:
        verdicts = verdicts.with_findings({index: [entity.contract.rules[LATE_RULE]] for index in found.late})
    return batch.with_verdicts(verdicts).with_timing(found)


def judge_valueless(entity: Entity, batch: Batch, verdicts: Verdicts, oversized: Collection[int]) -> None:
    """Judge the records without a value: tombstones, and batches that cannot be read."""
    contract = entity.contract
    for index, record in enumerate(batch.records):
        if record.value is not None or index in oversized:
            continue
        if isinstance(record, UnreadableBatch):
            verdicts.put(index, Verdict(None, None, batch.as_of[index], (contract.rules["record.unreadable"],)))
        elif record.key is not None and contract.tombstones == "delete":
            verdicts.put_deleted(index, deleted_id(entity.judge, record.key))


async def settle(entity: Entity, batch: Batch) -> Batch:
    """Step 2: the batch with what only a look-up can tell.

    Raises:
        PartitionMoved: another worker has applied or noted records of the partition meanwhile.
        StoreChanged: the store is not the one that was verified.
    """
    look_ups, at = entity.look_ups, (batch.applied_field, batch.position)
    request = look_ups.plan(batch)
    found = await entity.look_up("look up references and keys", request, at)
    while look_ups.forget_deleted(request, found):
        request = look_ups.plan(batch)
        found = await entity.look_up("look up references and keys", request, at)
    settled = look_ups.settle(batch, request, found)
    batch = batch.with_answer(request, found)
    if (note := settled.note) is not None:
        store = entity.services.store
        await entity.retry("note what was found", lambda: store.note(at, note.seen, note.upto, note.content))
    delivered = entity.level_of(batch.partition).delivered
    if not delivered:
        return batch.with_settled(settled)
    known = known_verdicts(entity, batch, delivered)
    late = {index: end for index, end in batch.late.items() if index not in known}
    late |= {index: end for index in known if (end := late_end(delivered[batch.offsets[index]].record)) is not None}
    batch = batch.with_timing(Timing(batch.clock, late))
    return batch.with_settled(look_ups.resettle(batch, request, found, settled, known), frozenset(known))


def known_verdicts(entity: Entity, batch: Batch, delivered: Mapping[int, Outcome]) -> dict[int, Verdict | None]:
    """Return index → verdict of the records that were delivered before; None for one that was delivered to wait."""
    indexes = [index for index, offset in enumerate(batch.offsets) if offset in delivered]
    verdicts, _ = read_verdicts(entity, [delivered[batch.offsets[index]] for index in indexes])
    waits = [delivered[batch.offsets[index]].kind == "pending" for index in indexes]
    return {index: None if wait else verdict for index, verdict, wait in zip(indexes, verdicts, waits, strict=True)}


async def apply(entity: Entity, batch: Batch, ends: Mapping[str, int]) -> None:
    """Step 4: count the batch, register who waits, and move the position. ``ends``: topic → offset after what was delivered.

    Raises:
        PartitionMoved: another worker has applied records of the partition meanwhile.
        StoreChanged: the store is not the one that was verified.
    """
    verdicts, sources, pending, last = batch.judged, batch.sources, batch.pending, batch.offsets[-1]
    settled = batch.settled or Settled(verdicts)
    baseline = entity.look_ups.baseline
    now = int(time.time() * 1000)
    tally = Tally(entity.contract, baseline.learned if baseline is not None else 0, applied_ms=now)
    tally.stream_ms = batch.clock.reached
    tally.add_all(verdicts, pending, lambda index: sources[index].decode(), settled.segments, batch.late)
    level = entity.level_of(batch.partition)
    after = level.after(last, ends, entity.topics)
    changes = Changes(tally, now, applied=(batch.applied_field, batch.position, after), references=dict(settled.references))
    for index in sorted(pending):
        waiting = registration(now, verdicts[index], batch.position.pending)
        changes.wait.append((entity.waiting_field(batch.partition, batch.offsets[index]), waiting))
    changes.learned = tally.learned()
    changes.release = list(settled.releases)
    changes.deleted, changes.owned, changes.topic_ids = list(settled.deleted), list(settled.owned), entity.topic_ids
    if None in batch.values:
        for index, record in enumerate(batch.records):
            if isinstance(record, UnreadableBatch):
                tally.add_unreadable(batch.as_of[index], record.records)
    changes.clock = (batch.applied_field, batch.clock.to_text())
    await entity.retry("apply the counts", lambda: entity.services.store.apply(changes))
    entity.learned += sum(sum(counts.values()) for _, _, counts in changes.learned)
    level.applied(after)
    if batch.topic_id == entity.topic_id:  # the raw topic may have been created again meanwhile
        entity.reached[batch.partition] = last
    entity.clocks[batch.partition] = (after.applied, batch.clock)
    health = entity.services.health
    health.move(entity.topics.raw, batch.partition, last, batch.clock.reached)
    sent = of_kafka(batch.records[0].timestamp)
    health.counted(len(batch), None if sent == UNKNOWN else time.time() * 1000 - sent)
