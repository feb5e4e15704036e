"""Keeps the engines' baselines up to date: reads the version in force, and makes a new one when enough was learned."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from stream_app.errors import SettingsError
from stream_app.judge.baseline import LEARN_ALL_UP_TO, Baseline, enough
from stream_app.store.writer import UNAVAILABLE, Store
from stream_app.worker.pipeline import Engine

log = logging.getLogger("headrace.worker")
#: Seconds between two looks: a replay at full speed learns a week in less than a second.
_EVERY = 0.25
#: More records than these are a large batch.
_LARGE = 1_000
#: Values of which a baseline is made until it counts as one, and the least records of a portion till then.
_LITTLE, _PORTION = 20_000, 2_000


def pinned(file: Path) -> dict[str, Baseline]:
    """Entity → the baseline that a file pins (``headrace baseline`` writes one).

    Raises:
        SettingsError: the file cannot be read as that.
    """
    try:
        return {entity: Baseline.from_json(json.dumps(document)) for entity, document in json.loads(file.read_text()).items()}
    except OSError as error:
        raise SettingsError(f"HEADRACE_BASELINE: {file} cannot be read ({error.strerror})") from None
    except (ValueError, AttributeError):
        raise SettingsError(f"HEADRACE_BASELINE: {file} holds no baselines; `headrace baseline` writes them") from None


class Learning:
    """Keeps the baseline of one entity current. Redis being away only means that it stays as it is."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine, self._store = engine, store
        self._one, self._turn = asyncio.Lock(), asyncio.Lock()
        self._taught = 0

    async def renew(self) -> None:
        """Make a new version where enough was learned, and take over the one in force."""
        async with self._one:
            await self._renew()

    async def _renew_if_due(self) -> None:
        """Renew when this worker alone has taught enough; what others taught, ``keep_current`` sees."""
        async with self._one:
            known = self._learned()
            if enough(known + self._engine.taught - self._taught, known, new_week=False):
                await self._renew()

    async def _renew(self) -> None:
        entity, look_ups = self._engine.entity, self._engine.look_ups
        try:
            held = look_ups.baseline.version if look_ups.baseline is not None else 0
            if await self._store.learned.renew(self._engine.contract) != held:
                look_ups.baseline = await self._store.learned.baseline(entity)
                self._taught = self._engine.taught
        except UNAVAILABLE as error:
            log.info("%s: the baseline stays as it is (%s)", entity, type(error).__name__)

    async def process(self, partition: int, records: list[Any]) -> None:
        """Process a batch; while little is known, a large one learns from those before it.

        Else a topic that is read from its start at full speed would be through before anything is known to be usual. A
        version that is due is made before the next large batch; at the very beginning large batches are taken in portions,
        those of all partitions one after the other. Later on nothing waits: ``keep_current`` renews.
        """
        while len(records) > _LARGE and self._learned() < _LITTLE:
            async with self._turn:
                portion = max(_PORTION, self._learned())
                await self._engine.process(partition, records[:portion])
                await self._renew_if_due()
            records = records[portion:]
        if not records:
            return
        await self._engine.process(partition, records)
        if len(records) > _LARGE and self._learned() < LEARN_ALL_UP_TO:
            await self._renew_if_due()

    def _learned(self) -> int:
        baseline = self._engine.look_ups.baseline
        return baseline.learned if baseline is not None else 0


async def keep_current(learning: Iterable[Learning], stopping: Callable[[], bool]) -> None:
    """Renew the baselines until ``stopping``."""
    learning = list(learning)
    while learning and not stopping():
        for one in learning:
            await one.renew()
        await asyncio.sleep(_EVERY)
