"""The counts of a period, read from the coarsest windows that tile it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import redis

from stream_app.counts.fields import Counts, Distinct, add
from stream_app.errors import StoreError
from stream_app.store.connection import execute, parsed
from stream_app.store.keys import Keys
from stream_app.store.states import starts_of
from stream_app.windows.grain import Grain, tiles


@dataclass(frozen=True, slots=True)
class PeriodCounts:
    """The counts of one entity in a period. ``customers`` and ``orders``: distinct values, HyperLogLog estimates."""

    counts: Counts = field(default_factory=Counts)
    customers: int = 0
    orders: int = 0


def read_period(
    client: redis.Redis, keys: Keys, entities: Iterable[str], start: int, end: int, called: str = "the period"
) -> Mapping[str, PeriodCounts]:
    """Return entity → what was counted of it from ``start`` up to ``end`` (s), in two round trips.

    ``called``: what an error calls the period.

    Raises:
        StoreError: Redis is down, its keys are not ours, or the period needs windows that are no longer kept.
        ValueError: the period cannot be tiled (see ``tiles``).
    """
    # Nothing was counted before 1970.
    if start < 0 < end and start % 60 == 0:
        start = 0
    names = list(entities)
    if start < end <= 0:
        return {entity: PeriodCounts() for entity in names}
    wanted = tiles(start, end)
    _still_kept(client, keys, names, wanted, called)
    pipe = client.pipeline(transaction=False)
    sketched: tuple[Distinct, ...] = ("customers", "orders")
    for entity in names:
        for grain, at in wanted:
            pipe.hgetall(keys.window(entity, grain, at))
        for what in sketched:
            pipe.pfcount(*(keys.sketch(entity, what, grain, at) for grain, at in wanted))
    answers = iter(execute(client, keys.prefix, pipe) if names else ())
    periods = {}
    for entity in names:
        counts = [parsed(keys.window(entity, grain, at), next(answers)) for grain, at in wanted]
        periods[entity] = PeriodCounts(add(counts), int(next(answers)), int(next(answers)))
    return periods


def _still_kept(
    client: redis.Redis, keys: Keys, entities: list[str], wanted: tuple[tuple[Grain, int], ...], called: str
) -> None:
    """Refuse a period whose oldest windows are gone: its counts would be too small."""
    oldest = {grain: min(at for one, at in wanted if one is grain) for grain in {grain for grain, _ in wanted}}
    pipe = client.pipeline(transaction=False)
    asked = [(entity, grain) for entity in entities for grain in oldest]
    for entity, grain in asked:
        pipe.zcard(keys.windows(entity, grain))
        pipe.zrange(keys.windows(entity, grain), 0, 0)
    answers = iter(execute(client, keys.prefix, pipe) if asked else ())
    for entity, grain in asked:
        stored, first = int(next(answers)), starts_of(keys.windows(entity, grain), next(answers))
        if stored >= grain.kept and first and oldest[grain] < first[0]:
            coarser = "hours" if grain is Grain.MINUTE else "days"
            raise StoreError(
                f"{entity}: {called} needs windows of {grain.seconds:,} s older than the {grain.kept:,} that are kept; "
                f"let it start and end on full {coarser} (UTC)"
            )
