"""A consumer group member as a process of its own: ``member.py BOOTSTRAP TOPIC GROUP SESSION_SECONDS``.

Prints ``assigned N`` when it holds N partitions, and ``topic partition offset`` of each record before it commits it, as
a worker delivers before it commits. Uses the client that the worker uses.
SIGTERM makes it leave the group.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        pass

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        print("assigned", len(assigned), flush=True)


async def consume(bootstrap: str, topic: str, group: str, session: float) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=int(session * 1000),
        heartbeat_interval_ms=int(session * 1000 / 3),
        fetch_max_wait_ms=100,
    )
    consumer.subscribe([topic], listener=Listener())
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await consumer.start()
    while not stopping.is_set():
        batch = await consumer.getmany(timeout_ms=200, max_records=20)
        for partition, records in batch.items():
            for record in records:
                print(partition.topic, partition.partition, record.offset, flush=True)
        if batch:
            await consumer.commit()
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
