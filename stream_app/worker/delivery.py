"""Step 3 of a batch: what the records became goes to their topics, and every acknowledgement is waited for."""

from __future__ import annotations

from bisect import bisect_left

from aiokafka import AIOKafkaProducer

from stream_app.judge.batch import Batch
from stream_app.judge.verdict import findings_json, repairs_json
from stream_app.kafka.batches.unreadable import UnreadableBatch
from stream_app.kafka.headers import dead_letter_headers, parts_of, pending_headers
from stream_app.kafka.outbox import Outbox, Row
from stream_app.kafka.transactions import Note
from stream_app.names import REPAIRS, SOURCE, WARNINGS
from stream_app.worker.entity import Entity


async def deliver(entity: Entity, batch: Batch) -> None:
    """Send each record of a settled batch to its topic; with transactions, each once, whoever delivered a part before.

    Raises:
        KafkaError: the broker did not take all of it; nothing tells what it took.
    """
    services = entity.services
    if services.transactions is None:
        await services.producer.using(lambda producer: send(producer, entity, batch))
        return
    target = await services.transactions.producer_of(entity.topics.raw, batch.partition)
    # A note with another topic's id is of one that was deleted since.
    done = target.note.offset if target.note.text == entity.topic_id else 0
    begin = bisect_left(batch.offsets, done)
    if begin == len(batch):
        return
    note = Note(batch.offsets[-1] + 1, entity.topic_id)
    await services.transactions.deliver(target, lambda producer: send(producer, entity, batch, begin), note)


async def send(producer: AIOKafkaProducer, entity: Entity, batch: Batch, begin: int = 0) -> None:
    """Send the records of a batch from index ``begin`` on, and wait for their acknowledgements."""
    outbox = Outbox(producer)
    topics, contract, partition = entity.topics, entity.contract_header, batch.partition
    records, sources, verdicts, pending = batch.records, batch.sources, batch.judged, batch.pending
    marked = verdicts.marked
    clean: list[Row | None] = [
        (record.key, body, record.timestamp, [(SOURCE, source), contract])
        for record, body, source in zip(records, verdicts.bodies, sources, strict=True)
    ]
    # Most records are clean and have neither finding nor repair. The others, in order:
    for index in sorted({*marked, *pending}):
        if index < begin:
            continue
        record, source, row = records[index], sources[index], clean[index]
        if index in pending:
            clean[index] = None
            headers = pending_headers(record, source, verdicts.as_of[index], entity.topic_id)
            outbox.add(topics.pending, partition, (record.key, record.value, record.timestamp, headers), foreign=True)
        elif marked[index].rejected or row is None:
            clean[index] = None
            findings = findings_json(marked[index].findings)
            headers = dead_letter_headers(record, source, contract[1], findings, entity.services.settings.group)
            for value, more in parts_of(record) if isinstance(record, UnreadableBatch) else ((record.value, ()),):
                row = (record.key, value, record.timestamp, [*headers, *more])
                outbox.add(topics.dead_letter, partition, row, foreign=True)
        else:
            if marked[index].findings:
                row[3].append((WARNINGS, findings_json(marked[index].findings)))
            if marked[index].repairs:
                row[3].append((REPAIRS, repairs_json(marked[index].repairs)))
    outbox.add_all(topics.clean, partition, [row for row in clean[begin:] if row is not None])
    await outbox.send()
