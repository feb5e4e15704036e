"""The workers' store: looks up a batch in one round trip, applies it once, keeps waiting records and heartbeats."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from redis.commands.core import AsyncScript

from stream_app.contract.model import Contract
from stream_app.contract.summary import describe
from stream_app.counts.fields import text
from stream_app.judge.request import Claim, Deletions, Found, Wanted
from stream_app.position import Position
from stream_app.store.baselines import BaselineStore
from stream_app.store.changes import Changes
from stream_app.store.connection import connect_worker, connect_writer
from stream_app.store.expiry import Expiry
from stream_app.store.heartbeat import Heartbeat, alive, total_lag
from stream_app.store.keys import INPUT_CLOSED, Keys, read_waiting_field
from stream_app.store.losses import LossStore
from stream_app.store.ownership import OwnershipStore
from stream_app.store.scripts import load_guarded, pack
from stream_app.store.server import ServerFacts
from stream_app.store.server_check import EvictionStore
from stream_app.windows.clock import PartitionClock

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
    """Another worker has applied records of this partition meanwhile, up to ``position``."""

    def __init__(self, position: Position) -> None:
        super().__init__(position.applied)
        self.position = position


class StoreChanged(Exception):
    """The store is not the one that was verified, or is being restored; nothing was changed. ``reason`` as in guard.lua."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SettledAlready(Exception):
    """Another worker has settled some of the waiting records (``fields``); nothing was changed."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(len(fields))
        self.fields = frozenset(fields)


class Store:
    """The workers' store. Methods raise ``connection.UNAVAILABLE`` when Redis is away."""

    def __init__(self, url: str, prefix: str, on_server: Callable[[ServerFacts], None] | None = None) -> None:
        """``on_server``: see ``connect_worker``.

        The connections by which ownership is verified, and by which heartbeats say why the worker waits, are without it.
        """
        self._redis = connect_worker(url, on_server)
        self._verifier = connect_worker(url)
        self._keys = Keys(prefix)
        self.evictions = EvictionStore(self._verifier, prefix)
        self.baselines = BaselineStore(self._redis, prefix)
        self.expiry = Expiry(self._redis, prefix)
        self.losses = LossStore(self._redis, prefix)
        self.ownership = OwnershipStore(self._verifier, prefix)
        self._look_up = load_guarded(self._redis, "look_up")
        self._note = load_guarded(self._redis, "note")
        self._apply = load_guarded(self._redis, "apply")
        self._decide = load_guarded(self._redis, "decide")
        self._note_late_findings = load_guarded(self._redis, "note_late_findings")

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._verifier.aclose()

    async def reconnect(self) -> None:
        """Use no connection again that is open now; a command that is on its way ends first."""
        for client in (self._redis, self._verifier):
            pool: Any = client.connection_pool  # redis-py's own code is untyped here
            await pool.update_active_connections_for_reconnect()
            await pool.disconnect(inuse_connections=False)

    async def describe(self, contracts: Iterable[Contract]) -> None:
        """Publish what readers need to know of the contracts in force."""
        rows: dict[Any, Any] = {contract.entity: describe(contract).to_json() for contract in contracts}
        await self._redis.hset(self._keys.contracts(), mapping=rows)

    async def _guarded(self, script: AsyncScript, keys: list[str], payload: Any, *, restores: bool = False) -> list[Any]:
        """Call a script for a worker that has verified the store.

        Raises:
            StoreChanged: the store is not what was verified, or is being restored and the call does not restore.
        """
        ownership = self.ownership
        arguments: list[Any] = [pack(payload), ownership.epoch, ownership.serial, int(restores)]
        reply: list[Any] = await script(keys=[*keys, self._keys.store()], args=arguments)
        if reply[0] == -1:
            raise StoreChanged(reply[1].decode())
        return reply

    # --- batches ----------------------------------------------------------------------------------------------------

    async def positions(self, fields: Sequence[str]) -> list[Position]:
        """Return where partitions stand (``keys.applied_field``)."""
        return [Position.parse(raw) for raw in await self._redis.hmget(self._keys.applied(), fields)] if fields else []

    async def clock(self, entity: str, field: str) -> PartitionClock:
        """Return how far the time of a partition is, as of what is applied."""
        value = await self._redis.hget(self._keys.clocks(entity), field)
        return PartitionClock() if value is None else PartitionClock.from_text(text(value))

    async def look_up(
        self, entity: str, applied: tuple[str, Position] | None, wanted: list[Wanted], claims: list[Claim]
    ) -> Found:
        """Look up references and claim unique ids, in one round trip.

        ``applied`` is (field of the partition, position expected there); None for records that have waited.

        Raises:
            PartitionMoved: the partition stands elsewhere.
            StoreChanged: nothing can be looked up now.
        """
        keys = self._keys
        payload: dict[str, Any] = {
            "refs": [(one.ids, int(one.values), *(() if one.seen is None else (one.seen,))) for one in wanted],
            "claims": [
                (one.rule, int(one.claim), one.ids, b"".join(one.holders), int(one.distinct), one.periods) for one in claims
            ],
        }
        if applied is not None:
            payload["applied"] = applied[0], applied[1].text
        reply = await self._guarded(
            self._look_up,
            [
                keys.applied(),
                keys.lookup_notes(applied[0] if applied is not None else ""),
                *(keys.references(one.entity) for one in wanted),
                *(keys.unique(entity, one.rule) for one in claims),
                *(keys.deleted(one.entity) for one in wanted),
            ],
            payload,
            restores=applied is None,
        )
        if reply[0] == 0:
            raise PartitionMoved(Position.parse(reply[1]))
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

    async def note(self, applied: tuple[str, Position], seen: int, upto: int, notes: bytes) -> None:
        """Note what rules over other records found, up to an offset, until the batch is applied.

        ``seen`` is up to which offset there were notes when the batch was looked up (``Found.upto``): what another worker
        noted since may have been delivered, and counts.

        Raises:
            PartitionMoved: the partition stands elsewhere, or another worker has noted something.
            StoreChanged: nothing can be noted now.
        """
        payload = {"applied": (applied[0], applied[1].text), "seen": seen, "upto": upto, "notes": notes}
        reply = await self._guarded(self._note, [self._keys.applied(), self._keys.lookup_notes(applied[0])], payload)
        if reply[0] == 0:
            raise PartitionMoved(Position.parse(reply[1]))

    async def apply(self, changes: Changes, *, restores: bool = False) -> None:
        """Apply a batch, all of it or nothing. ``restores``: it counts what was delivered before the store lost it.

        Raises:
            PartitionMoved: the partition stands elsewhere than the batch expects.
            SettledAlready: some of the records in ``settle`` have been settled.
            StoreChanged: nothing can be applied now.
        """
        reply = await self._guarded(self._apply, changes.keys(self._keys), changes.payload(), restores=restores)
        if reply[0] == 0:
            if isinstance(reply[1], list):
                raise SettledAlready([field.decode() for field in reply[1]])
            raise PartitionMoved(Position.parse(reply[1]))
        self.ownership.serial = max(self.ownership.serial, int(reply[1]))

    # --- waiting records --------------------------------------------------------------------------------------------

    async def decide(
        self, entity: str, records: list[tuple[str, str, int, list[tuple[str, str]]]], before_ms: int
    ) -> list[Decision]:
        """Decide about waiting records, durably.

        Each record is (waiting field, applied field, offset, [(entity, id) of its references]); one that has waited since
        ``before_ms`` or longer, and still lacks a reference, is rejected for good.
        """
        keys = [self._keys.waiting(entity), self._keys.applied(), self._keys.references_stem()]
        _, rows = await self._guarded(self._decide, keys, {"before": before_ms, "records": records})
        return [Decision(WaitingState(state), missing, [rule.decode() for rule in rules]) for state, missing, rules in rows]

    async def note_late_findings(self, entity: str, records: list[tuple[str, list[str]]]) -> list[list[str]]:
        """Note which rules waiting records were found to break when they settle: (waiting field, rule ids).

        Returns the rules that count for each: those of the first time, whoever settles the record again.
        """
        _, rows = await self._guarded(self._note_late_findings, [self._keys.waiting(entity)], records)
        return [[rule.decode() for rule in rules] for rules in rows]

    async def waiting(self, entity: str) -> dict[tuple[int, str], dict[int, int]]:
        """Return (partition, topic id) → raw offset → ``at``, of the records that are registered as waiting."""
        found: dict[tuple[int, str], dict[int, int]] = {}
        for field, document in (await self._redis.hgetall(self._keys.waiting(entity))).items():
            partition, offset, topic_id = read_waiting_field(text(field))
            found.setdefault((partition, topic_id), {})[offset] = int(json.loads(document).get("at", 0))
        return found

    async def note_delivery(self, entity: str, token: str, fields: list[str]) -> None:
        """Note which waiting records are about to be delivered in the transaction of this token."""
        await self._redis.set(self._keys.delivery(entity, token), json.dumps(fields), ex=DELIVERY_KEPT)

    async def delivered(self, entity: str, token: str) -> frozenset[str] | None:
        """Return the waiting fields that were noted under a token; None where nothing is."""
        noted = await self._redis.get(self._keys.delivery(entity, token))
        return None if noted is None else frozenset(json.loads(noted))

    async def any_waits(self, entity: str, fields: Iterable[str]) -> bool:
        """True if one of the records is still registered as waiting."""
        return any(await self._redis.hmget(self._keys.waiting(entity), list(fields)))

    async def input_closed(self) -> bool:
        """True if the producers are done for good."""
        return bool(await self._redis.get(self._keys.input()) == INPUT_CLOSED.encode())

    # --- workers ----------------------------------------------------------------------------------------------------

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Report a worker's state."""
        await self._verifier.hset(self._keys.workers(), heartbeat.id, heartbeat.to_json())

    async def leave(self, worker: str) -> None:
        """Remove a worker's report."""
        await self._verifier.hdel(self._keys.workers(), worker)

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
