"""One entity as a worker judges it, and the services that all entities of a worker share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from aiokafka.errors import KafkaError

from stream_app.contract.model import Contract, Shop
from stream_app.judge import Judge
from stream_app.judge.lookups import KnownIds, LookUps
from stream_app.judge.request import Found, Request
from stream_app.kafka.producer import Producer
from stream_app.kafka.transactions import Transactions
from stream_app.names import CONTRACT, Topics
from stream_app.retries import Retry, retrying
from stream_app.settings import Settings
from stream_app.store.connection import UNAVAILABLE
from stream_app.store.keys import applied_field, waiting_field
from stream_app.store.writer import Store
from stream_app.windows.clock import PartitionClock
from stream_app.windows.grain import Grain
from stream_app.windows.watermark import Finality
from stream_app.worker.health import Health

T = TypeVar("T")
#: Errors of Kafka or Redis after which a step is repeated.
PASSING = (TimeoutError, *UNAVAILABLE, KafkaError)


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a worker. ``transactions``: None unless records are delivered exactly once."""

    settings: Settings
    store: Store
    producer: Producer
    transactions: Transactions | None
    health: Health
    _retries: dict[str, Retry] = field(default_factory=dict)

    async def retry(self, subject: str, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """Return what ``action`` returns; while Kafka or Redis is away, repeat it with backoff.

        Raises:
            GaveUp: it still fails after ``give_up_after`` seconds.
        """
        again = self._retries.get(subject)
        if again is None:
            settings = self.settings
            cure = f"is Kafka at {settings.kafka} and Redis up? Nothing was acknowledged; start the worker again."
            again = self._retries[subject] = retrying(
                "step", on=PASSING, give_up_after=settings.give_up_after, subject=subject, cure=cure, report=self.health
            )
        return await again(what, action)


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
        self.judge = Judge(self.contract, services.settings.max_record_bytes)
        self.look_ups = LookUps(shop, name, known, notes_waiting=services.transactions is not None)
        self.contract_header = (CONTRACT, self.contract.name_and_version.encode())
        self.finality = Finality(Grain.of(services.settings.anomaly_window), services.settings.window_grace)
        #: Partition → the offset up to which it is applied, and its clock there.
        self.clocks: dict[int, tuple[int, PartitionClock]] = {}
        #: Values that this worker has learned from since it started.
        self.learned = 0

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
        return clock

    def waiting_field(self, partition: int, offset: int, topic_id: str | None = None) -> str:
        """The name under which the store registers a record that waits."""
        return waiting_field(partition, offset, self.topic_id if topic_id is None else topic_id)

    def forget(self, partitions: set[int]) -> None:
        """Read the positions of partitions afresh: they may have been elsewhere."""
        self.services.health.forget(self.topics.raw, partitions)
        for partition in partitions:
            self.clocks.pop(partition, None)
        if self.services.transactions is not None:
            self.services.transactions.forget(self.topics.raw, partitions)
            self.services.transactions.forget(self.topics.pending, partitions)

    async def retry(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """``Services.retry`` in this entity's name."""
        return await self.services.retry(self.name, what, action)

    async def look_up(self, what: str, request: Request, applied: tuple[str, int] | None = None) -> Found:
        """Ask the store, where there is something to ask. ``applied``: the partition's field and offset to hold it to.

        Raises:
            PartitionMoved: the partition does not stand at that offset any more.
        """
        if not request:
            return Found()
        look_up = self.services.store.look_up
        return await self.retry(what, lambda: look_up(self.name, applied, request.wanted, request.claims))
