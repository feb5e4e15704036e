"""Restore partitions of the store from what was delivered: clean, dead-letter and pending topics say how each record ended.

The log is the truth, the store is made of it. Of a raw partition, let ``applied`` be the offset up to which the store has
it, and ``known`` the offset before which every record was delivered and counted once (it was committed, or this worker has
applied it). A delivered record with a raw offset

- up to ``applied`` is counted already, unless it is registered as waiting: then it is settled now;
- between the two was counted, and the store has lost it: it is counted anew, from its headers;
- from ``known`` on was delivered by a worker that has died, perhaps, before it was counted: the pipeline, which reads the raw
  record again, gives it the same verdict, and does not deliver it again.

Raw offsets between the two without any outcome are read again from the raw topic, and judged. What no topic has any more is
noted as missing. Every chunk is applied together with the offsets that it was read from, so that a restore goes on where it
was when its worker died.
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from stream_app.counts.tally import Outcome as Ending
from stream_app.counts.tally import Tally
from stream_app.judge.batch import Verdicts
from stream_app.judge.keys import claims_of, owned_of, releases_of
from stream_app.judge.owners import owners_of
from stream_app.judge.tombstones import before_reuse
from stream_app.kafka.headers import header, unreadable_part
from stream_app.names import AS_OF
from stream_app.position import Position
from stream_app.store.changes import Changes
from stream_app.store.ownership import Missing
from stream_app.store.writer import SettledAlready
from stream_app.windows.clock import LATEST, PartitionClock, RunningClock
from stream_app.worker.entity import Entity, Level
from stream_app.worker.outcomes import Kind, Outcome, late_end, read_outcomes, read_verdicts, source_prefix
from stream_app.worker.registration import registration

#: A raw offset beyond every other.
EVERYTHING = 2**62
#: Offsets in one block of ``Bits``.
_BLOCK = 4_096
#: Delivered records that one script applies.
_CHUNK = 4_000
#: Records after which the progress is said again.
_SAID = 20_000


class Bits(Container[int]):
    """Raw offsets that are counted ahead of the applied offset: a bit each, in blocks; a block without any is not kept."""

    def __init__(self, blocks: Mapping[int, bytes] = MappingProxyType({})) -> None:
        """``blocks``: number → bits, as ``changes`` returned them."""
        self._blocks = {number: bytearray(bits.ljust(_BLOCK // 8, b"\0")) for number, bits in blocks.items()}
        self._changed: set[int] = set()

    def __contains__(self, offset: Any) -> bool:
        number, bit = divmod(offset, _BLOCK)
        block = self._blocks.get(number)
        return block is not None and bool(block[bit >> 3] >> (bit & 7) & 1)

    def add(self, offset: int) -> None:
        """Set the bit of an offset."""
        number, bit = divmod(offset, _BLOCK)
        self._blocks.setdefault(number, bytearray(_BLOCK // 8))[bit >> 3] |= 1 << (bit & 7)
        self._changed.add(number)

    def changes(self) -> list[tuple[int, bytes]]:
        """Return (number, bits) of the blocks that are not stored."""
        return [(number, bytes(self._blocks[number])) for number in sorted(self._changed)]

    def stored(self) -> None:
        """Note that the changes are stored."""
        self._changed.clear()

    @property
    def end(self) -> int:
        """The offset after the last one that is set; 0 where none is."""
        number = max((number for number, block in self._blocks.items() if any(block)), default=None)
        return 0 if number is None else number * _BLOCK + int.from_bytes(self._blocks[number], "little").bit_length()

    def first_missing(self, begin: int, end: int) -> int:
        """Return the first offset from ``begin`` on that is not set; ``end`` where all before it are."""
        offset = begin
        while offset < end:
            number, bit = divmod(offset, _BLOCK)
            # Ones above the bits of the block: a whole block has its first zero behind it.
            missing = ~int.from_bytes(self._blocks.get(number, b""), "little") >> bit
            skipped = (missing & -missing).bit_length() - 1
            if bit + skipped < _BLOCK:
                return min(offset + skipped, end)
            offset = (number + 1) * _BLOCK
        return end

    def count(self, begin: int, end: int) -> int:
        """Return the number of offsets from ``begin`` to before ``end`` that are set."""
        total = 0
        for number, block in self._blocks.items():
            first = number * _BLOCK
            low, high = max(begin - first, 0), min(end - first, _BLOCK)
            if low < high:
                total += (int.from_bytes(block, "little") >> low & (1 << high - low) - 1).bit_count()
        return total


@dataclass(frozen=True, slots=True)
class Stored:
    """A partition as the store has it.

    Attributes:
        position: of the raw partition.
        waiting: raw offsets of the records that are registered as waiting → where they wait.
        settled_at: next offsets of clean and dead-letter topic; what settled before them is counted.
        bits: what is counted ahead of the applied offset; None where the store has lost nothing.
    """

    position: Position
    waiting: Mapping[int, int]
    settled_at: tuple[int, int] = (0, 0)
    bits: Bits | None = None


class Restored(NamedTuple):
    """The outcome of a restore.

    Attributes:
        rewind: raw offset to read again from; None: none.
        missing: raw offsets whose outcome no topic has any more.
    """

    level: Level
    rewind: int | None
    missing: Missing


class PartitionRestore:
    """The restore of one raw partition, or, with ``settles_only``, of what waited in one pending partition.

    Attributes:
        begin: topic partition → offset to read from.
    """

    def __init__(
        self,
        entity: Entity,
        partition: int,
        stored: Stored,
        known: int,
        *,
        settles_only: bool = False,
        topic_id: str | None = None,
    ) -> None:
        """``known``: see above.

        ``topic_id``: of an earlier raw topic of the same name; all that was delivered of it is known.
        """
        position, settled_at = stored.position, stored.settled_at
        self.entity, self.partition, self.stored, self.known = entity, partition, position, max(known, position.applied + 1)
        self.waiting, self.bits, self.settles_only = dict(stored.waiting), stored.bits, settles_only
        self.topic_id = entity.topic_id if topic_id is None else topic_id
        self.former = topic_id is not None
        self.field = entity.applied_field(partition, self.topic_id)
        self.tail: dict[int, Outcome] = {}
        self.records = 0
        clean, dead = position.clean, position.dead_letter
        if settles_only:
            clean, dead = settled_at
        elif self.waiting:
            # What settled when the store was older is perhaps before what was applied then.
            clean, dead = min(clean, settled_at[0]), min(dead, settled_at[1])
        topics = entity.topics
        self._kinds: dict[TopicPartition, Kind] = {
            TopicPartition(topics.clean, partition): "clean",
            TopicPartition(topics.dead_letter, partition): "rejected",
        }
        self.begin = dict(zip(self._kinds, (clean, dead), strict=True))
        if not settles_only:
            pending = TopicPartition(topics.pending, partition)
            self._kinds[pending] = "pending"
            self.begin[pending] = position.pending
        self.next = {self._kinds[one]: offset for one, offset in self.begin.items()}
        #: Read from the store before the first use.
        self._clock: PartitionClock | None = None
        self._running: dict[Kind, RunningClock] = {}
        #: Raw offset → time of the latest records.
        self._latest: dict[int, int] = {}
        self._prefix = source_prefix(entity, partition)
        self._first_kept = 0
        self._said = 0

    @property
    def lost(self) -> bool:
        """True if the store lacks what was counted once."""
        return not self.settles_only and not self.former and self.known > self.stored.applied + 1

    async def take(self, topic: TopicPartition, records: Sequence[Any], next_offset: int) -> None:
        """Take the next records of a topic of the partition."""
        kind = self._kinds[topic]
        if records and not self._first_kept and self.begin[topic] == 0 and records[0].offset > 0:
            self._first_kept = records[0].timestamp
        outcomes = read_outcomes(self.entity, kind, self._prefix, self.topic_id, records)
        begin = 0
        while begin < len(outcomes):
            chunk = outcomes[begin : begin + _CHUNK]
            if kind == "clean":
                delivered = [one.record for one in chunk]
                values = [one.value for one in delivered]
                if None in values:
                    chunk = chunk[: before_reuse(delivered, values, any_key=bool(self.entity.look_ups.further))]
            begin += len(chunk)
            await self._take(kind, chunk)
        self.next[kind] = max(self.next[kind], next_offset)
        if self.records - self._said >= _SAID:
            self._said = self.records
            await self.entity.services.store.ownership.progress(self.field, self.records)

    async def _take(self, kind: Kind, outcomes: Sequence[Outcome]) -> None:
        fresh: list[Outcome] = []
        settled: dict[int, Outcome] = {}
        for outcome in outcomes:
            offset = outcome.offset
            counted = offset <= self.stored.applied or (self.bits is not None and offset in self.bits)
            if offset in self.waiting:
                if kind != "pending":
                    settled[offset] = outcome
                    self._set(offset)
            elif counted or self.settles_only:
                continue
            elif offset >= self.known:
                if kind != "pending" or offset not in self.tail:
                    self.tail[offset] = outcome
            else:
                fresh.append(outcome)
                self._set(offset)
                if kind == "pending":
                    self.waiting[offset] = outcome.record.offset
        for offset in settled:
            del self.waiting[offset]
        if settled:
            await self._settle(kind, list(settled.values()))
        # What is read up to here is counted with the script that follows.
        self.next[kind] = max(self.next[kind], outcomes[-1].record.offset + 1)
        if fresh:
            await self._apply(await self._changes(kind, fresh))
        self.records += len(fresh) + len(settled)

    def _set(self, offset: int) -> None:
        if self.bits is not None and self.stored.applied < offset < self.known:
            self.bits.add(offset)

    async def _settle(self, kind: Kind, settled: list[Outcome]) -> None:
        """Count records that had waited, but for those that whoever has the pending partition has settled first."""
        while settled:
            try:
                await self._apply(await self._changes(kind, settled, settles=True))
                break
            except SettledAlready as already:
                settled = [one for one in settled if self._waiting_field(one.offset) not in already.fields]

    async def _apply(self, changes: Changes) -> None:
        store = self.entity.services.store
        await self.entity.retry("restore counts", lambda: store.apply(changes, restores=True))
        if changes.applied is not None:
            self.stored = changes.applied[2]
        if self.bits is not None:
            self.bits.stored()

    def _waiting_field(self, offset: int) -> str:
        return self.entity.waiting_field(self.partition, offset, self.topic_id)

    async def _changes(self, kind: Kind, outcomes: Sequence[Outcome], *, settles: bool = False) -> Changes:
        """Return what delivered records change in the store. ``settles``: they are registered as waiting."""
        entity, look_ups = self.entity, self.entity.look_ups
        verdicts, times = read_verdicts(entity, outcomes)
        sources = [self._prefix + b"%d" % outcome.offset for outcome in outcomes]
        waits = kind == "pending"
        now = int(time.time() * 1000)
        tally = Tally(entity.contract, applied_ms=now)
        changes = Changes(tally, now, settle=[self._waiting_field(one.offset) for one in outcomes] if settles else None)
        segments: dict[str, list[Any]] = {}
        if not waits:
            late = look_ups.plan_late(verdicts)
            _, segments = look_ups.settle_late(verdicts, late, await entity.look_up("look up references", late))
            _forget_unknown(entity, verdicts, segments)
            own = look_ups.plan_own(verdicts)
            dated = [settles or header(one.record, AS_OF) is not None for one in outcomes]
            changes.references = look_ups.settle_own(verdicts, own, await entity.look_up("look up keys", own), dated)
        if settles:
            for index, verdict in enumerate(verdicts):
                ending: Ending = "rejected" if verdict.rejected else "clean"
                row = {name: column[index] for name, column in segments.items()}
                tally.add(verdict, ending, sources[index].decode(), waited=True, segments=row)
        else:
            for index, one in enumerate(outcomes):
                if kind == "rejected" and (part := unreadable_part(one.record)) is not None:
                    tally.add_unreadable(verdicts.as_of[index], part.records)
            belated = [index for index, one in enumerate(outcomes) if late_end(one.record) is not None]
            waiting = range(len(outcomes)) if waits else ()
            tally.add_all(verdicts, waiting, lambda index: sources[index].decode(), segments, belated)
            clock = await self._clock_after(kind, outcomes, times)
            tally.stream_ms, changes.clock = clock.reached, (self.field, clock.to_text())
        if not self.settles_only:
            after = self._reached(self.stored)._replace(restored=self.stored.restored + 1)
            changes.applied = (self.field, self.stored, after)
        deleted = {one for one in verdicts.deleted.values() if one is not None}
        changes.references = {identity: text for identity, text in changes.references.items() if identity not in deleted}
        changes.deleted = sorted(deleted)
        offsets, generation = [one.offset for one in outcomes], entity.generation(self.topic_id)
        owners = owners_of(self.partition, offsets, generation=generation)
        changes.owned, changes.topic_ids = owned_of(entity.contract, look_ups.further, verdicts, owners), entity.topic_ids
        changes.learned = tally.learned()
        _, claims = claims_of(entity.contract, verdicts, self.partition, offsets, generation)
        changes.claims = [claim for claim in claims if claim.claim]
        changes.release = releases_of(entity.contract, zip(verdicts, owners, strict=True))
        if waits:
            changes.wait = [
                (self._waiting_field(one.offset), registration(now, verdicts[index], one.record.offset))
                for index, one in enumerate(outcomes)
            ]
        changes.counted = self.bits.changes() if self.bits is not None else []
        return changes

    async def _clock_after(self, kind: Kind, outcomes: Sequence[Outcome], times: Sequence[int | None]) -> PartitionClock:
        """Return the partition's clock after delivered records, each topic in its own order."""
        if self._clock is None:
            entity, field = self.entity, self.field
            store = entity.services.store
            self._clock = await entity.retry("read the partition's time", lambda: store.clock(entity.name, field))
        running = self._running.setdefault(kind, RunningClock(self._clock))
        for one, time_ms in zip(outcomes, times, strict=True):
            if time_ms is not None:
                running.take(time_ms)
                self._latest[one.offset] = time_ms
        self._latest = dict(sorted(self._latest.items())[-LATEST:])
        latest = (*self._clock.latest, *self._latest.values())[-LATEST:]
        return PartitionClock(max(one.reached for one in self._running.values()), latest)

    async def finish(self, raw_begin: int) -> Restored:
        """Note that the partition is restored; return what the pipeline needs to know. ``raw_begin``: first raw offset."""
        after, begin = self._reached(self.stored), self.stored.applied + 1
        bits = self.bits if self.lost else None
        if bits is None:
            await self._write(after)
            # Bits stay as long as one is ahead: a group that reads again commits an earlier offset than before.
            ahead = self.bits if self.bits is not None and self.bits.end > begin else None
            return Restored(Level(after, self.tail, ahead), None, Missing())
        for offset in self.waiting:
            self._set(offset)
        known = self.known if self.known < EVERYTHING else max(bits.end, begin)
        hole = bits.first_missing(max(raw_begin, begin), known)
        after = after._replace(applied=hole - 1)
        await self._write(after)
        taken = max(begin, min(raw_begin, known))
        missing = Missing(taken - begin - bits.count(begin, taken), self._first_kept)
        whole = hole >= known
        return Restored(Level(after, self.tail, None if whole else bits), None if whole else hole, missing)

    def _reached(self, position: Position) -> Position:
        """The position with the offsets up to which the topics are read; what is to be counted by the pipeline stays behind."""
        at = dict(self.next)
        for one in self.tail.values():
            at[one.kind] = min(at[one.kind], one.record.offset)
        if self.settles_only:
            return position
        return position._replace(clean=at["clean"], dead_letter=at["rejected"], pending=at["pending"])

    async def _write(self, after: Position) -> None:
        """Store the position, together with the keys of what was delivered and is to be counted by the pipeline."""
        clean = [one for one in self.tail.values() if one.kind == "clean"]
        if after == self.stored and not clean:
            return
        changes = Changes(Tally(self.entity.contract), int(time.time() * 1000), applied=(self.field, self.stored, after))
        if clean:
            verdicts, _ = read_verdicts(self.entity, clean)
            offsets, generation = [one.offset for one in clean], self.entity.generation(self.topic_id)
            _, claims = claims_of(self.entity.contract, verdicts, self.partition, offsets, generation)
            changes.claims = [claim for claim in claims if claim.claim]
        changes.counted = self.bits.changes() if self.bits is not None else []
        await self._apply(changes)


def _forget_unknown(entity: Entity, verdicts: Verdicts, segments: Mapping[str, list[Any]]) -> None:
    """Take away the segments of records that were rejected because what they refer to was not known then."""
    rules = {one.field: one.rule for one in entity.contract.references}
    for name, column in segments.items():
        rule = rules.get(name.partition(".")[0])
        for index, verdict in verdicts.marked.items():
            if rule in verdict.findings:
                column[index] = None
