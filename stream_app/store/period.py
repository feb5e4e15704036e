"""The counts of a period, read from the coarsest windows that tile it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import redis

from stream_app.counts.fields import Counts, Distinct, add
from stream_app.errors import StoreError
from stream_app.store.cardinality import Cardinalities, Part, ask_sizes, parts_of
from stream_app.store.connection import execute, parsed
from stream_app.store.keys import Keys
from stream_app.store.states import starts_of
from stream_app.windows.grain import Grain, tiles

_WHATS: tuple[Distinct, ...] = get_args(Distinct)


@dataclass(frozen=True, slots=True)
class PeriodCounts:
    """The counts of one entity in a period. ``customers`` and ``orders``: distinct values; ``estimated``: by sketches."""

    counts: Counts = field(default_factory=Counts)
    customers: int = 0
    orders: int = 0
    estimated: frozenset[Distinct] = frozenset()


def read_period(
    cardinalities: Cardinalities, entities: Iterable[str], start: int, end: int, called: str = "the period"
) -> Mapping[str, PeriodCounts]:
    """Return entity → what was counted of it from ``start`` up to ``end`` (s), in two round trips.

    ``called``: what an error calls the period.

    Raises:
        StoreError: Redis is down, its keys are not ours, or the period needs windows that are no longer kept.
        ValueError: the period cannot be tiled (see ``tiles``).
    """
    client, keys = cardinalities.client, cardinalities.keys
    # Nothing was counted before 1970.
    if start < 0 < end and start % 60 == 0:
        start = 0
    names = list(entities)
    if start < end <= 0:
        return {entity: PeriodCounts() for entity in names}
    wanted = tiles(start, end)
    parts, epoch = _look(client, keys, names, wanted, called)
    pipe = client.pipeline(transaction=False)
    for entity in names:
        for grain, at in wanted:
            pipe.hgetall(keys.window(entity, grain, at))
    asked = cardinalities.ask(pipe, parts.values(), epoch)
    answers = iter(execute(client, keys.prefix, pipe) if names else ())
    counts = {entity: add([parsed(keys.window(entity, grain, at), next(answers)) for grain, at in wanted]) for entity in names}
    counted = dict(zip(parts, cardinalities.answer(asked, answers), strict=True))
    return {
        entity: PeriodCounts(
            counts[entity],
            counted[entity, "customers"].number,
            counted[entity, "orders"].number,
            frozenset(what for what in _WHATS if counted[entity, what].estimated),
        )
        for entity in names
    }


def _look(
    client: redis.Redis, keys: Keys, entities: list[str], wanted: tuple[tuple[Grain, int], ...], called: str
) -> tuple[dict[tuple[str, Distinct], list[Part]], Any]:
    """Return the windows with distinct values, and the epoch of the store.

    Refuses a period whose oldest windows are gone: its counts would be too small.
    """
    starts = {grain: {at for one, at in wanted if one is grain} for grain in {grain for grain, _ in wanted}}
    pipe = client.pipeline(transaction=False)
    asked = [(entity, grain) for entity in entities for grain in starts]
    for entity, grain in asked:
        pipe.zcard(keys.windows(entity, grain))
        pipe.zrange(keys.windows(entity, grain), 0, 0)
        for what in _WHATS:
            ask_sizes(pipe, keys, entity, what, grain, min(starts[grain]), max(starts[grain]) + grain.seconds)
    pipe.hget(keys.store(), "epoch")
    answers = iter(execute(client, keys.prefix, pipe))
    parts: dict[tuple[str, Distinct], list[Part]] = {(entity, what): [] for entity in entities for what in _WHATS}
    for entity, grain in asked:
        stored, first = int(next(answers)), starts_of(keys.windows(entity, grain), next(answers))
        if stored >= grain.kept and first and min(starts[grain]) < first[0]:
            coarser = "hours" if grain is Grain.MINUTE else "days"
            raise StoreError(
                f"{entity}: {called} needs windows of {grain.seconds:,} s older than the {grain.kept:,} that are kept; "
                f"let it start and end on full {coarser} (UTC)"
            )
        for what in _WHATS:
            found = parts_of(keys, entity, what, grain, next(answers))
            parts[entity, what] += [part for part in found if part.start in starts[grain]]
    return parts, next(answers)
