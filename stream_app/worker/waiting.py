"""Records that wait for their reference data: read from the pending topic, settled when it arrives or the grace ends."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stream_app.contract.model import Reference
from stream_app.counts.tally import Outcome, Tally
from stream_app.judge import Verdict
from stream_app.judge.batch import Batch, Settled, Verdicts
from stream_app.judge.keys import releases_of
from stream_app.judge.owners import Owner
from stream_app.kafka.as_of import as_of_pending
from stream_app.kafka.headers import header, original
from stream_app.kafka.transactions import Note
from stream_app.names import SOURCE, TOPIC_ID
from stream_app.position import Position
from stream_app.store.changes import Changes
from stream_app.store.writer import SettledAlready, StoreChanged, WaitingState
from stream_app.worker.delivery import Delivered, send
from stream_app.worker.entity import Entity
from stream_app.worker.outcomes import late_end

log = logging.getLogger("headrace.worker")
#: Records about which one call of the store decides.
_DECIDED_AT_ONCE = 2_000


class Fetched:
    """A fetched batch of the pending topic; acknowledged when the last of its records is settled."""

    def __init__(self, event: Any) -> None:
        self.partition: int = event.message.partition
        self._event, self._left = event, len(event.message.value)

    def settled(self) -> None:
        """Note that one of the records is settled."""
        self._left -= 1
        if self._left == 0:
            self._event.ack()


@dataclass(frozen=True, slots=True)
class Waiting:
    """One record that waits.

    Attributes:
        record: as it stands in the pending topic.
        verdict: with what was found since it was judged.
        source: where the raw record is, ``topic:partition:offset``.
        partition, offset: of the raw record.
        field: the name under which the store registers it.
        applied_field: the name under which the store keeps the applied offset of the raw partition.
        topic_id: of the raw topic that it came from; empty where the broker gives none.
        late: the end (s) of the windows that were final before it; None if it was in time.
    """

    record: Any
    verdict: Verdict
    source: str
    partition: int
    offset: int
    field: str
    applied_field: str
    fetched: Fetched
    topic_id: str = ""
    late: int | None = None

    def with_findings(self, rules: Sequence[Any]) -> Waiting:
        """Return the record with further findings."""
        return replace(self, verdict=self.verdict.with_findings(rules)) if rules else self


class WaitingRecords:
    """The waiting records of one entity that this worker's partitions of the pending topic hold."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self._records: list[Waiting] = []
        #: Those that a pass has settled, by identity: a record may be read again while its earlier copy is being settled.
        self._settled: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._records)

    def add(self, event: Any) -> None:
        """Take over a fetched batch of the pending topic."""
        fetched = Fetched(event)
        for record in event.message.value:
            waiting = self._read(original(record), fetched)
            if waiting is None:
                log.warning("%s: a record without a valid %s header; skipped", self.entity.topics.pending, SOURCE)
                fetched.settled()
            else:
                self._records.append(waiting)

    def _read(self, record: Any, fetched: Fetched) -> Waiting | None:
        """The record as one that waits; None where its source is not one of this entity."""
        entity = self.entity
        source = (header(record, SOURCE) or b"").decode("utf-8", "replace")
        topic, _, rest = source.partition(":")
        partition, _, offset = rest.partition(":")
        if not (topic == entity.topics.raw and partition.isdigit() and offset.isdigit()):
            return None
        # The raw topic may have been created anew since: its records have the same offsets as the old ones.
        topic_id = (header(record, TOPIC_ID) or b"").decode("ascii", "replace")
        return Waiting(
            record,
            entity.judge.judge(record.value, as_of_pending(record)),
            source,
            int(partition),
            int(offset),
            entity.waiting_field(int(partition), int(offset), topic_id),
            entity.applied_field(int(partition), topic_id),
            fetched,
            topic_id,
            late_end(record),
        )

    def copies(self) -> list[tuple[int, Any]]:
        """Return the records as they stand in the pending topic, each with its partition there."""
        return [(one.fetched.partition, one.record) for one in self._records]

    def forget(self, partitions: set[int]) -> None:
        """Drop what came from partitions that are not ours any more; their new owner reads it again."""
        self._records = [one for one in self._records if one.fetched.partition not in partitions]

    async def settle(self, *, closed: bool, caught_up: bool) -> int:
        """Settle what can be settled; return the number of records that were.

        ``closed``: no reference data will be sent any more, so that no grace is given. ``caught_up``: the reference topics
        have no backlog, so that a reference that is not known does not exist; nothing is rejected before.
        """
        is_level = self.entity.services.guardian.levels.is_level
        records = [one for one in self._records if is_level(self.entity, one.fetched.partition)]
        for begin in range(0, len(records), _DECIDED_AT_ONCE):
            await self._settle_some(records[begin : begin + _DECIDED_AT_ONCE], closed=closed, caught_up=caught_up)
        settled, self._settled = self._settled, {}
        if settled:
            self._records = [one for one in self._records if id(one.record) not in settled]
        return len(settled)

    async def _settle_some(self, some: Sequence[Waiting], *, closed: bool, caught_up: bool) -> None:
        entity = self.entity
        now = int(time.time() * 1000)
        rows = [
            (
                one.field,
                one.applied_field,
                one.offset,
                [(r.to_entity, str((one.verdict.values or {})[r.field])) for r in self._references(one)],
            )
            for one in some
        ]
        # The grace counts from when the record began to wait, whoever reads it again later.
        before = -1 if not caught_up else now if closed else now - int(entity.services.settings.grace * 1000)
        # Decide first, durably: whatever happens after, the record ends as decided.
        decisions = await entity.retry(
            "decide about waiting records", lambda: entity.services.store.decide(entity.name, rows, before)
        )
        by_partition: dict[tuple[int, str], list[Waiting]] = {}
        gone: list[Waiting] = []
        for one, (state, missing, rule_ids) in zip(some, decisions, strict=True):
            if state is WaitingState.GONE:
                gone.append(one)  # settled before
            elif state in (WaitingState.KNOWN, WaitingState.REJECTED):
                found = self._known_rules(one, rule_ids)
                if state is WaitingState.REJECTED and not one.with_findings(found).verdict.rejected:
                    found += [self._references(one)[index].rule for index in missing]
                by_partition.setdefault((one.partition, one.topic_id), []).append(one.with_findings(found))
        self._release(gone)
        for (partition, _), group in by_partition.items():
            await self._finish(partition, group)

    def _references(self, one: Waiting) -> list[Reference]:
        """The references of a record that have a value."""
        values = one.verdict.values or {}
        return [reference for reference in self.entity.contract.references if values.get(reference.field) is not None]

    def _known_rules(self, one: Waiting, rule_ids: Sequence[str]) -> list[Any]:
        """The rules of these ids that the record's verdict does not name yet."""
        known = {rule.id for rule in one.verdict.findings}
        rules = self.entity.contract.rules
        # A contract of another version may not have the rule any more.
        return [rules[rule_id] for rule_id in rule_ids if rule_id in rules and rule_id not in known]

    async def _finish(self, partition: int, group: list[Waiting]) -> None:
        """Deliver and count records about which it is decided."""
        # A crash may have sent a record to the pending topic twice.
        remaining = list({one.field: one for one in group}.values())
        remaining, segments = await self._compare(remaining)
        remaining, ends = await self.entity.retry("deliver", lambda: self._deliver(partition, remaining))
        delivered = {one.field for one in remaining}
        while remaining:
            try:
                await self._count(partition, remaining, segments, ends)
                break
            except SettledAlready as already:
                remaining = [one for one in remaining if one.field not in already.fields]
        self._release([one for one in group if one.field in delivered])

    async def _compare(self, records: list[Waiting]) -> tuple[list[Waiting], dict[str, dict[str, Any]]]:
        """Apply the rules over other records, now that those are known; also return segments by waiting field.

        What is found is noted before anything is sent: it stands, whoever settles the records again.
        """
        entity = self.entity
        verdicts = self._verdicts(records)
        request = entity.look_ups.plan_late(verdicts)
        broken, columns = entity.look_ups.settle_late(verdicts, request, await entity.look_up("look up references", request))
        rows = [(one.field, [rule.id for rule in broken.get(index, ())]) for index, one in enumerate(records)]
        noted = await entity.retry("note what was found", lambda: entity.services.store.note_late_findings(entity.name, rows))
        compared = [one.with_findings(self._known_rules(one, rule_ids)) for one, rule_ids in zip(records, noted, strict=True)]
        segments = {one.field: {name: column[index] for name, column in columns.items()} for index, one in enumerate(records)}
        return compared, segments

    async def _deliver(self, partition: int, records: list[Waiting]) -> tuple[list[Waiting], Mapping[str, int]]:
        """Deliver settled records; return those that are delivered now, and topic → offset after the last of them.

        With transactions, what each delivers is written down first under a token, and the token noted with it. If a worker
        dies between delivering and counting, the token tells the next one what is only to be counted.
        """
        entity, services = self.entity, self.entity.services
        batch = self._batch(partition, records)
        if services.transactions is None:
            return _as_delivered(records, await services.producer.using(lambda producer: send(producer, entity, batch)))
        target = await services.transactions.producer_of(entity.topics.pending, partition)
        note = target.note
        before = await self._delivered_before(partition, note.text)
        counted_only = [one for one in records if one.field in before]
        if counted_only:
            return counted_only, {}
        if before and await services.store.any_waits(entity.name, before):
            return [], {}  # delivered, not counted, and not read again yet
        token = uuid.uuid4().hex
        self.entity.tokens.add(token)
        await services.store.note_delivery(entity.name, token, [one.field for one in records])
        note = Note(note.offset + 1, token)
        return _as_delivered(
            records, await services.transactions.deliver(target, lambda producer: send(producer, entity, batch), note)
        )

    async def _delivered_before(self, partition: int, token: str) -> frozenset[str]:
        """Return the waiting fields that were delivered in the last transaction.

        Raises:
            StoreChanged: the store has lost the list of them. Only the topics, read again now that nobody else delivers, tell.
        """
        entity = self.entity
        if not token or token in entity.tokens:
            return frozenset()
        listed = await entity.services.store.delivered(entity.name, token)
        if listed is None:
            self.entity.tokens.add(token)
            entity.services.guardian.levels.unknown_delivery(entity, partition)
            raise StoreChanged("token")
        return listed

    async def _count(
        self,
        partition: int,
        records: list[Waiting],
        segments: Mapping[str, Mapping[str, Any]],
        ends: Mapping[str, int],
    ) -> None:
        """Count delivered records, and take away their registrations. ``ends``: as ``_deliver`` returns it.

        Raises:
            SettledAlready: some of them have been counted by another worker; nothing was changed.
        """
        entity = self.entity
        now = int(time.time() * 1000)
        tally = Tally(entity.contract, applied_ms=now)
        for one in records:
            outcome: Outcome = "rejected" if one.verdict.rejected else "clean"
            tally.add(one.verdict, outcome, one.source, waited=True, segments=segments[one.field])
        changes = Changes(tally, now, settle=[one.field for one in records])
        changes.release = releases_of(entity.contract, [(one.verdict, self._owner(one)) for one in records])
        verdicts = self._verdicts(records)
        request = entity.look_ups.plan_own(verdicts)
        changes.references = entity.look_ups.settle_own(verdicts, request, await entity.look_up("look up keys", request))
        # Whatever this partition's lane delivered before is counted, too.
        clean, dead = entity.settled_at.get(partition, (0, 0))
        after = max(clean, ends.get(entity.topics.clean, 0)), max(dead, ends.get(entity.topics.dead_letter, 0))
        changes.settled_at = entity.settled_field(partition), f"{after[0]} {after[1]}"
        await entity.retry("apply the counts", lambda: entity.services.store.apply(changes))
        entity.settled_at[partition] = after

    def _verdicts(self, records: Sequence[Waiting]) -> Verdicts:
        return Verdicts.of(self.entity.contract, [one.verdict for one in records])

    def _batch(self, partition: int, records: Sequence[Waiting]) -> Batch:
        """The records as a settled batch, for delivery."""
        verdicts = self._verdicts(records)
        return Batch(
            partition,
            self.entity.applied_field(partition),
            Position(),
            [one.record for one in records],
            [one.offset for one in records],
            [one.source.encode() for one in records],
            verdicts.as_of,
            [True] * len(records),
            verdicts,
            Settled(verdicts),
            late={index: one.late for index, one in enumerate(records) if one.late is not None},
            topic_id=records[0].topic_id if records else "",
        )

    def _owner(self, one: Waiting) -> bytes:
        return Owner(one.partition, one.offset, generation=self.entity.generation(one.topic_id)).encode()

    def _release(self, records: Sequence[Waiting]) -> None:
        for one in records:
            self._settled[id(one.record)] = one.record
            one.fetched.settled()


def _as_delivered(records: Sequence[Waiting], delivered: Delivered) -> tuple[list[Waiting], Mapping[str, int]]:
    """The records with the verdicts that they were delivered with (their topic may not have taken some), and the ends."""
    found = delivered.batch.judged.marked
    return [replace(one, verdict=found[index]) if index in found else one for index, one in enumerate(records)], delivered.ends
