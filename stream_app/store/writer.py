"""The write side of the store: looks up a batch in one round trip, applies it once, keeps the workers' heartbeats."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
import redis.asyncio

from stream_app.contract.model import Contract
from stream_app.contract.summary import describe
from stream_app.counts.tally import Tally
from stream_app.judge.lookups import Claim, Found, Wanted
from stream_app.store.baselines import LearnedStore
from stream_app.store.heartbeat import WORKER_GONE_AFTER
from stream_app.store.keys import CLEAN_KEPT, FINDINGS_KEPT, Keys
from stream_app.store.scripts import APPLY, DECIDE, LOOK_UP, MARK, NOTE, pack
from stream_app.windows.grain import Grain

#: Distinct values a segment field is counted by; more are counted together.
SEGMENT_VALUES = 200
#: What Redis raises when it is away, not ready, or refuses for now; worth a retry. The refusals (OOM, READONLY, MISCONF,
#: NOREPLICAS, BUSY, NOSCRIPT …) have no class in common but the last: Redis 6 gives a script's as a plain ResponseError.
UNAVAILABLE = (redis.ConnectionError, redis.TimeoutError, OSError, redis.ResponseError)

#: Seconds that what a transaction delivers stays written down.
DELIVERY_KEPT = 30 * 86_400

GONE, WAITS, KNOWN, REJECTED = range(4)


class Moved(Exception):
    """Another worker has applied records of this partition meanwhile; ``applied`` is where it stands now."""

    def __init__(self, applied: int) -> None:
        super().__init__(applied)
        self.applied = applied


class SettledAlready(Exception):
    """Some of the waiting records have been settled by another worker; nothing was changed."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(len(fields))
        self.fields = frozenset(fields)


@dataclass(slots=True)
class Changes:
    """Everything one batch does to the store.

    ``applied`` is (partition field, offset expected there, new last offset); ``settle`` and ``wait`` are fields of the
    waiting hash (``partition:offset``), ``references`` maps ids that others may refer to to what is known of them,
    ``learned`` is (rule, period, group|bucket → count), ``release`` gives back ids that rejected records held.
    """

    tally: Tally
    now_ms: int
    applied: tuple[str, int, int] | None = None
    settle: list[str] | None = None
    wait: list[tuple[str, str]] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)
    learned: list[tuple[str, int, dict[str, int]]] = field(default_factory=list)
    release: list[tuple[str, str, bytes]] = field(default_factory=list)

    def payload(self) -> bytes:
        """The argument of the APPLY script."""
        tally = self.tally
        customers, orders = _distinct(tally.customers), _distinct(tally.orders)
        body = {
            "entity": tally.contract.entity,
            "applied": self.applied,
            "settle": self.settle,
            "wait": self.wait,
            "totals": tally.totals(),
            "windows": _windows(tally),
            "sketches": [
                *(("customers", *row) for row in _sketches(tally.customers)),
                *(("orders", *row) for row in _sketches(tally.orders)),
            ],
            "sets": [(what, ids) for what, ids in (("customers", customers), ("orders", orders)) if ids],
            "refs": [part for row in self.references.items() for part in row],
            "learned": self.learned,
            "release": self.release,
            "findings": tally.samples.encoded_findings(self.now_ms),
            "clean": tally.samples.encoded_clean(),
            "findings_kept": FINDINGS_KEPT,
            "clean_kept": CLEAN_KEPT,
            "segments": SEGMENT_VALUES,
            "kept": {grain.value: grain.kept for grain in Grain},
            "et": tally.stream_ms,
            "at": self.now_ms,
        }
        return pack({key: value for key, value in body.items() if value is not None})


def _distinct(minutes: dict[int, set[str]]) -> list[str]:
    return list(set().union(*minutes.values())) if minutes else []


def _windows(tally: Tally) -> list[tuple[str, int, dict[str, int]]]:
    rows: list[tuple[str, int, dict[str, int]]] = []
    for grain in Grain:
        merged: dict[int, dict[str, int]] = {}
        for minute, counts in tally.minutes.items():
            start = grain.start(minute * 60)
            into = merged.setdefault(start, {})
            for key, count in counts.items():
                into[key] = into.get(key, 0) + count
        rows += [(grain.value, start, merged[start]) for start in sorted(merged)]
    return rows


def _sketches(minutes: dict[int, set[str]]) -> list[tuple[str, int, list[str]]]:
    rows: list[tuple[str, int, list[str]]] = []
    for grain in Grain:
        merged: dict[int, set[str]] = {}
        for minute, ids in minutes.items():
            merged.setdefault(grain.start(minute * 60), set()).update(ids)
        rows += [(grain.value, start, list(merged[start])) for start in sorted(merged)]
    return rows


class Store:
    """The worker's store. Methods raise what ``redis`` raises when it is away (``UNAVAILABLE``)."""

    def __init__(self, url: str, prefix: str) -> None:
        self._redis = redis.asyncio.from_url(url, socket_timeout=10, socket_connect_timeout=5)
        self._keys = Keys(prefix)
        self._prefix = prefix
        self.learned = LearnedStore(self._redis, prefix)
        self._look_up = self._redis.register_script(LOOK_UP)
        self._note = self._redis.register_script(NOTE)
        self._apply = self._redis.register_script(APPLY)
        self._mark = self._redis.register_script(MARK)
        self._decide = self._redis.register_script(DECIDE)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def describe(self, contracts: Iterable[Contract]) -> None:
        """Publish what readers need to know of the contracts in force."""
        rows: dict[Any, Any] = {contract.entity: describe(contract).to_json() for contract in contracts}
        await self._redis.hset(self._keys.contracts(), mapping=rows)

    async def applied(self, field: str) -> int:
        """The last applied offset of a partition field; -1 when there is none."""
        value = await self._redis.hget(self._keys.applied(), field)
        return -1 if value is None else int(value)

    async def look_up(self, entity: str, applied: tuple[str, int] | None, wanted: list[Wanted], claims: list[Claim]) -> Found:
        """Look up references and claim keys, in one round trip.

        Raises:
            Moved: the partition does not stand at the expected offset any more.
        """
        payload: dict[str, Any] = {
            "entity": entity,
            "refs": [(one.entity, one.ids, int(one.values)) for one in wanted],
            "claims": [
                (one.rule, int(one.claim), one.ids, one.holders, int(len({*one.ids}) == len(one.ids))) for one in claims
            ],
        }
        if applied is not None:
            payload["applied"] = applied
        reply = await self._look_up(args=[self._prefix, pack(payload)])
        if reply[0] == 0:
            raise Moved(int(reply[1]))
        _, missing, duplicates, values, upto, notes = reply
        return Found(
            missing,
            [[place - 1 for place in places if place > 0] for places in duplicates],
            [[-place - 1 for place in places if place < 0] for places in duplicates],
            values,
            int(upto),
            notes,
        )

    async def note(self, applied: tuple[str, int], seen: int, upto: int, notes: bytes) -> None:
        """Write down what rules over other records found, up to an offset, until the batch is applied.

        ``seen`` is up to where notes went when the batch was looked up (``Found.upto``): what another worker wrote since
        may have been delivered, and stands.

        Raises:
            Moved: the partition does not stand at the expected offset any more, or others have noted something.
        """
        payload = {"applied": applied, "seen": seen, "upto": upto, "notes": notes}
        reply = await self._note(args=[self._prefix, pack(payload)])
        if reply[0] == 0:
            raise Moved(int(reply[1]))

    async def apply(self, changes: Changes) -> None:
        """Apply a batch, all of it or nothing.

        Raises:
            Moved: the partition does not stand at the expected offset any more.
            SettledAlready: some of ``settle`` wait no longer.
        """
        reply = await self._apply(args=[self._prefix, changes.payload()])
        if reply[0] == 0:
            if changes.settle is not None:
                raise SettledAlready([field.decode() for field in reply[1]])
            raise Moved(int(reply[1]))

    async def decide(
        self, entity: str, records: list[tuple[str, str, int, list[tuple[str, str]]]], before_ms: int
    ) -> list[tuple[int, list[int], list[str]]]:
        """The durable state of waiting records: GONE, WAITS, KNOWN or REJECTED, indexes of its missing references, and
        the ids of the rules that were found broken when it began to wait.

        Each record is (waiting field, partition field, offset, references); one that waits since ``before_ms`` or longer,
        and still lacks one, is rejected for good.
        """
        payload = {"entity": entity, "before": before_ms, "records": records}
        reply = await self._decide(args=[self._prefix, pack(payload)])
        return [(state, missing, [rule.decode() for rule in rules]) for state, missing, rules in reply]

    async def mark(self, entity: str, records: list[tuple[str, list[str]]]) -> list[list[str]]:
        """Note which rules waiting records were found to break when they settle: (waiting field, rule ids).

        Returns the rules that stand of each: those of the first time, whoever settles the record again.
        """
        reply = await self._mark(args=[self._prefix, pack({"entity": entity, "records": records})])
        return [[rule.decode() for rule in rules] for rules in reply]

    async def note_delivery(self, entity: str, token: str, fields: list[str]) -> None:
        """Write down which waiting records are about to be delivered in the transaction of this token."""
        await self._redis.set(self._keys.delivery(entity, token), json.dumps(fields), ex=DELIVERY_KEPT)

    async def delivered(self, entity: str, token: str) -> frozenset[str]:
        """The waiting fields that were written down under a token."""
        return frozenset(json.loads(await self._redis.get(self._keys.delivery(entity, token)) or "[]"))

    async def any_waits(self, entity: str, fields: Iterable[str]) -> bool:
        """Whether one of the records is still registered as waiting."""
        return any(await self._redis.hmget(self._keys.waiting(entity), list(fields)))

    async def input_closed(self) -> bool:
        """Whether the producers are done for good."""
        return bool(await self._redis.get(self._keys.input()) == b"closed")

    async def beat(self, worker: str, row: dict[str, Any]) -> None:
        """Report a worker's state."""
        await self._redis.hset(self._keys.workers(), worker, json.dumps(row))

    async def leave(self, worker: str) -> None:
        """Take a worker's report away."""
        await self._redis.hdel(self._keys.workers(), worker)

    async def lags(self, since_ms: int | None = None) -> dict[str, int] | None:
        """Entity → records not yet applied, summed over the last reports of the workers that are there.

        ``None`` when one of them has not reported since ``since_ms``.
        """
        lags: dict[str, int] = {}
        gone = (time.time() - WORKER_GONE_AFTER) * 1000
        for text in (await self._redis.hgetall(self._keys.workers())).values():
            row = json.loads(text)
            if row["at"] < gone:
                continue
            if since_ms is not None and row["at"] < since_ms:
                return None
            for entity, lag in row.get("lag", {}).items():
                lags[entity] = lags.get(entity, 0) + int(lag)
        return lags


def close_input(url: str, prefix: str) -> None:
    """Say that the producers are done for good: what waits for reference data is settled now."""
    with redis.Redis.from_url(url) as client:
        client.set(Keys(prefix).input(), "closed")


def open_input(url: str, prefix: str) -> None:
    """Take ``close_input`` back, at the start of a run."""
    with redis.Redis.from_url(url) as client:
        client.delete(Keys(prefix).input())
