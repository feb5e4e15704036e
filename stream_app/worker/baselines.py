"""Keeps the baselines of entities up to date: takes over the version in force, makes a new one when enough was learned."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from stream_app.failures import classify, name_of
from stream_app.judge.baseline import LEARN_ALL_UP_TO, enough
from stream_app.store.connection import UNAVAILABLE
from stream_app.worker.entity import Entity
from stream_app.worker.pipeline import process

log = logging.getLogger("headrace.worker")
#: Seconds between two looks: a replay at full speed learns a week in less than a second.
_EVERY = 0.25
#: A batch with more records is large.
_LARGE = 1_000
#: A baseline of fewer values is a beginning; until then large batches are taken in portions of at least _PORTION records.
_BEGINNING, _PORTION = 20_000, 2_000


class BaselineUpdates:
    """Keeps the baseline of one entity current. While Redis is away, it stays as it is."""

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self._renewing, self._portion = asyncio.Lock(), asyncio.Lock()
        #: What this worker had learned from when the version in force was taken over.
        self._before = 0

    async def renew(self) -> None:
        """Make a new version where enough was learned, and take over the one in force."""
        async with self._renewing:
            await self._renew()

    async def _renew_if_due(self) -> None:
        """Renew when this worker alone has learned enough; what others learned, ``keep_current`` sees."""
        async with self._renewing:
            learned = self._learned()
            if enough(learned + self._entity.learned - self._before, learned, new_week=False):
                await self._renew()

    async def _renew(self) -> None:
        entity, look_ups, baselines = self._entity, self._entity.look_ups, self._entity.services.store.baselines
        try:
            current = look_ups.baseline.version if look_ups.baseline is not None else 0
            if await baselines.renew(entity.contract) != current:
                look_ups.baseline = await baselines.baseline(entity.name)
                self._before = entity.learned
        except UNAVAILABLE as error:
            log.info("%s: the baseline stays as it is (%s)", entity.name, name_of(error))
            text = f"the baseline stays as it is: {name_of(error)}: {classify(error).text}"
            entity.services.health.trouble(self, f"{entity.name}: baseline", text, beside=True)
        else:
            entity.services.health.recovered(self)

    async def process(self, partition: int, records: Sequence[Any], rewound: int, acknowledge: Callable[[], None]) -> None:
        """``pipeline.process``; while little is known, a large batch is judged with what those before it taught.

        Otherwise a topic that is read from its start at full speed would be finished before a baseline exists. A version
        that is due is made before the next large batch; at the very beginning large batches are taken in portions, those
        of all partitions one after the other. Later nothing waits: ``keep_current`` renews.
        """
        while len(records) > _LARGE and self._learned() < _BEGINNING:
            async with self._portion:
                portion = max(_PORTION, self._learned())
                await process(self._entity, partition, records[:portion], rewound, lambda: None)
                await self._renew_if_due()
            records = records[portion:]
        await process(self._entity, partition, records, rewound, acknowledge)
        if len(records) > _LARGE and self._learned() < LEARN_ALL_UP_TO:
            await self._renew_if_due()

    def _learned(self) -> int:
        baseline = self._entity.look_ups.baseline
        return baseline.learned if baseline is not None else 0


async def keep_current(updates: Iterable[BaselineUpdates], stopping: Callable[[], bool]) -> None:
    """Renew the baselines until ``stopping``."""
    baselines = list(updates)
    while baselines and not stopping():
        for one in baselines:
            await one.renew()
        await asyncio.sleep(_EVERY)
