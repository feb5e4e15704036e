"""Keep the store and the process small: remove expired keys, collect garbage, note the memory."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections.abc import Callable, Iterable

from stream_app.process import collect_young_garbage
from stream_app.store.connection import UNAVAILABLE
from stream_app.store.writer import Store
from stream_app.worker.entity import Entity

log = logging.getLogger("headrace.worker")
#: Seconds between two rounds.
_EVERY = 60.0


async def keep_small(store: Store, entities: Iterable[Entity], stopping: Callable[[], bool]) -> None:
    """Take rounds until ``stopping``. While Redis is away, nothing is removed."""
    every = list(entities)
    while not stopping():
        await asyncio.sleep(_EVERY)
        collect_young_garbage()
        try:
            await store.expiry.note_memory(int(time.time()))
            for entity in every:
                await sweep(store, entity, int(time.time() * 1000))
        except UNAVAILABLE as error:
            log.info("expired keys stay for now (%s)", type(error).__name__)


async def sweep(store: Store, entity: Entity, now_ms: int) -> int:
    """Remove the keys of an entity that do not count any more; return the number of periods.

    The stream's time is the median of what this worker's partitions have reached, and never ahead of the clock: neither a
    record with a wrong time nor an idle partition decides alone.
    """
    health, topic = entity.services.health, entity.topics.raw
    positions = (health.position(topic, partition) for partition in list(entity.levels))
    reached = [position.reached for position in positions if position is not None and position.reached]
    if not reached:
        return 0
    swept = await store.expiry.sweep(entity.contract, min(int(statistics.median(reached)), now_ms))
    if swept:
        log.info("%s: the keys of %d periods do not count any more and were removed", entity.name, swept)
    return swept
