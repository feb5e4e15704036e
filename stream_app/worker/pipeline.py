"""One batch of one partition, in five numbered steps; the heart of the delivery promise."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream_app.contract.model import Contract, Shop
from stream_app.counts.tally import Tally
from stream_app.judge import Judge, Verdict
from stream_app.judge.batch import Verdicts
from stream_app.judge.lookups import Batch, KnownIds, LookUps, marks
from stream_app.judge.verdict import findings_json, repairs_json
from stream_app.kafka.headers import as_of_all, dead_letter_headers, header
from stream_app.kafka.outbox import KEPT_OF_OVERSIZED, Outbox, Row
from stream_app.kafka.producer import Producer
from stream_app.kafka.transactions import Transactions
from stream_app.names import AS_OF, CONTRACT, REPAIRS, SOURCE, TOPIC_ID, WARNINGS, Topics
from stream_app.retries import GaveUp
from stream_app.settings import Settings
from stream_app.store.writer import UNAVAILABLE, Changes, Moved, Store
from stream_app.worker.health import Health

log = logging.getLogger("headrace.worker")
T = TypeVar("T")


class Engine:
    """Judges, looks up, delivers and counts the batches of one entity."""

    def __init__(
        self, shop: Shop, entity: str, settings: Settings, store: Store, producer: Producer, health: Health,
        known: KnownIds, topic_ids: Mapping[str, str], transactions: Transactions | None = None,
    ) -> None:  # fmt: skip
        self.contract: Contract = shop.contracts[entity]
        self.entity = entity
        self.settings = settings
        self.store = store
        self.producer = producer
        self.health = health
        self.topics = Topics(entity, settings.topic_prefix)
        self.judge = Judge(self.contract, settings.max_record_bytes)
        self.header = (CONTRACT, self.contract.name_and_version.encode())
        self.transactions = transactions
        self.look_ups = LookUps(shop, entity, store, self.patiently, known, notes_waiting=transactions is not None)
        self._topic_ids = topic_ids
        self._applied: dict[int, int] = {}
        #: Partition → event time (ms) up to which it has been applied.
        self.reached: dict[int, int] = {}
        #: Values that this worker has taught since it started.
        self.taught = 0

    @property
    def topic_id(self) -> str:
        """The id of the raw topic; empty where the broker gives none. A re-created topic has another one."""
        return self._topic_ids.get(self.topics.raw, "")

    def applied_field(self, partition: int, topic_id: str | None = None) -> str:
        """The name under which the partition's applied offset is kept."""
        return f"{self.topics.raw}/{self.topic_id if topic_id is None else topic_id}/{partition}"

    def forget(self, partitions: set[int]) -> None:
        """Read the applied offsets afresh: the partitions may have been elsewhere."""
        for partition in partitions:
            self._applied.pop(partition, None)
            self.reached.pop(partition, None)
        if self.transactions is not None:
            self.transactions.forget(self.topics.raw, partitions)
            self.transactions.forget(self.topics.pending, partitions)

    async def process(self, partition: int, records: list[Any]) -> None:
        """Steps 1 to 4 for the records of one partition, in offset order. The caller acknowledges (step 5).

        Retried as a whole until it succeeds: step 2 claims ids for their sources and step 4 applies once, so that a
        repeated step changes nothing, and what step 3 sends again carries the same ``headrace.source`` and bytes.

        Raises:
            GaveUp: Kafka or Redis stayed away too long.
        """
        verdicts: Verdicts | None = None
        field = self.applied_field(partition)
        while True:
            applied = self._applied.get(partition)
            if applied is None:
                applied = await self.patiently("read the applied offset", lambda: self.store.applied(field))
                self._applied[partition] = applied
            if records and records[0].offset <= applied:
                # What is applied was delivered and counted before.
                records = [record for record in records if record.offset > applied]
                verdicts = None
            if not records:
                return
            # 1. Judge every record: pure, no waiting.
            if verdicts is None:
                verdicts = self._judge(records)
            try:
                await self._deliver(partition, (field, applied), records, verdicts)
            except Moved as moved:
                log.info("%s[%d] was applied up to offset %d by another worker", self.topics.raw, partition, moved.applied)
                self._applied[partition] = moved.applied
                verdicts = None
                continue
            self._applied[partition] = records[-1].offset
            self.health.records += len(records)
            self.health.waited += max(0.0, time.time() * 1000 - records[0].timestamp)
            self.health.batches += 1
            return

    def _judge(self, records: list[Any]) -> Verdicts:
        verdicts = self.judge.judge_all([record.value for record in records], as_of_all(records))
        keys = [record.key for record in records]
        for index in [i for i, key in enumerate(keys) if key is not None and len(key) > KEPT_OF_OVERSIZED]:
            oversized = self.contract.rules["record.oversized"]
            verdicts.put(index, Verdict(None, None, verdicts.as_of[index], (oversized,)))
        return verdicts

    async def _deliver(self, partition: int, place: tuple[str, int], records: list[Any], verdicts: Verdicts) -> None:
        prefix = b"%b:%d:" % (self.topics.raw.encode(), partition)
        offsets = [record.offset for record in records]
        sources = list(map((prefix.replace(b"%", b"%%") + b"%d").__mod__, offsets))
        # 2. Look up references and uniqueness for the whole batch in one round trip, and settle the verdicts.
        batch = Batch(place, offsets, sources, lambda index: header(records[index], AS_OF) is not None)
        settled = await self.look_ups.settle(batch, verdicts)
        pending = settled.pending

        # 3. Produce clean, dead-letter and pending records, and wait for every acknowledgement.
        await self.patiently("deliver", lambda: self.send(partition, records, verdicts, sources, pending))

        # 4. Apply the batch's counts, once, and note the offset, in one atomic script.
        now = int(time.time() * 1000)
        baseline = self.look_ups.baseline
        tally = Tally(self.contract, baseline.learned if baseline is not None else 0)
        tally.add_all(verdicts, pending, lambda index: sources[index].decode(), settled.segments)
        changes = Changes(tally, now, applied=(*place, offsets[-1]), references=settled.references)
        for index in sorted(pending):
            waiting = {"since": now, "decision": None, "rules": marks(verdicts[index])}
            changes.wait.append((self.waiting_field(partition, offsets[index]), json.dumps(waiting)))
        changes.learned = tally.learned()
        changes.release = self.look_ups.releases((verdicts[index], sources[index]) for index in settled.touched)
        await self.patiently("apply the counts", lambda: self.store.apply(changes))
        self.taught += sum(sum(counts.values()) for _, _, counts in changes.learned)
        self.reached[partition] = max(tally.stream_ms, self.reached.get(partition, 0))

    def waiting_field(self, partition: int, offset: int, topic_id: str | None = None) -> str:
        """The name under which a record that waits is registered."""
        topic_id = self.topic_id if topic_id is None else topic_id
        return f"{partition}:{offset}:{topic_id}" if topic_id else f"{partition}:{offset}"

    async def send(
        self, partition: int, records: list[Any], verdicts: Verdicts, sources: list[bytes], pending: Collection[int]
    ) -> None:
        """Send each raw record to its topic, those at the indexes in ``pending`` to the pending topic.

        With transactions: each once, whoever delivered a part of them before.
        """
        if self.transactions is None:
            await self.producer.using(lambda producer: self.send_by(producer, partition, records, verdicts, sources, pending))
            return
        place = await self.transactions.place(self.topics.raw, partition)
        # A note with another topic's id is of one that was deleted since.
        done = place.mark if place.text == self.topic_id else 0
        begin = bisect_left(records, done, key=lambda record: record.offset)
        if begin == len(records):
            return

        async def fill(producer: AIOKafkaProducer) -> None:
            await self.send_by(producer, partition, records, verdicts, sources, pending, begin)

        await self.transactions.deliver(place, fill, records[-1].offset + 1, self.topic_id)

    async def send_by(
        self, producer: AIOKafkaProducer, partition: int, records: list[Any], verdicts: Verdicts, sources: list[bytes],
        pending: Collection[int], begin: int = 0,
    ) -> None:  # fmt: skip
        """Send the records from ``begin`` on, and wait for their acknowledgements."""
        outbox = Outbox(producer)
        contract, marked = self.header, verdicts.marked
        clean: list[Row | None] = [
            (record.key, body, record.timestamp, [(SOURCE, source), contract])
            for record, body, source in zip(records, verdicts.bodies, sources, strict=True)
        ]
        # Most records are clean and unmarked. The others, in order:
        for index in sorted({*marked, *pending}):
            if index < begin:
                continue
            record, source = records[index], sources[index]
            row = clean[index]
            if index in pending:
                headers = [*((n, v) for n, v in record.headers if n not in (SOURCE, AS_OF, TOPIC_ID)), (SOURCE, source)]
                headers.append((AS_OF, b"%d" % verdicts.as_of[index]))
                if self.topic_id:
                    headers.append((TOPIC_ID, self.topic_id.encode()))
                clean[index] = None
                waiting = (record.key, record.value, record.timestamp, headers)
                outbox.add(self.topics.pending, partition, waiting, foreign=True)
            elif marked[index].rejected or row is None:
                findings = findings_json(marked[index].findings)
                headers = dead_letter_headers(record, source, contract[1], findings, self.settings.group)
                clean[index] = None
                rejected = (record.key, record.value, record.timestamp, headers)
                outbox.add(self.topics.dead_letter, partition, rejected, foreign=True)
            else:
                if marked[index].findings:
                    row[3].append((WARNINGS, findings_json(marked[index].findings)))
                if marked[index].repairs:
                    row[3].append((REPAIRS, repairs_json(marked[index].repairs)))
        outbox.add_ours(self.topics.clean, partition, [row for row in clean[begin:] if row is not None])
        await outbox.send()

    async def patiently(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """Do ``action``; while Kafka or Redis is away, again with backoff, until ``give_up_after`` seconds are over."""
        began = time.monotonic()
        delay = 0.1
        while True:
            try:
                result = await action()
            except (TimeoutError, *UNAVAILABLE, KafkaError) as error:
                self.health.error = f"could not {what}: {type(error).__name__}"
                waited = time.monotonic() - began
                if waited > self.settings.give_up_after:
                    raise GaveUp(
                        f"{self.entity}: could not {what} for {waited:.0f} s ({type(error).__name__}); is Kafka at "
                        f"{self.settings.kafka} and Redis up? Nothing was acknowledged; start the worker again."
                    ) from error
                log.warning("%s: could not %s (%s); again in %.1f s", self.entity, what, type(error).__name__, delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                if self.health.error is not None:
                    log.warning("%s: recovered", self.entity)
                    self.health.error = None
                return result
