"""Read back from the anomalies topic which incidents were announced, for a store that was restored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from stream_app.errors import DeliveryError
from stream_app.kafka import acts, outcomes
from stream_app.kafka.producer import Producer
from stream_app.monitor.acts import Act
from stream_app.names import acts_topic
from stream_app.settings import Settings
from stream_app.store.incidents import Incident
from stream_app.windows.grain import Grain

#: Seconds that the broker may take to name the topic's partitions.
_ANSWER = 10.0


@dataclass(slots=True)
class Announced:
    """Incidents of the topic.

    Attributes:
        newest: id → newest version.
        complete: retention has taken nothing.
    """

    newest: dict[str, Incident] = field(default_factory=dict)
    complete: bool = True

    def take(self, records: Iterable[Any]) -> None:
        """Take the next records of a partition; what is not an incident is left out."""
        for record in records:
            try:
                incident = Incident.from_json(record.value or b"")
            except ValueError:
                continue
            before = self.newest.get(incident.id)
            if before is None or before.updated <= incident.updated:
                self.newest[incident.id] = incident

    def until(self, reached: Mapping[str, int], grain: Grain, latest: int) -> dict[str, int]:
        """Return entity → up to which event time (s) its changes are taken to be announced, for the entities in ``reached``.

        Changes of an entity are published in order, so that is its newest one. Once retention has taken some, it is at least
        the time that the entity has reached, in ``reached``.

        Args:
            latest: an incident beyond this time (s), of a record with a wrong date, says nothing.
        """
        until = dict.fromkeys(reached, 0) if self.complete else dict(reached)
        for one in self.newest.values():
            # Lost records become incidents at once, not when a window is final.
            if one.grain == grain and one.outcome != "lost" and one.updated <= latest and one.entity in until:
                until[one.entity] = max(until[one.entity], one.updated)
        return until


async def read_acts(settings: Settings) -> list[Act]:
    """Read what people said and did about incidents; nothing if nobody has yet.

    Raises:
        KafkaError: the broker cannot be reached, or refuses.
    """
    try:
        if not await asyncio.to_thread(acts.exists, settings):
            return []
    except DeliveryError as error:
        raise KafkaConnectionError(str(error)) from None
    found = []
    async for _, records, _ in outcomes.read(settings, {TopicPartition(acts_topic(settings.topic_prefix), acts.PARTITION): 0}):
        for record in records:
            try:
                found.append(Act.from_json(record.value or b""))
            except ValueError:
                continue
    return found


async def read_announced(settings: Settings, producer: Producer, topic: str) -> Announced:
    """Read the topic to its end.

    Raises:
        KafkaError: the broker cannot be reached, or refuses.
        OSError: it does not answer in time.
    """
    partitions = await asyncio.wait_for(producer.current.partitions_for(topic), _ANSWER)
    found = Announced()
    begun: set[TopicPartition] = set()
    async for partition, records, after in outcomes.read(settings, {TopicPartition(topic, one): 0 for one in partitions}):
        if partition not in begun and after > 0:
            begun.add(partition)
            found.complete &= bool(records) and records[0].offset == 0
        found.take(records)
    return found
