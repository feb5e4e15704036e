"""One batch of one partition, in five numbered steps; the heart of the delivery promise."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream_app.contract.model import Contract, Rule, Shop
from stream_app.judge import Judge, Verdict
from stream_app.judge.tally import Tally
from stream_app.judge.verdict import findings_json, repairs_json
from stream_app.names import AS_OF, CONTRACT, REPAIRS, SOURCE, WARNINGS, Topics
from stream_app.settings import Settings
from stream_app.store.write import UNAVAILABLE, Changes, Claim, Moved, Store
from stream_app.worker.delivery import KEPT_OF_OVERSIZED, Outbox, as_of, dead_letter_headers

log = logging.getLogger("headrace.worker")
T = TypeVar("T")
#: Known reference ids remembered per entity; beyond this the memory starts afresh.
_KNOWN = 1_000_000


class GaveUp(Exception):
    """Kafka or Redis stayed away longer than ``give_up_after``."""


class Health:
    """What the heartbeat says of this worker."""

    def __init__(self) -> None:
        self.records = 0
        self.error: str | None = None


class Engine:
    """Judges, looks up, delivers and counts the batches of one entity."""

    def __init__(
        self, shop: Shop, entity: str, settings: Settings, store: Store, producer: AIOKafkaProducer, health: Health,
        known: dict[str, set[Any]], topic_ids: Mapping[str, str],
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
        self._known = known
        self._topic_ids = topic_ids
        self._applied: dict[int, int] = {}
        self._is_reference = any(
            reference.to_entity == entity for other in shop.contracts.values() for reference in other.references
        )

    def applied_field(self, partition: int) -> str:
        """The name under which the partition's applied offset is kept; a re-created topic has another id."""
        return f"{self.topics.raw}/{self._topic_ids.get(self.topics.raw, '')}/{partition}"

    def forget(self, partitions: set[int]) -> None:
        """Read the applied offsets afresh: the partitions may have been elsewhere."""
        for partition in partitions:
            self._applied.pop(partition, None)

    async def process(self, partition: int, records: list[Any]) -> None:
        """Steps 1 to 4 for the records of one partition, in offset order. The caller acknowledges (step 5).

        Retried as a whole until it succeeds: step 2 claims ids for their sources and step 4 applies once, so that a
        repeated step changes nothing, and what step 3 sends again carries the same ``headrace.source`` and bytes.

        Raises:
            GaveUp: Kafka or Redis stayed away too long.
        """
        verdicts: list[Verdict] | None = None
        judge = self.judge.judge
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
                verdicts = [judge(record.value, as_of(record)) for record in records]
                for index, record in enumerate(records):
                    if record.key is not None and len(record.key) > KEPT_OF_OVERSIZED:
                        verdicts[index] = Verdict(None, None, as_of(record), (self.contract.rules["record.oversized"],))
            try:
                await self._deliver(partition, field, applied, records, verdicts)
            except Moved as moved:
                log.info("%s[%d] was applied up to offset %d by another worker", self.topics.raw, partition, moved.applied)
                self._applied[partition] = moved.applied
                verdicts = None
                continue
            self._applied[partition] = records[-1].offset
            self.health.records += len(records)
            return

    async def _deliver(self, partition: int, field: str, applied: int, records: list[Any], verdicts: list[Verdict]) -> None:
        raw = self.topics.raw
        sources = [f"{raw}:{partition}:{record.offset}" for record in records]
        # 2. Look up references and uniqueness for the whole batch in one round trip, and settle the verdicts.
        references = self._references(verdicts)
        claims, places = self._claims(verdicts, sources)
        missing, duplicates = await self.patiently(
            "look up references and keys",
            lambda: self.store.look_up(
                self.entity,
                (field, applied),
                [(entity, [str(value) for value in ids]) for entity, ids, _ in references.values()],
                claims,
            ),
        )
        extra: dict[int, list[Rule]] = {}
        for place, (_, rule), found in zip(places, ((c, self._unique_rule(c)) for c in claims), duplicates, strict=True):
            for index in found:
                extra.setdefault(place[index], []).append(rule)
        for index, rules in extra.items():
            verdicts[index].reject(rules)
        pending: set[int] = set()
        for (_, (entity, ids, where)), absent in zip(references.items(), missing, strict=True):
            gone = {ids[index] for index in absent}
            self._remember(entity, ids, gone)
            for identity in gone:
                pending.update(where[identity])
        pending = {index for index in pending if not verdicts[index].rejected}

        # 3. Produce clean, dead-letter and pending records, and wait for every acknowledgement.
        await self.patiently(
            "deliver", lambda: self.send(partition, list(zip(records, verdicts, sources, strict=True)), pending)
        )

        # 4. Apply the batch's counts, once, and note the offset, in one atomic script.
        now = int(time.time() * 1000)
        tally = Tally(self.contract)
        for index, verdict in enumerate(verdicts):
            outcome = "pending" if index in pending else "rejected" if verdict.body is None else "clean"
            tally.add(verdict, outcome, sources[index])  # type: ignore[arg-type]
        settled = [index for index in range(max(0, len(verdicts) - 100), len(verdicts)) if index not in pending]
        tally.show((verdicts[index], sources[index]) for index in settled)
        changes = Changes(tally, now, applied=(field, applied, records[-1].offset))
        waiting = f'{{"since":{now},"decision":null}}'
        changes.wait = [(f"{partition}:{records[index].offset}", waiting) for index in sorted(pending)]
        changes.references = self.reference_ids(verdicts, pending)
        changes.release = self.releases(
            (verdict, source) for index, (verdict, source) in enumerate(zip(verdicts, sources, strict=True)) if index in extra
        )
        await self.patiently("apply the counts", lambda: self.store.apply(changes))

    async def send(self, partition: int, rows: list[tuple[Any, Verdict, str]], pending: set[int]) -> None:
        """Send each (raw record, verdict, source) to its topic; indexes in ``pending`` to the pending topic."""
        outbox = Outbox(self.producer)
        clean, dead, wait = self.topics.clean, self.topics.dead_letter, self.topics.pending
        contract = self.header
        for index, (record, verdict, source) in enumerate(rows):
            body = verdict.body
            mark = source.encode()
            if index in pending:
                headers = [*((n, v) for n, v in record.headers if n not in (SOURCE, AS_OF)), (SOURCE, mark)]
                headers.append((AS_OF, b"%d" % as_of(record)))
                outbox.add(wait, partition, record.key, record.value, record.timestamp, headers, foreign=True)
            elif body is not None:
                headers = [(SOURCE, mark), contract]
                if verdict.findings:
                    headers.append((WARNINGS, findings_json(verdict.findings)))
                if verdict.repairs:
                    headers.append((REPAIRS, repairs_json(verdict.repairs)))
                outbox.add(clean, partition, record.key, body, record.timestamp, headers)
            else:
                topic, number, offset = source.rsplit(":", 2)
                original = _Original(record, int(offset))
                headers = dead_letter_headers(
                    topic,
                    int(number),
                    original,
                    mark,
                    contract[1],
                    findings_json(verdict.findings),
                    self.settings.group,
                )
                outbox.add(dead, partition, record.key, record.value, record.timestamp, headers, foreign=True)
        await outbox.send()

    def _references(self, verdicts: list[Verdict]) -> dict[str, tuple[str, list[Any], dict[Any, list[int]]]]:
        """Per foreign key: the entity, the ids that are not known here yet, and which records need each."""
        found: dict[str, tuple[str, list[Any], dict[Any, list[int]]]] = {}
        for reference in self.contract.references:
            known = self._known.setdefault(reference.to_entity, set())
            where: dict[Any, list[int]] = {}
            name = reference.field
            for index, verdict in enumerate(verdicts):
                if verdict.body is None or verdict.values is None:
                    continue
                value = verdict.values[name]
                if value is not None and value not in known:
                    where.setdefault(value, []).append(index)
            found[reference.rule.id] = (reference.to_entity, list(where), where)
        return found

    def _remember(self, entity: str, ids: list[Any], gone: set[Any]) -> None:
        known = self._known.setdefault(entity, set())
        if len(known) > _KNOWN:
            known.clear()
        known.update(identity for identity in ids if identity not in gone)

    def _claims(self, verdicts: list[Verdict], sources: list[str]) -> tuple[list[Claim], list[list[int]]]:
        """Claims of the batch, and for each claim the index of the record behind each of its ids."""
        claims: list[Claim] = []
        places: list[list[int]] = []
        for unique in self.contract.uniques:
            make, look = Claim(unique.rule.id, True, [], []), Claim(unique.rule.id, False, [], [])
            made: list[int] = []
            looked: list[int] = []
            seen = unique.among == "seen"
            only = unique.fields[0] if len(unique.fields) == 1 else None
            for index, verdict in enumerate(verdicts):
                if verdict.values is None:
                    continue
                if only is not None:
                    value = verdict.values[only]
                    identity = None if value is None else str(value)
                else:
                    identity = unique_id(unique.fields, verdict, seen)
                if identity is None:
                    continue
                claim, place = (make, made) if seen or verdict.body is not None else (look, looked)
                claim.ids.append(identity)
                claim.sources.append(sources[index])
                place.append(index)
            for claim, place in ((make, made), (look, looked)):
                if claim.ids:
                    claims.append(claim)
                    places.append(place)
        return claims, places

    def _unique_rule(self, claim: Claim) -> Rule:
        return self.contract.rules[claim.rule]

    def releases(self, rows: Any) -> list[tuple[str, str, str]]:
        """Ids that rejected records hold among the kept and give back."""
        return [
            (unique.rule.id, identity, source)
            for verdict, source in rows
            if verdict.rejected and verdict.values is not None
            for unique in self.contract.uniques
            if unique.among == "kept" and (identity := unique_id(unique.fields, verdict, False)) is not None
        ]

    def reference_ids(self, verdicts: list[Verdict], pending: set[int]) -> list[str]:
        """Ids that other entities may refer to from now on."""
        key = self.contract.key
        if not self._is_reference or key is None:
            return []
        return sorted(
            {
                str(verdict.values[key])
                for index, verdict in enumerate(verdicts)
                if verdict.body is not None and verdict.values is not None and index not in pending
                and verdict.values[key] is not None
            }
        )  # fmt: skip

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


class _Original:
    """A record seen under its original offset (a waiting record is read from the pending topic under another)."""

    __slots__ = ("headers", "key", "offset", "timestamp", "value")

    def __init__(self, record: Any, offset: int) -> None:
        self.headers, self.key, self.value = record.headers, record.key, record.value
        self.timestamp, self.offset = record.timestamp, offset


def unique_id(fields: tuple[str, ...], verdict: Verdict, seen: bool) -> str | None:
    """The text that must be unique; ``None`` where a field of the key is missing (unless nulls compare, ``seen``)."""
    values = verdict.values
    if values is None:
        return None
    if len(fields) == 1:
        value = values[fields[0]]
        return None if value is None else str(value)
    parts = [values[name] for name in fields]
    if not seen and any(part is None for part in parts):
        return None
    return fingerprint(parts)


def fingerprint(parts: list[Any]) -> str:
    """128 bits that stand for the values of several fields."""
    from hashlib import blake2b

    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
