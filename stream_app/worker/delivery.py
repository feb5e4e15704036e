"""Step 3 of a batch: what the records became goes to their topics, and every acknowledgement is waited for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from aiokafka import AIOKafkaProducer

from stream_app.judge.batch import Batch
from stream_app.judge.verdict import findings_json, repairs_json
from stream_app.kafka.headers import Header, dead_letter_headers
from stream_app.kafka.outbox import Outbox, Row
from stream_app.kafka.transactions import Note
from stream_app.names import AS_OF, REPAIRS, SOURCE, TOPIC_ID, WARNINGS
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
    clean = list(verdicts.bodies)
    notes: dict[int, list[Header]] = {}
    # Most records are clean and have neither finding nor repair. The others, in order:
    for index in sorted({*marked, *pending}):
        if index < begin:
            continue
        record, source = records[index], sources[index]
        if index in pending:
            clean[index] = None
            headers = [*((n, v) for n, v in record.headers if n not in (SOURCE, AS_OF, TOPIC_ID)), (SOURCE, source)]
            headers.append((AS_OF, b"%d" % verdicts.as_of[index]))
            if entity.topic_id:
                headers.append((TOPIC_ID, entity.topic_id.encode()))
            outbox.add(topics.pending, partition, (record.key, record.value, record.timestamp, headers), foreign=True)
        elif clean[index] is None:
            clean[index] = None
            findings = findings_json(marked[index].findings)
            headers = dead_letter_headers(record, source, contract[1], findings, entity.services.settings.group)
            outbox.add(topics.dead_letter, partition, (record.key, record.value, record.timestamp, headers), foreign=True)
        else:
            noted = notes[index] = []
            if marked[index].findings:
                noted.append((WARNINGS, findings_json(marked[index].findings)))
            if marked[index].repairs:
                noted.append((REPAIRS, repairs_json(marked[index].repairs)))

    def rows() -> Iterator[Row]:
        for index, body in enumerate(islice(clean, begin, None), begin):
            if body is not None:
                record = records[index]
                headers: list[Header] = [(SOURCE, sources[index]), contract]
                if index in notes:
                    headers += notes[index]
                yield record.key, body, record.timestamp, headers

    longest = max(map(len, filter(None, clean)), default=0) + max([len(record.key or b"") for record in records])
    outbox.add_all(topics.clean, partition, rows(), longest)
    await outbox.send()
