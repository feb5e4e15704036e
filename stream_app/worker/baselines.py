"""Keeps the engines' baselines up to date: reads the version in force, and makes a new one when enough was learned."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from stream_app.errors import SettingsError
from stream_app.judge.baseline import Baseline
from stream_app.store.write import UNAVAILABLE, Store
from stream_app.worker.engine import Engine

log = logging.getLogger("headrace.worker")
#: Seconds between two looks: a replay at full speed learns a week in less than a second.
_EVERY = 0.25


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


async def keep_current(engines: Mapping[str, Engine], store: Store, stopping: Callable[[], bool]) -> None:
    """Run until ``stopping``. Redis being away only means that the baseline stays as it is."""
    learning = [engine for engine in engines.values() if engine.contract.outliers]
    while learning and not stopping():
        for engine in learning:
            look_ups = engine.look_ups
            try:
                await store.learned.renew(engine.contract)
                held = look_ups.baseline.version if look_ups.baseline is not None else 0
                if await store.learned.version(engine.entity) != held:
                    look_ups.baseline = await store.learned.baseline(engine.entity)
            except UNAVAILABLE as error:
                log.info("%s: the baseline stays as it is (%s)", engine.entity, type(error).__name__)
        await asyncio.sleep(_EVERY)
