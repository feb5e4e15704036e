"""Judge rejected records again: dead letters go back to the raw topic, byte for byte, and get a new verdict there.

A record that is sent again is another raw record: it is counted as received once more, gets a source of its own, and names the
one that it was before in ``headrace.redrive``. So counts and topics agree as ever. Clean records are not sent again: their
keys are taken, and each would be rejected as a repeat of itself.

Each partition of the dead-letter topic is read once, up to the end that it had at the start. Records and the offset up to
which they were sent are written in one transaction, so that a run which was killed continues without sending a record twice,
and another run of the same selection sends only the dead letters that came since. A broker without transactions keeps no
progress.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kafka import TopicPartition
from kafka.partitioner.default import murmur2

from stream_app.errors import DeliveryError, SettingsError
from stream_app.kafka.admin import end_offsets
from stream_app.kafka.as_of import as_of
from stream_app.kafka.batches import header_names
from stream_app.kafka.headers import Header, header, header_in
from stream_app.kafka.outbox import Outbox
from stream_app.kafka.producer import Producer
from stream_app.kafka.reading import chunks
from stream_app.kafka.search import reading, split
from stream_app.kafka.transactions import Note, Transactions
from stream_app.names import (
    AS_OF,
    CONTRACT,
    FINDINGS,
    NULL_VALUE,
    REDRIVE,
    REPAIRS,
    SOURCE,
    TOPIC_ID,
    TRUNCATED,
    TRUNCATED_HEADERS,
    TRUNCATED_KEY,
    WARNINGS,
    Topics,
)  # fmt: skip
from stream_app.settings import Settings
from stream_app.windows.as_of import UNKNOWN, to_header

#: Records in one transaction.
BATCH = 500
#: Seconds without a record after which reading fails.
_SILENCE = 10.0
#: Headers that a dead letter got from its worker.
_OURS = frozenset({SOURCE, CONTRACT, FINDINGS, WARNINGS, REPAIRS, TOPIC_ID, REDRIVE})
_OUR_PREFIXES = ("__connect.errors.", "kafka_dlt-")
#: Headers of dead letters that are not what the raw record was.
_CHANGED = frozenset({TRUNCATED, TRUNCATED_KEY, TRUNCATED_HEADERS, NULL_VALUE})


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit of a selection: an as-of time (ms), or the offset of a raw record."""

    ms: int | None = None
    offset: int | None = None

    def before(self, moment: int, offset: int) -> bool:
        """True if the limit is at or before a record of this as-of time and raw offset."""
        return self.ms <= moment if self.ms is not None else self.offset is None or self.offset <= offset


@dataclass(frozen=True, slots=True)
class Selection:
    """The dead letters to judge again.

    Attributes:
        since, until: limits, the second one excluded.
        partition: only this partition; None: all.
        rules: only records with a finding of one of these rules; empty: all.
    """

    entity: str
    since: Bound
    until: Bound | None = None
    partition: int | None = None
    rules: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """A name that other selections do not have."""
        parts = (self.entity, self.since.ms, self.since.offset, self.until and (self.until.ms, self.until.offset))
        text = json.dumps([*parts, self.partition, sorted(self.rules)])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def has(self, record: Any, found: list[str]) -> bool:
        """True if a dead letter with findings of these rules is one of them."""
        moment, offset = as_of(record), _raw_offset(record)
        return (
            self.since.before(moment, offset)
            and (self.until is None or not self.until.before(moment, offset))
            and (not self.rules or not self.rules.isdisjoint(found))
        )


@dataclass(slots=True)
class Plan:
    """The dead letters that a run would send.

    Attributes:
        ends: partition of the dead-letter topic → offset to read up to.
        begins: the same → offset to read from.
        rules: rule → records with a finding of it.
        records: records to send; ``changed``: records that are left out, because they were cut, or have neither key nor value.
        before: records that an earlier run has sent.
        redriven: sources of dead letters that were sent again, and rejected again.
    """

    ends: dict[int, int] = field(default_factory=dict)
    begins: dict[int, int] = field(default_factory=dict)
    rules: Counter[str] = field(default_factory=Counter)
    records: int = 0
    changed: int = 0
    before: int = 0
    redriven: set[str] = field(default_factory=set)

    def takes(self, selection: Selection, record: Any) -> bool:
        """True if the run sends this dead letter."""
        source = (header(record, SOURCE) or b"").decode("utf-8", "replace")
        return (
            source not in self.redriven
            and not _CHANGED & {name for name, _ in record.headers}
            and selection.has(record, rules_of(record))
        )


class Rejudging:
    """One run over the dead letters of a selection."""

    def __init__(self, settings: Settings, selection: Selection) -> None:
        header_names.install()  # an outbox needs it
        self._settings, self.selection = settings, selection
        self._topics = Topics(selection.entity, settings.topic_prefix)
        self._transactions: Transactions | None = Transactions(
            settings.model_copy(update={"group": f"{settings.group}.rejudge-{selection.name}"})
        )
        self._producer: Producer | None = None
        self._raw_partitions = 1

    @property
    def resumable(self) -> bool:
        """True if the broker keeps the progress. Known once ``plan`` has run."""
        return self._transactions is not None

    async def plan(self) -> Plan:
        """Read the dead-letter topic once, and return what is to be sent.

        Raises:
            DeliveryError: no broker answers, or the topic does not exist.
        """
        if self._transactions is not None:
            try:
                await self._transactions.check()
            except SettingsError:
                self._transactions = None
                self._producer = Producer(self._settings)
                await self._producer.start()
        plan, selection = Plan(), self.selection
        with reading(self._settings, committed=True) as consumer:
            numbers = consumer.partitions_for_topic(self._topics.dead_letter)
            raw = consumer.partitions_for_topic(self._topics.raw)
            if not numbers or not raw:
                missing = self._topics.raw if numbers else self._topics.dead_letter
                raise DeliveryError(f"{self._settings.kafka} has no topic {missing}; create it, or check HEADRACE_TOPIC_PREFIX")
            self._raw_partitions = len(raw)
            numbers = [number for number in sorted(numbers) if selection.partition in (None, number)]
            partitions = [TopicPartition(self._topics.dead_letter, number) for number in numbers]
            lows = consumer.beginning_offsets(partitions) if partitions else {}
            # What an open transaction may still bring has an offset after these, and is left to the next run.
            ask = consumer.end_offsets if self.resumable else partial(end_offsets, consumer)
            ends = ask(partitions) if partitions else {}
            for partition in partitions:
                note = await self._note(partition.partition)
                plan.ends[partition.partition] = _end_of(note, ends[partition])
                plan.begins[partition.partition] = (
                    note.offset if lows[partition] <= note.offset <= ends[partition] else lows[partition]
                )
            found: list[tuple[str, bool, bool, list[str]]] = []
            for partition in partitions:
                number = partition.partition
                for record in _records(consumer, partition, lows[partition], ends[partition]):
                    if (before := header(record, REDRIVE)) is not None:
                        plan.redriven.add(before.decode("utf-8", "replace"))
                    rules = rules_of(record)
                    if record.offset < plan.ends[number] and selection.has(record, rules):
                        source = (header(record, SOURCE) or b"").decode("utf-8", "replace")
                        changed = bool(_CHANGED & {name for name, _ in record.headers})
                        found.append((source, record.offset < plan.begins[number], changed, rules))
        for source, done, changed, rules in found:
            if done or source in plan.redriven:
                plan.before += 1
            elif changed:
                plan.changed += 1
            else:
                plan.records += 1
                plan.rules.update(rules)
        return plan

    async def run(self, plan: Plan, progress: Callable[[int], None], stop: Callable[[], object]) -> int:
        """Send the records of a plan; return how many were. ``progress`` gets that number; ``stop()`` true: stop in order.

        Raises:
            DeliveryError: no broker answers, or the raw topic does not take a record; the next run continues with it.
            KafkaError: the broker did not take a batch; the next run continues with it.
        """
        sent = 0
        with reading(self._settings, committed=True) as consumer:
            for number, end in plan.ends.items():
                partition = TopicPartition(self._topics.dead_letter, number)
                rows: list[Any] = []
                last = plan.begins[number]
                for record in _records(consumer, partition, plan.begins[number], end):
                    last = record.offset + 1
                    if plan.takes(self.selection, record):
                        rows.append(record)
                    if len(rows) >= BATCH:
                        await self._send(number, rows, Note(last, str(end)))
                        sent, rows = sent + len(rows), []
                        progress(sent)
                        if stop():
                            return sent
                await self._send(number, rows, Note(max(last, end), ""))
                sent += len(rows)
                progress(sent)
                if stop():
                    return sent
        return sent

    async def close(self) -> None:
        """Close the connections."""
        if self._transactions is not None:
            await self._transactions.close()
        if self._producer is not None:
            await self._producer.stop()

    async def _note(self, number: int) -> Note:
        if self._transactions is None:
            return Note()
        return await self._transactions.note_of(self._topics.dead_letter, number)

    async def _send(self, number: int, records: list[Any], note: Note) -> None:
        async def fill(producer: Any) -> None:
            outbox = Outbox(producer)
            for record in records:
                row = (record.key, record.value, record.timestamp, headers_again(record))
                outbox.add(self._topics.raw, self._partition(number, record.key), row, foreign=True)
            for one in (await outbox.send()).refused:
                source = (header_in(one.row[3], REDRIVE) or b"").decode("utf-8", "replace")
                raise DeliveryError(
                    f"topic {one.topic} does not take {source} again ({one.reason}); raise the topic's max.message.bytes, or "
                    "see the broker's log. Then the same command continues with it"
                )

        if self._transactions is not None:
            target = await self._transactions.producer_of(self._topics.dead_letter, number)
            if note != target.note:
                await self._transactions.deliver(target, fill, note)
        elif self._producer is not None and records:
            await self._producer.using(fill)

    def _partition(self, number: int, key: bytes | None) -> int:
        """Return the raw partition: the same one, unless the raw topic was created again with fewer."""
        if number < self._raw_partitions:
            return number
        return number % self._raw_partitions if key is None else int(murmur2(key) & 0x7FFFFFFF) % self._raw_partitions


def headers_again(record: Any) -> list[Header]:
    """Return the headers with which a dead letter goes back: its producer's, its as-of time, its attempts, and its source."""
    kept = [(n, v) for n, v in record.headers if n not in _OURS and not n.startswith(_OUR_PREFIXES)]
    if header(record, AS_OF) is None and (moment := as_of(record)) != UNKNOWN:
        kept.append((AS_OF, to_header(moment)))
    return [*kept, (REDRIVE, header(record, SOURCE) or b"")]


def rules_of(record: Any) -> list[str]:
    """Return the ids of the rules in a dead letter's findings."""
    try:
        return [str(finding["rule"]) for finding in json.loads(header(record, FINDINGS) or b"[]")]
    except (ValueError, TypeError, KeyError):
        return []


def _raw_offset(record: Any) -> int:
    try:
        return split((header(record, SOURCE) or b"").decode("utf-8", "replace"))[2]
    except DeliveryError:
        return -1


def _end_of(note: Note, end: int) -> int:
    """Return the end that a run which was stopped has noted, or ``end``."""
    return int(note.text) if note.text.isdecimal() and note.offset <= int(note.text) <= end else end


def _records(consumer: Any, partition: Any, begin: int, end: int) -> Iterator[Any]:
    """Yield the records of a partition from ``begin`` up to and without ``end``.

    Raises:
        DeliveryError: no broker answers in time, or a batch cannot be read.
    """
    at, heard = begin, time.monotonic()
    for chunk in chunks(consumer, partition, begin, end, 500):
        yield from chunk.records
        if chunk.next > at:
            at, heard = chunk.next, time.monotonic()
        elif time.monotonic() - heard > _SILENCE:
            raise DeliveryError(
                f"Kafka gave no records of {partition.topic}[{partition.partition}] from offset {at} on for {_SILENCE:.0f} s; "
                "see the broker's log"
            )
