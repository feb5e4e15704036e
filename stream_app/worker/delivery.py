"""Step 3 of a batch: what the records became goes to their topics, and every acknowledgement is waited for."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from stream_app.judge.batch import Batch
from stream_app.judge.lookups import is_looked_up
from stream_app.judge.verdict import Verdict, findings_json, repairs_json
from stream_app.kafka.batches.unreadable import UnreadableBatch
from stream_app.kafka.headers import Header, dead_letter_headers, header_in, parts_of, pending_headers
from stream_app.kafka.outbox import Outbox, Refused, Row
from stream_app.kafka.rows import CleanRows
from stream_app.kafka.transactions import Note
from stream_app.names import AS_OF, LATE, REPAIRS, SOURCE, TOPIC_ID, UNKNOWN, WARNINGS
from stream_app.windows.as_of import to_header
from stream_app.worker.entity import Entity

log = logging.getLogger("headrace.worker")


class Delivered(NamedTuple):
    """A batch as it was delivered: a record that its topic does not take is a dead letter.

    ``ends``: topic → offset after the last record that was sent.
    """

    batch: Batch
    ends: dict[str, int]


async def deliver(entity: Entity, batch: Batch) -> Delivered:
    """Send each record of a settled batch to its topic; with transactions, each once, whoever delivered a part before.

    Raises:
        RecordRefused: the dead-letter topic does not take a record in any form.
        KafkaError: the broker did not take all of it; nothing tells what it took.
    """
    services = entity.services
    if services.transactions is None:
        return await services.producer.using(lambda producer: send(producer, entity, batch))
    target = await services.transactions.producer_of(entity.topics.raw, batch.partition)
    # A note with another topic's id is of one that was deleted since.
    done = target.note.offset if target.note.text == entity.topic_id else 0
    begin = bisect_left(batch.offsets, done)
    if begin == len(batch):
        return Delivered(batch, {})
    note = Note(batch.offsets[-1] + 1, entity.topic_id)
    return await services.transactions.deliver(target, lambda producer: send(producer, entity, batch, begin), note)


async def send(producer: AIOKafkaProducer, entity: Entity, batch: Batch, begin: int = 0) -> Delivered:
    """Send the records of a batch from index ``begin`` on, but not those that were delivered before.

    Waits for every acknowledgement.
    """
    topics, partition = entity.topics, batch.partition
    outbox = Outbox(producer, entity.services.limits, frozenset({topics.dead_letter}))
    _add(outbox, entity, batch, begin)
    receipt = await outbox.send()
    if receipt.refused:
        batch = _refuse(entity, batch, receipt.refused)
        for index in _indexes(batch, receipt.refused):
            outbox.add(topics.dead_letter, partition, _dead_letter(entity, batch, index), foreign=True)
        receipt = receipt.and_then(await outbox.send())
    return Delivered(batch, {topic: offset for (topic, _), offset in receipt.ends().items()})


def _add(outbox: Outbox, entity: Entity, batch: Batch, begin: int) -> None:
    """Add what the records of a batch became to an outbox."""
    topics, contract, partition = entity.topics, entity.contract_header, batch.partition
    records, sources, verdicts, pending = batch.records, batch.sources, batch.judged, batch.pending
    marked = verdicts.marked
    # Most records are clean and have neither finding nor repair. The others, in order, with their own headers; None: not clean.
    own: dict[int, list[Header] | None] = dict.fromkeys((*range(begin), *batch.delivered))
    for index in sorted({*marked, *pending}.difference(own)):
        if index in pending:
            own[index] = None
            outbox.add(topics.pending, partition, _pending(entity, batch, index), foreign=True)
        elif marked[index].rejected:
            own[index] = None
            for dead in _dead_letters(entity, batch, index):
                outbox.add(topics.dead_letter, partition, dead, foreign=True)
        else:
            own[index] = _notes(marked[index])
    renewed = _renewed(entity, batch)
    if renewed or entity.keeps_as_of:
        # A store that is rebuilt from the clean topic needs to know by which moment a record was judged.
        moments = verdicts.as_of if entity.keeps_as_of else ()
        for index in range(len(batch)):
            if (headers := own.get(index, [])) is not None:
                dated = [(AS_OF, to_header(moments[index]))] if moments and batch.dated[index] else []
                own[index] = [*headers, *renewed, *dated]
    for index in batch.late:
        if (headers := own.get(index, [])) is not None:
            own[index] = [*headers, *_late(batch, index)]
    keys, timestamps = [record.key for record in records], [record.timestamp for record in records]
    rows = CleanRows(keys, verdicts.bodies, timestamps, sources, contract, own)
    outbox.add_all(topics.clean, partition, rows)


def _renewed(entity: Entity, batch: Batch) -> list[Header]:
    """The id of the raw topic, where it is not the first of its name: it has the offsets of that one once more."""
    return [(TOPIC_ID, batch.topic_id.encode())] if batch.topic_id != entity.first_topic_id else []


def _late(batch: Batch, index: int) -> list[Header]:
    """The header of a record that is late; of any other, nothing."""
    end = batch.late.get(index)
    return [] if end is None else [(LATE, b"%d" % (end * 1000))]


def _notes(verdict: Verdict) -> list[Header]:
    """The headers of a clean record that did not come as it is."""
    named = (
        (WARNINGS, findings_json(verdict.findings) if verdict.findings else None),
        (REPAIRS, repairs_json(verdict.repairs) if verdict.repairs else None),
        (UNKNOWN, repairs_json(verdict.unknown) if verdict.unknown else None),
    )
    return [(name, value) for name, value in named if value is not None]


def _pending(entity: Entity, batch: Batch, index: int) -> Row:
    """A record that waits."""
    record, verdicts = batch.records[index], batch.judged
    headers = pending_headers(record, batch.sources[index], to_header(verdicts.as_of[index]), entity.topic_id)
    headers += _late(batch, index)
    if looked_up := [rule for rule in verdicts[index].findings if is_looked_up(rule)]:
        headers.append((WARNINGS, findings_json(looked_up)))
    return record.key, record.value, record.timestamp, headers


def _dead_letters(entity: Entity, batch: Batch, index: int) -> Iterator[Row]:
    """The dead letters of a rejected record: one, or the parts of a batch that cannot be read."""
    record = batch.records[index]
    key, value, timestamp, headers = _dead_letter(entity, batch, index)
    for part, more in parts_of(record) if isinstance(record, UnreadableBatch) else ((value, []),):
        yield key, part, timestamp, [*headers, *more]


def _dead_letter(entity: Entity, batch: Batch, index: int) -> Row:
    """The dead letter of a rejected record."""
    record, findings = batch.records[index], findings_json(batch.judged[index].findings)
    group = entity.services.settings.group
    headers = dead_letter_headers(record, batch.sources[index], entity.contract_header[1], findings, group)
    return record.key, record.value, record.timestamp, [*headers, *_late(batch, index), *_renewed(entity, batch)]


def _refuse(entity: Entity, batch: Batch, refused: Sequence[Refused]) -> Batch:
    """The batch whose records that their topic does not take are rejected."""
    for one in refused:
        source = (header_in(one.row[3], SOURCE) or b"").decode("utf-8", "replace")
        log.warning("topic %s does not take %s (%s); it becomes a dead letter", one.topic, source, one.reason)
    return batch.with_settled(entity.look_ups.refuse(batch, _indexes(batch, refused)), batch.delivered)


def _indexes(batch: Batch, refused: Sequence[Refused]) -> list[int]:
    sources = {header_in(one.row[3], SOURCE) for one in refused}
    return [index for index, source in enumerate(batch.sources) if source in sources]
