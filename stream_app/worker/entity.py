"""One entity as a worker judges it, and the services that all entities of a worker share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from aiokafka.errors import KafkaError

from stream_app.contract.model import Contract, Shop
from stream_app.errors import RecordRefused
from stream_app.judge import Judge
from stream_app.judge.lookups import KnownIds, LookUps
from stream_app.judge.request import Found, Request
from stream_app.kafka.producer import Producer
from stream_app.kafka.refusals import Limits
from stream_app.kafka.transactions import Transactions
from stream_app.names import CONTRACT, Topics
from stream_app.position import Position
from stream_app.retries import Retry, retrying
from stream_app.settings import Settings
from stream_app.store.connection import UNAVAILABLE
from stream_app.store.keys import applied_field, settled_field, waiting_field
from stream_app.store.writer import Store, StoreChanged
from stream_app.windows.clock import PartitionClock
from stream_app.windows.grain import Grain
from stream_app.windows.watermark import Finality
from stream_app.worker.health import Health

T = TypeVar("T")
#: Errors of Kafka or Redis, passing or permanent: ``failures`` says which.
FAILURES = (TimeoutError, *UNAVAILABLE, KafkaError, RecordRefused)


class LevelPartitions(Protocol):
    """The partitions of this worker, each level with the log; ``worker.levels.Levels`` is one."""

    async def level(self, entity: Entity, partition: int) -> Level:
        """Return what is known of a partition of the raw topic, once it is level."""

    def moved(self, entity: Entity, partition: int) -> None:
        """Note that a partition of the raw topic does not stand where it was taken to."""

    def unknown_delivery(self, entity: Entity, partition: int) -> None:
        """Note that only the topics tell what of a pending partition has been delivered."""

    def is_level(self, entity: Entity, partition: int) -> bool:
        """True if what waits in a partition of the pending topic can be settled."""


class Guardian(Protocol):
    """Keeps the store level with the log; ``worker.ownership.Ownership`` is one."""

    @property
    def levels(self) -> LevelPartitions:
        """The partitions of this worker."""

    async def changed(self, reason: str) -> None:
        """Verify the store again, and wait until it is ready."""


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a worker.

    ``transactions``: None unless records are delivered exactly once; ``limits``: what topics take that have refused a record.
    """

    settings: Settings
    store: Store
    producer: Producer
    transactions: Transactions | None
    health: Health
    guardian: Guardian
    limits: Limits | None = None
    _retries: dict[str, Retry] = field(default_factory=dict)

    async def retry(self, subject: str, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """Return what ``action`` returns; while Kafka or Redis is away, repeat it with backoff.

        A permanent error of an entity (``subject``) stops the action: it is repeated slowly, until the cause is cured.

        Raises:
            Refused: Kafka or Redis refuses for good, and that concerns more than one entity.
            GaveUp: it still fails after ``give_up_after`` seconds.
        """
        again = self._retries.get(subject)
        if again is None:
            settings = self.settings
            services = f"Kafka is expected at {settings.kafka}, Redis at {settings.redis_address}"
            again = self._retries[subject] = retrying(
                "step",
                on=FAILURES,
                give_up_after=settings.give_up_after,
                subject=subject,
                cure=f"{services}. Nothing was acknowledged; start the worker again.",
                report=self.health,
                stops=bool(subject),
            )
        return await again(what, action)


@dataclass(slots=True)
class Level:
    """A partition that is level with the log, as a worker knows it.

    Attributes:
        position: as the store has it.
        delivered: raw offset → outcome of what was delivered and is not counted yet.
        counted: raw offsets that are counted although they are after the applied one; None: none.
        rewound: how often the partition has been rewound; what was fetched before the last time is not taken.
    """

    position: Position
    delivered: dict[int, Any] = field(default_factory=dict)
    counted: Container[int] | None = None
    rewound: int = 0

    def applied(self, position: Position) -> None:
        """Note that a batch is applied."""
        self.position = position
        if self.delivered:
            self.delivered = {offset: one for offset, one in self.delivered.items() if offset > position.applied}

    def after(self, applied: int, ends: Mapping[str, int], topics: Topics) -> Position:
        """Return the position once a batch is applied that ends at an offset, and in its topics before ``ends``."""
        before = self.position
        if any(offset > applied for offset in self.delivered):
            return before._replace(applied=applied)
        return Position(
            applied,
            max(before.clean, ends.get(topics.clean, 0)),
            max(before.dead_letter, ends.get(topics.dead_letter, 0)),
            max(before.pending, ends.get(topics.pending, 0)),
            before.restored,
        )


class Entity:
    """One entity of the shop as this worker judges it."""

    def __init__(self, shop: Shop, name: str, services: Services, known: KnownIds, topic_ids: Mapping[str, str]) -> None:
        """``known``: the memory of reference ids that all entities share; ``topic_ids``: raw topic → its id (KIP-516)."""
        self.name = name
        self.contract: Contract = shop.contracts[name]
        self.services = services
        self.topics = Topics(name, services.settings.topic_prefix)
        #: Empty where the broker gives topics no ids. A topic that is created anew has another one.
        self.topic_id = topic_ids.get(self.topics.raw, "")
        #: The ids of the raw topics of this name that there have been, oldest first.
        self.topic_ids: tuple[str, ...] = (self.topic_id,) if self.topic_id else ()
        self.judge = Judge(self.contract, services.settings.max_record_bytes)
        self.look_ups = LookUps(shop, name, known, notes_waiting=services.transactions is not None)
        #: True if the as-of moment decides more of a clean record than its verdict.
        self.keeps_as_of = self.contract.event_time is None or self.look_ups.keeps_fields
        self.contract_header = (CONTRACT, self.contract.name_and_version.encode())
        self.finality = Finality(Grain.of(services.settings.anomaly_window), services.settings.window_grace)
        #: Partition → the offset up to which it is applied, and its clock there.
        self.clocks: dict[int, tuple[int, PartitionClock]] = {}
        #: Partition of the raw topic → what is known of it; what is not here is to be restored first.
        self.levels: dict[int, Level] = {}
        #: Partition of the raw topic → the largest offset that this worker has seen applied, whatever the store has since.
        self.reached: dict[int, int] = {}
        #: Partition of the pending topic → next offsets of clean and dead-letter topic before which what settled is counted.
        self.settled_at: dict[int, tuple[int, int]] = {}
        #: Tokens of the transactions that delivered waiting records and are known to the store.
        self.tokens: set[str] = set()
        #: Values that this worker has learned from since it started.
        self.learned = 0

    @property
    def first_topic_id(self) -> str:
        """The id of the first raw topic of this name: records of it do not name the id."""
        return self.topic_ids[0] if self.topic_ids else self.topic_id

    def generation(self, topic_id: str) -> int:
        """Return the number of raw topics of this name before the one with an id; one that is not noted yet is the newest."""
        return self.topic_ids.index(topic_id) if topic_id in self.topic_ids else len(self.topic_ids)

    def applied_field(self, partition: int, topic_id: str | None = None) -> str:
        """The name under which the store keeps a partition's applied offset."""
        return applied_field(self.topics.raw, self.topic_id if topic_id is None else topic_id, partition)

    async def clock(self, partition: int, applied: int) -> PartitionClock:
        """Return the clock of a partition that is applied up to an offset."""
        offset, clock = self.clocks.get(partition, (None, PartitionClock()))
        if offset != applied:
            field, store = self.applied_field(partition), self.services.store
            clock = await self.retry("read the partition's time", lambda: store.clock(self.name, field))
            self.clocks[partition] = applied, clock
            self.services.health.move(self.topics.raw, partition, applied, clock.reached)
        return clock

    def settled_field(self, partition: int) -> str:
        """The name under which the store keeps how far what settled of a pending partition is counted."""
        return settled_field(self.topics.pending, partition)

    def waiting_field(self, partition: int, offset: int, topic_id: str | None = None) -> str:
        """The name under which the store registers a record that waits."""
        return waiting_field(partition, offset, self.topic_id if topic_id is None else topic_id)

    def level_of(self, partition: int) -> Level:
        """Return what is known of a partition that is being worked on.

        Raises:
            StoreChanged: it has been forgotten meanwhile.
        """
        level = self.levels.get(partition)
        if level is None:
            raise StoreChanged("epoch")
        return level

    def lose_store(self) -> None:
        """Forget all that is known of the store: it is another one, or has lost something."""
        self.levels.clear()
        self.tokens.clear()
        self.look_ups.forget()

    def forget(self, partitions: set[int]) -> None:
        """Read the positions of partitions afresh: they may have been elsewhere."""
        self.services.health.forget(self.topics.raw, partitions)
        for partition in partitions:
            self.clocks.pop(partition, None)
            self.levels.pop(partition, None)
        if self.services.transactions is not None:
            self.services.transactions.forget(self.topics.raw, partitions)
            self.services.transactions.forget(self.topics.pending, partitions)

    async def retry(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """``Services.retry`` in this entity's name."""
        return await self.services.retry(self.name, what, action)

    async def look_up(self, what: str, request: Request, applied: tuple[str, Position] | None = None) -> Found:
        """Ask the store, where there is something to ask. ``applied``: the partition's field and position to hold it to.

        Raises:
            PartitionMoved: the partition does not stand there any more.
            StoreChanged: the store is not the one that was verified.
        """
        if not request:
            return Found()
        look_up = self.services.store.look_up
        return await self.retry(what, lambda: look_up(self.name, applied, request.wanted, request.claims))
