"""Records that wait for their reference data: read from the pending topic, settled when it arrives or the grace ends."""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any

from stream_app.counts.tally import Outcome, Tally
from stream_app.judge import Verdict
from stream_app.judge.batch import Verdicts
from stream_app.kafka.headers import as_of, header
from stream_app.names import SOURCE, TOPIC_ID
from stream_app.store.writer import GONE, KNOWN, REJECTED, Changes, SettledAlready
from stream_app.worker.pipeline import Engine

log = logging.getLogger("headrace.worker")
_AT_ONCE = 2_000


class Held:
    """One waiting record in memory."""

    __slots__ = ("applied", "batch", "field", "offset", "partition", "record", "source", "verdict")

    def __init__(self, engine: Engine, record: Any, verdict: Verdict, source: str, batch: Batch) -> None:
        self.record, self.verdict, self.source, self.batch = record, verdict, source, batch
        _, partition, offset = source.rsplit(":", 2)
        self.partition, self.offset = int(partition), int(offset)
        # The raw topic may have been created anew since: its records have the same places as the old ones.
        topic_id = (header(record, TOPIC_ID) or b"").decode("ascii", "replace")
        self.field = engine.waiting_field(self.partition, self.offset, topic_id)
        self.applied = engine.applied_field(self.partition, topic_id)


class Batch:
    """A fetched batch of the pending topic; acknowledged when the last of its records is settled."""

    def __init__(self, event: Any, size: int) -> None:
        self.event, self.left = event, size

    def done(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.event.ack()


class WaitingRoom:
    """The waiting records of one entity that this worker's partitions of the pending topic hold."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.held: list[Held] = []

    def __len__(self) -> int:
        return len(self.held)

    def admit(self, event: Any) -> None:
        """Take over a batch of the pending topic."""
        records = event.message.value
        batch = Batch(event, len(records))
        for record in records:
            source = (header(record, SOURCE) or b"").decode("utf-8", "replace")
            topic, _, place = source.partition(":")
            partition, _, offset = place.partition(":")
            if not (topic == self.engine.topics.raw and partition.isdigit() and offset.isdigit()):
                log.warning("%s: a record without a valid %s header; skipped", self.engine.topics.pending, SOURCE)
                batch.done()
                continue
            verdict = self.engine.judge.judge(record.value, as_of(record))
            self.held.append(Held(self.engine, record, verdict, source, batch))

    def dismiss(self, partitions: set[int]) -> None:
        """Forget what came from partitions that are not ours any more; their new owner reads it again."""
        # Records that have just been settled are still in the list, without a batch.
        self.held = [
            held for held in self.held if held.batch is not None and held.batch.event.message.partition not in partitions
        ]

    async def settle(self, *, closed: bool, caught_up: bool) -> int:
        """Settle what can be settled; returns how many records were.

        ``closed``: no reference data will be sent any more, so that no grace is given. ``caught_up``: the reference topics
        have no backlog, so that a reference that is not known is really not there; nothing is rejected before.
        """
        settled = 0
        for begin in range(0, len(self.held), _AT_ONCE):
            settled += await self._settle_some(self.held[begin : begin + _AT_ONCE], closed, caught_up)
        if settled:
            self.held = [held for held in self.held if held.batch is not None]
        return settled

    async def _settle_some(self, some: list[Held], closed: bool, caught_up: bool) -> int:
        engine = self.engine
        now = int(time.time() * 1000)
        rows = []
        for held in some:
            values = held.verdict.values or {}
            wanted = [
                (r.to_entity, str(values[r.field])) for r in engine.contract.references if values.get(r.field) is not None
            ]
            rows.append((held.field, held.applied, held.offset, wanted))
        # The grace counts from when the record began to wait, whoever reads it again later.
        before = -1 if not caught_up else now if closed else now - int(engine.settings.grace * 1000)
        # Decide first, durably: whatever happens after, the record ends as decided.
        decisions = await engine.patiently(
            "decide about waiting records", lambda: engine.store.decide(engine.entity, rows, before)
        )
        by_partition: dict[int, list[Held]] = {}
        count = 0
        for held, (state, missing, marks) in zip(some, decisions, strict=True):
            if state == GONE:
                self._release(held)  # settled before
                count += 1
            elif state in (KNOWN, REJECTED):
                self._remember(held, marks)
                if state == REJECTED:
                    self._reject(held, missing)
                by_partition.setdefault(held.partition, []).append(held)
        for partition, group in by_partition.items():
            count += await self._finish(partition, group)
        return count

    def _remember(self, held: Held, marks: list[str]) -> None:
        """Add what was looked up before the record began to wait; judging its bytes again does not find it."""
        known = {rule.id for rule in held.verdict.findings}
        rules = self.engine.contract.rules
        # A contract of another version may not have the rule any more.
        held.verdict.reject(rules[mark] for mark in marks if mark in rules and mark not in known)

    def _reject(self, held: Held, missing: list[int]) -> None:
        """Name the references that are missing: indexes among those that have a value."""
        if not held.verdict.rejected:
            values = held.verdict.values or {}
            wanted = [r for r in self.engine.contract.references if values.get(r.field) is not None]
            held.verdict.reject(wanted[index].rule for index in missing)

    async def _finish(self, partition: int, group: list[Held]) -> int:
        engine = self.engine
        # A crash may have sent a record here twice.
        remaining = list({held.field: held for held in group}.values())
        segments = await self._late(remaining)
        remaining = await engine.patiently("deliver", lambda: self._send(partition, remaining))
        delivered = {held.field for held in remaining}
        while remaining:
            tally = Tally(engine.contract)
            for held in remaining:
                outcome: Outcome = "rejected" if held.verdict.rejected else "clean"
                tally.add(held.verdict, outcome, held.source, waited=True, segments=segments[held.field])
            changes = Changes(tally, int(time.time() * 1000), settle=[held.field for held in remaining])
            changes.release = engine.look_ups.releases((held.verdict, held.source.encode()) for held in remaining)
            kept = Verdicts.of(engine.contract, [held.verdict for held in remaining])
            changes.references = await engine.look_ups.made_known(kept)
            try:
                await engine.patiently("apply the counts", lambda changes=changes: engine.store.apply(changes))  # type: ignore[misc]
                break
            except SettledAlready as already:
                remaining = [held for held in remaining if held.field not in already.fields]
        done = [held for held in group if held.field in delivered]
        for held in done:
            self._release(held)
        return len(done)

    async def _send(self, partition: int, group: list[Held]) -> list[Held]:
        """Deliver settled records; returns those that are delivered now.

        With transactions, what each delivers is written down first under a token, and the token noted with it. If a worker
        dies between delivering and counting, the token tells the next one what is only to be counted.
        """
        engine = self.engine
        columns = self._columns(group)
        if engine.transactions is None:
            await engine.producer.using(lambda producer: engine.send_by(producer, partition, *columns, ()))
            return group
        place = await engine.transactions.place(engine.topics.pending, partition)
        before = await engine.store.delivered(engine.entity, place.text) if place.text else frozenset()
        counted_only = [held for held in group if held.field in before]
        if counted_only:
            return counted_only
        if before and await engine.store.any_waits(engine.entity, before):
            return []  # delivered, not counted, and not read again yet
        token = uuid.uuid4().hex
        await engine.store.note_delivery(engine.entity, token, [held.field for held in group])
        await engine.transactions.deliver(
            place, lambda producer: engine.send_by(producer, partition, *columns, ()), place.mark + 1, token
        )
        return group

    def _columns(self, group: list[Held]) -> tuple[list[Any], Verdicts, list[bytes]]:
        """Raw records, verdicts and sources, as the engine sends them."""
        verdicts = Verdicts.of(self.engine.contract, [held.verdict for held in group])
        return [held.record for held in group], verdicts, [held.source.encode() for held in group]

    async def _late(self, group: list[Held]) -> dict[str, dict[str, Any]]:
        """Apply the rules over other records, now that those are known; returns the segments' values by waiting field.

        What is found is noted before anything is sent: it stands, whoever settles the records again.
        """
        engine = self.engine
        verdicts = Verdicts.of(engine.contract, [held.verdict for held in group])
        found, columns = await engine.look_ups.late(verdicts)
        rows = [(held.field, [rule.id for rule in found.get(index, ())]) for index, held in enumerate(group)]
        noted = await engine.patiently("note what was found", lambda: engine.store.mark(engine.entity, rows))
        for held, marks in zip(group, noted, strict=True):
            self._remember(held, marks)
        return {held.field: {name: column[index] for name, column in columns.items()} for index, held in enumerate(group)}

    def _release(self, held: Held) -> None:
        held.batch.done()
        held.batch = None  # type: ignore[assignment]
