"""The workers' store: looks up a batch in one round trip, applies it once, keeps waiting records and heartbeats."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from stream_app.contract.model import Contract
from stream_app.contract.summary import describe
from stream_app.judge.request import Claim, Deletions, Found, Wanted
from stream_app.store.baselines import BaselineStore
from stream_app.store.changes import Changes
from stream_app.store.connection import connect_worker, connect_writer
from stream_app.store.heartbeat import Heartbeat, alive, total_lag
from stream_app.store.keys import INPUT_CLOSED, Keys
from stream_app.store.scripts import load, pack

#: Seconds for which the waiting records that a transaction delivers stay written down.
DELIVERY_KEPT = 30 * 86_400


class WaitingState(IntEnum):
    """The state of a waiting record."""

    #: Settled before.
    GONE = 0
    #: Lacks a reference, or is not counted as waiting yet.
    WAITS = 1
    #: All its references are known.
    KNOWN = 2
    #: Rejected for good, because a reference was missing when its grace ended.
    REJECTED = 3


class Decision(NamedTuple):
    """The durable decision about a waiting record.

    ``missing``: indexes of its missing references; ``rules``: ids of the rules that it broke before it began to wait.
    """

    state: WaitingState
    missing: list[int]
    rules: list[str]


class PartitionMoved(Exception):
    """Another worker has applied records of this partition meanwhile, up to the offset ``applied``."""

    def __init__(self, applied: int) -> None:
        super().__init__(applied)
        self.applied = applied


class SettledAlready(Exception):
    """Another worker has settled some of the waiting records (``fields``); nothing was changed."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(len(fields))
        self.fields = frozenset(fields)


class Store:
    """The workers' store. Methods raise ``connection.UNAVAILABLE`` when Redis is away."""

    def __init__(self, url: str, prefix: str) -> None:
        self._redis = connect_worker(url)
        self._keys = Keys(prefix)
        self.baselines = BaselineStore(self._redis, prefix)
        self._look_up = load(self._redis, "look_up")
        self._note = load(self._redis, "note")
        self._apply = load(self._redis, "apply")
        self._decide = load(self._redis, "decide")
        self._note_late_findings = load(self._redis, "note_late_findings")

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def describe(self, contracts: Iterable[Contract]) -> None:
        """Publish what readers need to know of the contracts in force."""
        rows: dict[Any, Any] = {contract.entity: describe(contract).to_json() for contract in contracts}
        await self._redis.hset(self._keys.contracts(), mapping=rows)

    # --- batches ----------------------------------------------------------------------------------------------------

    async def applied(self, field: str) -> int:
        """Return the last applied offset of a partition (``keys.applied_field``); -1 before the first batch."""
        value = await self._redis.hget(self._keys.applied(), field)
        return -1 if value is None else int(value)

    async def look_up(self, entity: str, applied: tuple[str, int] | None, wanted: list[Wanted], claims: list[Claim]) -> Found:
        """Look up references and claim unique ids, in one round trip.

        ``applied`` is (field of the partition, offset expected there); None for records that have waited.

        Raises:
            PartitionMoved: another offset is applied.
        """
        keys = self._keys
        payload: dict[str, Any] = {
            "refs": [(one.ids, int(one.values), *(() if one.seen is None else (one.seen,))) for one in wanted],
            "claims": [(one.rule, int(one.claim), one.ids, one.holders, int(one.distinct)) for one in claims],
        }
        if applied is not None:
            payload["applied"] = applied
        reply = await self._look_up(
            keys=[
                keys.applied(),
                keys.lookup_notes(applied[0] if applied is not None else ""),
                *(keys.references(one.entity) for one in wanted),
                *(keys.unique(entity, one.rule) for one in claims),
                *(keys.deleted(one.entity) for one in wanted),
            ],
            args=[pack(payload)],
        )
        if reply[0] == 0:
            raise PartitionMoved(int(reply[1]))
        _, missing, duplicates, values, upto, notes, deletions = reply
        return Found(
            missing=missing,
            repeats=[[number - 1 for number in numbers if number > 0] for numbers in duplicates],
            contradictions=[[-number - 1 for number in numbers if number < 0] for numbers in duplicates],
            values=values,
            upto=int(upto),
            notes=notes,
            deletions=[_deletions(row) for row in deletions],
        )

    async def note(self, applied: tuple[str, int], seen: int, upto: int, notes: bytes) -> None:
        """Note what rules over other records found, up to an offset, until the batch is applied.

        ``seen`` is up to which offset there were notes when the batch was looked up (``Found.upto``): what another worker
        noted since may have been delivered, and counts.

        Raises:
            PartitionMoved: another offset is applied, or another worker has noted something.
        """
        payload = {"applied": applied, "seen": seen, "upto": upto, "notes": notes}
        reply = await self._note(keys=[self._keys.applied(), self._keys.lookup_notes(applied[0])], args=[pack(payload)])
        if reply[0] == 0:
            raise PartitionMoved(int(reply[1]))

    async def apply(self, changes: Changes) -> None:
        """Apply a batch, all of it or nothing.

        Raises:
            PartitionMoved: another offset is applied than the batch expects.
            SettledAlready: some of the records in ``settle`` have been settled.
        """
        reply = await self._apply(keys=changes.keys(self._keys), args=[changes.payload()])
        if reply[0] == 0:
            if changes.settle is not None:
                raise SettledAlready([field.decode() for field in reply[1]])
            raise PartitionMoved(int(reply[1]))

    # --- waiting records --------------------------------------------------------------------------------------------

    async def decide(
        self, entity: str, records: list[tuple[str, str, int, list[tuple[str, str]]]], before_ms: int
    ) -> list[Decision]:
        """Decide about waiting records, durably.

        Each record is (waiting field, applied field, offset, [(entity, id) of its references]); one that has waited since
        ``before_ms`` or longer, and still lacks a reference, is rejected for good.
        """
        keys = [self._keys.waiting(entity), self._keys.applied(), self._keys.references_stem()]
        reply = await self._decide(keys=keys, args=[pack({"before": before_ms, "records": records})])
        return [Decision(WaitingState(state), missing, [rule.decode() for rule in rules]) for state, missing, rules in reply]

    async def note_late_findings(self, entity: str, records: list[tuple[str, list[str]]]) -> list[list[str]]:
        """Note which rules waiting records were found to break when they settle: (waiting field, rule ids).

        Returns the rules that count for each: those of the first time, whoever settles the record again.
        """
        reply = await self._note_late_findings(keys=[self._keys.waiting(entity)], args=[pack(records)])
        return [[rule.decode() for rule in rules] for rules in reply]

    async def note_delivery(self, entity: str, token: str, fields: list[str]) -> None:
        """Note which waiting records are about to be delivered in the transaction of this token."""
        await self._redis.set(self._keys.delivery(entity, token), json.dumps(fields), ex=DELIVERY_KEPT)

    async def delivered(self, entity: str, token: str) -> frozenset[str]:
        """Return the waiting fields that were noted under a token."""
        return frozenset(json.loads(await self._redis.get(self._keys.delivery(entity, token)) or "[]"))

    async def any_waits(self, entity: str, fields: Iterable[str]) -> bool:
        """True if one of the records is still registered as waiting."""
        return any(await self._redis.hmget(self._keys.waiting(entity), list(fields)))

    async def input_closed(self) -> bool:
        """True if the producers are done for good."""
        return bool(await self._redis.get(self._keys.input()) == INPUT_CLOSED.encode())

    # --- workers ----------------------------------------------------------------------------------------------------

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Report a worker's state."""
        await self._redis.hset(self._keys.workers(), heartbeat.id, heartbeat.to_json())

    async def leave(self, worker: str) -> None:
        """Remove a worker's report."""
        await self._redis.hdel(self._keys.workers(), worker)

    async def lags(self, since_ms: int | None = None) -> dict[str, int] | None:
        """Return entity → records not yet applied, over the workers that are alive.

        ``None`` when one of them has not reported since ``since_ms``.
        """
        beats = alive(await self._redis.hgetall(self._keys.workers()), time.time_ns() // 1_000_000)
        if since_ms is not None and any(beat.at < since_ms for beat in beats):
            return None
        return total_lag(beats)


def _deletions(row: Any) -> Deletions | None:
    if not row:
        return None
    number, since = row
    return Deletions(int(number), None if since is None else [identity.decode() for identity in since])


def close_input(url: str, prefix: str) -> None:
    """Say that the producers are done for good: what waits for reference data is settled now."""
    with connect_writer(url) as client:
        client.set(Keys(prefix).input(), INPUT_CLOSED)


def open_input(url: str, prefix: str) -> None:
    """Take ``close_input`` back, at the start of a run."""
    with connect_writer(url) as client:
        client.delete(Keys(prefix).input())
