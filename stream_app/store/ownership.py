"""Whose store this is, in which epoch, and how far a restore of it is."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self

import msgspec
import redis.asyncio

from stream_app.store.connection import connect_writer, reading
from stream_app.store.keys import Keys, lasts
from stream_app.store.scripts import load

#: States of a store: complete; being emptied before it is rebuilt; being restored.
READY, EMPTYING, RESTORING = "ready", "emptying", "restoring"
#: Why an epoch begins with an empty store.
REBUILDS = frozenset({"empty", "foreign", "incomplete", "layout", "asked"})
#: Changes whenever what scripts store is laid out in another way.
FORMAT = 3
#: Keys that one round of emptying unlinks.
_UNLINKED = 1_000


class Owner(msgspec.Struct, frozen=True):
    """Who counts into a store.

    Attributes:
        group: the workers' consumer group.
        topics: the prefix of the topics' names.
        cluster: the id of the Kafka cluster; empty where the broker gives none.
        entities: of the shop, sorted.
        format: how the store is laid out; 0: by a version that did not say so.
        within: ``entity rule`` of a unique key → how long it counts (ms); None: for ever.
        contracts: entity → id of its contract; of versions that did not say so, without entities.
    """

    group: str = ""
    topics: str = ""
    cluster: str = ""
    entities: tuple[str, ...] = ()
    format: int = 0
    within: Mapping[str, int | None] = {}
    contracts: Mapping[str, str] = {}

    def is_another_shop(self, other: Owner) -> bool:
        """True if their contracts have nothing in common, or an entity has the contract of another shop.

        A contract may get another version, and a shop another entity.
        """
        mine, theirs = self.contracts, other.contracts
        common = mine.keys() & theirs.keys()
        return bool(mine and theirs) and (not common or any(mine[entity] != theirs[entity] for entity in common))

    def lays_out_as(self, other: Owner) -> bool:
        """True if what one of them has stored can be read by the other."""
        common = self.within.keys() & other.within.keys()
        return self.format == other.format and all(self.within[key] == other.within[key] for key in common)

    def to_json(self) -> str:
        """Return the stored document."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Owner:
        """Read the stored document; an owner without names where it is not one."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            return cls()


class StoreState(NamedTuple):
    """The store as a whole. ``epoch`` is 0 where there is no store."""

    epoch: int = 0
    state: str = ""
    server: str = ""
    serial: int = 0
    owner: Owner = Owner()
    reason: str = ""
    since: int = 0

    @classmethod
    def read(cls, raw: Mapping[Any, Any]) -> StoreState:
        """Read the hash under ``Keys.store``, decoded or not."""
        found = {_text(name): _text(value) for name, value in raw.items()}
        return cls(
            _number(found.get("epoch")),
            found.get("state", ""),
            found.get("server", ""),
            _number(found.get("serial")),
            Owner.from_json(found.get("owner", "{}")),
            found.get("reason", ""),
            _number(found.get("since")),
        )


class Missing(msgspec.Struct, frozen=True):
    """Raw offsets whose outcome no topic has any more; ``since``: when the oldest kept outcome was (ms), 0 where none is."""

    records: int = 0
    since: int = 0


class OwnershipStore:
    """The store as a whole, for workers. Methods raise ``connection.UNAVAILABLE`` when Redis is away.

    Attributes:
        epoch: the one that this worker has verified; 0 before. Scripts refuse to work in another one.
        serial: the highest number of an applied batch that this worker has seen.
    """

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._redis, self._keys = client, Keys(prefix)
        self._begin, self._end = load(client, "begin_restore"), load(client, "end_restore")
        self._empty = load(client, "empty")
        self._epoch, self.serial = 0, 0

    @property
    def epoch(self) -> str:
        """The verified epoch as scripts compare it."""
        return str(self._epoch) if self._epoch else ""

    def verified(self, state: StoreState) -> None:
        """Work in the epoch of this state from now on."""
        self._epoch, self.serial = state.epoch, state.serial

    async def server(self) -> str:
        """Return the id of the server's process."""
        return str((await self._redis.info("server")).get("run_id", ""))

    async def read(self) -> StoreState:
        """Return the state of the store."""
        return StoreState.read(await self._redis.hgetall(self._keys.store()))

    async def begin(
        self, expected: int, epoch: int, *, state: str, server: str, owner: Owner, reason: str, now_ms: int
    ) -> bool:
        """Open a new epoch; False when another worker was first."""
        keys = [self._keys.store(), self._keys.restored(), self._keys.restoring()]
        rows: list[Any] = [str(expected) if expected else "", epoch, state, server, owner.to_json(), reason, now_ms]
        return bool(await self._begin(keys=keys, args=rows))

    async def empty(self, epoch: int) -> None:
        """Take away everything but what ``keys.lasts``, and go on from EMPTYING to RESTORING.

        Several workers may do so at once, and it may be repeated.
        """
        keep = {self._keys.store(), self._keys.workers(), self._keys.contracts(), self._keys.input()}
        batch: list[str] = []
        async for raw in self._redis.scan_iter(match=f"{_literal(self._keys.prefix)}:*", count=_UNLINKED):
            if (key := _text(raw)) not in keep and not lasts(self._keys, key):
                batch.append(key)
            if len(batch) >= _UNLINKED:
                await self._empty(keys=[self._keys.store(), *batch], args=[epoch])
                batch = []
        if batch:
            await self._empty(keys=[self._keys.store(), *batch], args=[epoch])
        await self._end(keys=[self._keys.store(), self._keys.restored(), self._keys.restoring()], args=[epoch, 0])

    async def claim(self, owner: Owner) -> None:
        """Write the owner of a store that has none."""
        await self._redis.hset(self._keys.store(), "owner", owner.to_json())

    async def incomplete(self) -> dict[str, Missing]:
        """Return ``applied_field`` of a partition → what no topic has any more."""
        rows = await self._redis.hgetall(self._keys.missing())
        found = {}
        for field, document in rows.items():
            with contextlib.suppress(msgspec.DecodeError):
                found[_text(field)] = msgspec.json.decode(document, type=Missing)
        return found

    async def level_partitions(self) -> set[str]:
        """Return the raw partitions (``keys.applied_field``) that are level in this epoch."""
        return {_text(one) for one in await self._redis.hkeys(self._keys.restored())}

    async def restored(self) -> tuple[int, int]:
        """Return the number of partitions that are level, and of records counted again in those that are not yet."""
        level = await self._redis.hlen(self._keys.restored())
        rows: list[Any] = await self._redis.hvals(self._keys.restoring())
        return level, sum(_number(_text(row)) for row in rows)

    async def level(self, fields: Collection[str], everything: Collection[str]) -> str:
        """Note that partitions are level; return the state of the store, empty where its epoch is not this one.

        ``everything``: all partitions of the shop.
        """
        keys = [self._keys.store(), self._keys.restored(), self._keys.restoring()]
        reply: bytes = await self._end(keys=keys, args=[self.epoch, len(fields), *fields, *everything])
        return reply.decode()

    async def progress(self, field: str, records: int) -> None:
        """Say how many records of a partition are counted again."""
        await self._redis.hset(self._keys.restoring(), field, records)

    # --- what is counted ahead of the applied offset -----------------------------------------------------------------

    async def counted(self, field: str) -> dict[int, bytes]:
        """Return number of a block → its bits."""
        blocks: Any = await self._redis.hgetall(self._keys.counted(field))
        return {int(number): bits for number, bits in blocks.items()}

    async def end_counted(self, field: str) -> None:
        """Take the bits away."""
        await self._redis.delete(self._keys.counted(field))

    async def missing(self, field: str, missing: Missing) -> None:
        """Note what no topic has any more."""
        await self._redis.hset(self._keys.missing(), field, msgspec.json.encode(missing))

    async def settled_at(self, fields: Collection[str]) -> list[tuple[int, int]]:
        """Return what ``keys.settled_field`` says of pending partitions: the next offsets of clean and dead-letter topic."""
        found: list[Any] = await self._redis.hmget(self._keys.applied(), list(fields)) if fields else []
        return [_pair(raw) for raw in found]

    async def set_settled_at(self, field: str, clean: int, dead_letter: int) -> None:
        """Note up to where what was delivered of settled records is counted."""
        await self._redis.hset(self._keys.applied(), field, f"{clean} {dead_letter}")


class Rebuild:
    """A rebuild that somebody asks for. Methods raise StoreError when Redis is away."""

    def __init__(self, url: str, prefix: str) -> None:
        self._client, self._prefix, self._keys = connect_writer(url), prefix, Keys(prefix)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def begin(self, now_ms: int) -> int:
        """Have the store emptied and restored by the workers; return the new epoch. Whose it is, the next worker writes."""
        keys = self._keys
        with reading(self._client, self._prefix):
            while True:
                before, epoch = StoreState.read(self._client.hgetall(keys.store())), new_store()
                rows: list[Any] = [before.epoch or "", epoch, EMPTYING, before.server, "{}", "asked", now_ms]
                if load(self._client, "begin_restore")(keys=[keys.store(), keys.restored(), keys.restoring()], args=rows):
                    return epoch

    def progress(self) -> tuple[StoreState, int, int]:
        """Return the state of the store, the partitions that are level, and the records counted again in the others."""
        keys = self._keys
        with reading(self._client, self._prefix):
            rows: Any = self._client.hvals(keys.restoring())
            level: Any = self._client.hlen(keys.restored())
            state = StoreState.read(self._client.hgetall(keys.store()))
        return state, int(level), sum(_number(_text(row)) for row in rows)


#: Bits of an epoch that count the restores of one store.
_COUNT_BITS = 24


def new_store() -> int:
    """Return the first epoch of a new store: 31 random bits, and room to count."""
    return (secrets.randbits(30) | 1 << 30) << _COUNT_BITS


def is_same_store(one: int, other: int) -> bool:
    """True if two epochs are of one store, before and after it was restored."""
    return one >> _COUNT_BITS == other >> _COUNT_BITS


def _pair(raw: bytes | None) -> tuple[int, int]:
    parts = (raw or b"").split(b" ")
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and all(part.isdigit() for part in parts) else (0, 0)


def _literal(text: str) -> str:
    """The text as a pattern of Redis that matches only it."""
    return "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in text)


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else 0
